"""Small data sets of labelled pictures, drawn: what a class is can be seen, and no two pictures are alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def drawn(kind: int, rng: np.random.Generator, side: int = 96) -> np.ndarray:
    """A picture of a kind, uint8 [side, side, 3]: 0 discs, 1 stripes, 2 neither."""
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    colour = [int(value) for value in rng.integers(0, 256, 3)]
    if kind == 0:
        for _ in range(5):
            cv2.circle(picture, [int(v) for v in rng.integers(10, side - 10, 2)], int(rng.integers(6, 18)), colour, -1)
    elif kind == 1:
        for at in range(int(rng.integers(8)), side, int(rng.integers(9, 14))):
            cv2.line(picture, (at, 0), (at + 20, side), colour, 4)
    return picture


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def labelled(
    folder: Path, each: int = 12, kinds: tuple[str, ...] = ("discs", "stripes", "plain"), seed: int = 0
) -> Path:
    """A folder with `each` pictures of each kind."""
    rng = np.random.default_rng(seed)
    for kind, name in enumerate(kinds):
        for number in range(each):
            write(folder / name / f"{number:03}.png", drawn(kind, rng))
    return folder
