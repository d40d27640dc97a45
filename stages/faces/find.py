"""Finds the faces of a picture and their landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from .networks import FaceDetector, FaceMesh

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

MIN_SCORE = 0.5  # of the detector, as MediaPipe sets it
SAME = 0.3  # overlap, as intersection over union, from which on two boxes are one face
MIN_FACE = 0.5  # probability by the mesh that what it looks at is a face
ROI = 1.5  # what the mesh looks at, as a multiple of the face's longer side; so it was trained
LOOKS = 2  # of the mesh: the first one's landmarks place the second
STRIDES = ((16, 2), (32, 6))  # of the detector: pixels between anchors, and how many lie at one place

# Landmarks by their numbers in MediaPipe's mesh; left and right as one sees them in the picture.
LEFT_EYE, RIGHT_EYE = (33, 133, 159, 145), (362, 263, 386, 374)  # outer and inner corner, lids
CHIN, FOREHEAD, LEFT_SIDE, RIGHT_SIDE = 152, 10, 234, 454


@dataclass(frozen=True)
class Face:
    """A face.

    Attributes:
        points: float32 [468, 3], landmarks: x and y in pixels of the picture, z in the same unit, towards the camera
            negative.
        score: the detector's probability, 0..1.
    """

    points: F32
    score: float

    @property
    def eyes(self) -> tuple[F32, F32]:
        """The middles of the left and the right eye, as seen, float32 [2] each."""
        left, right = (self.points[list(eye), :2].mean(0) for eye in (LEFT_EYE, RIGHT_EYE))
        return left, right

    @property
    def middle(self) -> F32:
        """Between the eyes, float32 [2]."""
        left, right = self.eyes
        return np.asarray((left + right) / 2, np.float32)

    @property
    def eye_distance(self) -> float:
        """Between the middles of the eyes, pixels."""
        left, right = self.eyes
        return float(np.hypot(*(right - left)))

    @property
    def chin(self) -> F32:
        """The lowest point of the chin, float32 [2]."""
        return self.points[CHIN, :2]

    @property
    def width(self) -> float:
        """From side to side before the ears, pixels."""
        return float(np.hypot(*(self.points[RIGHT_SIDE, :2] - self.points[LEFT_SIDE, :2])))

    @property
    def roll(self) -> float:
        """Degrees by which the eyes' line is turned clockwise."""
        left, right = self.eyes
        return math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))

    @property
    def yaw(self) -> float:
        """Degrees by which the face is turned aside; 0: straight at the camera."""
        across = self.points[RIGHT_SIDE] - self.points[LEFT_SIDE]
        return math.degrees(math.atan2(across[2], np.hypot(across[0], across[1])))

    @property
    def pitch(self) -> float:
        """Degrees by which the mesh's line from forehead to chin is tipped; about 0 where one looks straight ahead."""
        down = self.points[CHIN] - self.points[FOREHEAD]
        return math.degrees(math.atan2(down[2], np.hypot(down[0], down[1])))


def find_faces(rgb: U8) -> list[Face]:
    """All faces of an upright picture, the largest first.

    Args:
        rgb: uint8 [H, W, 3].

    Raises:
        HairlineError: the weights are missing or damaged.
    """
    from .networks import networks  # brings torch, which listing presets does without

    detector, mesh = networks()
    found = []
    for score, middle, side, angle in _detect(detector, rgb):
        points, flag = _look(mesh, rgb, middle, side, angle)
        for _ in range(LOOKS - 1):
            low, high = points[:, :2].min(0), points[:, :2].max(0)
            middle, side = (low + high) / 2, ROI * float((high - low).max())
            angle = math.radians(Face(points, score).roll)
            points, flag = _look(mesh, rgb, middle, side, angle)
        if flag > MIN_FACE:
            found.append(Face(points, score))
    return sorted(_distinct(found), key=lambda face: -face.width)


