"""From subject boxes to the crops of the picture that the coarse and the fine stage work on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import Field

from ..base import Settings
from ..item import U8, Box, CoarseCrop, Item, Rect

STRIP_RATIO = 4.0  # a picture whose longer side is more than this many times its shorter one is a strip
MAX_WINDOWS = 32  # that one strip is divided into
_GROWTH = 0.6  # how much a crop that cuts off its subject grows on that side, as a share of its longer side
_MIN_HELD = 0.9  # share of what the crops' masks hold that the whole picture's mask must hold too, to replace them
_MIN_GAIN = 1.5  # and how many times their area it must have


class CropSettings(Settings):
    """How crops are made from boxes."""

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
    regrow: int = Field(
        2, ge=0, le=8, description="how often crops may grow so, the last time to the picture's edge; 0: never"
    )
    overview: float = Field(
        0.84, ge=0, le=1, description="how sure a mask of the whole picture must be to take the place of smaller crops"
    )


def is_strip(width: int, height: int) -> bool:
    """Whether a picture is so long that a network, which sees it squeezed to a square, cannot recognise anything."""
    return max(width, height) > STRIP_RATIO * min(width, height)


def windows(width: int, height: int) -> list[Rect]:
    """The whole picture, or, where that is a strip, overlapping windows of it for the networks.

    A window is twice as long as the picture's shorter side, or longer where there would be too many, and overlaps
    either neighbour by half.
    """
    longer, shorter = max(width, height), min(width, height)
    if not is_strip(width, height):
        return [(0, 0, width, height)]
    count = min(MAX_WINDOWS, math.ceil(longer / shorter) - 1)
    length = max(2 * shorter, math.ceil(2 * longer / (count + 1)))
    starts = [round(k * (longer - length) / (count - 1)) for k in range(count)]
    if width >= height:
        return [(start, 0, start + length, height) for start in starts]
    return [(0, start, width, start + length) for start in starts]


def crops_for(boxes: Sequence[Box], width: int, height: int, settings: CropSettings) -> list[Rect]:
    """The crops of a picture to cut out subjects from, all of them within the picture.

    Without boxes that is the whole picture, a strip in `windows`. With them, every one of the surest `max_subjects`
    lies in one of the crops with a margin, no two crops overlap by more than `merge_overlap`, and the order of the
    boxes does not matter. The largest crop comes first.

    Args:
        boxes: subjects, in pixels of the picture; what sticks out is cut off.
    """
    whole = (0, 0, width, height)
    chosen = sorted(boxes, key=lambda b: (-b.score, b.x0, b.y0, b.x1, b.y1))[: settings.max_subjects]
    crops: list[Rect] = []
    for box in chosen:
        crop = _expand(box, width, height, settings.expand)
        if _area(crop) > 0:
            crops.append(crop)
    merged = True
    while merged:
        crops = sorted(
            {_whole_if_large(c, whole, settings.whole_picture_share) for c in crops}, key=lambda c: (-_area(c), c)
        )
        merged = _merge_first_overlap(crops, settings.merge_overlap)
    return crops or windows(width, height)


def grow_cut_off(
    crops: Sequence[Rect], alphas: Sequence[U8], width: int, height: int, settings: CropSettings, last: bool = False
) -> list[Rect]:
    """The crops, larger on each side that cuts through the subject: a detected box may hold its head alone.

    Args:
        alphas: uint8 [h, w], 0..255, the alpha in each crop, at any size.
        last: whether they cannot grow again, so that such a side goes to the picture's edge: better too large than cut.

    Returns:
        The same crops when none is cut off, else new ones, shared and ordered as by `crops_for`.
    """
    grown = []
    for (x0, y0, x1, y1), alpha in zip(crops, alphas, strict=True):
        solid = alpha > 127
        step = max(width, height) if last else _GROWTH * max(x1 - x0, y1 - y0)
        left, top, right, bottom = (
            step * (side.mean() > settings.cut_off) for side in (solid[:, 0], solid[0], solid[:, -1], solid[-1])
        )
        grown.append((max(0, x0 - left), max(0, y0 - top), min(width, x1 + right), min(height, y1 + bottom)))
    if grown == list(crops):
        return list(crops)
    boxes = [Box(x0, y0, x1, y1, "subject", 1.0) for x0, y0, x1, y1 in grown]
    return crops_for(boxes, width, height, settings.model_copy(update={"expand": 0.0, "max_subjects": len(boxes)}))


def overview_wins(parts: Sequence[CoarseCrop], whole: CoarseCrop, settings: CropSettings) -> bool:
    """Whether the whole picture's mask replaces those of the crops, as where a face was detected but a person is there.

    It must be sure (`settings.overview`), hold nearly all that the crops' masks hold, and be clearly larger.
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
    held = (mask & found).sum() > _MIN_HELD * found.sum()
    return bool(held and mask.sum() > _MIN_GAIN * found.sum())


def crop_pixels(item: Item, box: Rect, side: int) -> U8:
    """The crop's pixels, uint8 [h, w, 3], from the smallest decoding in which its long side is at least `side`."""
    x0, y0, x1, y1 = box
    share = max(item.width, item.height) / max(x1 - x0, y1 - y0)
    picture = item.picture.small(math.ceil(side * share))
    height, width = picture.shape[:2]
    sx, sy = width / item.width, height / item.height
    left, top = int(x0 * sx), int(y0 * sy)
    return picture[top : max(top + 1, round(y1 * sy)), left : max(left + 1, round(x1 * sx))]


def _expand(box: Box, width: int, height: int, share: float) -> Rect:
    # the longer side counts, so that a thin box, which is placed no more exactly, gets a margin worth the name
    margin = share / 2 * max(box.x1 - box.x0, box.y1 - box.y0)
    x0, y0 = max(0, math.floor(box.x0 - margin)), max(0, math.floor(box.y0 - margin))
    return x0, y0, min(width, math.ceil(box.x1 + margin)), min(height, math.ceil(box.y1 + margin))


def _whole_if_large(crop: Rect, whole: Rect, share: float) -> Rect:
    return whole if _area(crop) >= share * _area(whole) else crop


def _merge_first_overlap(crops: list[Rect], most: float) -> bool:
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


def _area(crop: Rect) -> int:
    return max(0, crop[2] - crop[0]) * max(0, crop[3] - crop[1])
