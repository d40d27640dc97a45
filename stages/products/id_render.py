"""An ID photo's pixels from its layout: cropped as they are, or turned upright and laid over a colour."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces.head import Head
from .id_layout import Layout

U8 = NDArray[np.uint8]
FAINT = 4  # of 255: less alpha than this would only tint the ground


def cropped(rgb: U8, head: Head, place: Layout, largest: tuple[int, int] | None) -> U8:
    """A part of the picture, uint8 [h, w, 3]: its own pixels where it need not be scaled, else scaled as a whole.

    Args:
        largest: width and height up to which the part stays as it is, if it has at least those of `place`.
    """
    x, y = head.face.middle
    width = min(round(place.width / place.scale), rgb.shape[1])
    height = min(round(place.height / place.scale), rgb.shape[0])
    if place.width == place.height:
        width = height = min(width, height)
    left = int(np.clip(round(x - place.x / place.scale), 0, rgb.shape[1] - width))
    top = int(np.clip(round(y - place.y / place.scale), 0, rgb.shape[0] - height))
    part = rgb[top : top + height, left : left + width]
    low, high = (place.width, place.height), largest or (place.width, place.height)
    if low[0] <= width <= high[0] and low[1] <= height <= high[1]:
        return np.ascontiguousarray(part)
    size = low if width < low[0] else high
    how = cv2.INTER_AREA if width > size[0] else cv2.INTER_CUBIC
    return cv2.resize(part, size, interpolation=how).astype(np.uint8, copy=False)


def rendered(colours: U8, alpha: U8 | None, head: Head, place: Layout, ground: tuple[int, int, int]) -> U8:
    """The head upright over a colour, uint8 [h, w, 3]; exactly that colour where alpha is 0.

    Args:
        colours: uint8 [H, W, 3], the subject's own.
        alpha: uint8 [H, W]; None: all of the picture shows.
    """
    if alpha is None:
        return _turned(colours, head, place)
    share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    premultiplied = cv2.multiply(colours, share, scale=1 / 255).astype(np.uint8, copy=False)
    over, solid = _turned(premultiplied, head, place), _turned(alpha, head, place)
    solid[solid < FAINT] = 0
    over = np.minimum(over, cv2.cvtColor(solid, cv2.COLOR_GRAY2RGB))  # the cubic overshoots along edges
    behind = np.full_like(over, ground)
    rest = cv2.cvtColor(cv2.bitwise_not(solid), cv2.COLOR_GRAY2RGB)
    return cv2.add(over, cv2.multiply(behind, rest, scale=1 / 255).astype(np.uint8)).astype(np.uint8, copy=False)


def _turned(pixels: U8, head: Head, place: Layout) -> U8:
    """What a photo shows of an array, turned upright and scaled; 0 where there is nothing."""
    shrink = min(1.0, place.scale)
    if shrink < 1:
        size = max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    rest = place.scale / shrink
    cos, sin = math.cos(head.angle) * rest, math.sin(head.angle) * rest
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([place.x, place.y]) - turn @ (head.face.middle * shrink)
    matrix = np.concatenate([turn, shift[:, None]], 1)
    made = cv2.warpAffine(pixels, matrix, (place.width, place.height), flags=cv2.INTER_CUBIC)
    return made.astype(np.uint8, copy=False)
