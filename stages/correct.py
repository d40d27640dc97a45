"""A matte as a person wants it: only what is touched is computed again, the rest stays as it is, byte by byte.

The fine network gets a mask in which the person's word is sure, and finds the edge anew within a reach of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .correction import Corners, Correction, Point
from .imaging.rough import crop_of
from .item import CoarseCrop

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Predict = Callable[[U8, CoarseCrop], F32]  # pixels of a part, and its mask -> its matte, float32 [h, w], 0..1

NEAR = 0.008  # around a place, share of the longer side: what a person means who points at it
WINDOW = 0.25  # from a place, likewise: how far what it belongs to may reach
BESIDE = 0.06  # from a stroke, likewise
WORK_SIDE = 192  # longest side at which what a place belongs to is found, pixels
SAME = 12  # distance in 8-bit CIELAB up to which a colour counts as the same
EDGE = 100  # difference of alpha between neighbours from which on they lie at the subject's edge
ROUNDS = 4  # of GrabCut
SEEN = 0.02  # share of a window that the subject, and the background, must fill: else it is enlarged
WHOLE = 0.4  # share of the subject from which on a piece of it is the subject itself, and a part of it is meant
HOLE = 0.1  # share of the picture up to which a gap in the subject, all around enclosed, is filled as a whole
SLACK = 0.03  # around a box, share of its longer side, where what belongs to the subject still counts: hair
MARGIN = 0.015  # around what has changed, share of the longer side, where the matte is computed again
CERTAIN = 200  # alpha from which on a pixel stays kept unless a person says otherwise
NOTHING = 20  # alpha up to which it stays dropped likewise
PIECES = 8  # that lie apart are looked at one by one; more, together
SURE = 250  # of 255: a stroke at least as opaque is taken by its word
WIDE = 128  # pixels from a stroke's rim to its middle from which on that is looked for in steps


def correct(rgb: U8, alpha: U8, correction: Correction, predict: Predict) -> U8:
    """A matte as a person wants it.

    Args:
        rgb: uint8 [H, W, 3], the picture.
        alpha: uint8 [H, W], 0..255, its matte so far; not written to.
        correction: its places and strokes count here; it has been checked against the size.
        predict: the fine network.

    Returns:
        uint8 [H, W], 0..255; as `alpha` but for what the correction touches.

    Raises:
        PictureError: the strokes cannot be decoded.
    """
    said, before = np.zeros(alpha.shape, np.int16), alpha > 127
    mask = before.copy()
    strokes = correction.painted()
    for kept in (True, False):
        for place in correction.keep if kept else correction.drop:
            pointed = _disc(place, alpha.shape)
            part = _part_at(rgb, alpha, mask, pointed, kept)
            mask[part] = kept
            said[pointed & part] = 255 if kept else -255
        if strokes is not None and correction.follow:
            for stroke in _pieces((strokes if kept else -strokes) > 127):
                core = _core(stroke)
                mask[_alike(rgb, alpha, core, kept, BESIDE, stroke) | core] = kept
                said[core] = 255 if kept else -255
    if strokes is not None and not correction.follow:
        said = np.where(strokes, strokes, said)
        mask[strokes > 127], mask[strokes < -127] = True, False
    touched = (mask != before) | ((said > 0) & (alpha < 255)) | ((said < 0) & (alpha > 0))
    reach = max(4, round(MARGIN * max(alpha.shape)))
    result = alpha.copy()
    for near in _pieces(_away(touched) <= reach):
        _compute_again(rgb, alpha, mask, said, near, reach, predict, result)
    return result


def within(alpha: U8, boxes: Sequence[Corners]) -> U8:
    """A matte with nothing outside of the boxes, and a hand's width around them: hair is drawn past."""
    result = np.zeros_like(alpha)
    for x0, y0, x1, y1 in boxes:
        slack = SLACK * max(x1 - x0, y1 - y0)
        left, top = max(0, round(x0 - slack)), max(0, round(y0 - slack))
        part = np.s_[top : round(y1 + slack), left : round(x1 + slack)]
        result[part] = alpha[part]
    return result


def _compute_again(
    rgb: U8, alpha: U8, mask: Mask, said: NDArray[np.int16], near: Mask, reach: int, predict: Predict, result: U8
) -> None:
    """Fills one region of the result, `near`."""
    x, y, w, h = cv2.boundingRect(near.astype(np.uint8))
    pad = 2 * reach  # the network looks further than what is taken from it
    part = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
    old, inside = alpha[part].astype(np.float32) / 255, near[part]
    # Inside not even the old softness counts: it may be the edge of what has just gone.
    rough = np.where(inside, mask[part].astype(np.float32), old)
    fine = predict(np.ascontiguousarray(rgb[part]), crop_of(rough))
    weight = np.minimum(cv2.blur(inside.astype(np.float32), (reach, reach)) * 2, 1)  # no seam where the region ends
    mixed = old + weight * (fine - old)
    word = said[part].astype(np.float32)
    mixed += np.minimum(np.abs(word) / SURE, 1) * ((word > 0) - mixed)
    result[part] = np.where(inside, np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8), result[part])


def _part_at(rgb: U8, alpha: U8, mask: Mask, pointed: Mask, kept: bool) -> Mask:
    """What a place belongs to, bool [H, W]: a piece of the matte, a gap in it, or what looks like it around it."""
    piece = _piece_at(~mask if kept else mask, pointed)
    if piece is not None and _is_meant(piece, mask, kept):
        return piece
    return _alike(rgb, alpha, pointed, kept, WINDOW) | pointed


