"""The filter stage: is the picture usable? Classical signals and the quality network, one reason for each defect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from . import checkpoints
from .decode.transparency import FAINT
from .imaging import signals
from .imaging.graphics import is_graphic
from .item import U8, Item
from .networks.batch import forward_images
from .networks.blocks import fold_bn
from .networks.quality import CLASSES, DEFECTS, SIZE, QualityNet
from .networks.stage import NetworkSettings, NetworkStage

Reason = Literal[
    "too_dark", "over_exposed", "blurred", "occluded", "low_information", "too_small", "wholly_transparent"
]
REASONS: dict[str, Reason] = {
    "exposure_dark": "too_dark",
    "exposure_over": "over_exposed",
    "blur": "blurred",
    "occlusion": "occluded",
    "low_information": "low_information",
}  # by defect
OF_PHOTOGRAPHS = frozenset(DEFECTS) - {"low_information"}  # defects that say nothing about a graphic
BURNT = 0.25  # share of a cut-out's pixels that must be clipped before it can be over-exposed
SOFT = 0.5  # share of a cut-out that is half transparent from which on, as with smoke, softness is no blur
SPOILED = 3  # the severity that a probability speaks of: spoils the picture for a catalog, see networks/quality.py


class Thresholds(BaseModel):
    """The probability from which on a defect rejects a picture; 1 never rejects, lower rejects more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    too_dark: float = Field(0.3, ge=0, le=1, description="subject too dark to be recovered")
    over_exposed: float = Field(0.4, ge=0, le=1, description="subject burnt out; a white background does not count")
    blurred: float = Field(0.35, ge=0, le=1, description="subject blurred; a soft background does not count")
    occluded: float = Field(0.6, ge=0, le=1, description="something covers the subject")
    low_information: float = Field(0.4, ge=0, le=1, description="hardly anything to see")


class FilterSettings(NetworkSettings):
    weights: str = Field(
        "builtin", description="builtin, the path of other weights, or none to judge by the classical signals alone"
    )
    min_side: int = Field(64, ge=1, description="a picture whose shorter side is less is too_small, pixels")
    thresholds: Thresholds = Thresholds()
    reject: tuple[Reason, ...] = Field(
        ("too_small", "wholly_transparent", *REASONS.values()),
        description="the reasons that end a picture; the others are measured and noted only",
    )

    def weight_files(self, network: str) -> dict[str, Path]:
        return {} if self.weights == "none" else super().weight_files(network)


