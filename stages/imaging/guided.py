"""Guided upsampling: a small alpha made large along the edges of the large picture.

The fast guided filter (He & Sun 2015, arXiv:1505.00996): a local linear model alpha = a . guide + b is fitted
at the small size; a and b, which are smooth, are enlarged instead of alpha.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def upsample(alpha: F32, guide: NDArray[np.uint8], radius: int = 4, epsilon: float = 1e-4) -> F32:
    """Enlarges alpha to the guide's size.

    Args:
        alpha: float32 [h, w], 0..1.
        guide: uint8 [H, W, 3], the picture; H >= h and W >= w.
        radius: of the box the model is fitted in, pixels of the small size.
        epsilon: smallest variance of the guide (0..1 scale) that counts as an edge.

    Returns:
        float32 [H, W], 0..1.
    """
    size = (alpha.shape[1], alpha.shape[0])
    grey = cv2.cvtColor(guide, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    box = (2 * radius + 1, 2 * radius + 1)
    mean_g, mean_a = cv2.blur(small, box), cv2.blur(alpha, box)
    variance = cv2.blur(small * small, box) - mean_g * mean_g
    slope = (cv2.blur(small * alpha, box) - mean_g * mean_a) / (variance + epsilon)
    offset = mean_a - slope * mean_g
    full = (guide.shape[1], guide.shape[0])
    slopes = cv2.resize(cv2.blur(slope, box), full, interpolation=cv2.INTER_LINEAR)
    offsets = cv2.resize(cv2.blur(offset, box), full, interpolation=cv2.INTER_LINEAR)
    result = grey.astype(np.float32)  # the rest in place: for a large picture each array takes much memory
    result /= 255
    result *= slopes
    result += offsets
    return np.clip(result, 0, 1, out=result)
