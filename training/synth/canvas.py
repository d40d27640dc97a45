"""A picture being laid out: sprites are pasted one above the other; what stays visible of each becomes its box.

A sprite is uint8 [h, w, 4], RGB not premultiplied and alpha. Covers pasting, shadows, boxes and alpha;
what the sprites show is made elsewhere (`lettering.py`, `marks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Rng = np.random.Generator
_VISIBLE = 0.4  # less than this of a text or logo left uncovered: nobody could read it


@dataclass(frozen=True)
class Box:
    """A labelled box: subject, text or logo. Corners in pixels, x1 and y1 exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int
    label: str


class Rect(NamedTuple):
    """A part of the canvas, in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    def inset(self, share: float) -> Rect:
        """The rectangle with a margin of `share` of its shorter side."""
        m = share * min(self.width, self.height)
        return Rect(self.x0 + m, self.y0 + m, self.x1 - m, self.y1 - m)

    def across(self, *shares: float) -> list[Rect]:
        """Cut into columns whose widths are as the shares."""
        edges = self.x0 + self.width * np.cumsum([0, *shares]) / sum(shares)
        return [Rect(float(a), self.y0, float(b), self.y1) for a, b in pairwise(edges)]

    def down(self, *shares: float) -> list[Rect]:
        """Cut into rows whose heights are as the shares."""
        edges = self.y0 + self.height * np.cumsum([0, *shares]) / sum(shares)
        return [Rect(self.x0, float(a), self.x1, float(b)) for a, b in pairwise(edges)]


class Canvas:
    """rgb: uint8 [H, W, 3]; alpha: uint8 [H, W], of all subjects together."""

    def __init__(self, backdrop: U8) -> None:
        self.rgb = backdrop.copy()
        self.height, self.width = backdrop.shape[:2]
        self.alpha = np.zeros((self.height, self.width), np.uint8)
        self._owner = np.zeros((self.height, self.width), np.int16)
        self._placed: list[tuple[str, int]] = []  # label and pixels as pasted; owner i + 1

    @property
    def rect(self) -> Rect:
        return Rect(0, 0, self.width, self.height)

    def paste(self, sprite: U8, x: float, y: float, label: str = "") -> None:
        """Puts a sprite with its upper left corner at (x, y), cut off at the edge; unlabelled: an ornament."""
        found = self._window(sprite, x, y)
        if found is None:
            return
        where, part = found
        a = part[..., 3:].astype(np.uint16)
        self.rgb[where] = (self.rgb[where] * (255 - a) + part[..., :3] * a + 127) // 255
        below = self.alpha[where] * (255 - a[..., 0])
        self.alpha[where] = (below + (255 * a[..., 0] if label == "subject" else 0) + 127) // 255
        solid = part[..., 3] > 96
        if label:
            self._placed.append((label, int((sprite[..., 3] > 96).sum())))
            self._owner[where][solid] = len(self._placed)
        else:
            self._owner[where][solid] = 0

    def shade(self, alpha: U8, x: float, y: float, strength: float, color: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Tints what lies below a soft mask, uint8 [h, w]: shadows and glows. No owner changes."""
        sprite = np.empty((*alpha.shape, 4), np.uint8)
        sprite[..., :3] = color
        sprite[..., 3] = alpha * np.float32(strength)
        found = self._window(sprite, x, y)
        if found is not None:
            where, part = found
            a = part[..., 3:].astype(np.uint16)
            self.rgb[where] = (self.rgb[where] * (255 - a) + part[..., :3] * a + 127) // 255

    def luminance(self, rect: Rect) -> float:
        """Mean brightness below a rectangle, 0..1, to choose a colour that can be read on it."""
        part = self.rgb[max(0, int(rect.y0)) : int(rect.y1) + 1, max(0, int(rect.x0)) : int(rect.x1) + 1]
        return float(cv2.mean(part)[1]) / 255 if part.size else 0.5

    def free(self, rect: Rect) -> float:
        """The share of a rectangle that no labelled sprite covers yet."""
        part = self._owner[max(0, int(rect.y0)) : int(rect.y1) + 1, max(0, int(rect.x0)) : int(rect.x1) + 1]
        return float((part == 0).mean()) if part.size else 0.0

    def boxes(self) -> list[Box]:
        """The boxes of what is visible. A subject keeps its box however little is left of it."""
        found = []
        for owner, (label, pixels) in enumerate(self._placed, 1):
            mask = self._owner == owner
            if not mask.any() or (label != "subject" and mask.sum() < _VISIBLE * pixels):
                continue
            ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            found.append(Box(int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1, label))
        return found

    def _window(self, sprite: U8, x: float, y: float) -> tuple[tuple[slice, slice], U8] | None:
        left, top = round(x), round(y)
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + sprite.shape[1], self.width), min(top + sprite.shape[0], self.height)
        if x0 >= x1 or y0 >= y1:
            return None
        return (slice(y0, y1), slice(x0, x1)), sprite[y0 - top : y1 - top, x0 - left : x1 - left]


def resize(sprite: U8, width: float, height: float) -> U8:
    """The sprite at another size, averaged where it shrinks; colours do not bleed from under alpha 0."""
    size = (max(1, round(width)), max(1, round(height)))
    smaller = size[0] < sprite.shape[1]
    out = cv2.resize(sprite, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return out.astype(np.uint8, copy=False)


def rotate(sprite: U8, degrees: float) -> U8:
    """The sprite turned about its centre, on a canvas that holds all of it."""
    height, width = sprite.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width, new_height = int(height * sin + width * cos) + 1, int(height * cos + width * sin) + 1
    matrix[:, 2] += ((new_width - width) / 2, (new_height - height) / 2)
    edge = (*(int(v) for v in sprite[0, 0, :3]), 0)
    return cv2.warpAffine(sprite, matrix, (new_width, new_height), borderValue=edge).astype(np.uint8, copy=False)


def trim(sprite: U8) -> U8:
    """The sprite without its empty margins."""
    solid = sprite[..., 3] > 16
    ys, xs = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    return sprite[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] if len(ys) else sprite
