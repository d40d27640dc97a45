"""The head around a face: its top with and without hair, from landmarks and alpha together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .find import Face

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

UNIT = 160  # pixels of a face's width in the upright frame in which a head is measured
REACH = 2.5  # how far it reaches from the eyes to each side, in widths of the face
BAND = 0.45  # of the width to each side of the axis: hair further out does not tell how high a head is
RUN = 0.12  # of the width: narrower tips of hair do not count
# From the eyes up to the skull's top, of what is from the eyes down to the chin; less where the alpha ends. Of a head
# without hair the eyes lie at half the height: the two-section canon, found nearly true by Farkas and others (1985,
# "Vertical and horizontal proportions of the face in young adult North American Caucasians"). The top of the head is a
# hand behind the face, so a camera at an arm's length to two metres shows it smaller by 5 to 10 %.
SKULL = 0.93
CUT_COLUMNS = 0.15  # of the band: where more of the head reaches the picture's upper edge, it is cut off


@dataclass(frozen=True)
class Head:
    """A head, measured along its own axis from the line of the eyes; pixels of the picture.

    Attributes:
        hair: up to the top of the hair, or of what is worn; 0 where the alpha does not tell.
        skull: up to the top of the head without hair, estimated from the face's proportions.
        chin: down to the chin.
        angle: by which the eyes' line is turned clockwise, radians.
        cut: whether the picture's edge cuts the head off.
        known: whether the alpha told the hair's top.
    """

    face: Face
    hair: float
    skull: float
    chin: float
    angle: float
    cut: bool
    known: bool


def measure_head(face: Face, alpha: U8 | None) -> Head:
    """The head of a face.

    Args:
        alpha: uint8 [H, W] of the same picture; None: only the landmarks tell.
    """
    angle = math.radians(face.roll)
    down = np.array([-math.sin(angle), math.cos(angle)])
    chin = float((face.chin - face.middle) @ down)
    if alpha is None:
        return Head(face, 0.0, SKULL * chin, chin, angle, False, False)
    hair, cut = _top(face, alpha, angle)
    height, width = alpha.shape
    outside = [x < 0 or y < 0 or x >= width or y >= height for x, y in (face.chin, *face.eyes)]
    skull = min(SKULL * chin, hair) if hair else SKULL * chin
    return Head(face, hair, skull, chin, angle, cut or any(outside), hair > 0)


def _top(face: Face, alpha: U8, angle: float) -> tuple[float, bool]:
    """How high the hair reaches above the eyes, pixels, 0 if the alpha has no head there; and whether it is cut off."""
    scale = UNIT / face.width
    small, shrink = alpha, min(1.0, 2 * scale)
    if shrink < 1:
        size = max(1, round(alpha.shape[1] * shrink)), max(1, round(alpha.shape[0] * shrink))
        small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    side = int(2 * REACH * UNIT)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) * scale
    matrix = np.concatenate([turn / shrink, (side / 2 - turn @ face.middle)[:, None]], 1)
    solid = cv2.warpAffine(small, matrix, (side, side)) >= 128
    inside = cv2.warpAffine(np.full(small.shape, 255, np.uint8), matrix, (side, side)) >= 128
    _, labels = cv2.connectedComponents(solid.astype(np.uint8))
    label = labels[side // 2, side // 2]
    if label == 0:
        return 0.0, False
    half = round(BAND * UNIT)
    band = (labels == label)[: side // 2, side // 2 - half : side // 2 + half]
    rows = np.flatnonzero(band.sum(1) >= RUN * UNIT)
    if not len(rows):
        return 0.0, False
    there = inside[: side // 2, side // 2 - half : side // 2 + half]
    edge = there.argmax(0)  # the first row of the picture in each column
    at_edge = there.any(0) & (band.argmax(0) <= edge + 2) & band.any(0)
    return (side / 2 - float(rows[0])) / scale, bool(at_edge.mean() > CUT_COLUMNS)
