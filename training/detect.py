"""`hairline train detect`: the recipe of the detector.

Two fifths of the pictures are designs (posters, banners, collages, shop pictures) with text and logos,
a third are composites of one to four subjects over photographs or studio paper, a fifth are photographs with
masks and, a few, with human boxes; the rest shows no subject. Pictures grow from 256 to 384 pixels over the
budget. A fifth of the products are stretched to any shape between 1:6 and 6:1. The encoder starts from ImageNet's
weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from ..evaluation.boxes import Answer, average_precision, recall_by_ratio
from ..stages.networks.anchors import anchors
from ..stages.networks.detector import LABELS, PAD, SIDE, Detector, letterbox, select_boxes
from . import coco, data, pretrained
from .assign import detection_loss
from .card import card
from .loop import Batch, Plan, Stream, fit, loader, publish
from .synth import composite as c
from .synth.canvas import resize
from .synth.design import pose, render
from .synth.render_products import PRODUCTS, render_product

FOREGROUNDS = {
    "person": 3, "portrait": 2, "animal": 4, "product_simple": 6, "product_hollow": 4, "clothing": 3,
    "cartoon": 2, "food": 2, "plant_hollow": 1, "vehicle": 1, "rendered": 3,
}  # fmt: skip
PHOTOS = {"clothing": 3, "portrait": 2, "person": 3, "animal": 4, "product_simple": 2, "food": 0.5, "vehicle": 0.7}
SIZES = ((0.0, 256), (0.5, 320), (0.8, SIDE))  # share of the budget: side in pixels
T = TypeVar("T")
MAX_BOXES = 40  # boxes a picture can have
Labelled = tuple[np.ndarray, list[tuple[float, float, float, float, int]]]  # uint8 [H, W, 3], boxes with labels
STRETCH_SHARE = 0.2  # share of the foregrounds that are given another shape
MAX_RATIO = 6.0  # width over height, or the reverse
MIN_SIDE = 4  # pixels; a box that is smaller than that cannot be asked for


class Sampler:
    """Draws pictures with boxes.

    A sample: image uint8 [3, S, S]; boxes float32 [MAX_BOXES, 4]; labels int64 [MAX_BOXES].
    """

    def __init__(self, split: str) -> None:
        self.foregrounds = data.foregrounds(split, 288) | {"rendered": rendered(split)}
        self.photos = data.photos(split, 448)
        groups = data.backgrounds(split, 320)
        self.backgrounds = [b for group in groups.values() for b in group]
        self.empty = [b for name, group in groups.items() for b in group if name != "bg_shelf"]
        self.coco = coco.pictures(split)
        self.varied = split == "train"  # the validation set stays what it was

    def __call__(self, rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        side = next(side for share, side in reversed(SIZES) if progress >= share)
        kind = rng.random()
        if kind < 0.42:
            return pack(self.design(rng, side), side, rng)
        if kind < 0.74:
            return pack(self.scene(rng, side, int(rng.choice([1, 2, 3, 4], p=[0.6, 0.22, 0.1, 0.08]))), side, rng)
        if kind < 0.92:
            return pack(self.photo(rng), side, rng)
        if kind < 0.95 and self.coco:
            return pack(self.coco[rng.integers(len(self.coco))], side, rng)
        return pack(self.scene(rng, side, 0), side, rng)

    def design(self, rng: np.random.Generator, side: int) -> Labelled:
        count = int(rng.choice(7, p=[0.06, 0.44, 0.14, 0.12, 0.1, 0.06, 0.08]))
        background = self.backgrounds[rng.integers(len(self.backgrounds))] if rng.random() < 0.3 else None
        aspect = float(np.clip(np.exp(rng.normal(0, 0.45)), 0.3, 3.3))
        size = (side, max(64, round(side / aspect))) if aspect > 1 else (max(64, round(side * aspect)), side)
        rgb, boxes, _ = render([self.foreground(rng) for _ in range(count)], background, rng, size)
        return rgb, [(b.x0, b.y0, b.x1, b.y1, LABELS.index(b.label)) for b in boxes]

    def scene(self, rng: np.random.Generator, side: int, count: int) -> Labelled:
        """Subjects over a photograph or paper; none of them: an empty picture, never a shelf full of goods."""
        choice = self.backgrounds if count else self.empty
        studio = rng.random() < 0.3
        background = c.studio(side, rng) if studio else c.cover(choice[rng.integers(len(choice))], side, rng)
        if rng.random() < 0.3:
            background = cv2.GaussianBlur(background, (0, 0), rng.uniform(0.5, 5) * side / 256).astype(np.float32)
        layers: list[c.Layer] = []
        for _ in range(count):
            size = (0.15, 1.1) if count == 1 else (0.12, 0.65)
            layer = c.match_light(c.place(pose(self.foreground(rng), rng), side, rng, size, 15), background, rng)
            layer.color = c.relight(layer.color, rng, 0.6)
            if rng.random() < 0.5:
                background = c.shadow(background, layer.alpha, rng)
            layers.append(layer)
        picture, _ = c.over(layers, c.relight(background, rng))
        visible, masks = np.ones((side, side), np.float32), []
        for layer in reversed(layers):
            masks.append(layer.alpha * visible)
            visible = visible * (1 - layer.alpha)
        return crop((picture * 255 + 0.5).astype(np.uint8), [m > 0.4 for m in masks], rng, 0.5)

    def photo(self, rng: np.random.Generator) -> Labelled:
        photo = pick(rng, PHOTOS, self.photos)
        return crop(photo.rgb, [photo.alpha > 127], rng, 0.6)

    def foreground(self, rng: np.random.Generator) -> np.ndarray:
        rgba = pick(rng, FOREGROUNDS, self.foregrounds).rgba
        return stretch(rgba, rng) if self.varied and rng.random() < STRETCH_SHARE else rgba


def rendered(split: str, each: int = 3, side: int = 176) -> list[data.Foreground]:
    """Drawn products, `each` of every kind; another seed for another split."""
    rng = np.random.default_rng([3, len(split)])
    return [
        data.Foreground(render_product(name, rng, side), "rendered", False) for name in PRODUCTS for _ in range(each)
    ]


def stretch(rgba: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The foreground, uint8 [H, W, 4], at about its area in any shape from 1:6 to 6:1, long ones as often as others."""
    ratio = float(np.exp(rng.uniform(-1, 1) * np.log(MAX_RATIO)))
    side = float(np.sqrt(rgba.shape[0] * rgba.shape[1]))
    return resize(rgba, side * ratio**0.5, side / ratio**0.5)


