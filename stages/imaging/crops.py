"""From subject boxes to the crops that are looked at closely."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import Field

from ..base import Settings
from ..item import U8, Box, Item
from ..item import Crop as Seen

Crop = tuple[int, int, int, int]
_HELD, _BEYOND = 0.9, 1.5  # shares of the crops' area that the whole picture's mask must hold and be
STRIP = 4.0  # ratio of a picture's sides from which on it is a strip
MOST_WINDOWS = 32  # of one strip
_STEP = 0.6  # of a crop's longer side that is added where it was too small


class CropSettings(Settings):
    expand: float = Field(
        0.2, ge=0, le=2, description="boxes are widened by this share of their longer side, half of it on either side"
    )
    max_subjects: int = Field(12, ge=1, description="most subjects that are cut out of one picture, the surest first")
    whole_picture_share: float = Field(
        0.6, gt=0, le=1, description="a widened box from this share of the picture's area on takes the whole picture"
    )
    merge_overlap: float = Field(
        0.5, ge=0, le=1, description="boxes share a crop when more than this share of the smaller one lies in the other"
    )
    cut_off: float = Field(
        0.12, ge=0, le=1, description="a crop grows where more than this share of a side runs through the subject"
    )
    regrow: int = Field(2, ge=0, le=8, description="how often crops may grow so; 0: never")
    overview: float = Field(
        0.84, ge=0, le=1, description="how sure a mask of the whole picture must be to take the place of smaller crops"
    )


def is_strip(width: int, height: int) -> bool:
    """Whether a picture is so long that as a whole nothing in it can be told."""
    return max(width, height) > STRIP * min(width, height)


def windows(width: int, height: int) -> list[Crop]:
    """The whole picture, or, where that is a strip, overlapping windows of it that networks can look at.

    Seen as a whole, a strip is squeezed until nothing in it has its own shape. A window is as long as two of the
    picture's shorter sides, longer where there would be too many, and shares half with either neighbour.
    """
    longer, shorter = max(width, height), min(width, height)
    if not is_strip(width, height):
        return [(0, 0, width, height)]
    count = min(MOST_WINDOWS, math.ceil(longer / shorter) - 1)
    length = max(2 * shorter, math.ceil(2 * longer / (count + 1)))
    starts = [round(k * (longer - length) / (count - 1)) for k in range(count)]
    if width >= height:
        return [(start, 0, start + length, height) for start in starts]
    return [(0, start, width, start + length) for start in starts]


def crops_for(boxes: Sequence[Box], width: int, height: int, settings: CropSettings) -> list[Crop]:
    """The parts of a picture to look at, each (x0, y0, x1, y1) in whole pixels within it, x1 and y1 exclusive.

    Without boxes that is the whole picture, a strip in `windows`. With them, every one of the surest `max_subjects`
    lies in one of the crops with a margin, no two crops overlap by more than `merge_overlap`, and the order of the
    boxes does not matter. The largest crop comes first.

    Args:
        boxes: subjects, in pixels of the picture; what sticks out is cut off.
    """
    whole = (0, 0, width, height)
    chosen = sorted(boxes, key=lambda b: (-b.score, b.x0, b.y0, b.x1, b.y1))[: settings.max_subjects]
    crops: list[Crop] = []
    for box in chosen:
        crop = _widened(box, width, height, settings.expand)
        if _area(crop) > 0:
            crops.append(crop)
    merged = True
    while merged:
        crops = sorted({_grown(c, whole, settings.whole_picture_share) for c in crops}, key=lambda c: (-_area(c), c))
        merged = _merge_one(crops, settings.merge_overlap)
    return crops or windows(width, height)


def regrown(crops: Sequence[Crop], alphas: Sequence[U8], width: int, height: int, settings: CropSettings) -> list[Crop]:
    """The crops, larger where their side cuts through the subject: a detection may be of its head alone.

    Args:
        alphas: uint8 [h, w], what was found in each crop, at any size.

    Returns:
        The same crops when none is cut off, else new ones, shared and ordered as by `crops_for`.
    """
    grown = []
    for (x0, y0, x1, y1), alpha in zip(crops, alphas, strict=True):
        solid = alpha > 127
        step = _STEP * max(x1 - x0, y1 - y0)
        left, top, right, bottom = (
            step * (side.mean() > settings.cut_off) for side in (solid[:, 0], solid[0], solid[:, -1], solid[-1])
        )
        grown.append((max(0, x0 - left), max(0, y0 - top), min(width, x1 + right), min(height, y1 + bottom)))
    if grown == list(crops):
        return list(crops)
    boxes = [Box(x0, y0, x1, y1, "subject", 1.0) for x0, y0, x1, y1 in grown]
    return crops_for(boxes, width, height, settings.model_copy(update={"expand": 0.0, "max_subjects": len(boxes)}))


def overview_wins(parts: Sequence[Seen], whole: Seen, settings: CropSettings) -> bool:
    """Whether the whole picture's mask shows more of what the crops show: a person, of whom a face was detected.

    It must be sure, hold nearly all that the crops found, and reach well beyond it.
    """
    mask = whole.alpha > 127
    if not mask.any() or whole.alpha[mask].mean() < settings.overview * 255:
        return False
    (height, width), (_, _, full_width, full_height) = mask.shape, whole.box
    found = np.zeros(mask.shape, bool)
    for part in parts:
        x0, x1 = (round(x * width / full_width) for x in (part.box[0], part.box[2]))
        y0, y1 = (round(y * height / full_height) for y in (part.box[1], part.box[3]))
        if x1 > x0 and y1 > y0:
            found[y0:y1, x0:x1] |= cv2.resize(part.alpha, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) > 127
    held = (mask & found).sum() > _HELD * found.sum()
    return bool(held and mask.sum() > _BEYOND * found.sum())


def cut(item: Item, box: Crop, side: int) -> U8:
    """The crop's pixels, uint8 [h, w, 3], from the smallest decoding in which its long side is at least `side`."""
    x0, y0, x1, y1 = box
    share = max(item.width, item.height) / max(x1 - x0, y1 - y0)
    picture = item.picture.small(math.ceil(side * share))
    height, width = picture.shape[:2]
    sx, sy = width / item.width, height / item.height
    left, top = int(x0 * sx), int(y0 * sy)
    return picture[top : max(top + 1, round(y1 * sy)), left : max(left + 1, round(x1 * sx))]


def _widened(box: Box, width: int, height: int, share: float) -> Crop:
    # the longer side counts, so that a thin box, which is placed no more exactly, gets a margin worth the name
    margin = share / 2 * max(box.x1 - box.x0, box.y1 - box.y0)
    x0, y0 = max(0, math.floor(box.x0 - margin)), max(0, math.floor(box.y0 - margin))
    return x0, y0, min(width, math.ceil(box.x1 + margin)), min(height, math.ceil(box.y1 + margin))


def _grown(crop: Crop, whole: Crop, share: float) -> Crop:
    return whole if _area(crop) >= share * _area(whole) else crop


def _merge_one(crops: list[Crop], most: float) -> bool:
    """Joins the first two that overlap too much, in place; False where there are none."""
    for i, a in enumerate(crops):
        for b in crops[i + 1 :]:
            shared = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
            if _area(shared) > most * min(_area(a), _area(b)):
                crops.remove(a)
                crops.remove(b)
                crops.append((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
                return True
    return False


def _area(crop: Crop) -> int:
    return max(0, crop[2] - crop[0]) * max(0, crop[3] - crop[1])
