"""The detect stage: where are the subjects, and what is decoration?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from . import weights
from .base import Settings, Stage
from .batch import in_fixed_batches
from .item import U8, Box, Item
from .networks.anchors import anchors
from .networks.blocks import fold_bn
from .networks.detector import LABELS, SIDE, Detector, letterbox, select

SEEN = 512  # long side that is shrunk to the network's input: the filter stage has the picture decoded at it


class DetectSettings(Settings):
    weights: str = Field("builtin", description="builtin, or the path of other weights")
    sha256: str = Field("", description="hash that a weights file of yours must have")
    min_score: float = Field(0.35, ge=0, le=1, description="least score of a box: the IoU that is expected of it")
    nms_iou: float = Field(0.5, ge=0, le=1, description="of boxes with one label that overlap more, the best is kept")
    max_boxes: int = Field(60, ge=1, description="most boxes noted for one picture, subjects and decoration together")


class DetectStage(Stage[DetectSettings]):
    """Fills `item.boxes`, best first: subjects, text and logos.

    It ends no picture: with nothing detected the coarse stage looks at the whole picture and decides.
    """

    name = "detect"
    Settings = DetectSettings

    @classmethod
    def weights(cls, settings: DetectSettings) -> dict[str, str]:
        path = weights.find(settings.weights, "detect.safetensors", settings.sha256)
        return {"detect": weights.digest(path)}

    def setup(self, device: torch.device) -> None:
        path = weights.find(self.settings.weights, "detect.safetensors", self.settings.sha256)
        self.network = weights.inference(fold_bn(weights.load(Detector(), path)), device)
        self.device, self.dtype = device, weights.precision(device)
        self.anchors = anchors(SIDE, SIDE)

    def process(self, items: Sequence[Item]) -> None:
        asked = list(self.one_by_one(items, _letterboxed))
        if not asked:
            return
        samples = torch.from_numpy(np.stack([square for _, square in asked])).permute(0, 3, 1, 2).float() / 255
        answers = in_fixed_batches(self.network, samples, self.device, self.dtype)
        for (item, _), answer in zip(asked, answers, strict=True):
            item.boxes = self._boxes(answer, item.width, item.height)

    def _boxes(self, answer: Tensor, width: int, height: int) -> list[Box]:
        found = select(answer, self.anchors, self.settings.min_score, self.settings.nms_iou)
        boxes, scale = [], SIDE / max(width, height)
        for (x0, y0, x1, y1), score, label in zip(
            (found.boxes / scale).tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        ):
            x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                boxes.append(Box(x0, y0, x1, y1, LABELS[label], score))
        return boxes[: self.settings.max_boxes]


def _letterboxed(item: Item) -> U8:
    item.width, item.height = item.picture.width, item.picture.height
    return letterbox(item.picture.small(SEEN))[0]
