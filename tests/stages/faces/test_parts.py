"""Parts of a head on a photograph, and on it turned, shrunk and with its colours gone."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import pytest

from faces_kit import portrait
from hairline.stages.faces.find import Face, find_faces
from hairline.stages.faces.parts import BODY, FACE, HAIR, HeadParts, head_parts


@lru_cache(maxsize=4)
def found(angle: float = 0.0) -> tuple[Face, HeadParts]:
    picture, alpha = portrait(angle)
    (face,) = find_faces(picture)
    return face, head_parts(face, picture, alpha)


def whole(parts: HeadParts, name: str, angle: float = 0.0) -> np.ndarray:
    picture, alpha = portrait(angle)
    (x0, y0, x1, y1), own = parts.alpha(name, picture, alpha)
    made = np.zeros_like(alpha)
    made[y0:y1, x0:x1] = own
    assert (made <= alpha).all()
    return made


def at(parts: HeadParts, face: Face, u: float, v: float) -> int:
    """The part at a place, measured from the eyes in widths of the face along the head's axes."""
    angle = math.radians(face.roll)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    place = face.middle + turn @ np.array([u, v]) * face.width
    x, y = parts.matrix @ np.array([*place, 1.0])
    return int(parts.shares[:, round(y), round(x)].argmax())


@pytest.mark.parametrize("angle", [0.0, 17.0])
def test_each_place_of_a_head_is_what_one_sees_there(angle):
    face, parts = found(angle)
    assert np.allclose(parts.shares.sum(0), 1, atol=1e-3)
    places = {(0, 0): FACE, (0, 0.4): FACE, (0, -0.25): FACE, (0, -0.7): HAIR, (0, 1.8): BODY}
    assert {place: at(parts, face, *place) for place in places} == places


def test_face_and_hair_lie_within_the_head_and_do_not_overlap():
    _, parts = found()
    head, face, hair = (whole(parts, name).astype(int) for name in ("head", "face", "hair"))
    assert (face + hair > head + 8).mean() < 0.01
    assert 0.2 < face.sum() / head.sum() < 0.7 and 0.1 < hair.sum() / head.sum() < 0.7
    soft = (face > 8) & (face < 247)
    assert 0 < soft.sum() < 0.4 * (face > 127).sum()  # a soft border, and no more than that


def test_parts_turn_and_shrink_with_the_picture():
    picture, alpha = portrait()
    small, thin = (cv2.resize(one, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA) for one in (picture, alpha))
    (face,) = find_faces(small)
    parts = head_parts(face, small, thin)
    large = whole(found()[1], "hair")
    (x0, y0, x1, y1), own = parts.alpha("hair", small, thin)
    again = np.zeros_like(thin)
    again[y0:y1, x0:x1] = own
    same = cv2.resize(large, thin.shape[::-1], interpolation=cv2.INTER_AREA)
    assert ((same > 127) & (again > 127)).sum() > 0.8 * ((same > 127) | (again > 127)).sum()
    assert np.array_equal(parts.shares, head_parts(face, small, thin).shares)  # the same every time


def test_an_arm_raised_beside_the_head_is_not_of_it_and_it_says_that_it_cut():
    picture, alpha = (one.copy() for one in portrait())
    face, alone = found()
    x, y, width = *face.middle, face.width
    cheek = picture[int(y + 0.35 * width), int(x + 0.2 * width)]
    x0, x1, y0, y1 = (int(v) for v in (x - 1.1 * width, x - 0.6 * width, y - 1.2 * width, y + 1.5 * width))
    held = np.zeros(alpha.shape, bool)
    held[max(0, y0) : y1, x0:x1] = True
    held &= alpha < 128
    picture[held], alpha[held] = cheek, 255
    parts = head_parts(face, picture, alpha)
    for name in ("head", "hair"):
        (left, top, right, bottom), own = parts.alpha(name, picture, alpha)
        made = np.zeros_like(alpha)
        made[top:bottom, left:right] = own
        assert (made[held] > 127).mean() < 0.3  # its inner side lies where hair usually does
        before = whole(alone, name) > 127
        assert ((made > 127) & before).sum() > 0.9 * before.sum()
    assert alone.touched < 0.1 < parts.touched


def test_colours_that_no_hair_has_are_told():
    picture, alpha = portrait()
    face, alone = found()
    u = np.mgrid[: alpha.shape[0], : alpha.shape[1]][0]
    capped = np.where(
        ((u < face.middle[1] - 0.35 * face.width) & (alpha > 127))[..., None], np.uint8((30, 60, 220)), picture
    )
    assert alone.natural > 0.8 and head_parts(face, capped, alpha).natural < 0.5


def test_without_colours_it_is_less_sure():
    picture, alpha = portrait()
    _, parts = found()
    flat = np.full_like(picture, 120)
    blind = head_parts(found()[0], flat, alpha)
    assert parts.apart["hair"] > 0.6 > blind.apart["hair"]
