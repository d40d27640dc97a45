"""The parts of a head: face, hair, ears and neck, and what is body, from landmarks, colours and alpha.

There is no network for it. In an upright frame whose unit is the face's width each part has a place that the landmarks
tell, and colours, learnt from where it surely lies in this very picture. Both together are made smooth along the
picture's edges by mean-field inference whose messages pass through a guided filter (Krähenbühl & Koltun 2011,
arXiv:1210.5644; He, Sun & Tang 2013), and the colours are learnt anew from what was found, as in GrabCut (Rother,
Kolmogorov & Blake 2004). The thresholds were set on the very portraits that `benchmarks/parts.py` measures it on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..imaging.guided import upsample
from .find import Face
from .looks import EYES, OVAL

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rect = tuple[int, int, int, int]  # x0, y0, x1, y1, exclusive
PartName = Literal["head", "face", "hair"]

UNIT = 80  # pixels of the face's width in the frame
ASIDE, ABOVE, BELOW = 2.4, 2.0, 3.6  # of the width: how far the frame reaches from the eyes
NARROW = 1.1  # width of a face over its height from eyes to chin, seen from the front; turned ones are narrower
BROWS = (105, 334)  # landmarks of their upper edges
ABOVE_BROWS = 0.35  # of the width, from the eyes
FACE, HAIR, SKIN, BODY = range(4)  # skin: ears and neck
SKINS, HAIRS, BODIES = range(3)  # the colours: face, ears and neck share theirs
ROUNDS, PASSES = 2, 4  # of learning the colours; of the inference in each
BINS, LAB_LOW, LAB_STEP = 32, (0.0, -80.0, -80.0), (3.125, 5.0, 5.0)  # histograms of CIE Lab
BLUR = (2.0, 1.2, 1.2)  # bins; light varies more over a face than its colour does
ANY = 4e-6  # density of colours of which nothing is known
OTHERS = 0.5  # how likely what lies beyond a head's usual place is of something else, by its place alone
USUAL = (0.75, 1.0)  # of the width, aside of the face's axis and above the eyes
ODD = 1e-6  # density of a colour that no part has, per cubic unit of Lab
COLOUR, DOUBT = 1.2, 0.02  # weight of a pixel's colour; how likely it is of a part whose colours never had it
PALE, GREY, GAUDY = 85, 14, 60  # lightness and chroma, CIE Lab
REDDISH, YELLOWISH = 15, 100  # degrees of hue
JAW = 0.6  # of the way from the eyes to the chin: beside what is above it there are no shoulders
SURE = 0.7  # shares from which colours are learnt
SMOOTH = 3.0  # weight of the neighbours' word
RADIUS, EPSILON = 5, 2e-3  # of the guided filter, pixels and squared grey of 0..1


@dataclass(frozen=True)
class HeadParts:
    """The parts of one head.

    Attributes:
        shares: float32 [4, h, w], 0..1, in the frame: face, hair, ears and neck, body; they add up to 1.
        matrix: float64 [2, 3], from pixels of the picture to those of the frame.
        apart: of each part, how well its colours tell it from the others, 0..1; by chance 0.5.
        hair: share of the head that is hair, 0..1.
        touched: share of the head's outline above the jaw that touches something else of what was cut out, 0..1.
        natural: share of the hair whose colours hair has without dye, 0..1.
    """

    shares: F32
    matrix: NDArray[np.float64]
    apart: dict[str, float]
    hair: float
    touched: float
    natural: float

    def alpha(self, name: PartName, rgb: U8, alpha: U8) -> tuple[Rect, U8]:
        """The alpha of one part: the picture's own, times the part's share, which is soft where parts meet.

        Args:
            rgb: uint8 [H, W, 3], the picture.
            alpha: uint8 [H, W], of who is shown.

        Returns:
            A box of the picture, and uint8 [h, w], 0..255, in it. Outside of it there is nothing of the part.
        """
        share = {"face": self.shares[FACE], "hair": self.shares[HAIR]}.get(name, 1 - self.shares[BODY])
        share = np.clip(2 * share - 0.5, 0, 1)  # what is half believed reaches further than a border is soft
        size = share.shape[::-1]
        corners = np.array([(0, 0, 1), (size[0], 0, 1), (0, size[1], 1), (*size, 1)], np.float64)
        ends = corners @ cv2.invertAffineTransform(self.matrix).T
        height, width = alpha.shape
        x0, y0 = (int(np.clip(v, 0, most - 1)) for v, most in zip(np.floor(ends.min(0)), (width, height), strict=True))
        x1, y1 = (int(np.clip(v, 1, most)) for v, most in zip(np.ceil(ends.max(0)), (width, height), strict=True))
        scale = min(1.0, math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2])))))
        small = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        step = np.array([(x1 - x0) / small[0], (y1 - y0) / small[1]])
        turn = self.matrix[:, :2] * step
        shift = self.matrix[:, :2] @ (np.array([x0, y0]) + step / 2 - 0.5) + self.matrix[:, 2]
        there = np.concatenate([turn, shift[:, None]], 1)
        found = cv2.warpAffine(share, there, small, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        if scale < 1:
            found = upsample(np.asarray(found, np.float32), rgb[y0:y1, x0:x1], radius=3)
        own = np.rint(alpha[y0:y1, x0:x1] * np.asarray(found, np.float32)).astype(np.uint8)
        return (x0, y0, x1, y1), own


def head_parts(face: Face, rgb: U8, alpha: U8) -> HeadParts:
    """Finds the parts of a head.

    Args:
        rgb: uint8 [H, W, 3], sRGB, the upright picture in which the face was found.
        alpha: uint8 [H, W], of who is shown.
    """
    angle = math.radians(face.roll)
    chin = float((face.chin - face.middle) @ np.array([-math.sin(angle), math.cos(angle)]))
    unit = max(face.width, NARROW * chin)
    matrix, shrink = _frame(face, unit, angle)
    colours = _taken(rgb, matrix, shrink, cv2.BORDER_REPLICATE)
    solid = _taken(alpha, matrix, shrink).astype(np.float32) / np.float32(255)
    points = (face.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return HeadParts(matrix=matrix, **_told(colours, solid, points, chin / unit))


def _told(colours: U8, solid: F32, points: F32, chin: float) -> dict[str, Any]:
    """What `HeadParts` tells of a head in the frame; chin: down from the eyes, in widths of the face."""
    places, sure, beyond = _places(points, chin, solid.shape)
    lab = _lab(colours)
    bins = _bins(lab)
    guide = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)
    cheeks, low = sure[SKINS], _step(places[BODY] - 0.08, 0.02)
    places[BODY] += OTHERS * beyond
    places /= places.sum(0)
    shares, densities = places, places
    for k in range(ROUNDS):
        densities = np.stack([_density(bins, part * solid) for part in sure])
        if not k:  # what looks like the cheeks is no hair: a high forehead, or no hair at all
            sure[HAIRS] *= densities[HAIRS] > 1.5 * densities[SKINS]
            densities[HAIRS] = _density(bins, sure[HAIRS] * solid)
        # Long hair lies where the body's colours are learnt; above the shoulders it is hair all the same.
        alike = densities[HAIRS] > ANY
        densities[HAIRS] = np.maximum(densities[HAIRS], densities[BODIES] * (1 - low) * alike)
        # Beyond the head's usual place only what has the hair's colours is of it: no arm, no thing.
        densities[BODIES] = np.maximum(densities[BODIES], beyond * np.maximum(densities[SKINS], ANY))
        densities /= densities.sum(0)
        told = np.log(densities + DOUBT)[[SKINS, HAIRS, SKINS, BODIES]]
        shares = _inferred(COLOUR * told + np.log(places), guide, solid)
        found = np.stack([shares[FACE] + shares[SKIN], shares[HAIR], shares[BODY]])
        sure = np.where(found > SURE, found, 0)
        sure[SKINS] = np.maximum(cheeks, 0.25 * sure[SKINS])
    shares = _of_one_head(_without_stray_hair(shares, solid, places), solid, points)
    return {
        "shares": shares,
        "apart": _apart(densities, shares, solid),
        "hair": _hair(shares, solid),
        "touched": _touched(shares, solid, round((ABOVE + JAW * chin) * UNIT)),
        "natural": _natural(shares[HAIR] * solid, lab),
    }


def _frame(face: Face, unit: float, angle: float) -> tuple[NDArray[np.float64], float]:
    """The matrix into the frame, and by how much a picture is shrunk before, so that nothing is skipped."""
    scale = UNIT / unit
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) * scale
    shift = np.array([ASIDE, ABOVE]) * UNIT - turn @ face.middle
    return np.concatenate([turn, shift[:, None]], 1), min(1.0, 1.5 * scale)


def _taken(pixels: U8, matrix: NDArray[np.float64], shrink: float, border: int = cv2.BORDER_CONSTANT) -> U8:
    """A picture in the frame."""
    matrix = matrix.copy()
    if shrink < 1:
        height, width = pixels.shape[:2]
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        matrix[:, :2] *= (width / size[0], height / size[1])
    size = round(2 * ASIDE * UNIT), round((ABOVE + BELOW) * UNIT)
    return cv2.warpAffine(pixels, matrix, size, borderMode=border).astype(np.uint8, copy=False)


def _places(points: F32, chin: float, shape: tuple[int, ...]) -> tuple[F32, F32, F32]:
    """How likely each part lies where, by the landmarks alone.

    u and v are measured from the eyes in widths of the face. A forehead reaches up to 0.1 above the mesh's oval, hair
    may hang over all above the brows and beside the cheeks; the neck is a column below the jaw, shoulders rise beside
    it up to the chin.

    Returns:
        float32 [4, h, w], adding up to 1; float32 [3, h, w], where skin, hair and body surely show their colours; and
        float32 [h, w], 0..1, what lies beyond a head's usual place.
    """
    v, u = (np.mgrid[: shape[0], : shape[1]] / UNIT - np.array([ABOVE, ASIDE])[:, None, None]).astype(np.float32)
    aside = np.abs(u - float(points[list(OVAL), 0].mean() / UNIT - ASIDE))
    depth = _depth(points[list(OVAL)], shape)
    brows = float(points[list(BROWS), 1].mean() / UNIT - ABOVE)
    upper = _step(brows - 0.05 - v, 0.03)
    jaw = _step(v - 0.6 * chin, 0.1)
    cheek = 0.99 * _step(depth - 0.03 * (1 - jaw), 0.045 - 0.03 * jaw)
    eyes = np.max([_step(_depth(points[list(eye)], shape) + 0.04, 0.01) for eye in EYES], 0)
    cheek = np.maximum(cheek, 0.9995 * np.maximum(_step(depth - 0.2, 0.02), eyes))
    face = cheek * np.maximum(1 - upper, eyes) + 0.8 * _step(depth + 0.1, 0.04) * upper * (1 - eyes)

    neck = chin + 0.42 + 0.1 * np.cos(np.clip(aside / 0.55, 0, 1) * math.pi)
    column = _step(v - 0.35 * chin, 0.1) * _step(0.48 - aside, 0.06)
    ears = np.exp(-(((aside - 0.56) / 0.08) ** 2) - ((v - 0.12) / 0.16) ** 2)
    skin = np.maximum(0.8 * column, 0.5 * ears) * _step(neck - v, 0.05)

    near = _step(1.3 - np.hypot(aside, np.minimum(v, 0)), 0.25)
    throat = _step(v - 0.8 * chin, 0.05) * _step(0.35 - aside, 0.08)
    low = _step(v - chin - 0.9, 0.2)
    hair = (0.3 + 0.65 * _step(0.5 * chin - v, 0.3)) * near * (1 - 0.97 * throat) * (1 - 0.6 * low)

    shoulders = chin + 0.28 - 0.38 * np.clip((aside - 0.3) / 0.5, 0, 1)
    body = 0.03 + 0.6 * _step(v - shoulders, 0.08)
    places = np.stack([face, *((1 - face) * np.stack([hair, skin, body]))]) + 1e-4
    crown = (depth < -0.17) & (v < brows) & (aside < 0.6)
    sure = np.stack([(depth > 0.08) & (v > 0.12) & (v < 0.6 * chin), crown, v > shoulders + 0.15]).astype(np.float32)
    beyond = _step(np.hypot(aside / USUAL[0], np.minimum(v, 0) / USUAL[1]) - 1, 0.1)
    return np.asarray(places / places.sum(0), np.float32), sure, beyond


def _step(value: NDArray[Any], width: float | NDArray[Any]) -> F32:
    """A smooth step from 0 to 1 where the value passes 0."""
    return np.asarray(1 / (1 + np.exp(-np.clip(value / width, -30, 30))), np.float32)


def _depth(outline: F32, shape: tuple[int, ...]) -> F32:
    """How deep each pixel lies in an outline, in widths of the face; negative outside."""
    inside: U8 = np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.asarray(depth / UNIT, np.float32)


def _lab(rgb: U8) -> F32:
    """CIE Lab, a little blurred; float32 [h, w, 3]."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.8).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.float32)


