"""Which training picture shows which category of subject, as the classifier names them.

Renders of one model look alike in both splits, so whole models are held out for validation instead. Buildings,
foliage silhouettes and smoke have no category and are left out.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from . import data

VEHICLES = ("ambulance", "bus", "fire_truck", "hatchback", "pickup", "prius_hybrid", "suv", "polaris_ranger_ev")
BUILDINGS = (
    "apartment", "collapsed_house", "collapsed_industrial", "fire_station", "gas_station", "house_1", "house_3",
    "powerplant", "pier", "retail_ColumnA_01", "hospital_curtain",
)  # fmt: skip
PHOTOGRAPHED = {"portrait", "person", "animal", "clothing", "food", "vehicle"}  # same name in labels.csv
SCENES = ("bg_scene", "bg_pano", "bg_sky", "bg_texture", "bg_indoor_surface")
COCO = {
    "person": ["person"],
    "animal": ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"],
    "vehicle": ["bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"],
    "food": ["banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"],
    "product_hollow": ["chair", "bench", "umbrella"],
    "product": [
        "suitcase", "handbag", "backpack", "bottle", "cup", "bowl", "wine glass", "laptop", "keyboard", "mouse",
        "clock", "book", "vase", "tv", "skateboard", "remote", "cell phone", "toaster", "teddy bear", "fire hydrant",
    ],
}  # fmt: skip
OF_COCO = {name: category for category, names in COCO.items() for name in names}


@dataclass(frozen=True)
class Shown:
    """A photograph of a category. rgb: uint8 [H, W, 3]; box: (x0, y0, x1, y1) of the subject in pixels."""

    rgb: np.ndarray
    box: tuple[int, int, int, int]


def cutouts(split: str, max_side: int = 320) -> dict[str, list[np.ndarray]]:
    """Foregrounds by category, uint8 [H, W, 4], cut to the subject."""
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    for part in ("train", "val"):
        for row in data.select("foregrounds/", part):
            category = category_of(row)
            if category and split_of(row) == split:
                rgba = data.picture(row, max_side)
                ys, xs = np.nonzero(rgba[..., 3] > 8) if rgba.shape[2] == 4 else (np.empty(0), np.empty(0))
                if len(ys) >= 64:
                    found[category].append(rgba[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
    return dict(found)


def outside(split: str, max_side: int = 320) -> list[np.ndarray]:
    """Foregrounds of no category, uint8 [H, W, 4]; none of those in training is of a model that validation shows."""
    val = [row for row in data.select("foregrounds/", "val") if not category_of(row)]
    shown = {model_of(row) for row in val if row.mask_kind == "render"}
    train = (r for r in data.select("foregrounds/", "train") if not category_of(r) and model_of(r) not in shown)
    found = (data.picture(row, max_side) for row in (val if split == "val" else train))
    return [rgba for rgba in found if rgba.shape[2] == 4 and (rgba[..., 3] > 8).sum() >= 64]


def photographs(split: str, max_side: int = 448) -> dict[str, list[Shown]]:
    """Real photographs by category: with masks, from shelves, with human boxes, and scenes without a subject."""
    found: dict[str, list[Shown]] = defaultdict(list)
    for category, photos in data.photos(split, max_side).items():
        name = "product" if category == "product_simple" else category
        for photo in photos:
            ys, xs = np.nonzero(photo.alpha > 127)
            if (name in PHOTOGRAPHED or name.startswith("product")) and len(ys):
                box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
                found[name].append(Shown(photo.rgb, box))
    for row in data.select("backgrounds/", split):
        category = "scene" if row.category in SCENES else ""
        if row.category == "bg_shelf":
            category = "product" if "/Packages/" in row.source else "food"
        if category:
            rgb = data.picture(row, max_side)
            found[category].append(Shown(rgb, (0, 0, rgb.shape[1], rgb.shape[0])))
    for category, shown in _boxed(split).items():
        found[category] += shown
    return dict(found)


def category_of(row: data.Row) -> str:
    """The classifier's category of a foreground; empty where it has none."""
    top, model = row.category.split(":")[0], model_of(row)
    if top == "cartoon" or top in PHOTOGRAPHED:
        return top
    if not top.startswith("product") or any(name in model for name in BUILDINGS):
        return ""
    if any(model.endswith(f"models_{name}") for name in VEHICLES):
        return "vehicle"
    return "product" if top == "product_simple" else top


def model_of(row: data.Row) -> str:
    """The name that all renders of one model share."""
    return re.sub(r"_\d+$", "", row.path.rsplit("/", 1)[-1].rsplit(".", 1)[0])


def split_of(row: data.Row) -> str:
    """The row's split; of a render, that of its model, one in eight of which is held out."""
    if row.mask_kind != "render":
        return row.split
    return "val" if zlib.crc32(model_of(row).encode()) % 8 == 0 else "train"


def _boxed(split: str) -> dict[str, list[Shown]]:
    """The large objects of the photographs with human boxes."""
    found: dict[str, list[Shown]] = defaultdict(list)
    rows = {row.path.rsplit("/", 1)[-1]: row for row in data.select("detection/", split)}
    if not rows:
        return found
    path = data.folder() / next(iter(rows.values())).path.rsplit("/", 1)[0] / "annotations.coco.json"
    listed = json.loads(path.read_text())
    names = {c["id"]: c["name"] for c in listed["categories"]}
    images = {i["id"]: i["file_name"].rsplit("/", 1)[-1] for i in listed["images"]}
    for object_ in listed["annotations"]:
        category, row = OF_COCO.get(names[object_["category_id"]]), rows.get(images[object_["image_id"]])
        x, y, width, height = object_["bbox"]
        if category and row and min(width, height) > 48 and width * height > 100 * 100 and not object_.get("iscrowd"):
            rgb = data.picture(row, 10_000)
            found[category].append(Shown(rgb, (int(x), int(y), int(x + width), int(y + height))))
    return found
