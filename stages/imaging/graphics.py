"""Graphics: logos, lettering, signatures, line drawings; flat ink on one flat ground.

They are not photographs, and what is measured on photographs means nothing for them: white paper is not over-exposed.
Networks trained on things do not find lettering; but where ink and ground are flat, colours alone separate them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..decode.picture import ANALYSIS_SIDE
from ..item import U8, Item

F32 = NDArray[Any]  # float32

CLOSE_SIDE = 2048  # long side at which a picture that may be a graphic is checked again, pixels
MIN_BORDER = 0.995  # least share of the border's pixels that have the ground's colour
MIN_GROUND, MIN_FLAT = 0.35, 0.6  # least shares of the picture that are ground, and that are flat
MAX_SHADED = 0.08  # largest area that is neither flat nor near an edge, as a share of the ink's
MAX_INKS = 3  # colours that full ink may have
PIXEL_FIT = (24, 0.97)  # (distance from an ink, 0..255; least share of the pixels of full ink that are so near)
PATCH_FIT = (8, 0.9)  # the same of the patches' medians
PATCH, PATCH_MIN_PIXELS = 24, 12  # side of a patch, and the pixels of full ink that its median needs
MIN_INK_CONTRAST = 0.08  # share of the ink's contrast: weaker marks are noise, such as around edges in a JPEG
MIN_INK_HELD = 0.97  # least share of the ink that a matte must hold; else the colours decide
ENCLOSED_PENALTY = 6.0  # confidence lost for ground that ink encloses, times its share


def is_graphic(item: Item) -> bool:
    """Whether a picture is a graphic. Kept in `item.quality["graphic"]` as 0 or 1, so that it is computed once."""
    if "graphic" not in item.quality:
        picture = item.picture
        item.quality["graphic"] = float(
            _is_candidate(picture.small(ANALYSIS_SIDE)) and _has_few_inks(picture.small(CLOSE_SIDE))
        )
    return item.quality["graphic"] > 0


class ColourKey(NamedTuple):
    """A graphic's matte by its colours.

    Attributes:
        alpha: float32 [H, W], 0..1.
        confidence: 0..1.
    """

    alpha: F32
    confidence: float


def key_by_colour(rgb: U8, found: F32) -> ColourKey | None:
    """The matte of a graphic by its colours, or None where the one that was found holds its ink.

    Ground that ink encloses, such as the inside of an O or the face of an outlined cat, becomes part of the subject
    where most of it is so in `found`. Nothing tells whether that is right, so it lowers the confidence.

    Args:
        rgb: uint8 [H, W, 3], a graphic.
        found: float32 [H, W], 0..1, the networks' alpha.
    """
    distance = _distance_from_ground(rgb)
    side = max(5, round(max(rgb.shape) / 150)) | 1
    around = np.ones((side, side), np.uint8)
    full = cv2.dilate(distance, around).astype(np.float32)
    least = np.maximum(6, MIN_INK_CONTRAST * max(1.0, float(distance.max())))
    alpha = np.clip((distance - least) / np.maximum(0.9 * full - least, 1), 0, 1).astype(np.float32)
    alpha[cv2.erode(distance, around) > least] = 1  # no ground near: where two inks meet nothing shines through
    if float(np.minimum(alpha, found).sum()) >= MIN_INK_HELD * float(alpha.sum()):
        return None
    count, parts, stats, _ = cv2.connectedComponentsWithStats((alpha < 0.5).astype(np.uint8), connectivity=4)
    inside = np.ones(count, bool)
    inside[np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))] = False
    inside[0] = False  # the ink
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    held = np.bincount(parts.ravel(), found.ravel(), count) / np.maximum(area, 1) >= 0.5
    filled = (inside & held)[parts]
    if filled.any():
        alpha = np.maximum(alpha, cv2.dilate(filled.astype(np.float32), around))  # and its rim, which ink surrounds
    enclosed = area[inside].sum() / max(1.0, area[inside].sum() + area[0])
    return ColourKey(alpha, float(np.clip(1 - ENCLOSED_PENALTY * enclosed, 0, 1)))


def _ground(rgb: U8) -> tuple[U8, float]:
    """The border's median colour, uint8 [3], and the share of the border that has it."""
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    ground = np.median(border, axis=0).astype(np.uint8)
    return ground, float((np.abs(border.astype(np.int16) - ground).max(1) <= 10).mean())


def _distance_from_ground(rgb: U8) -> U8:
    """Distance of each pixel from the ground, uint8 [h, w]."""
    return cv2.absdiff(rgb, np.broadcast_to(_ground(rgb)[0], rgb.shape).copy()).max(2)


def _is_candidate(rgb: U8) -> bool:
    """The cheap part: one ground all round, and next to nothing between flat areas and edges. uint8 [h, w, 3]."""
    if _ground(rgb)[1] < MIN_BORDER:
        return False
    distance = _distance_from_ground(rgb)
    contrast = float(distance.max())
    ink = cv2.countNonZero(cv2.inRange(distance, max(10.0, 0.2 * contrast), 255.0)) / distance.size
    if contrast < 16 or ink < 0.001 or (distance <= 10).mean() < MIN_GROUND:
        return False
    square = np.ones((3, 3), np.uint8)
    span = cv2.subtract(cv2.dilate(rgb, square), cv2.erode(rgb, square)).max(2)
    flat, edge = span <= 6, (span >= max(12.0, 0.17 * contrast)).astype(np.uint8)
    shaded = ~flat & (cv2.dilate(edge, np.ones((13, 13), np.uint8)) == 0)
    return bool(flat.mean() >= MIN_FLAT and shaded.mean() <= MAX_SHADED * ink)


def _has_few_inks(rgb: U8) -> bool:
    """Whether a few colours explain the ink where it is strongest. uint8 [h, w, 3].

    An encoder's noise spreads single pixels, but not the median of a patch; shading spreads both.
    """
    distance = _distance_from_ground(rgb)
    full = cv2.dilate(distance, np.ones((13, 13), np.uint8))
    strong = (distance > max(10.0, 0.2 * float(distance.max()))) & (distance >= 0.9 * full)
    ys, xs = np.nonzero(strong)
    colours = rgb[ys, xs].astype(np.int16)
    patch = (ys // PATCH) * (rgb.shape[1] // PATCH + 1) + xs // PATCH
    order = np.argsort(patch, kind="stable")
    groups = np.split(colours[order], np.flatnonzero(np.diff(patch[order])) + 1)
    medians = [np.median(group, axis=0) for group in groups if len(group) >= PATCH_MIN_PIXELS]
    if not medians:
        return False
    return _few_colours_explain(colours, *PIXEL_FIT) and _few_colours_explain(
        np.array(medians).astype(np.int16), *PATCH_FIT
    )


def _few_colours_explain(colours: NDArray[np.int16], reach: int, share: float) -> bool:
    """Whether this share of colours [n, 3] lies within reach of one of a few."""
    left = colours
    for _ in range(MAX_INKS):
        bin_index = np.ravel_multi_index(tuple((left >> 3).T), (32, 32, 32))
        most = np.median(left[bin_index == np.bincount(bin_index).argmax()], axis=0)
        left = left[np.abs(left - most).max(1) > reach]
        if not len(left):
            break
    return len(left) <= (1 - share) * len(colours)