class FilterStage(NetworkStage[FilterSettings, QualityNet]):
    """Fills `item.width`, `item.height` and `item.quality`; ends pictures that are not worth cutting out.

    `item.quality` holds every signal by its name (see `signals.measure`), the probability of each defect being
    strong enough to spoil the picture (`exposure_dark`, `exposure_over`, `blur`, `occlusion`, `low_information`),
    the probabilities of the overall classes (`good`, `usable`, `poor`, `bad`) and `class`, the median one, 0 (good)
    to 3 (bad). Without a network, `occlusion` and the classes are left out.

    Graphics (`graphic`, see `graphics`) are not judged as photographs. A picture that brings its own matte is judged by
    what that shows, on a ground of contrast. Where a defect as probable as others are refused for is excused so, its
    probability is `excused`, `item.detail` says it, and the matte's confidence stays below 0.5.
    """

    name = "filter"
    Settings = FilterSettings
    network = "quality"
    Network = QualityNet

    def load(self, path: Path) -> QualityNet:
        network = checkpoints.load(QualityNet(), path)
        # What looks at the picture goes to the accelerator; what judges the signals stays in float32.
        for part in (network.encoder, network.layout):
            checkpoints.inference(fold_bn(part), self.device)
        return network.requires_grad_(False)

    def process(self, items: Sequence[Item]) -> None:
        pictures = [(item, rgb) for item, rgb in self.one_by_one(items, self._measured) if rgb is not None]
        network = self.networks.get("quality")
        if network and pictures:
            self._ask(network, pictures)
        for item, _ in pictures:
            if not network:
                item.quality |= judge_by_signals(item.quality)
            self._decide(item)

    def _measured(self, item: Item) -> U8 | None:
        """Fills in the signals; what they were measured on, or None where the picture is too small."""
        item.width, item.height = item.picture.width, item.picture.height
        if min(item.width, item.height) < self.settings.min_side and "too_small" in self.settings.reject:
            item.filter(self.name, "too_small", f"{item.width}x{item.height} pixels")
            return None
        rgb, alpha = item.picture.small(signals.SIDE), item.picture.source_alpha
        if alpha is not None and alpha.max() < FAINT and "wholly_transparent" in self.settings.reject:
            item.filter(self.name, "wholly_transparent", "its own alpha hides every pixel: it is wholly transparent")
            return None
        matte = item.picture.own_matte
        item.quality = signals.measure(rgb, matte)
        if matte is not None:
            seen = cv2.countNonZero(cv2.inRange(matte, 1, 255))
            item.quality["soft"] = cv2.countNonZero(cv2.inRange(matte, 1, 254)) / max(seen, 1)
        is_graphic(item)
        return rgb

    def _ask(self, network: QualityNet, pictures: list[tuple[Item, U8]]) -> None:
        images = np.stack([cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for _, rgb in pictures])
        pooled = forward_images(network.pool, images, self.device)
        for (item, _), row in zip(pictures, pooled, strict=True):
            measured = torch.tensor([[item.quality[name] for name in signals.NAMES]])
            item.quality |= probabilities(*network.judge(row[None], measured))

    def _decide(self, item: Item) -> None:
        limits = self.settings.thresholds
        found = {defect: item.quality[defect] for defect in DEFECTS if defect in item.quality}
        over = [
            defect
            for defect, probability in found.items()
            if REASONS[defect] in self.settings.reject and probability > getattr(limits, REASONS[defect])
        ]
        if not over:
            return
        # Where nothing can be seen, nothing is sharp either: blur gives way to an equally likely cause.
        over.sort(key=lambda defect: found[defect] - 0.1 * (defect == "blur"))
        counted = [defect for defect in over if not self._excused(item, defect)]
        if counted:
            item.filter(self.name, REASONS[counted[-1]], f"probability {found[counted[-1]]:.2f}")
            return
        # A burnt-out cut-out can look as flat as a logo. Nobody can know, so a person is told.
        item.quality["excused"] = found[over[-1]]
        what = "a graphic" if is_graphic(item) else "a cut-out that brings its own alpha"
        item.detail = f"{REASONS[over[-1]]} with probability {found[over[-1]]:.2f}, unless it is meant so: {what}"

    @staticmethod
    def _excused(item: Item, defect: str) -> bool:
        """Whether a defect, however probable, cannot be one of this picture."""
        if defect in OF_PHOTOGRAPHS and is_graphic(item):
            return True
        if "soft" not in item.quality:  # it brings no matte of its own
            return False
        if defect == "exposure_over":
            return item.quality["subject_clip_high"] < BURNT
        return defect == "blur" and item.quality["soft"] >= SOFT


def probabilities(defects: Tensor, classes: Tensor) -> dict[str, float]:
    """What `item.quality` says of one picture's cumulative logits [1, D, steps] and [1, C - 1]."""
    strong = defects[0, :, SPOILED - 1].sigmoid().tolist()
    worse = [1.0, *classes[0].sigmoid().tolist(), 0.0]  # P(class >= k)
    found = dict(zip(DEFECTS, strong, strict=True))
    found |= {name: worse[k] - worse[k + 1] for k, name in enumerate(CLASSES)}
    return found | {"class": float(sum(p > 0.5 for p in worse[1:-1]))}


def judge_by_signals(quality: dict[str, float]) -> dict[str, float]:
    """Rough probabilities of the defects from the signals alone, for use without a network.

    Each is a logistic curve over one or two signals. Its middle lies well outside of what any photograph of the
    validation split shows as it is, and inside of what those spoilt to severity 3 or 4 show.
    """
    bright = max(quality["subject_p95"], 0.5 * quality["frame_p95"])
    sharp = (quality["subject_sharpness"] + quality["subject_sharpness_half"]) / 2
    empty = quality["detail"] <= 0.05  # blurred or not: there is nothing to tell by
    return {
        "exposure_dark": _rise(-np.log10(bright + 1e-4), 1.35, 12),  # 4.5% of full light
        "exposure_over": _rise(quality["subject_clip_high"], 0.33, 20),
        "blur": _rise(-sharp, -0.29, 40) if not empty else 0.0,
        "low_information": _rise(-quality["frame_entropy"], -2.2, 4) if empty else 0.0,
    }


def _rise(value: float, middle: float, steepness: float) -> float:
    return float(1 / (1 + np.exp(np.clip(steepness * (middle - value), -50, 50))))
