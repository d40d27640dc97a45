"""The photographs with human boxes: their large objects are subjects."""

from __future__ import annotations

import json
from collections import defaultdict

import cv2
import numpy as np

from . import data

_MIN_AREA = 0.02  # of the picture's area: what is smaller is part of the scene, not what somebody would cut out
_FURNITURE = {"dining table", "bed", "couch", "refrigerator", "oven", "sink", "toilet", "tv"}  # of the room


def pictures(split: str, max_side: int = 448) -> list[tuple[np.ndarray, list[tuple[float, float, float, float, int]]]]:
    """Pictures uint8 [H, W, 3] with boxes (x0, y0, x1, y1, 0); those without a large object are left out."""
    wanted = [row.path for row in data.rows() if row.category == "det_coco80" and row.split == split]
    if not wanted:
        return []
    folder = data.folder() / wanted[0].rsplit("/", 1)[0]
    listed = json.loads((folder / "annotations.coco.json").read_text())
    names = {c["id"]: c["name"] for c in listed["categories"]}
    boxes = defaultdict(list)
    for found in listed["annotations"]:
        if names[found["category_id"]] not in _FURNITURE and not found.get("iscrowd"):
            boxes[found["image_id"]].append(found["bbox"])
    result = []
    for image in listed["images"]:
        path = f"{folder.relative_to(data.folder())}/{image['file_name'].rsplit('/', 1)[-1]}"
        if path not in wanted:
            continue
        bgr = cv2.imread(str(data.folder() / path), cv2.IMREAD_COLOR)
        assert bgr is not None, path
        rgb = data.shrink(bgr[..., ::-1].astype(np.uint8), max_side)
        scale = rgb.shape[1] / image["width"]
        area = image["width"] * image["height"]
        large = [(x, y, x + w, y + h) for x, y, w, h in boxes[image["id"]] if w * h >= _MIN_AREA * area]
        if large:
            result.append(
                (
                    np.ascontiguousarray(rgb),
                    [(x0 * scale, y0 * scale, x1 * scale, y1 * scale, 0) for x0, y0, x1, y1 in large],
                )
            )
    return result
