"""The split: groups stay whole, classes are everywhere, what is settled stays."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hairline.autoclassify.split import leaks, split


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 25)), min_size=12, max_size=80))
def test_no_group_is_torn_apart(rows: list[tuple[str, int]]) -> None:
    labels, groups = [label for label, _ in rows], np.array([group for _, group in rows])
    parts = split(labels, groups, [""] * len(rows))
    assert set(parts) <= {"train", "val", "test"}
    assert all(len({part for part, g in zip(parts, groups, strict=True) if g == group}) == 1 for group in set(groups))
    assert leaks(groups, parts) == []


def test_a_class_of_three_is_in_every_part_and_the_shares_are_as_they_should() -> None:
    labels = ["common"] * 300 + ["rare"] * 3
    parts = split(labels, np.arange(303), [""] * 303)
    assert sorted(parts[300:]) == ["test", "train", "val"]
    counts = Counter(parts[:300])
    assert abs(counts["test"] - 50) <= 2 and abs(counts["val"] - 50) <= 2


def test_what_is_settled_stays_and_its_near_duplicates_follow() -> None:
    labels = ["a", "b"] * 50
    first = split(labels, np.arange(100), [""] * 100)
    more = split([*labels, "a"], np.array([*range(100), 7]), [*first, ""])
    assert more[:100] == first and more[100] == first[7]


def test_a_near_duplicate_of_what_is_held_out_leaks() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2])
    parts = split(["a"] * 6, groups, ["train", "test", "val", "val", "train", "val"])
    assert leaks(groups, parts) == [0, 4]