def pick(rng: np.random.Generator, weights: Mapping[str, float], groups: Mapping[str, list[T]]) -> T:
    """One of a category drawn by weight, among the categories that there are."""
    names = [name for name in weights if groups.get(name)]
    share = np.array([weights[name] for name in names], float)
    group = groups[names[rng.choice(len(names), p=share / share.sum())]]
    return group[rng.integers(len(group))]


def crop(rgb: np.ndarray, masks: list[np.ndarray], rng: np.random.Generator, chance: float) -> Labelled:
    """With a chance, cuts a random part out, at times as narrow as a half; boxes are those of the masks in it."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = 0, 0, width, height
    if rng.random() < chance:
        w, h = round(width * rng.uniform(0.5, 1)), round(height * rng.uniform(0.5, 1))
        x0, y0 = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        x1, y1 = x0 + w, y0 + h
    boxes: list[tuple[float, float, float, float, int]] = []
    for mask in masks:
        part = mask[y0:y1, x0:x1]
        ys, xs = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
        if len(ys) and part.sum() > 0.1 * mask.sum():
            boxes.append((float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1), 0))
    return rgb[y0:y1, x0:x1], boxes


def pack(labelled: Labelled, side: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Mirrors, letterboxes and degrades a picture, and fills its boxes up to `MAX_BOXES`."""
    rgb, found = labelled
    square, scale = letterbox(rgb, side)
    height, width = round(rgb.shape[0] * scale), round(rgb.shape[1] * scale)
    square = c.camera((square / 255).astype(np.float32), rng)
    square[height:], square[:, width:] = PAD, PAD
    boxes, labels = np.zeros((MAX_BOXES, 4), np.float32), np.full(MAX_BOXES, -1, np.int64)
    big = [b for b in found if min(b[2] - b[0], b[3] - b[1]) * scale >= MIN_SIDE][:MAX_BOXES]
    for i, (*corners, label) in enumerate(big):
        boxes[i], labels[i] = np.array(corners) * scale, label
    if rng.random() < 0.5 and not any(label for *_, label in found):  # text is never mirrored
        square[:, :width] = square[:, :width][:, ::-1]
        boxes[: len(big), [0, 2]] = width - boxes[: len(big), [2, 0]]
    boxes[..., 0::2], boxes[..., 1::2] = boxes[..., 0::2].clip(0, width), boxes[..., 1::2].clip(0, height)
    return {"image": np.ascontiguousarray(square.transpose(2, 0, 1)), "boxes": boxes, "labels": labels}


