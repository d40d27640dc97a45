"""Uncertain pixels of a coarse alpha resolved by colour: they follow the colours of what is certain.

A network that finds the upper half of a red saucer and is uncertain of the lower one has the answer in the picture. The
colours of the certain subject and of the certain background are counted, and uncertain pixels near the subject move
towards the side whose colour they have, as in GrabCut (Rother, Kolmogorov and Blake 2004), but in a single step instead
of a graph cut. What is certain stays as it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..item import U8

F32 = NDArray[np.float32]
SEED_ALPHA = 0.8  # a pixel of more alpha is certainly the subject's, one of less than 1 - SEED_ALPHA the background's
STRENGTH = 1.0  # how much of a colour's log-likelihood ratio is added to the logit of a pixel at one half
REACH = 0.25  # share of the side: at this distance from the subject the effect has fallen to a third
BINS = (10, 16, 16)  # of the histograms, in L, a and b
_MAX_LOG_RATIO = 4.0  # log-likelihood ratios are clipped here
_MIN_SEED = 50  # with fewer certain pixels on either side nothing can be learned
_SMOOTHING = np.array([0.022, 0.228, 0.5, 0.228, 0.022])  # a Gaussian of 0.8 bins


def resolve_by_colour(rgb: U8, alpha: U8) -> U8:
    """The alpha with its uncertain pixels resolved, uint8 [H, W], 0..255.

    Args:
        rgb: uint8 [H, W, 3], sRGB.
        alpha: uint8 [H, W], 0..255, the coarse network's.
    """
    p = np.clip(alpha / np.float32(255), 0.004, 0.996)
    subject, background = np.where(p > SEED_ALPHA, p, 0), np.where(p < 1 - SEED_ALPHA, 1 - p, 0)
    if min(subject.sum(), background.sum()) < _MIN_SEED:
        return alpha
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.int32)
    bin_index = np.ravel_multi_index(tuple(lab[:, k] * bins // 256 for k, bins in enumerate(BINS)), BINS)
    ratio = np.log(_frequency(bin_index, subject) / _frequency(bin_index, background))
    evidence = cv2.GaussianBlur(
        np.clip(ratio, -_MAX_LOG_RATIO, _MAX_LOG_RATIO).astype(np.float32)[bin_index].reshape(p.shape), (0, 0), 1.0
    )
    distance = cv2.distanceTransform((p <= SEED_ALPHA).astype(np.uint8), cv2.DIST_L2, 5) / (REACH * max(p.shape))
    logit = np.log(p / (1 - p)) + STRENGTH * 4 * p * (1 - p) * np.exp(-distance) * evidence
    resolved = (255 / (1 + np.exp(-logit)) + 0.5).astype(np.uint8)
    return np.where((alpha == 0) | (alpha == 255), alpha, resolved)


def _frequency(bin_index: NDArray[np.int64], weight: F32) -> NDArray[np.float64]:
    """The smoothed share of each colour bin in the weighted pixels, float64 [bins], never 0."""
    counts = np.bincount(bin_index, weight.ravel(), int(np.prod(BINS))).reshape(BINS)
    for axis in range(3):
        padded = np.pad(counts, [(2, 2) if k == axis else (0, 0) for k in range(3)], mode="edge")
        ends = counts.shape[axis]
        counts = sum(w * padded.take(range(k, k + ends), axis) for k, w in enumerate(_SMOOTHING))
    return (counts / counts.sum() + 1e-5).ravel()
