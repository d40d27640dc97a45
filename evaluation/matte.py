"""Figures that judge a matte against the true one; numpy and OpenCV only.

Mattes are float32 [H, W], 0..1. The gradient and connectivity errors are those of the alpha matting benchmark
(Rhemann, Rother, Wang, Gelautz, Kohli, Rott, "A Perceptually Motivated Online Benchmark for Image Matting", CVPR
2009) with its parameters, computed as in the evaluation code that later papers share (Xu, Price, Cohen, Huang, "Deep
Image Matting", CVPR 2017), so that figures can be set beside published ones.
"""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIGMA = 1.4  # of the Gaussian whose derivative gives the gradients
STEP = 0.1  # of the thresholds of the connectivity error
DIGITS = 6
OPAQUE = 254.5 / 255  # alpha from which eight bits hold 255
PIECE = 1e-4  # share of the picture from which a hole or a speck is one


def evaluate(predicted: F32, truth: F32, band: Mask | None = None) -> dict[str, float]:
    """All figures of one matte.

    Args:
        predicted: float32 [H, W], 0..1.
        truth: likewise.
        band: bool [H, W], the transition band; None: `transition_band(truth)`.

    Returns:
        `sad`, `grad` and `conn` are sums over the picture in thousands, `mse` and `mae` means over it, the same with
        `_band` over the transition band alone (0 where that is empty); `iou`, `boundary_iou` and `max_f` in 0..1; and
        what people see first, see `flaws`: `interior_soft` in 0..1, and the counts `holes` and `specks`.

    Raises:
        ValueError: the sizes differ.
    """
    if predicted.shape != truth.shape or (band is not None and band.shape != truth.shape):
        raise ValueError(f"sizes differ: {predicted.shape}, {truth.shape}")
    if band is None:
        band = transition_band(truth)
    error = np.abs(predicted - truth)
    maps = {"sad": error, "mse": error**2, "mae": error}
    maps |= {"grad": gradient_error(predicted, truth), "conn": connectivity_error(predicted, truth)}
    found = {}
    for suffix, where in (("", np.ones_like(band)), ("_band", band)):
        for name, per_pixel in maps.items():
            part = per_pixel[where]
            total = float(part.sum(dtype=np.float64))
            found[name + suffix] = total / max(part.size, 1) if name in ("mse", "mae") else total / 1000
    found["iou"] = iou(predicted >= 0.5, truth >= 0.5)
    found["boundary_iou"] = boundary_iou(predicted >= 0.5, truth >= 0.5)
    found["max_f"] = max_f(predicted, truth >= 0.5)
    found |= flaws(predicted, truth, band)
    return {name: round(value, DIGITS) for name, value in found.items()}


def flaws(predicted: F32, truth: F32, band: Mask) -> dict[str, float]:
    """Flaws that show at a glance, however few pixels they are.

    Returns:
        `interior_soft`: the share of the subject's interior (true alpha of at least 0.99, outside the transition band)
        that is not wholly opaque, so that another background shines through; `holes`: 4-connected regions of the
        interior, of `PIECE` of the picture and more, that are missing (alpha below 0.5); `specks`: such regions that
        are there without touching the true subject.
    """
    least = max(4, round(PIECE * truth.size))
    interior = (truth >= 0.99) & ~band
    soft = int((interior & (predicted < OPAQUE)).sum()) / max(int(interior.sum()), 1)
    holes = sum(area >= least for area, _ in _regions(interior & (predicted < 0.5)))
    specks = sum(area >= least and not (truth[at] > 0.01).any() for area, at in _regions(predicted >= 0.5))
    return {"interior_soft": soft, "holes": float(holes), "specks": float(specks)}


