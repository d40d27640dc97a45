"""The detect stage: where are the subjects, and what is decoration?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from .decode.picture import ANALYSIS_SIDE
from .imaging.crops import crop_pixels, windows
from .item import U8, Box, Item, Rect
from .networks.anchors import anchors
from .networks.batch import forward_images
from .networks.detector import LABELS, SIDE, Detector, letterbox, select_boxes
from .networks.stage import NetworkSettings, NetworkStage

DUPLICATE_SHARE = 0.6  # a box that lies in a larger one of another window by more than this share is the same thing


class DetectSettings(NetworkSettings):
    """Settings of the detect stage."""

    min_score: float = Field(0.35, ge=0, le=1, description="least score of a box: the IoU that is expected of it")
    nms_iou: float = Field(0.5, ge=0, le=1, description="of boxes with one label that overlap more, the best is kept")
    max_boxes: int = Field(60, ge=1, description="most boxes noted for one picture, subjects and decoration together")


class DetectStage(NetworkStage[DetectSettings, Detector]):
    """Fills `item.boxes`, best first: subjects, text and logos.

    It ends no picture: where nothing is detected, the coarse stage takes the whole picture and decides.
    """

    name = "detect"
    Settings = DetectSettings
    network = "detect"
    Network = Detector

    def setup(self, device: torch.device) -> None:
        super().setup(device)
        self.anchors = anchors(SIDE, SIDE)

    def process(self, items: Sequence[Item]) -> None:
        prepared = list(self.one_by_one(items, _letterbox_windows))
        self._find(prepared)
        for item in items:
            if not item.ended and item.request and item.request.correction and item.request.correction.boxes:
                item.boxes = [Box(*corners, "subject", 1.0) for corners in item.request.correction.boxes]

    def _find(self, prepared: Sequence[tuple[Item, list[tuple[Rect, U8]]]]) -> None:
        if not prepared:
            return
        squares = np.stack([square for _, squares_of in prepared for _, square in squares_of])
        outputs = iter(forward_images(self.networks["detect"], squares, self.device))
        for item, squares_of in prepared:
            found = [box for window, _ in squares_of for box in self._boxes(next(outputs), window)]
            item.boxes = (_deduplicate(found) if len(squares_of) > 1 else found)[: self.settings.max_boxes]

    def _boxes(self, output: Tensor, window: Rect) -> list[Box]:
        """The boxes found in one window, in pixels of the picture. output: float [A, labels + 4], of the network."""
        left, top, right, bottom = window
        width, height = right - left, bottom - top
        found = select_boxes(output, self.anchors, self.settings.min_score, self.settings.nms_iou)
        boxes, scale = [], SIDE / max(width, height)
        for (x0, y0, x1, y1), score, label in zip(
            (found.boxes / scale).tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        ):
            x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                boxes.append(Box(left + x0, top + y0, left + x1, top + y1, LABELS[label], score))
        return boxes


def _letterbox_windows(item: Item) -> list[tuple[Rect, U8]]:
    """The picture, or the windows of it, each with the network's input: uint8 [SIDE, SIDE, 3]."""
    item.width, item.height = item.picture.width, item.picture.height
    if item.request and item.request.correction:
        item.request.correction.check(item.width, item.height)
    parts = windows(item.width, item.height)
    if len(parts) == 1:
        return [(parts[0], letterbox(item.picture.small(ANALYSIS_SIDE))[0])]
    return [(part, letterbox(crop_pixels(item, part, SIDE))[0]) for part in parts]


def _deduplicate(boxes: list[Box]) -> list[Box]:
    """Boxes of overlapping windows, best first, each thing once: of two boxes of one thing the larger is kept."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: (-(b.x1 - b.x0) * (b.y1 - b.y0), b.x0, b.y0)):
        same = next((k for k in kept if k.label == box.label and _share_within(box, k) > DUPLICATE_SHARE), None)
        if same:
            same.score = max(same.score, box.score)
        else:
            kept.append(box)
    return sorted(kept, key=lambda b: -b.score)


def _share_within(box: Box, other: Box) -> float:
    """The share of a box that lies in another."""
    width, height = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
    return max(0.0, width) * max(0.0, height) / ((box.x1 - box.x0) * (box.y1 - box.y0))
