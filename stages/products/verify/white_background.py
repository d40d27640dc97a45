"""Judges a picture on white by a shop's rules, from the finished file alone.

The ground is what is near the frame's own colour and joined to the frame. Between ground and subject lies what fades
into the ground without an edge, which is shadow. Where the frame has no one colour, or the subject fades into it
as a shadow does, the checks that depend on it are `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...limits import DEFAULT_LIMITS, Limits
from ...verdicts import Check, between
from ..white_rules import WhiteRules
from .edges import artefacts, halo, sharpest_edges
from .files import check_file, ranges, read_file

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

RING = 0.01  # of the shorter side: the frame's outermost pixels
NEAR = 10  # levels from the frame's colour that are ground still, as JPEGs have them
PLAIN = 0.5  # of the ring must be near its own median
SMALL = 900  # longest side at which shadows are told from subjects
STEEP = 9.0  # levels per pixel at that size: an edge, where a shadow has none
TINT = 14  # levels between the channels of a shadow, at most
SHADOW_AREA = 0.001  # of the frame: less is grain
PART = 0.1  # of the largest part's area: smaller ones are bits of it
SOLID = 24  # levels below white: no edge's faint end, and no ripple of a JPEG that is any good
SOFT_EDGE = (16, 0.03)  # pixels, and share of the longer side: so far a soft edge reaches, and a JPEG's blocks
SPECK = 2e-5  # of the frame: dust, which no subject is judged by
TOUCH = 0.01  # of a side: shorter contact is a touch
OF_SUBJECT = ("fill", "off_centre", "subjects", "cut_off", "shadow", "halo", "artefacts", "blur")
DOUBT = 0.02  # of the frame: so much nearly white that may be ground or a bright subject, and nobody can tell


@dataclass
class Seen:
    """What stands on the ground.

    Attributes:
        ground: bool [h, w], of the full size: near the frame's colour and joined to the frame.
        subject: bool [h, w], of the full size: all else but shadows.
        soft: bool, at most `SMALL` pixels a side: shadows.
        shadow: the darkest of them, levels below white; None where a subject cannot be told from a shadow.
    """

    ground: Mask
    subject: Mask
    soft: Mask
    shadow: float | None


def check_white(data: bytes, ending: str, rules: WhiteRules, limits: Limits = DEFAULT_LIMITS) -> list[Check]:
    """All rules, checked.

    Args:
        data: the file. ending: of its name, without the dot.
    """
    try:
        facts, picture = read_file(data, ending, limits)
        rgb = picture.rgb()
    except PictureError as error:
        return [Check("readable", error.reason, "a picture", "fail")]
    return [*check_file(facts, rules, {}), *_on_ground(rgb, rules)]


def _on_ground(rgb: U8, rules: WhiteRules) -> list[Check]:
    colour = frame_colour(rgb)
    seen = look(rgb, colour) if colour is not None else None
    if colour is None or seen is None or not seen.subject.any():
        white = (0.0 if colour is None else None, "")
        return ranges({"white": white, **dict.fromkeys(OF_SUBJECT, (None, ""))}, rules)
    height, width = rgb.shape[:2]
    x, y, w, h = cv2.boundingRect(seen.subject.astype(np.uint8))
    contact = _contact(seen.subject)
    fill = max(w / width, h / height)
    cut_x, cut_y = max(contact[0], contact[2]) > TOUCH, max(contact[1], contact[3]) > TOUCH
    off_x = 0.0 if cut_x else abs((x + w / 2) / width - 0.5)
    off_y = 0.0 if cut_y else abs((y + h / 2) / height - 0.5)
    checks = ranges(
        {
            "fill": (fill, ""),
            "off_centre": (max(off_x, off_y), ""),
            "cut_off": (max(contact) if max(contact) > TOUCH else 0.0, "of a side"),
            "shadow": (seen.shadow, "levels"),
            "halo": (halo(rgb, seen.subject), "levels"),
            "artefacts": (artefacts(rgb, _solid(rgb)), "levels"),
            "blur": (sharpest_edges(rgb, (x, y, x + w, y + h)), "px"),
        },
        rules,
    )
    return [*_white(rgb, seen, rules), *_subjects(rgb, seen.subject, rules), *checks]


def frame_colour(rgb: U8) -> NDArray[np.float32] | None:
    """The median colour of the frame's outermost pixels; None where most of them are of others."""
    ring = max(1, round(RING * min(rgb.shape[:2])))
    sides = [rgb[:ring], rgb[-ring:], rgb[:, :ring].swapaxes(0, 1), rgb[:, -ring:].swapaxes(0, 1)]
    pixels = np.concatenate([side.reshape(-1, 3) for side in sides])
    bright = pixels[pixels.min(1) >= 255 - NEAR]
    colour = np.median(bright if len(bright) > 0.2 * len(pixels) else pixels, 0).astype(np.float32)
    near = np.abs(pixels - colour).max(1) <= NEAR
    return colour if near.mean() > (0.2 if len(bright) > 0.2 * len(pixels) else PLAIN) else None


