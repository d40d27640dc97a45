"""Masks that a hand drew, or a model that knows only masks, as the fine stage takes them: small, with a doubt."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..item import CoarseCrop

F32 = NDArray[np.float32]

# The best of 18 ways tried on a ball with hair, drawn without it, of those that reach no further: the sum of the error
# fell from 6,660 to 3,720 (tests/training/test_matte.py).
REACH = 0.03  # around a mask's edge, share of its longer side, where it is not believed
DOUBT = 0.3  # its expected error there
SIDE = 320  # longest side at which the fine stage gets a mask, pixels: that of the coarse stage's answers


def crop_of(mask: F32, error: F32 | None = None) -> CoarseCrop:
    """A mask as the fine stage takes it, of the whole picture.

    Args:
        mask: float32 [H, W], 0..1; hard or soft.
        error: float32 [H, W], 0..1, its expected absolute error; None: as of a quick hand, in doubt within `REACH`
            around its edge.
    """
    height, width = mask.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    if error is None:
        small, wrong = _doubted(small)
    else:
        wrong = np.asarray(cv2.resize(error, size, interpolation=cv2.INTER_AREA), np.float32)
    alpha, uncertainty = ((np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8) for x in (small, wrong))
    return CoarseCrop((0, 0, width, height), alpha, uncertainty)


def _doubted(mask: F32) -> tuple[F32, F32]:
    """A mask softened around its edge, and its expected error: a hand draws past hair."""
    reach = max(1, round(REACH * max(mask.shape)))
    edge = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    soft = cv2.blur(mask, (reach, reach))
    error = np.maximum(2 * soft * (1 - soft), DOUBT * cv2.dilate(edge, disc))
    return np.asarray(soft, np.float32), np.asarray(error, np.float32)