def _is_meant(piece: Mask, mask: Mask, kept: bool) -> bool:
    """Whether who points at a piece of the subject, or a gap in it, means all of it."""
    if not kept:
        return int(piece.sum()) <= WHOLE * int(mask.sum())
    rim = piece[0].any() or piece[-1].any() or piece[:, 0].any() or piece[:, -1].any()
    return not rim and int(piece.sum()) <= HOLE * piece.size


def _core(stroke: Mask) -> Mask:
    """The inner half of a stroke, which is surely meant: a brush is led over an edge, too."""
    if stroke.all():  # it has no rim
        return stroke
    depth = cv2.distanceTransform(stroke.astype(np.uint8), cv2.DIST_L2, 5)
    step = 1 + int(depth.max()) // WIDE  # the time grows with the square of the window's side
    side = 2 * (int(depth.max()) // step) + 1
    deepest = cv2.dilate(np.ascontiguousarray(depth[::step, ::step]), np.ones((side, side), np.uint8))
    if step > 1:
        deepest = cv2.resize(deepest, depth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(stroke & (depth >= deepest / 2))


def _alike(rgb: U8, alpha: U8, pointed: Mask, kept: bool, reach: float, hinted: Mask | None = None) -> Mask:
    """What looks like the pointed pixels and lies around them, bool [H, W].

    By GrabCut (Rother, Kolmogorov, Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
    SIGGRAPH 2004), which starts from the matte, and knows the colours of subject and background in a window.

    Args:
        reach: share of the longer side; nothing further from the pointed pixels belongs to them.
        hinted: pixels that probably belong to them.
    """
    window = _window(alpha, pointed, reach)
    around = alpha[window]
    scale = min(1.0, WORK_SIDE / max(around.shape))
    size = max(1, round(around.shape[1] * scale)), max(1, round(around.shape[0] * scale))
    small, level, spot = (
        np.asarray(cv2.resize(np.ascontiguousarray(each), size, interpolation=cv2.INTER_AREA), np.uint8)
        for each in (rgb[window], around, pointed[window].astype(np.uint8) * 255)
    )
    spotted = spot >= min(128, int(spot.max()))
    trimap = np.where(level > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    # What already is as it is to be stays so; what is not may follow the pointed pixels.
    wanted = cv2.GC_FGD if kept else cv2.GC_BGD
    trimap[(level >= CERTAIN) if kept else (level <= NOTHING)] = wanted
    likely = _same_colour(small, spotted)
    if hinted is not None:
        likely |= cv2.resize(hinted[window].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    alike = _piece_at(likely, spotted)
    if alike is not None:  # or the other side would learn its colours, and claim it
        trimap[alike & (trimap == (cv2.GC_PR_BGD if kept else cv2.GC_PR_FGD))] = (
            cv2.GC_PR_FGD if kept else cv2.GC_PR_BGD
        )
    trimap[spotted] = wanted
    found = np.zeros(alpha.shape, bool)
    if len(np.unique(trimap & 1)) < 2:  # one side alone: nothing to tell the other from
        return found if hinted is None else hinted
    cv2.setRNGSeed(0)  # its colours are clustered from random starts: the same word has the same answer
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, trimap, (0, 0, 0, 0), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    now = (trimap & 1).astype(bool)
    piece = _piece_at(now if kept else ~now, spotted)
    if piece is not None:
        radius = max(1, round(reach * max(alpha.shape) * scale))
        changed = piece & (_away(spotted) <= radius) & ((level > 127) != kept)
        # Along the subject's whole edge a pixel here and there changes sides, and nobody spoke of it.
        edge = cv2.morphologyEx(level, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > EDGE
        core = _piece_at((changed & ~edge) | spotted, spotted)
        piece = spotted if core is None else core | (changed & (_away(core) <= 2))
        found[window] = cv2.resize(piece.astype(np.uint8), around.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0
    return found


def _same_colour(rgb: U8, pointed: Mask) -> Mask:
    """Pixels whose colour is nearly that of the pointed ones, bool [h, w]."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.asarray(np.linalg.norm(lab - np.median(lab[pointed], axis=0), axis=2) < SAME)


def _window(alpha: U8, pointed: Mask, reach: float) -> tuple[slice, slice]:
    """The part of the picture around the pointed pixels in which there is enough of both sides to learn from."""
    height, width = alpha.shape
    x, y, w, h = cv2.boundingRect(pointed.astype(np.uint8))
    pad = max(32, round(reach * max(height, width)))
    while True:
        window = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
        share = float((alpha[window] > 127).mean())
        if SEEN <= share <= 1 - SEEN or pad > max(height, width):
            return window
        pad *= 2


def _pieces(mask: Mask) -> list[Mask]:
    """The pieces of a mask that lie apart, bool [H, W] each; all of it, where there are many."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    return [mask] if count > PIECES + 1 else [np.asarray(labels == label) for label in range(1, count)]


def _piece_at(mask: Mask, pointed: Mask) -> Mask | None:
    """The 4-connected piece that most of the pointed pixels lie in; None where they lie in none."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    under = np.bincount(labels[pointed])
    if not under[1:].any():
        return None
    return np.asarray(labels == 1 + int(under[1:].argmax()))


def _disc(place: Point, shape: tuple[int, ...]) -> Mask:
    radius = max(2, round(NEAR * max(shape)))
    return cv2.circle(np.zeros(shape, np.uint8), (int(place[0]), int(place[1])), radius, 1, -1) > 0


def _away(mask: Mask) -> F32:
    """How far each pixel lies from the nearest one of a mask, pixels, float32 [h, w]."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
