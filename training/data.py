"""The pictures for training: what labels.csv lists, decoded once and kept in memory.

The folder is `$HAIRLINE_DATA`, else `../shared/data` beside the project. It holds labels.csv with the
columns path, category, mask_path, mask_kind and split, and the pictures. Nothing of it is committed.

Masks by a strong network, a teacher, lie in folders of their own, whose labels.csv also has `doubt` and paths that
are relative to it: `teacher` in the data folder where there is one, and those that `$HAIRLINE_LABELS` lists. Where a
teacher is sure, its mask takes the place of one by GrabCut in training; never that of a human or an exact one.
With `HAIRLINE_STOCK=0` photographs under the licences of Unsplash and Pexels are left out.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..stages.errors import HairlineError

U8 = NDArray[np.uint8]
REPOSITORY = Path(__file__).resolve().parent.parent
TEACHER = "teacher"  # how the mask kinds of teachers begin
DEMO_SOURCES = ("scikit-image/scikit-image",)  # of the demo's photographs: what the demo shows is not trained on
MAX_DOUBT = 0.1  # doubt below which a teacher's mask takes the place of one by GrabCut


@dataclass(frozen=True)
class Row:
    """One line of labels.csv."""

    path: str
    category: str
    mask_path: str
    mask_kind: str
    split: str
    source: str  # path in the source it comes from
    licence: str = ""
    doubt: float = 0.0  # of a teacher: 2 * sum(min(a, 1 - a)) / sum(a)
    weight_path: str = ""  # how far each pixel of the mask is to be believed

    @property
    def pseudo(self) -> bool:
        """Whether the mask was made by a program: its edges are soft and not to be trusted."""
        return self.mask_kind == "pseudo_grabcut"

    @property
    def taught(self) -> bool:
        """Whether the mask is a teacher's."""
        return self.mask_kind.startswith(TEACHER)

    @property
    def stock(self) -> bool:
        """Whether the picture comes under the licence of a site for stock photographs."""
        return any(site in self.licence.lower() for site in ("unsplash", "pexels"))


@dataclass(frozen=True)
class Foreground:
    """A subject alone. rgba: uint8 [H, W, 4], colours not premultiplied."""

    rgba: U8
    category: str
    pseudo: bool


@dataclass(frozen=True)
class Photo:
    """A photograph, uint8 [H, W, 3], with its alpha and, where there is one, weight, uint8 [H, W]."""

    rgb: U8
    alpha: U8
    category: str
    pseudo: bool
    taught: bool = False
    doubt: float = 0.0
    path: str = ""
    weight: U8 | None = None


