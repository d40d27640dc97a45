"""Where a subject stands on its canvas: how large, how far from the edges, and what of it the frame has cut off."""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..item import Rect

U8 = NDArray[np.uint8]
Side = Literal["left", "top", "right", "bottom"]
SIDES: tuple[Side, ...] = ("left", "top", "right", "bottom")
CUT_SHARE = 0.02  # of the subject's side: shorter contact with the frame is a touch, not a cut
CUT_ALPHA = 128
AREA_SIDE = 0.6  # with `area`, the root of the area, as a share of what fill gives the longest side


class Place(NamedTuple):
    """A scale, canvas pixels for one of the picture, and where on the canvas the middle of the subject's box lies."""

    scale: float
    x: float
    y: float


def cut_sides(alpha: U8, box: Rect) -> tuple[Side, ...]:
    """The sides of the picture at which the frame cuts through the subject."""
    edges = dict(zip(SIDES, (alpha[:, 0], alpha[0], alpha[:, -1], alpha[-1]), strict=True))
    x0, y0, x1, y1 = box
    lengths = dict(zip(SIDES, (y1 - y0, x1 - x0) * 2, strict=True))
    return tuple(s for s in SIDES if (edges[s] >= CUT_ALPHA).sum() > max(2, CUT_SHARE * lengths[s]))


def placed_at(
    box: Rect,
    canvas: tuple[int, int],
    fill: float,
    cut: tuple[Side, ...] = (),
    scale_by: Literal["longest", "width", "height", "area"] = "longest",
    baseline: float | None = None,
    area: float = 0.0,
) -> Place:
    """Where a subject goes.

    Args:
        box: around the subject, pixels of the picture.
        canvas: width, height.
        fill: share of the canvas that what `scale_by` names takes.
        cut: sides at which it is cut off; there it stands flush with the canvas.
        scale_by: `longest`: the side that comes nearest to the canvas's; `area`: the root of `area` over the root of
            the canvas's, so that thin and bulky things weigh the same to the eye. Whatever it is, nothing stands over
            the canvas's margin.
        baseline: where the lower edge stands, as a share of the height from the top; None: it is centred.
        area: of the subject, pixels of the picture; needed for `area`.
    """
    width, height = canvas
    x0, y0, x1, y1 = box
    wide, high = x1 - x0, y1 - y0
    share_x, share_y = _share(fill, "left" in cut, "right" in cut), _share(fill, "top" in cut, "bottom" in cut)
    if baseline is not None and "bottom" not in cut:
        share_y = min(share_y, baseline - (0 if "top" in cut else (1 - fill) / 2))
    most = min(share_x * (width / wide), share_y * (height / high))
    wanted = {
        "longest": most,
        "width": fill * width / wide,
        "height": fill * height / high,
        "area": fill * (width * height / max(area, 1.0)) ** 0.5 * AREA_SIDE,
    }[scale_by]
    scale = min(wanted, most)
    x = _middle(width, wide * scale, "left" in cut, "right" in cut)
    y = _middle(height, high * scale, "top" in cut, "bottom" in cut)
    if baseline is not None and not {"top", "bottom"} & set(cut):
        y = baseline * height - high * scale / 2
    return Place(scale, x, y)


def _share(fill: float, cut_at_start: bool, cut_at_end: bool) -> float:
    """Of a side of the canvas, how much the subject takes: it needs a margin only where it is whole."""
    return (fill, (1 + fill) / 2, 1.0)[cut_at_start + cut_at_end]


def _middle(side: int, size: float, at_start: bool, at_end: bool) -> float:
    if at_start == at_end:
        return side / 2
    return size / 2 if at_start else side - size / 2


def place(pixels: U8, alpha: U8, box: Rect, canvas: tuple[int, int], at: Place, ground: int = 255) -> U8:
    """A canvas [h, w, …] of `ground` with the subject's box at its place.

    What the picture holds around the box, faint hair for instance, comes along as far as there is room.

    Args:
        pixels: uint8 [H, W] or [H, W, 3], already laid over `ground`.
        alpha: uint8 [H, W]; where it is 0 once it is scaled, the canvas is exactly `ground`.
    """
    width, height = canvas
    x0, y0, x1, y1 = box
    left, right, at_x = _visible_range((x0 + x1) / 2, alpha.shape[1], width, at.scale, at.x)
    top, bottom, at_y = _visible_range((y0 + y1) / 2, alpha.shape[0], height, at.scale, at.y)
    part = pixels[top:bottom, left:right]
    if at.scale != 1:
        part = _scaled(part, alpha[top:bottom, left:right], at.scale, ground)
    result = np.full((height, width, *pixels.shape[2:]), ground, np.uint8)
    part = part[max(0, -at_y) : height - at_y, max(0, -at_x) : width - at_x]
    y, x = max(0, at_y), max(0, at_x)
    result[y : y + part.shape[0], x : x + part.shape[1]] = part
    return result


def _scaled(pixels: U8, alpha: U8, scale: float, ground: int) -> U8:
    size = max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    result = cv2.resize(pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)
    clear = cv2.resize(alpha, size, interpolation=interpolation) == 0
    result[clear] = ground  # a cubic enlargement overshoots beyond the edge
    return result


def _visible_range(middle: float, length: int, canvas: int, scale: float, at: float) -> tuple[int, int, int]:
    """Which pixels [start, end) of the picture show on the canvas, and where on it they start."""
    start = max(0, int(np.floor(middle - at / scale)))
    end = min(length, int(np.ceil(middle + (canvas - at) / scale)))
    return start, end, round(at - (middle - start) * scale)
