"""Figures that judge a detector: average precision and recall by aspect ratio; plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """One picture's boxes of one label. found: [n, 4], scores: [n], truth: [m, 4]; corners in pixels."""

    found: np.ndarray
    scores: np.ndarray
    truth: np.ndarray


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of every box of a with every box of b: [len(a), len(b)]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def matches(answer: Answer, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Greedy, best score first, each true box once: (found is right [n], truth is found [m])."""
    right, hit = np.zeros(len(answer.found), bool), np.zeros(len(answer.truth), bool)
    if len(answer.found) and len(answer.truth):
        overlap = overlaps(answer.found, answer.truth)
        for i in np.argsort(-answer.scores, kind="stable"):
            free = np.where(hit, -1.0, overlap[i])
            j = int(free.argmax())
            if free[j] >= threshold:
                right[i] = hit[j] = True
    return right, hit


def average_precision(answers: Sequence[Answer], threshold: float = 0.5) -> float:
    """Area under the precision envelope over recall (COCO's, every point). NaN without true boxes."""
    total = sum(len(a.truth) for a in answers)
    if not total:
        return float("nan")
    right = np.concatenate([matches(a, threshold)[0] for a in answers])
    order = np.argsort(-np.concatenate([a.scores for a in answers]), kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right[order]).sum() / total)


def recall_by_ratio(answers: Sequence[Answer], threshold: float = 0.5) -> dict[str, float]:
    """Recall of boxes by how long they are, the longer side over the shorter, in both directions."""
    edges = {"1:6..1:3": (0, 1 / 3), "1:3..1:1.5": (1 / 3, 2 / 3), "1:1.5..1.5:1": (2 / 3, 1.5), "1.5:1..3:1": (1.5, 3)}
    edges["3:1..6:1"] = (3, np.inf)
    hit = np.concatenate([matches(a, threshold)[1] for a in answers])
    size = np.concatenate([a.truth for a in answers])
    ratio = (size[:, 2] - size[:, 0]) / (size[:, 3] - size[:, 1])
    return {
        name: float(hit[part].mean())
        for name, (low, high) in edges.items()
        if (part := (ratio >= low) & (ratio < high)).any()
    }
