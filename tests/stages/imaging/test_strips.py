"""Pictures many times as long as high are looked at in windows, so that a subject keeps its shape."""

import io
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

import zoo
from hairline.stages.detect import _deduplicate
from hairline.stages.imaging.crops import windows
from hairline.stages.item import Box
from whole_way import done, product

PERSON = zoo.some_photographs()[2]


@pytest.mark.parametrize("size", [(3000, 120), (120, 3000), (1200, 120), (900, 200), (30_000, 64), (65_535, 1)])
def test_windows_cover_a_strip_and_overlap_by_half(size):
    found = windows(*size)
    along = 0 if size[0] > size[1] else 1
    spans = [(w[along], w[along + 2]) for w in found]
    assert spans[0][0] == 0 and spans[-1][1] == max(size)
    assert len(spans) <= 32
    length = spans[0][1]
    assert length >= 2 * min(size)
    for (start, end), (following, _) in pairwise(spans):
        assert end - start == length
        assert end - following >= 0.45 * length or len(spans) == 2
    assert all((w[1 - along], w[3 - along]) == (0, min(size)) for w in found)


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (640, 480), (1, 1)])
def test_other_pictures_are_looked_at_as_a_whole(size):
    assert windows(*size) == [(0, 0, *size)]


def test_a_thing_seen_in_two_windows_is_one():
    whole, part, text = (
        Box(10, 0, 60, 90, "subject", 0.6),
        Box(40, 5, 60, 85, "subject", 0.8),
        Box(40, 5, 60, 85, "text", 0.5),
    )
    other = Box(300, 0, 350, 90, "subject", 0.7)
    assert _deduplicate([part, whole, other, text]) == [Box(10, 0, 60, 90, "subject", 0.8), other, text]


@pytest.mark.parametrize("size", [(3000, 120), (120, 3000), (1600, 160)], ids=["25:1", "1:25", "10:1"])
def test_a_person_in_a_banner_is_whole_or_doubted(stages, size):
    side = min(size)
    photo = cv2.resize(PERSON, (side, side), interpolation=cv2.INTER_AREA)
    strip = np.full((size[1], size[0], 3), 230, np.uint8)
    at = (max(size) - side) // 2
    place = np.s_[:, at : at + side] if size[0] > size[1] else np.s_[at : at + side, :]
    strip[place] = photo
    item = done(stages, zoo.encode(strip, "PNG"))
    assert item.status == "ok"
    alpha = product(item)[..., 3]
    inside = alpha[place]
    x, y = slice(int(0.36 * side), int(0.55 * side)), slice(int(0.1 * side), int(0.9 * side))
    alone = product(done(stages, zoo.encode(photo, "PNG")))[..., 3]  # at this size not all of her is found there either
    whole = min(0.9 * 255, alone[y, x].mean() - 0.05 * 255)
    assert inside[y, x].mean() > whole or item.confidence < 0.5  # from her hair down to her suit
    assert (alpha > 127).sum() - (inside > 127).sum() < 0.02 * side * side
    assert Image.open(io.BytesIO(item.outputs["cutout"].data)).size == size
