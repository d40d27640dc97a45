"""Groups of validation pictures of the kinds that once went wrong, with what was seen on them: benchmarks/groups/*.csv.

A row a picture: `name`, the path in the data folder or `drawn 7` for the drawn one of that number; `kind`; `mask`,
`good` where its truth can be believed, else what is wrong with it; and the faults that were counted by eye with the
weights `before` and `after`, words with a space between: `ground` (ground, shadow or reflection taken along), `lost`
(a part is missing or half there), `hole` (in the interior), `background` (something else taken along), `smear` (a
veil or specks beside the subject) and `screen` (a screen or keys are there, most of the body around them is not).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from hairline.training import validation as v

FOLDER = Path(__file__).parent / "groups"
DRAWN = "drawn"
FAULTS = ("ground", "lost", "hole", "background", "smear", "screen")


@dataclass(frozen=True)
class Shown:
    """A picture of a group.

    Attributes:
        name: as in the list, or a file's.
        picture: the picture, with its truth where there is one.
        believed: whether that truth can be believed.
        faults: those that were counted, by `before` and `after`.
    """

    name: str
    picture: v.Picture
    believed: bool
    faults: dict[str, list[str]] = field(default_factory=dict)


def listed(name: str, group: str, share: int = 1) -> list[Shown]:
    """The pictures of a list.

    Args:
        group: what the group is called in tables.
        share: only every so manieth, and the first of the drawn ones.
    """
    with open(FOLDER / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    photographs = [row["name"] for row in rows if not row["name"].startswith(DRAWN)]
    drawn = (len(rows) - len(photographs)) // share
    pictures = dict(zip(photographs[::share], v.listed(photographs[::share], group), strict=True))
    pictures |= {f"{DRAWN} {n}": p for n, p in enumerate(v.pale_devices(drawn) if drawn else [])}
    outlines = json.loads((FOLDER / "outlines.json").read_text(encoding="utf-8"))
    found = []
    for row in (row for row in rows if row["name"] in pictures):
        picture = replace(pictures[row["name"]], group=group)
        if row["name"] in outlines:
            picture = replace(picture, alpha=_filled(outlines[row["name"]], picture.rgb.shape[:2]))
        faults = {when: row[when].split() for when in ("before", "after")}
        if unknown := {kind for each in faults.values() for kind in each} - set(FAULTS):
            raise ValueError(f"{name}.csv, {row['name']}: no such faults: {', '.join(sorted(unknown))}")
        found.append(Shown(row["name"], picture, row["mask"] == "good", faults))
    return found


def _filled(outlines: list[list[list[float]]], size: tuple[int, ...]) -> np.ndarray:
    """The inside of outlines that were drawn by hand, their corners in shares of width and height: uint8 [H, W]."""
    height, width = size
    alpha = np.zeros((height, width), np.uint8)
    corners = [np.round(np.array(one) * (width, height) * 16).astype(np.int32) for one in outlines]
    return cv2.fillPoly(alpha, corners, 255, cv2.LINE_AA, 4)


GROUPS: dict[str, Callable[..., list[Shown]]] = {
    "standing": partial(listed, "standing", "goods on ground or paper"),
    "pale_devices": partial(listed, "pale_devices", "white and silver devices on white"),
}


def believed(share: int = 1) -> list[v.Picture]:
    """The pictures of all groups whose truth can be believed."""
    return [shown.picture for group in GROUPS.values() for shown in group(share=share) if shown.believed]