def _bins(lab: F32) -> NDArray[np.int64]:
    """The bin of each pixel's colour; int64 [h, w]."""
    low, step = np.array(LAB_LOW, np.float32), np.array(LAB_STEP, np.float32)
    place = np.clip((lab - low) / step, 0, BINS - 1).astype(np.int64)
    return np.asarray((place[..., 0] * BINS + place[..., 1]) * BINS + place[..., 2])


def _density(bins: NDArray[np.int64], weights: F32) -> F32:
    """Density of each pixel's colour among the weighted ones, per cubic unit of Lab, at least `ODD`; float32 [h, w]."""
    counts: NDArray[Any] = np.bincount(bins.reshape(-1), weights.reshape(-1), BINS**3).reshape(BINS, BINS, BINS)
    for blur in BLUR:
        blurred = cv2.GaussianBlur(counts.reshape(BINS, -1), (1, 0), 1e-6, sigmaY=blur, borderType=cv2.BORDER_CONSTANT)
        counts = np.moveaxis(np.asarray(blurred).reshape(BINS, BINS, BINS), 0, -1).copy()
    found = counts.reshape(-1)[bins] / (max(counts.sum(), 1.0) * math.prod(LAB_STEP))
    return np.asarray(found + ODD, np.float32)


def _inferred(energy: F32, guide: F32, solid: F32) -> F32:
    """Shares, float32 [4, h, w], from what speaks for each part at each pixel by itself."""
    shares = _softmax(energy)
    for _ in range(PASSES):
        near = np.stack([_guided(share * solid, guide) for share in shares])
        shares = _softmax(energy + SMOOTH * near / np.maximum(near.sum(0), 1e-3))
    return shares


