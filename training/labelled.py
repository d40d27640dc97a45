"""`python -m hairline.training.labelled`: the pictures of a recipe as a data set for `hairline autoclassify`.

    python -m hairline.training.labelled classify FOLDER [--count 4000]     # categories
    python -m hairline.training.labelled quality FOLDER [--count 4000]      # the overall class, an order of four

Everything is drawn from the training split. The data set has parts of its own for choosing and for judging: no source
of a picture, that is a photograph, a subject or a background, is in two of them.
"""

from __future__ import annotations

import argparse
import csv
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from ..stages.errors import HairlineError
from ..stages.networks.classifier import CATEGORIES
from ..stages.networks.quality import CLASSES
from . import classify, quality

PARTS = {"train": 0.7, "val": 0.15, "test": 0.15}  # share of the pictures
RECIPES = {"classify": classify, "quality": quality}
ROW, BLOCK = 7, 10  # of each seven blocks of sources five are of train, one of val, one of test
QUALITY = 95  # of the JPEGs

S = TypeVar("S")


def part_of(sources: list[S], part: str) -> list[S]:
    """The sources of one part: blocks of neighbours, for renders of one thing stand side by side."""
    block = max(1, min(BLOCK, len(sources) // ROW))
    own = {"val": (ROW - 2,), "test": (ROW - 1,)}.get(part, tuple(range(ROW - 2)))
    return [source for place, source in enumerate(sources) if place // block % ROW in own]


def restricted(sampler: Any, part: str) -> Any:
    """A recipe's sampler that knows the sources of one part alone."""
    one = copy(sampler)
    for name, value in vars(sampler).items():
        if isinstance(value, dict):
            kept = {key: part_of(group, part) for key, group in value.items()}
            setattr(one, name, {key: group for key, group in kept.items() if group})
        elif isinstance(value, list):
            setattr(one, name, part_of(value, part))
    return one


def drawn(kind: str, sampler: Any, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """A picture, uint8 [H, W, 3], and its label."""
    if kind == "quality":
        picture, severities = sampler.spoiled(rng)
        return picture, CLASSES[quality.labels(severities)[1]]
    while True:
        sample = sampler(rng, 1.0)
        if sample["category"] != classify.NONE:  # what has no category is for the threshold of the classifier to see
            return sample["image"].transpose(1, 2, 0), CATEGORIES[sample["category"]]


def write(kind: str, folder: Path, count: int, seed: int = 0) -> Path:
    """Draws the pictures, as JPEG, and writes the manifest: uri, label, split.

    Returns:
        The manifest.

    Raises:
        HairlineError: the folder holds a manifest already.
    """
    manifest = folder / "labels.csv"
    if manifest.exists():
        raise HairlineError(f"{manifest}: is there already; give another folder")
    whole, rows = RECIPES[kind].Sampler("train"), []
    for number, (part, share) in enumerate(PARTS.items()):
        sampler, rng = restricted(whole, part), np.random.default_rng([seed, number])
        (folder / part).mkdir(parents=True, exist_ok=True)
        for place in range(round(share * count)):
            picture, label = drawn(kind, sampler, rng)
            name = f"{part}/{place:05}.jpg"
            bgr = np.ascontiguousarray(picture[..., ::-1])
            cv2.imwrite(str(folder / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            rows.append((name, label, part))
    with open(manifest, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("uri", "label", "split"), *rows])
    return manifest


def main() -> None:
    command = argparse.ArgumentParser(prog="python -m hairline.training.labelled", description="Pictures of a recipe.")
    command.add_argument("kind", choices=RECIPES)
    command.add_argument("folder", type=Path)
    command.add_argument("--count", type=int, default=4000, help="pictures in all")
    options = command.parse_args()
    print(write(options.kind, options.folder, options.count))


if __name__ == "__main__":
    main()
