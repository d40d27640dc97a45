"""How well a face can be seen: light, sharpness, what covers it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .find import CHIN, Face

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

WIDTH = 160  # pixels of a face's width at which it is looked at
SIDE = 256
# Outlines by the mesh's numbers. Skin is looked at where neither hair nor beard nor glasses are.
OVAL: tuple[int, ...] = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
OVAL += (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
CHEEKS = (50, 205, 2, 425, 280, 4)  # beside the nose
BRIDGE = (9, 351, 419, 4, 196, 122)  # of the nose
UNDER_EYES = ((111, 117, 118, 119, 120, 121, 128, 232, 230), (340, 346, 347, 348, 349, 350, 357, 452, 450))
EYES: tuple[tuple[int, ...], ...] = ((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),)
EYES += ((263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),)
MOUTH = (2, 326, 423, 426, 436, 432, 430, 431, 262, 428, 199, 208, 32, 211, 210, 212, 216, 206, 203, 97)


@dataclass(frozen=True)
class Look:
    """What is seen of a face.

    Attributes:
        light: median lightness of the face, CIE L*, 0..100.
        clipped: share of the face that is as bright as can be.
        detail: how much fine detail there is about the eyes, as a share of the contrast; blurred faces have little.
        tint_below: by how much the colour about the mouth differs from that beside the nose's bridge, CIE a*b*.
        dark_eyes: lightness about the eyes as a share of that of the cheeks; dark glasses make it small.
    """

    light: float
    clipped: float
    detail: float
    tint_below: float
    dark_eyes: float


def look_at(face: Face, rgb: U8) -> Look:
    """How a face looks. rgb: uint8 [H, W, 3], sRGB, the picture in which it was found."""
    pixels, points = upright_face(face, rgb)
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)
    oval, cheeks = _inside(points, OVAL), _inside(points, CHEEKS)
    below = _inside(points, MOUTH)
    eyes = np.logical_or(*(_inside(points, outline) for outline in UNDER_EYES))
    eyes |= np.logical_or(*(_inside(points, outline) for outline in EYES))
    above = _inside(points, BRIDGE) | np.logical_or(*(_inside(points, outline) for outline in UNDER_EYES))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    around = cv2.dilate(eyes.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.2)
    contrast = float(grey[around].std()) if around.any() else 0.0
    return Look(
        light=float(_median(lab, oval)[0]),
        clipped=float((pixels[oval].min(1) >= 250).mean()) if oval.any() else 0.0,
        detail=float(fine[around].std()) / max(contrast, 1.0) if around.any() else 0.0,
        tint_below=float(np.hypot(*(_median(lab, below) - _median(lab, above))[1:])),
        dark_eyes=float(_median(lab, eyes)[0] / max(_median(lab, cheeks)[0], 1.0)),
    )


def upright_face(face: Face, rgb: U8) -> tuple[U8, F32]:
    """The face upright at `WIDTH` in a square of `SIDE`, and its landmarks there, float32 [468, 2]."""
    scale, angle = WIDTH / face.width, math.radians(face.roll)
    shrink = min(1.0, scale)
    middle = (face.middle + face.points[CHIN, :2]) / 2
    reach = SIDE / scale
    corner = np.maximum(np.floor(middle - reach), 0).astype(int)
    end = np.maximum(np.ceil(middle + reach).astype(int), corner + 1)
    part = rgb[corner[1] : end[1], corner[0] : end[0]]
    if shrink < 1:
        size = max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) * scale
    shift = SIDE / 2 - turn @ (middle - corner)
    matrix = np.concatenate([turn / shrink, shift[:, None]], 1)
    pixels = cv2.warpAffine(part, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return pixels.astype(np.uint8, copy=False), ((face.points[:, :2] - corner) @ turn.T + shift).astype(np.float32)


def _median(lab: NDArray[np.float32], where: NDArray[np.bool_]) -> F32:
    return np.median(lab[where], 0).astype(np.float32) if where.any() else np.zeros(3, np.float32)


def _inside(points: F32, outline: tuple[int, ...]) -> NDArray[np.bool_]:
    canvas: U8 = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(canvas, [np.rint(points[list(outline)]).astype(np.int32)], 1)
    return canvas > 0
