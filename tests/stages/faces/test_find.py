"""Faces are found where they are, however the picture is turned and scaled, and not where there are none."""

import cv2
import numpy as np
import pytest

from faces_kit import portrait, sitter
from hairline.stages.faces.find import Face, find_faces

# Read off the photograph by eye, pixels of it at twice its size with the wall around it (see faces_kit).
LEFT_EYE, RIGHT_EYE, CHIN = (556, 462), (642, 467), (594, 616)


@pytest.fixture(scope="module")
def face() -> Face:
    (found,) = find_faces(portrait()[0])
    return found


def test_eyes_and_chin_lie_where_one_sees_them(face: Face) -> None:
    size = face.width
    for point, seen in zip((*face.eyes, face.chin), (LEFT_EYE, RIGHT_EYE, CHIN), strict=True):
        assert np.hypot(*(point - seen)) < 0.06 * size
    assert face.score > 0.5 and abs(face.yaw) < 8


def test_a_turned_picture_turns_the_face(face: Face) -> None:
    picture, alpha = portrait(12.0)
    (turned,) = find_faces(picture)
    assert turned.roll == pytest.approx(face.roll + 12, abs=1.5)
    matrix = cv2.getRotationMatrix2D((alpha.shape[1] / 2, alpha.shape[0] / 2), -12.0, 1.0)
    assert np.hypot(*(turned.chin - (matrix[:, :2] @ face.chin + matrix[:, 2]))) < 0.04 * face.width


def test_a_smaller_picture_has_the_same_face_smaller(face: Face) -> None:
    small = cv2.resize(portrait()[0], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    (found,) = find_faces(small)
    assert np.abs(found.points * 4 - face.points)[:, :2].mean() < 0.03 * face.width


def test_two_faces_are_two_and_none_is_none() -> None:
    one = portrait()[0]
    assert len(find_faces(np.concatenate([one, one[:, ::-1]], 1))) == 2
    body = sitter()[0][800:]
    assert find_faces(np.ascontiguousarray(body)) == []
    assert find_faces(np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)) == []