def transition_band(truth: F32, reach: float = 0.01) -> Mask:
    """Where a matte is hard: around every pixel that is partly covered and every edge, bool [H, W].

    The rule: pixels with 0.01 < alpha < 0.99, or beside a pixel on the other side of 0.5, widened by a disc whose
    radius is `reach` of the longer side, at least 2 pixels.
    """
    partial = (truth > 0.01) & (truth < 0.99)
    edge = cv2.morphologyEx((truth >= 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    radius = max(2, round(reach * max(truth.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate((partial | edge).astype(np.uint8), disc) > 0


def gradient_error(predicted: F32, truth: F32) -> F32:
    """Squared difference of the gradient magnitudes, per pixel: float32 [H, W]. Grad is its sum / 1000.

    Gradients are taken with derivatives of a Gaussian of `SIGMA`, each filter scaled to an L2 norm of 1.
    """
    return ((_magnitude(predicted) - _magnitude(truth)) ** 2).astype(np.float32)


def connectivity_error(predicted: F32, truth: F32) -> F32:
    """|phi(predicted) - phi(truth)| per pixel: float32 [H, W]. Conn is its sum / 1000.

    A pixel is connected up to the highest threshold at which it belongs to the largest 4-connected region that both
    mattes reach; phi is 1 less by how far alpha rises above that, from 0.15 on.
    """
    level = np.full(truth.shape, -1.0, np.float32)
    thresholds = [round(k * STEP, 10) for k in range(round(1 / STEP) + 1)]
    for before, threshold in pairwise(thresholds):
        both = (predicted >= threshold) & (truth >= threshold)
        level[(level < 0) & ~_largest(both)] = before
    level[level < 0] = 1
    phi = []
    for alpha in (predicted, truth):
        above = alpha - level
        phi.append(1 - above * (above >= 0.15))
    return np.abs(phi[0] - phi[1]).astype(np.float32)


def iou(predicted: Mask, truth: Mask) -> float:
    """Intersection over union (Jaccard index); 1 where both are empty."""
    union = int((predicted | truth).sum())
    return int((predicted & truth).sum()) / union if union else 1.0


def boundary_iou(predicted: Mask, truth: Mask, dilation: float = 0.02) -> float:
    """IoU of the masks' inner rims, `dilation` of the picture's diagonal wide.

    Cheng, Girshick, Dollár, Berg, Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
    CVPR 2021, with its width.
    """
    width = max(1, round(dilation * math.hypot(*truth.shape)))
    return iou(_rim(predicted, width), _rim(truth, width))


def max_f(predicted: F32, truth: Mask, beta2: float = 0.3) -> float:
    """The largest F-measure over 255 thresholds (Achanta, Hemami, Estrada, Süsstrunk, "Frequency-tuned Salient Region
    Detection", CVPR 2009, beta² = 0.3). 0 where nothing is true."""
    steps = np.clip(np.rint(predicted * 255), 0, 255).astype(np.int64)
    of_truth, of_all = (np.bincount(s, minlength=256)[::-1].cumsum()[:255] for s in (steps[truth], steps.ravel()))
    hits, positives = int(truth.sum()), np.maximum(of_all, 1)  # thresholds 255 down to 1: some alpha there is
    if not hits:
        return 0.0
    precision, recall = of_truth / positives, of_truth / hits
    return float(((1 + beta2) * precision * recall / np.maximum(beta2 * precision + recall, 1e-12)).max())


def _magnitude(alpha: F32) -> F32:
    half = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * 0.01)))  # below 0.01 it ends
    x = np.arange(-half, half + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * SIGMA**2))
    slope = -x * smooth
    smooth, slope = smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)
    dx = cv2.sepFilter2D(alpha, cv2.CV_32F, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.sepFilter2D(alpha, cv2.CV_32F, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(dx, dy).astype(np.float32)


def _regions(mask: Mask) -> list[tuple[int, Mask]]:
    """Area and place of every 4-connected region."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return [(int(stats[k, cv2.CC_STAT_AREA]), labels == k) for k in range(1, count)]


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def _rim(mask: Mask, width: int) -> Mask:
    """What of a mask lies within `width` pixels of its outline; the picture's border counts as outline."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1] > 0
    return mask & ~inner
