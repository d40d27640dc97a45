"""Judges a picture with a new background by its preset's rules, from the finished file alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...limits import DEFAULT_LIMITS, Limits
from ...verdicts import Check
from ..background_rules import BackgroundRules
from .files import check_file, read_file

SMOOTH = 9  # pixels along the frame over which grain is averaged


def check_background(data: bytes, ending: str, rules: BackgroundRules, limits: Limits = DEFAULT_LIMITS) -> list[Check]:
    """All rules, checked. ending: of the file's name, without the dot."""
    try:
        facts, picture = read_file(data, ending, limits)
        rgb, alpha = picture.rgb(), picture.source_alpha
    except PictureError as error:
        return [Check("readable", error.reason, "a picture", "fail")]
    height, width = rgb.shape[:2]
    ring = _ring(rgb)
    opaque = np.full((height, width), 255, np.uint8) if alpha is None else alpha
    more: dict[str, tuple[float | None, str]] = {
        "clear": (float((_ring(opaque) == 0).mean()), ""),
        "steps": (_steepest(ring) if len(ring) > 2 * SMOOTH else None, "levels"),
    }
    return check_file(facts, rules, more)


def _ring(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outermost pixels in their order around the frame."""
    return np.concatenate([pixels[0], pixels[1:, -1], pixels[-1, -2::-1], pixels[-2:0:-1, 0]])


def _steepest(ring: NDArray[np.uint8]) -> float:
    smooth = cv2.blur(ring.astype(np.float32)[:, None], (1, SMOOTH))[:, 0]
    return float(np.abs(smooth[SMOOTH:] - smooth[:-SMOOTH]).max())
