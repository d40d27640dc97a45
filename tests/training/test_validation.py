"""The fixed pictures: the same every time, of the validation split alone, each with its truth."""

from __future__ import annotations

import numpy as np
import pytest

from hairline.stages.errors import HairlineError
from hairline.training import data, validation


def _there() -> bool:
    try:
        return data.folder().is_dir()
    except HairlineError:
        return False


@pytest.mark.skipif(not _there(), reason="the training pictures are not here")
def test_fixed_pictures_are_fixed_and_have_their_truth() -> None:
    first, second = validation.hairy(1, 128), validation.hairy(1, 128)
    assert [p.group for p in first] == list(validation.KINDS)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.rgb, b.rgb) and np.array_equal(a.alpha, b.alpha)
        assert a.alpha is not None and a.alpha.shape == (128, 128) and a.alpha.any() and a.coarse is not None
    item = first[0].item("a")
    assert np.array_equal(item.picture.rgb(), first[0].rgb)
    other = validation.hairy(1, 128, seed=1)
    assert not any(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, other, strict=True))


def test_an_outline_is_pale_by_its_rim_alone() -> None:
    sprite = np.zeros((60, 100, 4), np.uint8)
    sprite[10:50, 10:90] = (230, 232, 228, 255)
    sprite[14:46, 14:86, :3] = 20  # a dark screen within
    assert validation.pale_outline(sprite) == 1.0
    sprite[10:50, 10:50, :3] = 20  # half of the body is dark
    assert 0.3 < validation.pale_outline(sprite) < 0.7
    sprite[10:50, 10:90, :3] = (240, 180, 180)  # light, and a colour
    assert validation.pale_outline(sprite) == 0.0
    assert validation.pale_outline(sprite * 0) == 0.0