def _detect(network: FaceDetector, rgb: U8) -> list[tuple[float, F32, float, float]]:
    """What may be faces: score, middle and side of what the mesh is to look at, pixels, and its angle, radians."""
    height, width = rgb.shape[:2]
    scale = network.SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (network.SIDE - size[0]) // 2, (network.SIDE - size[1]) // 2
    canvas = np.zeros((network.SIDE, network.SIDE, 3), np.uint8)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(rgb, size, interpolation=how)
    places, logits = network(_input(canvas) * 2 - 1)
    scores = logits[0].sigmoid().numpy()
    likely = scores >= MIN_SCORE
    if not likely.any():
        return []
    scores, anchors = scores[likely], _anchors(network.SIDE)[likely]
    values = places[0].numpy()[likely].reshape(-1, 8, 2)  # middle, size, right eye, left eye, nose, mouth, ears
    middles, sizes, eyes = values[:, 0] + anchors, values[:, 1], values[:, 2:4] + anchors[:, None]
    boxes = np.concatenate([middles - sizes / 2, sizes], 1).tolist()
    found = []
    for k in np.asarray(cv2.dnn.NMSBoxes(boxes, scores.tolist(), MIN_SCORE, SAME)).reshape(-1):
        across = eyes[k, 1] - eyes[k, 0]
        middle = ((middles[k] - (left, top)) / scale).astype(np.float32)
        side = ROI * float(sizes[k].max()) / scale
        found.append((float(scores[k]), middle, side, math.atan2(across[1], across[0])))
    return found


@lru_cache(maxsize=1)
def _anchors(side: int) -> F32:
    """Middles of the detector's anchors, float32 [896, 2], pixels."""
    parts = []
    for stride, number in STRIDES:
        y, x = np.mgrid[: side // stride, : side // stride]
        places = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        parts.append(np.repeat(places, number, 0))
    return np.concatenate(parts).astype(np.float32)


def _look(network: FaceMesh, rgb: U8, middle: F32, side: float, angle: float) -> tuple[F32, float]:
    """Landmarks, float32 [468, 3], and the probability of a face, of a square around `middle` turned by `angle`."""
    scale = network.SIDE / max(side, 1.0)
    part, corner, shrink = _near(rgb, middle, side, scale)
    turn = scale / shrink * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    shift = network.SIDE / 2 - turn @ ((middle - corner) * shrink)
    matrix = np.concatenate([turn, shift[:, None]], 1)
    points, flag = network(_input(cv2.warpAffine(part, matrix, (network.SIDE, network.SIDE))))
    back = cv2.invertAffineTransform(matrix)
    found = points[0].numpy()
    places = (found[:, :2] @ back[:, :2].T + back[:, 2]) / shrink + corner
    return np.concatenate([places, found[:, 2:] / scale], 1).astype(np.float32), float(flag[0].sigmoid())


def _near(rgb: U8, middle: F32, side: float, scale: float) -> tuple[U8, F32, float]:
    """The part of a picture around a square, shrunk to about twice the wanted size; its corner, and by how much."""
    height, width = rgb.shape[:2]
    reach = side * 0.75  # half a diagonal and a little more
    x0, y0 = (int(np.clip(v - reach, 0, most - 1)) for v, most in zip(middle, (width, height), strict=True))
    x1, y1 = (int(np.clip(v + reach + 1, 1, most)) for v, most in zip(middle, (width, height), strict=True))
    part = rgb[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    shrink = min(1.0, 2 * scale)
    if shrink < 1:
        size = max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return part, np.array((x0, y0), np.float32), shrink


def _input(pixels: U8 | cv2.typing.MatLike) -> torch.Tensor:
    """float32 [1, 3, h, w], 0..1."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255


def _distinct(faces: list[Face]) -> list[Face]:
    """Without those whose landmarks lie where a better one's do."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(np.hypot(*(face.middle - other.middle)) > 0.5 * other.width for other in kept):
            kept.append(face)
    return kept
