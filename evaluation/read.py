"""Reading what is to be judged: mattes, tables by picture, and boxes in COCO's files or a run's output."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..stages.errors import HairlineError
from .matte import F32

Table = dict[str, dict[str, Any]]  # {id: {column: value}}
Boxes = dict[str, list[dict[str, Any]]]  # {picture: [{x0, y0, x1, y1, label, score}]}, pixels
Run = Callable[[Path], list[dict[str, Any]]]  # the output folder of a run -> its rows; that is its ledger's business
ID_COLUMNS = ("id", "name", "file", "file_name")


def matte(path: Path) -> F32:
    """An alpha of any usual file: float32 [H, W], 0..1. Of a picture with transparency, that; of a grey one, the grey.

    Raises:
        HairlineError: no picture, or one in colours without transparency.
    """
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise HairlineError(f"{path} is no picture that can be read")
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[..., 3]
    elif image.ndim == 3:
        if (image != image[..., :1]).any():
            raise HairlineError(f"{path} is a picture in colours without transparency; give a matte or a cut-out")
        image = image[..., 0]
    return (image.astype(np.float32) / (65535 if image.dtype == np.uint16 else 255)).astype(np.float32)


def is_coco(path: Path) -> bool:
    """Whether a file is JSON with `images` and `annotations`."""
    if not path.is_file() or path.suffix != ".json":
        return False
    content = _json(path)
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def table(path: Path, run: Run) -> Table:
    """Rows by picture from CSV (first line: names of the columns), JSON (a list of objects, or {id: object}) or the
    output folder of a run. The column of the id is called id, name, file or file_name.

    Raises:
        HairlineError: no such file, another format, no id, or an id twice.
    """
    if path.is_dir():
        return {row["id"]: {**row["quality"], **row} for row in run(path)}
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows: Iterable[dict[str, Any]] = list(csv.DictReader(file))
    elif path.suffix == ".json":
        content = _json(path)
        listed = content.values() if isinstance(content, dict) else content
        if not isinstance(content, (dict, list)) or not all(isinstance(row, dict) for row in listed):
            raise HairlineError(f"{path}: not a list of objects, and not objects by id")
        rows = [{"id": key, **row} for key, row in content.items()] if isinstance(content, dict) else content
    else:
        raise HairlineError(f"{path}: a table must be .csv, .json or the output folder of a run")
    found: Table = {}
    for row in rows:
        key = next((str(row[name]) for name in ID_COLUMNS if row.get(name) not in (None, "")), "")
        if not key:
            raise HairlineError(f"{path}: a row has no id; one column must be called {', '.join(ID_COLUMNS)}")
        if key in found:
            raise HairlineError(f"{path}: {key} stands there twice")
        found[key] = {name: value for name, value in row.items() if name not in ID_COLUMNS}
    return found


def true_boxes(path: Path) -> Boxes:
    """The boxes of a COCO file by the picture's file name; those that are crowds are left out."""
    content = _json(path)
    try:
        names = {c["id"]: c["name"] for c in content.get("categories", [])}
        files = {i["id"]: i["file_name"] for i in content["images"]}
        found: Boxes = {name: [] for name in files.values()}
        for a in content["annotations"]:
            if not a.get("iscrowd"):
                found[files[a["image_id"]]].append(_box(a, names))
    except (KeyError, TypeError, ValueError) as error:
        raise HairlineError(f"{path}: not in COCO's form: {type(error).__name__} {error}") from error
    return found


def found_boxes(path: Path, truth: Path, run: Run) -> Boxes:
    """Detections: COCO's list of results, {file name: [{x0, y0, x1, y1, label, score}]}, or the output of a run.

    Args:
        truth: the COCO file that the image and category ids of a list of results belong to.
    """
    if path.is_dir():
        return {row["id"]: row["boxes"] for row in run(path)}
    content = _json(path)
    try:
        if isinstance(content, dict):
            return {name: [{**box, "score": float(box["score"])} for box in boxes] for name, boxes in content.items()}
        listed = _json(truth)
        names = {c["id"]: c["name"] for c in listed.get("categories", [])}
        files = {i["id"]: i["file_name"] for i in listed["images"]}
        found: Boxes = defaultdict(list)
        for result in content:
            if result["image_id"] not in files:
                raise HairlineError(f"{path}: image_id {result['image_id']} is none of {truth}")
            found[files[result["image_id"]]].append(_box(result, names) | {"score": float(result["score"])})
    except (KeyError, TypeError, ValueError) as error:
        raise HairlineError(
            f"{path}: neither COCO results nor boxes by file: {type(error).__name__} {error}"
        ) from error
    return dict(found)


def _box(annotation: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    x, y, width, height = (float(v) for v in annotation["bbox"])
    label = names.get(annotation["category_id"], str(annotation["category_id"]))
    return {"x0": x, "y0": y, "x1": x + width, "y1": y + height, "label": label}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HairlineError(f"{path} cannot be read as JSON: {error}") from error
