"""Figures that judge classifiers; plain numpy, each by its usual definition."""

from __future__ import annotations

import numpy as np


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half. NaN without both."""
    positive = positive.astype(bool)
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    _, place, size = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(size) - (size - 1) / 2)[place]  # mean rank of ties
    return float((rank[positive].sum() - count * (count + 1) / 2) / (count * others))


def confusion(predicted: np.ndarray, true: np.ndarray, classes: int) -> np.ndarray:
    """Counts [true, predicted]."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def macro_f1(predicted: np.ndarray, true: np.ndarray, classes: int) -> float:
    """Mean F1 over the classes that occur."""
    table = confusion(predicted, true, classes)
    present = table.sum(1) > 0
    f1 = 2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1)
    return float(f1[present].mean())


def kappa(predicted: np.ndarray, true: np.ndarray, classes: int) -> float:
    """Cohen's kappa with quadratic weights, for ordered classes."""
    table = confusion(predicted, true, classes).astype(float)
    ranks = np.arange(classes)
    cost = (ranks[:, None] - ranks[None]) ** 2
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return float(1 - (cost * table).sum() / max((cost * chance).sum(), 1e-9))


def calibration_error(probability: np.ndarray, correct: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins (Guo et al., 2017)."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[place == b].mean() - correct[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))
