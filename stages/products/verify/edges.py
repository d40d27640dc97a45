"""What an edge on white tells: an old background that shines through, ripples of compression, pixels blown up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...item import Rect

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

EDGE_SIDE = 1200  # longest side at which edges are compared with what lies inside them
INSIDE = 5  # pixels there: how far inside the subject has its own colours for sure
RIM = 3  # pixels there: how far in from the ground a halo reaches
NEAR_EDGE = (2.5, 11.0)  # pixels from the subject between which compression shows
TILE = 256
CONTRAST = 60  # levels across an edge that is looked at
SPAN = 9  # pixels across which it is looked at
SHARPEST = 10  # percentile


def halo(rgb: U8, subject: Mask) -> float | None:
    """By how much the subject's rim lies off the way from its own colours to white; mean, levels.

    Where an edge is a mixture of the subject's colour F and white W, its colour is W + a (F - W). What remains beside
    that line, or beyond F, is the old background's. F is the colour of the nearest pixel that lies well inside.
    """
    height, width = subject.shape
    shrink = min(1.0, EDGE_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    covered = (cv2.resize(subject.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    covered[[0, -1]], covered[:, [0, -1]] = covered[[1, -2]], covered[:, [1, -2]]
    padded = cv2.copyMakeBorder(covered, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    core = depth >= INSIDE
    rim = (depth > 0) & (depth <= RIM)
    if core.sum() < 50 or rim.sum() < 50:
        return None
    _, labels = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    own = np.zeros((int(labels.max()) + 1, 3), np.float32)
    smooth = (
        cv2.blur(small * core[..., None], (5, 5))
        / np.maximum(cv2.blur(core.astype(np.float32), (5, 5)), 1e-3)[..., None]
    )
    own[labels[core]] = smooth[core]
    near = own[labels[rim]]
    way, there = 255 - near, 255 - small[rim]
    share = np.clip((way * there).sum(1) / np.maximum((way * way).sum(1), 1), 0, 1)
    return float(np.linalg.norm(there - share[:, None] * way, axis=1).mean() / 3**0.5)


def artefacts(rgb: U8, subject: Mask) -> float | None:
    """What compression in blocks of 8 × 8 leaves on the ground beside the subject, levels.

    The mean step between neighbours across the blocks' borders, less that between other neighbours: a soft edge, hair
    or shadow is as steep on either, ripples end at the border. After Z. Wang, A. Bovik and B. Evans, "Blind measurement
    of blocking artifacts in images", ICIP 2000.

    Args:
        subject: bool [h, w], without what compression left beside it.
    """
    away = cv2.distanceTransform((~subject).astype(np.uint8), cv2.DIST_L2, 5)
    zone = (away > NEAR_EDGE[0]) & (away <= NEAR_EDGE[1])
    darkest = rgb.min(2).astype(np.float32)
    excess = []
    for axis in (0, 1):
        steps = np.abs(np.diff(darkest, axis=axis)).swapaxes(0, axis)
        both = np.swapaxes(zone, 0, axis)
        both = both[1:] & both[:-1]
        border = np.arange(len(steps)) % 8 == 7
        if both[border].sum() < 50 or both[~border].sum() < 50:
            return None
        excess.append(float(steps[border][both[border]].mean() - steps[~border][both[~border]].mean()))
    return max(0.0, sum(excess) / 2)


def sharpest_edges(rgb: U8, box: Rect) -> float | None:
    """How wide the sharpest edges are, pixels: their contrast over their steepest slope. None: there is none."""
    x0, y0, x1, y1 = box
    grey = cv2.cvtColor(rgb[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    if min(grey.shape) < SPAN:
        return None
    kernel = np.ones((SPAN, SPAN), np.uint8)
    contrast = cv2.dilate(grey, kernel).astype(np.float32) - cv2.erode(grey, kernel)
    values = grey.astype(np.float32)
    slope = cv2.magnitude(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)) / 8
    steepest = cv2.dilate(slope, np.ones((5, 5), np.uint8))
    there = contrast > CONTRAST
    if there.sum() < 100:
        return None
    return float(np.percentile(contrast[there] / np.maximum(steepest[there], 0.5), SHARPEST))
