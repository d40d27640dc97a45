"""A picture's state is packed and unpacked without loss."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hairline.stages.item import Box, CoarseCrop, Facts, Item, Subject
from hairline.stages.state import State, pack, unpack

NOISE = np.random.default_rng(1)


def grey(height: int, width: int) -> np.ndarray:
    return NOISE.integers(0, 256, (height, width), np.uint8)


def item() -> Item:
    found = Item(
        "a", "a.jpg", b"the file", width=640, height=480, category="shoe", category_score=float(np.float32(0.1))
    )
    found.quality = {"sharpness": np.float32(0.3), "clipped": 1 / 3}  # type: ignore[dict-item]
    found.boxes = [Box(float(np.float32(0.1)), 1 / 3, 5.0, 6.5, "subject", 0.9)]
    found.crops = [
        CoarseCrop((0, 1, 20, 30), grey(29, 20), grey(29, 20)),
        CoarseCrop((5, 5, 9, 9), grey(4, 4), grey(4, 4)),
    ]
    found.alpha, found.subjects = grey(48, 64), [Subject((1, 2, 11, 22), grey(20, 10))]
    found.confidence, found.route = 0.75, "product"
    return found


def test_it_comes_back_as_it_was() -> None:
    before, after = item(), Item("a", "a.jpg", b"the file")
    unpack(after, pack(before))
    assert after.facts() == before.facts()
    assert after.quality["sharpness"] == float(np.float32(0.3))
    for old, new in zip(before.crops, after.crops, strict=True):
        assert new.box == old.box and isinstance(new.box, tuple)
        assert np.array_equal(new.alpha, old.alpha) and np.array_equal(new.uncertainty, old.uncertainty)
    assert after.alpha is not None and np.array_equal(after.alpha, before.alpha)
    assert after.subjects[0].box == (1, 2, 11, 22)
    assert np.array_equal(after.subjects[0].alpha, before.subjects[0].alpha)
    assert pack(after) == pack(before)


def test_an_early_state_has_nothing_of_later_stages() -> None:
    after = item()
    unpack(after, pack(Item("a", "a.jpg")))
    assert (after.alpha, after.crops, after.subjects, after.boxes, after.confidence) == (None, [], [], [], None)


def test_every_fact_is_kept_but_how_it_ended() -> None:
    facts = json.loads(pack(item()).facts)
    assert set(vars(Facts())) - set(facts) == {"status", "reason", "stage", "detail", "verdicts", "seconds"}


@pytest.mark.parametrize(
    "change",
    [
        {"facts": "no JSON"},
        {"facts": "[]"},
        {"facts": "{}"},
        {"images": ()},
        {"images": (b"no PNG",) * 6},
    ],
)
def test_what_is_no_state_changes_nothing(change: dict[str, object]) -> None:
    broken: State = replace(pack(item()), **change)  # type: ignore[arg-type]
    after = Item("a", "a.jpg")
    with pytest.raises(ValueError):
        unpack(after, broken)
    assert after == Item("a", "a.jpg")
    with pytest.raises(ValueError, match="other facts"):
        unpack(after, replace(pack(item()), images=(*pack(item()).images, pack(item()).images[0])))
