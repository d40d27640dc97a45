"""A recipe's pictures as a data set: every label as drawn, and no source in two parts."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.stages.errors import HairlineError
from hairline.stages.networks.classifier import CATEGORIES
from hairline.training import classify, labelled


class Sampler:
    """Like the classifier's, over sources that are grey levels: a category has those that its number leaves over."""

    def __init__(self, split: str) -> None:
        assert split == "train"
        self.cutouts = {category: list(range(place, 250, 10)) for place, category in enumerate(CATEGORIES)}

    def __call__(self, rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        place = int(rng.integers(-1, len(CATEGORIES)))
        group = self.cutouts[CATEGORIES[place]]
        level = group[rng.integers(len(group))]
        return {"image": np.full((3, 16, 16), level, np.uint8), "category": np.array(place)}


def test_no_source_is_in_two_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify, "Sampler", Sampler)
    manifest = labelled.write("classify", tmp_path, 400)
    with open(manifest, newline="") as file:
        rows = list(csv.DictReader(file))
    shown: dict[str, set[int]] = {part: set() for part in labelled.PARTS}
    for row in rows:
        level = round(float(cv2.imread(str(tmp_path / row["uri"])).mean()))
        assert row["label"] == CATEGORIES[level % 10]
        shown[row["split"]].add(level)
    assert len(rows) == 400 and all(len(levels) >= 10 for levels in shown.values())
    assert not shown["train"] & shown["val"] and not (shown["train"] | shown["val"]) & shown["test"]
    with pytest.raises(HairlineError, match="is there already"):
        labelled.write("classify", tmp_path, 4)


def test_neighbours_stay_together_and_all_sources_are_somewhere() -> None:
    sources = list(range(140))
    parts = [labelled.part_of(sources, part) for part in labelled.PARTS]
    assert sorted(source for part in parts for source in part) == sources
    assert parts[1] == [*range(50, 60), *range(120, 130)]
