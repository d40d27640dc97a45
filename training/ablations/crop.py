"""(c) Crop to the detected subject against the whole picture, by the subject's size. Trains nothing.

Subjects of a known share of a frame of 1024 pixels go through the weights in the tree: with the crops of the detected
boxes, with that of the true box, and with the whole picture in the coarse network's 320 pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from ...evaluation import matte
from ...stages.coarse import CoarseSettings, CoarseStage
from ...stages.detect import DetectSettings, DetectStage
from ...stages.fine import FineSettings, FineStage
from ...stages.item import Box, Item
from .. import fine
from ..validation import Picture
from .run import Figures, Run, Variant

SHARES = (0.1, 0.2, 0.35, 0.55, 0.8)  # of the subject's longer side in the frame
SIDE, EACH = 1024, 8


def pictures(seed: int) -> list[Picture]:
    """Subjects over photographs and paper; the group is their share of the frame."""
    sampler, rng = fine.Sampler("val"), np.random.default_rng([29, seed])
    found = []
    for share in SHARES:
        for k in range(EACH):
            kind = ("hair", "plain")[k % 2]
            sample = sampler.crop(rng, SIDE, kind, (share * 0.95, share * 1.05), 0.0)
            found.append(Picture(np.ascontiguousarray(sample["image"].transpose(1, 2, 0)), str(share), sample["alpha"]))
    return found


def _variant(crops: str) -> Variant:
    def run(run: Run) -> Figures:
        detect, coarse, refine = _stages()
        wrong: dict[str, list[matte.F32]] = {}
        for picture in pictures(run.seed):
            assert picture.alpha is not None
            item = picture.item()
            if crops == "detected":
                detect.process([item])
            elif crops == "true":
                item.boxes = [_box(picture.alpha)]
            coarse.process([item])
            refine.process([item])
            wrong.setdefault(picture.group, []).append(_iou_and_error(item, picture.alpha))
        figures = {}
        for share, found in wrong.items():
            overlap, error = np.array(found).T
            figures[f"iou {share}"] = round(float(overlap.mean()), 4)
            # the median: what is found beside a small subject has no limit
            figures[f"error {share}"] = round(float(np.median(error)), 4)
        return figures

    return run


def _iou_and_error(item: Item, truth: np.ndarray) -> matte.F32:
    """IoU, and the absolute error summed against the subject's area."""
    alpha = (item.alpha if item.alpha is not None else np.zeros_like(truth)) / np.float32(255)
    true = truth / np.float32(255)
    return np.array([matte.iou(alpha > 0.5, true > 0.5), np.abs(alpha - true).sum() / max(true.sum(), 1)], np.float32)


def _box(alpha: np.ndarray) -> Box:
    ys, xs = np.nonzero(alpha > 127)
    return Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1), "subject", 1.0)


@lru_cache(maxsize=1)
def _stages() -> tuple[DetectStage, CoarseStage, FineStage]:
    stages = (
        DetectStage(DetectSettings()),
        CoarseStage(CoarseSettings(min_area=0, no_subject=1)),
        FineStage(FineSettings(min_area=1e-6)),
    )
    for stage in stages:
        stage.setup(torch.device("cpu"))
    return stages


VARIANTS = {name: _variant(name) for name in ("detected", "true", "whole")}