def folder() -> Path:
    """The data folder. Raises HairlineError when there is none."""
    path = Path(os.environ.get("HAIRLINE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (path / "labels.csv").is_file():
        raise HairlineError(f"no training pictures: {path}/labels.csv is missing; set HAIRLINE_DATA to their folder")
    return path


def with_stock() -> bool:
    """Whether photographs from sites for stock photographs are used."""
    return os.environ.get("HAIRLINE_STOCK", "1") != "0"


def label_folders() -> list[Path]:
    """The folders of teachers' masks. Raises HairlineError where `$HAIRLINE_LABELS` names one without labels.csv."""
    built_in = folder() / TEACHER
    named = [Path(name) for name in os.environ.get("HAIRLINE_LABELS", "").split(os.pathsep) if name]
    for path in named:
        if not (path / "labels.csv").is_file():
            raise HairlineError(f"HAIRLINE_LABELS: {path}/labels.csv is missing")
    return [*([built_in] if (built_in / "labels.csv").is_file() else []), *named]


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """What labels.csv of the data folder lists, in training with a teacher's mask where that is the better one."""
    found = {row.path: row for row in _read_rows(folder())}
    for row in _teacher_rows():
        known = found.get(row.path)
        if known and known.pseudo and known.split == "train" and row.doubt < MAX_DOUBT:
            better = {name: getattr(row, name) for name in ("mask_path", "mask_kind", "doubt", "weight_path")}
            found[row.path] = replace(known, **better)
    return tuple(row for row in found.values() if with_stock() or not row.stock)


def taught_rows() -> list[Row]:
    """The pictures that only a teacher gave masks; in validation also those whose other mask is by GrabCut."""
    masked = {row.path for row in _read_rows(folder()) if row.mask_path and not (row.pseudo and row.split == "val")}
    return [row for row in _teacher_rows() if row.path not in masked and (with_stock() or not row.stock)]


def _teacher_rows() -> list[Row]:
    return [row for source in label_folders() for row in _read_rows(source)]


def _read_rows(source: Path) -> list[Row]:
    """The rows of a folder's labels.csv; paths relative to the data folder where they lie in it, absolute elsewhere."""
    root = folder().resolve()

    def relative(path: str) -> str:
        full = Path(os.path.normpath(source.resolve() / path))
        return str(full.relative_to(root) if full.is_relative_to(root) else full)

    rejected = set(rejects(source))
    with open(source / "labels.csv", newline="", encoding="utf-8") as file:
        return [
            Row(
                relative(r["path"]),
                r["category"],
                relative(r["mask_path"]) if r["mask_path"] else "",
                r["mask_kind"],
                r["split"],
                r["source_path"],
                r.get("licence", ""),
                float(r.get("doubt") or 0),
                relative(r["weight_path"]) if r.get("weight_path") else "",
            )
            for r in csv.DictReader(file)
            if r["path"] not in rejected and r.get("source_repo") not in DEMO_SOURCES
        ]


def rejects(source: Path) -> dict[str, str]:
    """The paths that a folder's rejects.txt leaves out, with the reasons: a line `path<TAB>reason` each."""
    path = source / "rejects.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    parts = (line.partition("\t") for line in lines if line.strip())
    return {name.strip(): reason for name, _, reason in parts}


def foregrounds(split: str, max_side: int = 384) -> dict[str, list[Foreground]]:
    """The foregrounds of a split (`train` or `val`) by category (`cartoon:*` under `cartoon`), cut to their subject."""
    found: dict[str, list[Foreground]] = defaultdict(list)
    for row in select("foregrounds/", split):
        rgba = _read(row.path, cv2.IMREAD_UNCHANGED)
        if rgba.ndim != 3 or rgba.shape[2] != 4:
            continue
        ys, xs = np.nonzero(rgba[..., 3] > 8)
        if len(ys) < 64:
            continue
        rgba = rgba[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        category = row.category.split(":")[0]
        found[category].append(Foreground(shrink(_rgb_first(rgba), max_side), category, row.pseudo))
    return dict(found)


def photos(split: str, max_side: int = 512) -> dict[str, list[Photo]]:
    """The photographs of labels.csv with masks of a split, by category."""
    return _photos(select("photos_masks/", split), max_side)


def taught(split: str, max_side: int = 512) -> dict[str, list[Photo]]:
    """The photographs of `taught_rows` of a split, by the teacher's category."""
    return _photos([row for row in taught_rows() if row.split == split], max_side)


def _photos(chosen: list[Row], max_side: int) -> dict[str, list[Photo]]:
    found: dict[str, list[Photo]] = defaultdict(list)
    for row in chosen:
        rgb = shrink(_rgb_first(_read(row.path, cv2.IMREAD_COLOR)), max_side)
        alpha, weight = (
            cv2.resize(_read(path, cv2.IMREAD_GRAYSCALE), rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
            if path
            else None
            for path in (row.mask_path, row.weight_path)
        )
        photo = Photo(rgb, alpha, row.category, row.pseudo, row.taught, row.doubt, row.path, weight)
        found[row.category].append(photo)
    return dict(found)


def backgrounds(split: str, max_side: int = 384) -> dict[str, list[U8]]:
    """Backgrounds of a split by category (`bg_scene`, `bg_shelf`, ...), uint8 [H, W, 3].

    `bg_scene_with_subjects` is left out: it shows subjects of its own. `bg_shelf` is fit to stand behind
    a subject, but not to be called empty.
    """
    found: dict[str, list[U8]] = defaultdict(list)
    for row in select("backgrounds/", split):
        if row.category != "bg_scene_with_subjects":
            found[row.category].append(shrink(_rgb_first(_read(row.path, cv2.IMREAD_COLOR)), max_side))
    return dict(found)


def shrink(image: U8, max_side: int) -> U8:
    """The picture with its long side at most `max_side` pixels; never enlarged."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def picture(row: Row, max_side: int) -> U8:
    """The picture of a row, uint8 [H, W, 3], or 4 with alpha where it is a foreground."""
    flags = cv2.IMREAD_UNCHANGED if row.path.startswith("foregrounds/") else cv2.IMREAD_COLOR
    return shrink(_rgb_first(_read(row.path, flags)), max_side)


def select(prefix: str, split: str) -> list[Row]:
    """The rows of a split whose path begins with `prefix`."""
    return [row for row in rows() if row.path.startswith(prefix) and row.split == split]


def _read(path: str, flags: int) -> U8:
    image = cv2.imread(str(folder() / path), flags)
    if image is None:
        raise HairlineError(f"cannot read the training picture {folder() / path}")
    return image.astype(np.uint8, copy=False)


def _rgb_first(image: U8) -> U8:
    """OpenCV's BGR(A) to RGB(A)."""
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(image, code).astype(np.uint8, copy=False)
