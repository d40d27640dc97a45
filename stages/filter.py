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
from .decode.picture import ANALYSIS_SIDE
from .decode.transparency import MIN_VISIBLE_ALPHA
from .errors import HairlineError
from .imaging import signals
from .imaging.graphics import is_graphic
from .item import U8, Item
from .networks import compiled, exported
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
PHOTO_DEFECTS = frozenset(DEFECTS) - {"low_information"}  # defects that a graphic cannot have
CUTOUT_MIN_CLIPPED = 0.25  # a cut-out is over-exposed only where at least this share of its pixels is clipped
CUTOUT_DOUBTED_CLIPPED = 0.3  # from this share on it may be, whatever the network says; a white mug is clipped as much
CUTOUT_MIN_SOFT = 0.5  # a cut-out of which this share is half transparent, such as smoke, is soft and not blurred
GRADES = "grades"  # role of the weights that `quality_weights` names
REJECT_SEVERITY = 3  # a defect's probability is that of at least this severity, see `networks.quality.SEVERITIES`


class Thresholds(BaseModel):
    """The probability from which on a defect rejects a picture; 1 never rejects, lower rejects more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    too_dark: float = Field(0.3, ge=0, le=1, description="subject too dark to be recovered")
    over_exposed: float = Field(0.4, ge=0, le=1, description="subject burnt out; a white background does not count")
    blurred: float = Field(0.35, ge=0, le=1, description="subject blurred; a soft background does not count")
    occluded: float = Field(0.6, ge=0, le=1, description="something covers the subject")
    low_information: float = Field(0.4, ge=0, le=1, description="hardly anything to see")


class FilterSettings(NetworkSettings):
    """Settings of the filter stage."""

    weights: str = Field(
        "builtin",
        description="builtin, the path or URL of other weights, or none to judge by the classical signals alone",
    )
    quality_weights: str = Field(
        "",
        description="grades of your own: the path, or URL#sha256=…, of a classifier of ordered classes, such as "
        "OUT/model of `hairline autoclassify`",
    )
    min_grade: str = Field("", description="the lowest of those grades that passes; empty: they are noted only")
    min_side: int = Field(64, ge=1, description="a picture whose shorter side is less is too_small, pixels")
    thresholds: Thresholds = Thresholds()
    reject: tuple[Reason, ...] = Field(
        ("too_small", "wholly_transparent", *REASONS.values()),
        description="the reasons that end a picture; the others are measured and noted only",
    )

    def weight_files(self, network: str) -> dict[str, Path]:
        found = {} if self.weights == "none" else super().weight_files(network)
        if self.quality_weights:
            path = checkpoints.find(self.quality_weights, "")
            form = exported.read_form(path)
            if form is None or not form.ordered:
                raise HairlineError(
                    f"filter.quality_weights: {self.quality_weights} is no classifier of ordered classes; make one "
                    "with hairline autoclassify --ordered"
                )
            if self.min_grade and self.min_grade not in form.labels:
                raise HairlineError(f"filter.min_grade: {self.min_grade} is none of {', '.join(form.labels)}")
            found = {**found, GRADES: path}
        elif self.min_grade:
            raise HairlineError("filter.min_grade: needs quality_weights, the classifier whose grades are meant")
        return found


class FilterStage(NetworkStage[FilterSettings, QualityNet | exported.ExportedNet]):
    """Fills `item.width`, `item.height` and `item.quality`; ends pictures that are not worth cutting out.

    `item.quality` holds every signal by its name (see `signals.measure`), the probability of each defect being
    strong enough to spoil the picture (`exposure_dark`, `exposure_over`, `blur`, `occlusion`, `low_information`),
    the probabilities of the overall classes (`good`, `usable`, `poor`, `bad`) and `class`, the median one, 0 (good)
    to 3 (bad). Without a network, `occlusion` and the classes are left out.

    With `quality_weights`, `grade` is the expected grade from 0, the worst, and `grade_<name>` the probability of each.

    Graphics (`graphic`, see `imaging.graphics`) are not judged as photographs. A picture that brings its own matte is
    judged by what that matte shows, on a ground of contrast. Where a defect would end the picture but is excused for
    one of these reasons, `excused` is its probability, `item.detail` says so, and the confidence stays below 0.5.
    """

    name = "filter"
    Settings = FilterSettings
    network = "quality"
    Network = QualityNet

    def load(self, path: Path) -> QualityNet | exported.ExportedNet:
        if form := exported.read_form(path):
            return exported.load(path, form, self.device)
        network = checkpoints.load(QualityNet(), path)
        # The encoder runs on the device in its precision; the layers that take the signals stay in float32 on the CPU.
        return compiled.ready(network, self.device, fold_bn(network.encoder), fold_bn(network.layout))

    def process(self, items: Sequence[Item]) -> None:
        pictures = [(item, rgb) for item, rgb in self.one_by_one(items, self._measure) if rgb is not None]
        network, grader = self.networks.get("quality"), self.networks.get(GRADES)
        if isinstance(network, QualityNet) and pictures:
            self._predict(network, pictures)
        if isinstance(grader, exported.ExportedNet) and pictures:
            self._grade(grader, pictures)
        for item, _ in pictures:
            if item.ended:
                continue
            if not network:
                item.quality |= defects_by_signals(item.quality)
            self._decide(item)

    def _measure(self, item: Item) -> U8 | None:
        """Fills in the signals. The pixels they were measured on, uint8 [h, w, 3]; None where the picture has ended."""
        item.width, item.height = item.picture.width, item.picture.height
        if min(item.width, item.height) < self.settings.min_side and "too_small" in self._rejecting(item):
            item.filter(self.name, "too_small", f"{item.width}x{item.height} pixels")
            return None
        rgb, alpha = item.picture.small(ANALYSIS_SIDE), item.picture.source_alpha
        if alpha is not None and alpha.max() < MIN_VISIBLE_ALPHA and "wholly_transparent" in self._rejecting(item):
            item.filter(self.name, "wholly_transparent", "its own alpha hides every pixel: it is wholly transparent")
            return None
        matte = item.picture.own_matte
        item.quality = signals.measure(rgb, matte)
        if matte is not None:
            visible = cv2.countNonZero(cv2.inRange(matte, 1, 255))
            item.quality["soft"] = cv2.countNonZero(cv2.inRange(matte, 1, 254)) / max(visible, 1)
        is_graphic(item)
        return rgb

    def _predict(self, network: QualityNet, pictures: list[tuple[Item, U8]]) -> None:
        images = np.stack([cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for _, rgb in pictures])
        pooled = forward_images(network.pool, images, self.device)
        for (item, _), row in zip(pictures, pooled, strict=True):
            measured = torch.tensor([[item.quality[name] for name in signals.NAMES]])
            item.quality |= probabilities(*network.head(row[None], measured))

    def _grade(self, grader: exported.ExportedNet, pictures: list[tuple[Item, U8]]) -> None:
        size, labels = grader.form.size, grader.form.labels
        images = np.stack([cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA) for _, rgb in pictures])
        for (item, _), row in zip(pictures, forward_images(grader.pool, images, self.device), strict=True):
            judged = grader.judge(row[None])[0]
            item.quality["grade"] = sum(place * p for place, p in enumerate(judged.probabilities))
            item.quality |= {f"grade_{label}": p for label, p in zip(labels, judged.probabilities, strict=True)}
            if not self.settings.min_grade or (item.request and item.request.keep_rejects):
                continue
            passes = sum(judged.probabilities[labels.index(self.settings.min_grade) :])
            if passes < 0.5:
                item.filter(
                    self.name, "low_grade", f"{judged.label}; {self.settings.min_grade} or better: {passes:.2f}"
                )

    def _rejecting(self, item: Item) -> tuple[str, ...]:
        """The reasons that end this picture."""
        return () if item.request and item.request.keep_rejects else self.settings.reject

    def _decide(self, item: Item) -> None:
        limits = self.settings.thresholds
        found = {defect: item.quality[defect] for defect in DEFECTS if defect in item.quality}
        over = [
            defect
            for defect, probability in found.items()
            if REASONS[defect] in self._rejecting(item) and probability > getattr(limits, REASONS[defect])
        ]
        if not over:
            if self._may_be_burnt_out(item):
                self._doubt(item, "exposure_over", "a cut-out that brings its own alpha")
            return
        # Where nothing can be seen, nothing is sharp either: blur gives way to an equally likely cause.
        over.sort(key=lambda defect: found[defect] - 0.1 * (defect == "blur"))
        counted = [defect for defect in over if not self._excused(item, defect)]
        if counted:
            item.filter(self.name, REASONS[counted[-1]], f"probability {found[counted[-1]]:.2f}")
            return
        # A burnt-out cut-out can look as flat as a logo: nothing tells them apart, so the row says it to a person.
        self._doubt(item, over[-1], "a graphic" if is_graphic(item) else "a cut-out that brings its own alpha")

    @staticmethod
    def _doubt(item: Item, defect: str, what: str) -> None:
        """Lets a picture pass with a word."""
        item.quality["excused"] = item.quality[defect]
        item.detail = f"{REASONS[defect]} with probability {item.quality[defect]:.2f}, unless it is meant so: {what}"

    def _may_be_burnt_out(self, item: Item) -> bool:
        """Whether so much of a cut-out that brings its own alpha is clipped that nobody can tell."""
        return (
            "soft" in item.quality
            and not is_graphic(item)
            and "over_exposed" in self._rejecting(item)
            and item.quality["subject_clip_high"] >= CUTOUT_DOUBTED_CLIPPED
        )

    @staticmethod
    def _excused(item: Item, defect: str) -> bool:
        """Whether a defect, however probable, cannot be one of this picture."""
        if defect in PHOTO_DEFECTS and is_graphic(item):
            return True
        if "soft" not in item.quality:  # it brings no matte of its own
            return False
        if defect == "exposure_over":
            return item.quality["subject_clip_high"] < CUTOUT_MIN_CLIPPED
        return defect == "blur" and item.quality["soft"] >= CUTOUT_MIN_SOFT


def probabilities(defects: Tensor, classes: Tensor) -> dict[str, float]:
    """One picture's entries of `item.quality`, from the outputs of `QualityNet` for it.

    Args:
        defects: float [1, len(DEFECTS), SEVERITIES - 1], cumulative logits.
        classes: float [1, len(CLASSES) - 1], cumulative logits.
    """
    strong = defects[0, :, REJECT_SEVERITY - 1].sigmoid().tolist()
    worse = [1.0, *classes[0].sigmoid().tolist(), 0.0]  # P(class >= k)
    found = dict(zip(DEFECTS, strong, strict=True))
    found |= {name: worse[k] - worse[k + 1] for k, name in enumerate(CLASSES)}
    return found | {"class": float(sum(p > 0.5 for p in worse[1:-1]))}


def defects_by_signals(quality: dict[str, float]) -> dict[str, float]:
    """Rough probabilities of the defects from the signals alone, 0..1, for use without a network.

    Each is a logistic curve over one or two signals. Its middle lies outside of the values of all unspoilt photographs
    of the validation split, and inside of the values of those spoilt to severity 3 or 4.

    Args:
        quality: the signals by name, see `signals.measure`.
    """
    bright = max(quality["subject_p95"], 0.5 * quality["frame_p95"])
    sharp = (quality["subject_sharpness"] + quality["subject_sharpness_half"]) / 2
    empty = quality["detail"] <= 0.05  # without structure nothing tells whether it is blurred
    return {
        "exposure_dark": _logistic(-np.log10(bright + 1e-4), 1.35, 12),  # 4.5% of full light
        "exposure_over": _logistic(quality["subject_clip_high"], 0.33, 20),
        "blur": _logistic(-sharp, -0.29, 40) if not empty else 0.0,
        "low_information": _logistic(-quality["frame_entropy"], -2.2, 4) if empty else 0.0,
    }


def _logistic(value: float, middle: float, steepness: float) -> float:
    return float(1 / (1 + np.exp(np.clip(steepness * (middle - value), -50, 50))))
