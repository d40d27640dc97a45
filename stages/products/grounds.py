"""What a subject can be laid over: a colour, a gradient, a picture, its own picture blurred.

Each is uint8 [h, w, 3] of the canvas.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .layers import cover

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Colour = tuple[int, int, int]

SMALL = 400  # longest side at which a strong blur is made; it is enlarged again
SHIFT = (30.0, 14.0)  # most that light and tint of a subject are moved, on OpenCV's scales of L (0..255) and of a and b


def gradient(canvas: tuple[int, int], first: Colour, second: Colour, angle: float | Literal["radial"]) -> U8:
    """From one colour to the other: along a direction (0: left to right, 90: top to bottom), or from the middle out.

    Half a level of noise, always the same, keeps it from showing steps.
    """
    width, height = canvas
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - (width - 1) / 2) / width, (y - (height - 1) / 2) / height
    if angle == "radial":
        share = np.sqrt(x * x + y * y) / math.sqrt(0.5)
    else:
        along = math.radians(angle)
        dx, dy = math.cos(along), math.sin(along)
        share = (x * dx + y * dy) / (abs(dx) + abs(dy)) + 0.5
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    colours = start + share[..., None] * (end - start)
    noise = np.random.default_rng(0).random((height, width, 1), np.float32) - 0.5
    return np.rint(colours + noise).clip(0, 255).astype(np.uint8)


def fitted(
    rgb: U8, canvas: tuple[int, int], fit: Literal["cover", "contain"], position: tuple[float, float], colour: Colour
) -> U8:
    """A picture on the canvas: it covers all of it, or all of it shows, with a colour around.

    Args:
        position: which part shows, or where it lies; horizontal and vertical, each 0 to 1.
    """
    width, height = canvas
    h, w = rgb.shape[:2]
    if fit == "cover":
        if position == (0.5, 0.5):
            return cover(rgb, width, height)
        factor = max(width / w, height / h)
        part_w, part_h = min(w, round(width / factor)), min(h, round(height / factor))
        x, y = round(position[0] * (w - part_w)), round(position[1] * (h - part_h))
        return cover(rgb[y : y + part_h, x : x + part_w], width, height)
    factor = min(width / w, height / h)
    size = max(1, round(w * factor)), max(1, round(h * factor))
    shown = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    result = np.empty((height, width, 3), np.uint8)
    result[:] = colour
    x, y = round(position[0] * (width - size[0])), round(position[1] * (height - size[1]))
    result[y : y + size[1], x : x + size[0]] = shown
    return result


def blurred(rgb: U8, alpha: U8, strength: float) -> U8:
    """The picture without its subject, blurred: what lies around it is spread over its place first, so that it throws
    no shine of its own colours.

    Args:
        strength: of the blur, as a share of the picture's longer side.
    """
    height, width = alpha.shape
    shrink = max(1.0, max(height, width) / SMALL)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    covered = cv2.dilate(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.ones((5, 5), np.uint8))
    free = (1 - covered.astype(np.float32) / 255)[..., None]
    sigma = max(0.5, strength * max(size))
    reach = sigma / 2
    known: NDArray[Any] = np.zeros_like(free)
    spread: NDArray[Any] = small
    while known.min() <= 1e-3 and reach < max(size):  # what is far from any ground takes its colours from further away
        reach *= 2
        known = cv2.GaussianBlur(free, (0, 0), reach)[..., None]
        spread = cv2.GaussianBlur(small * free, (0, 0), reach) / np.maximum(known, 1e-4)
    whole = small * free + spread * (1 - free)
    large = cv2.resize(cv2.GaussianBlur(whole, (0, 0), sigma), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.rint(large).clip(0, 255).astype(np.uint8)


def in_light_of(colours: U8, alpha: U8, ground: U8, strength: float) -> U8:
    """A subject's colours moved towards the light of what it is laid over: mean lightness and tint.

    After E. Reinhard et al., "Color transfer between images", 2001, in Lab, with bounds: a subject stays what it is.

    Args:
        colours: uint8 [h, w, 3], the subject's. ground: uint8, of any size. strength: 0 leaves them.
    """
    solid = alpha > 200
    if strength <= 0 or not solid.any():
        return colours
    small = cv2.resize(ground, (64, 64), interpolation=cv2.INTER_AREA)
    there = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    own = lab[solid]
    shift = (there.mean(0) - own.mean(0)) * strength * np.array((0.4, 0.5, 0.5), np.float32)
    bounds = np.array((SHIFT[0], SHIFT[1], SHIFT[1]), np.float32)
    lab += np.clip(shift, -bounds, bounds)
    return cv2.cvtColor(np.rint(lab).clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB).astype(np.uint8, copy=False)
