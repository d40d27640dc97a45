"""Figures that judge classifiers and scores: accuracy, F1, kappa, calibration, AUC, rank correlation; plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auc(score: NDArray, positive: NDArray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half. NaN without both."""
    positive = positive.astype(bool)
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    return float((ranks(score)[positive].sum() - count * (count + 1) / 2) / (count * others))


def ranks(values: NDArray) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, size = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(size) - (size - 1) / 2)[place]


def spearman(a: NDArray, b: NDArray) -> float:
    """Spearman's rank correlation, -1..1. NaN where one of them is constant."""
    x, y = (r - r.mean() for r in (ranks(a), ranks(b)))
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / scale if scale else float("nan")


def confusion(predicted: NDArray, true: NDArray, classes: int) -> NDArray[np.int64]:
    """Counts [true, predicted]; both are class numbers from 0."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def macro_f1(predicted: NDArray, true: NDArray, classes: int) -> float:
    """Mean F1 over the classes that occur in the truth."""
    table = confusion(predicted, true, classes)
    present = table.sum(1) > 0
    f1 = 2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1)
    return float(f1[present].mean())


def kappa(predicted: NDArray, true: NDArray, classes: int, quadratic: bool = True) -> float:
    """Cohen's kappa, agreement beyond chance (1960); with quadratic weights for ordered classes (1968)."""
    table = confusion(predicted, true, classes).astype(float)
    steps = np.arange(classes)
    distance = np.abs(steps[:, None] - steps[None])
    cost = distance**2 if quadratic else (distance > 0).astype(int)
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return float(1 - (cost * table).sum() / max((cost * chance).sum(), 1e-9))


def calibration_error(probability: NDArray, correct: NDArray, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins (Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern
    Neural Networks", ICML 2017)."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[place == b].mean() - correct[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))
