"""Doubt settled by colour: what a coarse answer is unsure of follows the colours of what it is sure of.

A network that finds the upper half of a red saucer and doubts the lower one has the answer before its eyes. The colours
of the sure subject and of the sure background are counted, and doubtful pixels near the subject move towards the side
whose colour they have, as in GrabCut (Rother, Kolmogorov and Blake 2004), by one look instead of a cut. What is sure
stays as it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..item import U8

F32 = NDArray[np.float32]
SURE = 0.8  # alpha from which a pixel counts as the subject's, and, less 1, as the background's
STRENGTH = 1.0  # what a colour's log-likelihood ratio adds to the logit of a pixel at one half
REACH = 0.25  # of the side: from here on a colour speaks for the subject a third as loud
BINS = (10, 16, 16)  # of L, a and b
_CLEAREST = 4.0  # largest log-likelihood ratio
_LEAST = 50  # sure pixels on either side, below which nothing can be learned
_SMOOTH = np.array([0.022, 0.228, 0.5, 0.228, 0.022])  # a Gaussian of 0.8 bins


def settle(rgb: U8, alpha: U8) -> U8:
    """The alpha with its doubt settled, uint8 [H, W].

    Args:
        rgb: uint8 [H, W, 3]. alpha: uint8 [H, W], the coarse network's.
    """
    p = np.clip(alpha / np.float32(255), 0.004, 0.996)
    subject, background = np.where(p > SURE, p, 0), np.where(p < 1 - SURE, 1 - p, 0)
    if min(subject.sum(), background.sum()) < _LEAST:
        return alpha
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.int32)
    place = np.ravel_multi_index(tuple(lab[:, k] * bins // 256 for k, bins in enumerate(BINS)), BINS)
    ratio = np.log(_frequency(place, subject) / _frequency(place, background))
    spoken = cv2.GaussianBlur(
        np.clip(ratio, -_CLEAREST, _CLEAREST).astype(np.float32)[place].reshape(p.shape), (0, 0), 1.0
    )
    away = cv2.distanceTransform((p <= SURE).astype(np.uint8), cv2.DIST_L2, 5) / (REACH * max(p.shape))
    logit = np.log(p / (1 - p)) + STRENGTH * 4 * p * (1 - p) * np.exp(-away) * spoken
    settled = (255 / (1 + np.exp(-logit)) + 0.5).astype(np.uint8)
    return np.where((alpha == 0) | (alpha == 255), alpha, settled)


def _frequency(place: NDArray[np.int64], weight: F32) -> NDArray[np.float64]:
    """How often each colour comes, of all; smoothed, and never 0."""
    counts = np.bincount(place, weight.ravel(), int(np.prod(BINS))).reshape(BINS)
    for axis in range(3):
        padded = np.pad(counts, [(2, 2) if k == axis else (0, 0) for k in range(3)], mode="edge")
        ends = counts.shape[axis]
        counts = sum(w * padded.take(range(k, k + ends), axis) for k, w in enumerate(_SMOOTH))
    return (counts / counts.sum() + 1e-5).ravel()
