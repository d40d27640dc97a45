"""What a person says of one matte: a box around the subject, places and strokes to keep or to drop.

Only what is touched is computed again, by the fine network from a mask in which the person's word is sure; the rest of
the matte stays, byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .imaging.rough import crop_of
from .item import CoarseCrop

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Point = tuple[float, float]  # x, y in pixels of the upright picture
Predict = Callable[[U8, CoarseCrop], F32]  # pixels of a part, and its mask -> its matte, float32 [h, w], 0..1

NEAR = 0.01  # around a place, share of the longer side: what a person means who points at it
WINDOW = 0.5  # around a place, likewise: how far what it belongs to may reach
WORK_SIDE = 192  # longest side at which what a place belongs to is found, pixels
ROUNDS = 4  # of GrabCut
WHOLE = (
    0.4  # share of the subject, or of the background, from which on a piece is that itself, and a part of it is meant
)
SLACK = 0.03  # around a box, share of its longer side, where what belongs to the subject still counts
MARGIN = 0.02  # around what has changed, share of the longer side, where the matte is computed again
SURE, NOTHING = 200, 20  # alpha from which on a pixel is surely kept unless somebody says otherwise, and to which not


@dataclass(frozen=True)
class Correction:
    """What is to be otherwise.

    Attributes:
        box: (x0, y0, x1, y1), pixels: the subject is in here, and nothing of it elsewhere.
        keep: places that belong to the subject, with what is like them around.
        drop: places that do not.
        strokes: uint8 [H, W]: 1 where alpha is to be 255, 2 where 0; None: none.
    """

    box: tuple[int, int, int, int] | None = None
    keep: tuple[Point, ...] = ()
    drop: tuple[Point, ...] = ()
    strokes: U8 | None = None

    @property
    def marks(self) -> bool:
        """Whether there is more than a box."""
        return bool(self.keep or self.drop) or self.strokes is not None


def correct(rgb: U8, alpha: U8, correction: Correction, predict: Predict) -> U8:
    """A matte as a person wants it.

    Args:
        rgb: uint8 [H, W, 3], the picture.
        alpha: uint8 [H, W], 0..255, its matte so far; not written to.
        correction: places outside the picture count as the nearest inside.
        predict: the fine network.

    Returns:
        uint8 [H, W], 0..255; as `alpha` but for what the correction touches.
    """
    before = alpha > 127
    mask, said = before.copy(), np.zeros(alpha.shape, np.uint8)
    for places, kept in ((correction.keep, True), (correction.drop, False)):
        for place in places:
            at = _inside(place, alpha.shape)
            part = _part_at(rgb, alpha, mask, at, kept)
            mask[part] = kept
            said[_disc(at, alpha.shape)] = 1 if kept else 2
    if correction.strokes is not None:
        said[correction.strokes == 1], said[correction.strokes == 2] = 1, 2
    mask[said == 1], mask[said == 2] = True, False
    touched = (mask != before) | ((said == 1) & (alpha < 255)) | ((said == 2) & (alpha > 0))
    return _computed_again(rgb, alpha, mask, said, touched, predict) if touched.any() else alpha.copy()


def within(alpha: U8, box: tuple[int, int, int, int]) -> U8:
    """A matte with nothing outside a box, and what a hand's width around it leaves: hair is drawn past."""
    x0, y0, x1, y1 = box
    slack = round(SLACK * max(x1 - x0, y1 - y0))
    result = np.zeros_like(alpha)
    part = np.s_[max(0, y0 - slack) : y1 + slack, max(0, x0 - slack) : x1 + slack]
    result[part] = alpha[part]
    return result


def _computed_again(rgb: U8, alpha: U8, mask: Mask, said: U8, touched: Mask, predict: Predict) -> U8:
    height, width = alpha.shape
    reach = max(4, round(MARGIN * max(height, width)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(touched.astype(np.uint8), disc)
    x, y, w, h = cv2.boundingRect(near)
    pad = 2 * reach  # the network looks further than what is taken from it
    part = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
    rough = np.where(touched, mask.astype(np.float32), alpha.astype(np.float32) / 255)[part]
    fine = predict(np.ascontiguousarray(rgb[part]), crop_of(rough.astype(np.float32)))
    weight = np.minimum(cv2.blur(near[part].astype(np.float32), (reach, reach)) * 2, 1) * near[part]
    old = alpha[part].astype(np.float32) / 255
    mixed = old + weight * (fine - old)
    mixed[said[part] == 1], mixed[said[part] == 2] = 1, 0
    result = alpha.copy()
    result[part] = np.where(near[part] > 0, np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8), alpha[part])
    return result


def _part_at(rgb: U8, alpha: U8, mask: Mask, at: tuple[int, int], kept: bool) -> Mask:
    """What a place belongs to, bool [H, W]: a piece of the matte, a hole, or what looks like the place around it.

    The last is found by GrabCut (Rother, Kolmogorov, Blake, "GrabCut: Interactive Foreground Extraction using Iterated
    Graph Cuts", SIGGRAPH 2004), which starts from the matte and may change it within a window around the place.
    """
    pointed = _disc(at, alpha.shape)
    piece = _piece(mask if not kept else ~mask, pointed)
    whole = int(mask.sum()) if not kept else int((~mask).sum())
    if piece is not None and int(piece.sum()) <= WHOLE * whole:
        return piece
    height, width = alpha.shape
    half = max(32, round(WINDOW * max(height, width) / 2))
    x, y = at
    window = np.s_[max(0, y - half) : min(height, y + half), max(0, x - half) : min(width, x + half)]
    colours, around = rgb[window], alpha[window]
    scale = min(1.0, WORK_SIDE / max(around.shape))
    size = max(1, round(around.shape[1] * scale)), max(1, round(around.shape[0] * scale))
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
    level = cv2.resize(around, size, interpolation=cv2.INTER_AREA)
    said = cv2.resize(pointed[window].astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    said[
        min(round((y - window[0].start) * scale), size[1] - 1), min(round((x - window[1].start) * scale), size[0] - 1)
    ] = 1
    trimap = np.where(level > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    # What already is as it is to be stays so; what is not may follow the place.
    trimap[(level >= SURE) if kept else (level <= NOTHING)] = cv2.GC_FGD if kept else cv2.GC_BGD
    trimap[said] = cv2.GC_FGD if kept else cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    if len(np.unique(trimap & 1)) < 2:  # one side alone: nothing to tell the other from
        return pointed
    cv2.setRNGSeed(0)  # its colours are clustered from random starts: the same word has the same answer
    cv2.grabCut(np.ascontiguousarray(small), trimap, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    now = (trimap & 1).astype(bool)
    found = _piece(now if kept else ~now, said)
    result = pointed.copy()
    if found is not None:
        large = cv2.resize(found.astype(np.uint8), around.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0
        result[window] |= large
    return result


def _piece(mask: Mask, pointed: Mask) -> Mask | None:
    """The 4-connected piece that most of the pointed place lies in; None where it lies in none."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    under = np.bincount(labels[pointed])
    if not under[1:].any():
        return None
    return np.asarray(labels == 1 + int(under[1:].argmax()))


def _inside(place: Point, shape: tuple[int, ...]) -> tuple[int, int]:
    x, y = place
    return min(max(0, int(x)), shape[1] - 1), min(max(0, int(y)), shape[0] - 1)


def _disc(at: tuple[int, int], shape: tuple[int, ...]) -> Mask:
    radius = max(2, round(NEAR * max(shape)))
    return cv2.circle(np.zeros(shape, np.uint8), at, radius, 1, -1) > 0
