"""Figures that judge a detector: average precision as COCO defines it, recall by size and by aspect ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(0.5 + 0.05 * k for k in range(10))  # IoU, of COCO's AP
RATIOS = {  # width over height, low to high
    "1:6..1:3": (0.0, 1 / 3),
    "1:3..1:1.5": (1 / 3, 2 / 3),
    "1:1.5..1.5:1": (2 / 3, 1.5),
    "1.5:1..3:1": (1.5, 3.0),
    "3:1..6:1": (3.0, np.inf),
}
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, np.inf)}  # area, COCO's


@dataclass(frozen=True)
class Answer:
    """One picture's boxes of one label. found: [n, 4], scores: [n], truth: [m, 4]; corners in pixels."""

    found: NDArray
    scores: NDArray
    truth: NDArray


def overlaps(a: NDArray, b: NDArray) -> NDArray:
    """IoU of every box of a with every box of b: [len(a), len(b)]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def matches(answer: Answer, threshold: float) -> tuple[NDArray, NDArray]:
    """Greedy, best score first, each true box once: (found is right [n], truth is found [m])."""
    right, hit = np.zeros(len(answer.found), bool), np.zeros(len(answer.truth), bool)
    if len(answer.found) and len(answer.truth):
        overlap = overlaps(answer.found, answer.truth)
        for i in np.argsort(-answer.scores, kind="stable"):
            free = np.where(hit, -1.0, overlap[i])
            j = int(free.argmax())
            if free[j] >= threshold - 1e-10:
                right[i] = hit[j] = True
    return right, hit


def average_precision(answers: Sequence[Answer], threshold: float = 0.5) -> float:
    """Mean precision at the recalls 0, 0.01 … 1, each the best at that recall or above. NaN without true boxes.

    Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, as its evaluation code does it.
    """
    total = sum(len(a.truth) for a in answers)
    if not total:
        return float("nan")
    right = np.concatenate([matches(a, threshold)[0] for a in answers])
    order = np.argsort(-np.concatenate([a.scores for a in answers]), kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(order) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # 0 beyond the last box
    indices = np.searchsorted(hits / total, np.linspace(0, 1, 101), side="left")
    return float(envelope[indices].mean())


def mean_average_precision(answers: Sequence[Answer]) -> float:
    """COCO's AP: the mean over IoU thresholds 0.5, 0.55 … 0.95."""
    return float(np.mean([average_precision(answers, t) for t in THRESHOLDS]))


def recall_by_ratio(answers: Sequence[Answer], threshold: float = 0.5) -> dict[str, float]:
    """Recall of true boxes by width over height; ratios that no true box has are left out."""
    size = _sizes(answers)
    return _recall(answers, threshold, size[:, 0] / np.maximum(size[:, 1], 1e-9), RATIOS)


def recall_by_size(answers: Sequence[Answer], threshold: float = 0.5) -> dict[str, float]:
    """Recall of true boxes by area in COCO's classes (32² and 96² pixels); classes without boxes are left out."""
    return _recall(answers, threshold, _sizes(answers).prod(1), SIZES)


def _sizes(answers: Sequence[Answer]) -> NDArray:
    truth = np.concatenate([a.truth.reshape(-1, 4) for a in answers])
    return truth[:, 2:] - truth[:, :2]


def _recall(
    answers: Sequence[Answer], threshold: float, value: NDArray, ranges: dict[str, tuple[float, float]]
) -> dict[str, float]:
    hit = np.concatenate([matches(a, threshold)[1] for a in answers])
    return {
        name: float(hit[part].mean())
        for name, (low, high) in ranges.items()
        if (part := (value >= low) & (value < high)).any()
    }
