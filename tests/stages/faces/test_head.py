"""The head's top comes from the alpha, without what stands beside it, and a head that is cut off is told."""

import numpy as np
import pytest

from faces_kit import portrait
from hairline.stages.faces.find import Face, find_faces
from hairline.stages.faces.head import SKULL, measure_head

HAIR = 291  # the row at which the photograph's hair begins, by eye


@pytest.fixture(scope="module")
def face() -> Face:
    return find_faces(portrait()[0])[0]


def test_hair_skull_and_chin(face: Face) -> None:
    head = measure_head(face, portrait()[1])
    assert head.known and not head.cut
    assert face.middle[1] - head.hair == pytest.approx(HAIR, abs=0.06 * face.width)
    assert head.skull == pytest.approx(SKULL * head.chin) and head.skull < head.hair


def test_a_bald_head_ends_with_the_alpha(face: Face) -> None:
    alpha = portrait()[1].copy()
    alpha[: int(face.middle[1] - 0.6 * face.width)] = 0
    head = measure_head(face, alpha)
    assert head.hair == pytest.approx(0.6 * face.width, rel=0.05) and head.skull == head.hair


def test_what_stands_beside_the_head_does_not_count(face: Face) -> None:
    alpha = portrait()[1].copy()
    alpha[:400, :40] = 255
    assert measure_head(face, alpha) == measure_head(face, portrait()[1])


def test_cut_off_at_the_top_or_the_chin(face: Face) -> None:
    picture, alpha = portrait()
    top = 320
    (lower,) = find_faces(np.ascontiguousarray(picture[top:]))
    assert measure_head(lower, alpha[top:]).cut
    assert not measure_head(face, alpha).cut
    end = int(face.chin[1]) - 25
    (chinless,) = find_faces(np.ascontiguousarray(picture[:end]))
    assert measure_head(chinless, alpha[:end]).cut


def test_without_alpha_only_the_landmarks_tell(face: Face) -> None:
    head = measure_head(face, None)
    assert not head.known and head.hair == 0 and head.skull == SKULL * head.chin > 0