def _softmax(energy: F32) -> F32:
    risen = np.exp(energy - energy.max(0))
    return np.asarray(risen / risen.sum(0), np.float32)


def _guided(values: F32, guide: F32) -> F32:
    """The guided filter at one size, at least 0."""
    box = (2 * RADIUS + 1, 2 * RADIUS + 1)
    mean, middle = cv2.blur(guide, box), cv2.blur(values, box)
    slope = (cv2.blur(guide * values, box) - mean * middle) / (cv2.blur(guide * guide, box) - mean * mean + EPSILON)
    return np.asarray(np.maximum(cv2.blur(slope, box) * guide + cv2.blur(middle - slope * mean, box), 0), np.float32)


def _without_stray_hair(shares: F32, solid: F32, places: F32) -> F32:
    """Hair that hangs together with none above the brows is something else: a collar, a brow, a beard's edge."""
    _, labels = cv2.connectedComponents((shares[HAIR] * solid >= 0.5).astype(np.uint8))
    kept = np.isin(labels, np.unique(labels[: round((ABOVE - ABOVE_BROWS) * UNIT)]))
    stray = cv2.dilate(((labels > 0) & ~kept).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    stray &= ~(kept & (labels > 0))
    others = np.array([FACE, SKIN, BODY])
    likely = others[places[others].argmax(0)]
    cleared = shares.copy()
    cleared[HAIR][stray] = 0
    for part in others:
        cleared[part] += np.where(stray & (likely == part), shares[HAIR], 0)
    return cleared


def _of_one_head(shares: F32, solid: F32, points: F32) -> F32:
    """What hangs together with the face; the rest of the picture is body."""
    head = ((1 - shares[BODY]) * solid >= 0.5).astype(np.uint8)
    _, labels = cv2.connectedComponents(head)
    x, y = np.clip(np.rint(points[4]).astype(int), 0, (head.shape[1] - 1, head.shape[0] - 1))  # the nose's tip
    own = (labels == labels[y, x]).astype(np.uint8) if labels[y, x] else head
    near = cv2.dilate(own, np.ones((5, 5), np.uint8)).astype(np.float32)  # with its soft edge
    kept = shares * near
    kept[BODY] = 1 - kept[:BODY].sum(0)
    return np.asarray(kept, np.float32)


def _apart(told: F32, shares: F32, solid: F32) -> dict[str, float]:
    """How well colours alone tell the hair, and the head, from their neighbours. told: densities, adding up to 1."""

    def mean(parts: list[int], own: list[int], others: int) -> float:
        where = np.where(shares[parts].sum(0) > SURE, solid, 0)
        for_it = told[own].max(0)
        return float((where * for_it / (for_it + told[others])).sum() / max(float(where.sum()), 1.0))

    hair = min(mean([HAIR], [HAIRS], SKINS), mean([HAIR], [HAIRS], BODIES))
    return {"face": 1.0, "hair": hair, "head": mean([FACE, HAIR, SKIN], [SKINS, HAIRS], BODIES)}


def _hair(shares: F32, solid: F32) -> float:
    head = float(((1 - shares[BODY]) * solid).sum())
    return float((shares[HAIR] * solid).sum()) / max(head, 1.0)


def _touched(shares: F32, solid: F32, jaw: int) -> float:
    """How much of the head's outline above the row `jaw` touches what was cut out and is not of the head.

    What goes on beyond the frame touches it there.
    """
    whole = np.pad((solid >= 0.5).astype(np.uint8), 1, "edge")
    head = np.pad(((1 - shares[BODY]) * solid >= 0.5).astype(np.uint8), 1)
    outline = (cv2.dilate(head, np.ones((5, 5), np.uint8)) > head)[: jaw + 1]
    return float((outline & (whole[: jaw + 1] > 0)).sum()) / max(1, int(outline.sum()))


def _natural(hair: F32, lab: F32) -> float:
    """How much of the hair is grey, or between red and yellow, as hair is without dye; the rest is often a hat."""
    light, a, b = np.moveaxis(lab, -1, 0)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    natural = (light < PALE) & ((chroma < GREY) | ((hue > REDDISH) & (hue < YELLOWISH) & (chroma < GAUDY)))
    return float((hair * natural).sum()) / max(float(hair.sum()), 1.0)