@lru_cache(maxsize=8)
def _anchors(side: int, device: torch.device, ratios: tuple[float, ...]) -> Tensor:
    return anchors(side, side, ratios).to(device)


def loss(model: Detector, batch: Batch) -> Tensor:
    image = batch["image"]
    answer = model(image.float() / 255)
    with torch.autocast(image.device.type, enabled=False):
        placed = _anchors(image.shape[-1], image.device, model.ratios)
        return detection_loss(answer, placed, batch["boxes"], batch["labels"])


class Validation:
    """AP50 of subjects and of decoration, recall of subjects by aspect ratio, and a contact sheet."""

    def __init__(self, pictures: int = 260) -> None:
        sampler, rng = Sampler("val"), np.random.default_rng(11)
        self.samples = [sampler(rng, 1.0) for _ in range(pictures)]

    @torch.no_grad()
    def __call__(self, model: Detector, run: Path) -> dict[str, float]:
        device = next(model.parameters()).device
        answers: dict[str, list[Answer]] = {"subject": [], "decoration": []}
        sheet: list[np.ndarray] = []
        false_alarms = empty = 0
        for sample in self.samples:
            image = torch.from_numpy(sample["image"])[None].to(device).float() / 255
            with torch.autocast(device.type, dtype=torch.bfloat16):
                answer = model(image.contiguous(memory_format=torch.channels_last))[0].float()
            found = select_boxes(answer, _anchors(SIDE, device, model.ratios), 0.03, 0.5)
            boxes, scores, labels = (t.cpu().numpy() for t in (found.boxes, found.scores, found.labels))
            asked = sample["labels"]
            for name, mine, true in (("subject", labels == 0, asked == 0), ("decoration", labels > 0, asked > 0)):
                answers[name].append(Answer(boxes[mine], scores[mine], sample["boxes"][true]))
            if not (sample["labels"] == 0).any():
                empty += 1
                false_alarms += bool((scores[labels == 0] > 0.4).any())
            if len(sheet) < 48:
                sheet.append(draw(sample["image"].transpose(1, 2, 0), boxes, scores, labels))
        rows = [np.hstack(sheet[i : i + 8]) for i in range(0, len(sheet) // 8 * 8, 8)]
        cv2.imwrite(str(run / "sheet.png"), np.vstack(rows)[..., ::-1])
        metrics = {f"{name}_ap50": average_precision(found) for name, found in answers.items()}
        metrics["subject_ap75"] = average_precision(answers["subject"], 0.75)
        metrics |= {f"recall {ratio}": r for ratio, r in recall_by_ratio(answers["subject"]).items()}
        metrics["false_alarms"] = false_alarms / max(empty, 1)
        metrics["score"] = 0.7 * metrics["subject_ap50"] + 0.3 * metrics["decoration_ap50"]
        return {k: round(v, 4) for k, v in metrics.items()}


def draw(rgb: np.ndarray, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, least: float = 0.3) -> np.ndarray:
    """The picture with its boxes: subjects green, text red, logos blue."""
    out = np.ascontiguousarray(rgb)
    for box, score, label in zip(boxes, scores, labels, strict=True):
        if score >= least:
            x0, y0, x1, y1 = (round(float(v)) for v in box)
            color = ((0, 210, 0), (255, 0, 0), (0, 80, 255))[int(label)]
            cv2.rectangle(out, (x0, y0), (x1, y1), color, 1)
            cv2.putText(out, f"{score:.2f}", (x0 + 1, y0 + 9), cv2.FONT_HERSHEY_PLAIN, 0.7, color, 1)
    return out


def train(plan: Plan, workers: int, batch: int) -> None:
    """Trains, then puts the best weights with their card into the tree."""
    torch.manual_seed(0)
    stream = Stream(Sampler("train"), seed=5)
    model, metrics = fit(
        pretrained.load_imagenet(Detector()),
        loader(stream, batch, workers),
        loss,
        Validation(),
        "score",
        plan,
        stream.progress,
    )
    publish(model, "detect", card("detect", __doc__ or "", metrics, plan))