def look(rgb: U8, colour: NDArray[np.float32]) -> Seen:
    """Tells ground, shadow and subject apart. colour: of the ground."""
    away = cv2.absdiff(rgb, np.full_like(rgb, np.rint(colour).astype(np.uint8))).max(2)
    ground = _from_frame(away <= NEAR)
    thing = ~ground
    soft, dark = _shadows(rgb, thing, ground)
    if soft.any():
        shade = cv2.resize(soft.astype(np.uint8), thing.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        thing &= ~shade
    return Seen(ground, _without_specks(thing), soft, dark)


def _from_frame(mask: Mask) -> Mask:
    """Of a mask what is joined to the frame."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    sides = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    joined = np.zeros(count, bool)
    joined[np.unique(sides)] = True
    joined[0] = False
    return joined[labels]


def _shadows(rgb: U8, thing: Mask, ground: Mask) -> tuple[Mask, float | None]:
    """What fades into the ground without an edge, and its darkest, levels below white; None: it may be the subject."""
    height, width = thing.shape
    shrink = min(1.0, SMALL / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    steep = cv2.magnitude(cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)) / 32 > STEEP
    tinted = small.max(2).astype(np.int16) - small.min(2) > TINT
    free = cv2.resize(ground.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    smooth = ~(cv2.dilate(steep.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~tinted
    reached = _from_frame(smooth | free)
    fading = reached & ~free
    least = max(8, round(SHADOW_AREA * fading.size))
    whole = cv2.resize(thing.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    rows = np.flatnonzero(whole.any(1))
    middle = (rows[0] + rows[-1]) / 2 if len(rows) else 0.0
    count, labels, stats, middles = cv2.connectedComponentsWithStats(fading.astype(np.uint8))
    large = np.zeros(count, bool)  # and low: a smooth grey place higher up is the subject's own
    large[1:] = (stats[1:, cv2.CC_STAT_AREA] >= least) & (middles[1:, 1] > middle)
    soft = large[labels]
    if not soft.any():
        return soft, 0.0
    if soft.sum() > 0.5 * whole.sum():  # nothing with an edge is left that throws it
        return np.zeros_like(soft), None
    return soft, float(255 - np.percentile(grey[soft], 2))


def _without_specks(thing: Mask) -> Mask:
    least = max(4.0, SPECK * thing.size)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thing.astype(np.uint8))
    kept = np.zeros(count, bool)
    kept[1:] = stats[1:, cv2.CC_STAT_AREA] >= least
    return kept[labels]


def _contact(subject: Mask) -> tuple[float, float, float, float]:
    """Shares of the left, top, right and bottom side along which the subject touches the frame."""
    return tuple(float(side.mean()) for side in (subject[:, 0], subject[0], subject[:, -1], subject[-1]))  # type: ignore[return-value]


def _solid(rgb: U8) -> Mask:
    """The subject without its softest edge and without what compression leaves beside it."""
    return _without_specks(rgb.min(2) < 255 - SOLID)


def _white(rgb: U8, seen: Seen, rules: WhiteRules) -> list[Check]:
    """Share of the ground that is exactly white, further from the subject than its soft edge reaches and without
    shadows; `unknown` where a large part is so nearly white that it may be either."""
    if rules.white is None:
        return []
    height, width = seen.ground.shape
    away = cv2.distanceTransform((~_solid(rgb)).astype(np.uint8), cv2.DIST_L2, 3)
    beside = away <= max(SOFT_EDGE[0], SOFT_EDGE[1] * max(height, width))
    soft = cv2.dilate(seen.soft.astype(np.uint8), np.ones((5, 5), np.uint8))
    shade = cv2.resize(soft, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    judged = seen.ground & ~beside & ~shade
    if not judged.any():
        return [between("white", None, rules.white.min, rules.white.max)]
    off, hull = judged & (rgb.min(2) < 255), _hull(seen.subject)
    inside, outside = off & hull, judged & ~hull  # a bright subject may lie inside
    if not outside.any():
        return [between("white", None, rules.white.min, rules.white.max)]
    share = 1 - float((off & outside).sum()) / float(outside.sum())
    check = between("white", share, rules.white.min, rules.white.max)
    if share < 1:
        check.value = min(share, 0.9999)  # one grey pixel is not white
    if check.verdict == "pass" and inside.sum() > DOUBT * inside.size:
        check.verdict = "unknown"
    return [check]


def _hull(subject: Mask) -> Mask:
    points = cv2.findNonZero(cv2.morphologyEx(subject.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    canvas: U8 = np.zeros(subject.shape, np.uint8)
    if points is not None:
        cv2.fillConvexPoly(canvas, cv2.convexHull(points), 1)
    return canvas > 0


def _subjects(rgb: U8, subject: Mask, rules: WhiteRules) -> list[Check]:
    """How many things there are. Two that look alike may be a pair, which is one thing to a shop: `unknown`."""
    if rules.subjects is None:
        return []
    height, width = subject.shape
    shrink = min(1.0, 400 / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(subject.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 64
    joined = cv2.morphologyEx(small.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    parts = _groups(stats[1:])
    areas = np.array([sum(stats[k, cv2.CC_STAT_AREA] for k in part) for part in parts])
    if not parts:
        return [between("subjects", None, rules.subjects.min, rules.subjects.max)]
    large = [part for part, area in zip(parts, areas, strict=True) if area >= PART * areas.max()]
    check = between("subjects", len(large), rules.subjects.min, rules.subjects.max)
    if check.verdict == "fail" and len(large) == 2:
        picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        first, second = (picture[np.isin(labels, part) & small] for part in large)
        if _alike(first, second):
            check.verdict = "unknown"
    return [check]


def _groups(stats: NDArray[Any]) -> list[list[int]]:
    """Numbers, from 1 on, of components that belong together: their boxes, (x, y, w, h, area) a row, overlap."""
    groups: list[tuple[list[int], tuple[int, int, int, int]]] = []
    for number, (x, y, w, h, _) in enumerate(stats.tolist(), 1):
        numbers, box = [number], (x, y, x + w, y + h)
        met = True
        while met:
            met = False
            for other in groups:
                (a0, b0, a1, b1), (c0, d0, c1, d1) = box, other[1]
                if a0 < c1 and c0 < a1 and b0 < d1 and d0 < b1:
                    numbers, box, met = numbers + other[0], (min(a0, c0), min(b0, d0), max(a1, c1), max(b1, d1)), True
                    groups.remove(other)
                    break
        groups.append((numbers, box))
    return [numbers for numbers, _ in groups]


def _alike(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two parts, uint8 [n, 3] each, may be a pair: of like size and colours."""
    if min(len(first), len(second)) < 0.6 * max(len(first), len(second)):
        return False
    bins = [np.histogramdd(part, (6, 6, 6), [(0, 256)] * 3)[0] / len(part) for part in (first, second)]
    return bool(np.minimum(*bins).sum() > 0.6)
