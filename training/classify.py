"""`hairline train classify`: the recipe of the subject classifier.

Categories are drawn evenly. Every subject category comes as composites over the same backgrounds, and, where there
are any, as photographs as well, so that being pasted says nothing about the category; scenes are the very backgrounds
that subjects are pasted on. A tenth show what has no category (foliage, smoke, buildings, lattices, stickers,
hands), for which every answer is to be equally likely (outlier exposure: Hendrycks, Mazeika and Dietterich 2019), so
that it falls to the general route. A run that starts from given weights ends half way between them and what it
learned. The temperature is fitted on the validation pictures at the end.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..evaluation import labels as metrics
from ..stages.networks.classifier import CATEGORIES, SIZE, ClassifierNet
from . import categories, data, pretrained
from .card import card
from .loop import Batch, Plan, Stream, fit, load_start, loader, publish
from .replay import Replay
from .synth import composite as c
from .synth import occlude, strands
from .synth.design import render

PHOTO_SHARE = {
    "portrait": 0.5, "person": 0.6, "animal": 0.6, "clothing": 0.5, "food": 0.6, "vehicle": 0.4, "product": 0.35,
    "product_hollow": 0.1, "scene": 0.9,
}  # fmt: skip
OUTSIDE = 0.1  # share of the samples that show nothing the classifier has a category for
NONE = -1  # their label


class Sampler:
    """Draws pictures with one category. A sample: image uint8 [3, SIZE, SIZE]; category int64 [], `NONE` for none."""

    def __init__(self, split: str) -> None:
        self.cutouts = categories.cutouts(split)
        self.photographs = categories.photographs(split)
        self.backgrounds = [b for group in data.backgrounds(split, 320).values() for b in group]
        self.outside = categories.outside(split)

    def __call__(self, rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        if rng.random() < OUTSIDE:
            picture = self.over_background(self.of_no_category(rng), rng)
            return {"image": c.camera(picture, rng).transpose(2, 0, 1).copy(), "category": np.array(NONE)}
        category = CATEGORIES[rng.integers(len(CATEGORIES))]
        photographs = self.photographs.get(category)
        if photographs and rng.random() < PHOTO_SHARE.get(category, 0.0):
            picture = photograph(photographs[rng.integers(len(photographs))], rng)
        elif category == "scene":
            picture = c.relight(c.studio(SIZE, rng), rng)
        else:
            picture = self.composite(category, rng)
        return {
            "image": c.camera(picture, rng).transpose(2, 0, 1).copy(),
            "category": np.array(CATEGORIES.index(category)),
        }

    def composite(self, category: str, rng: np.random.Generator) -> np.ndarray:
        group = self.cutouts[category]
        return self.over_background(group[rng.integers(len(group))], rng)

    def of_no_category(self, rng: np.random.Generator) -> np.ndarray:
        """Foliage, smoke or a building, or something drawn: uint8 [H, W, 4]."""
        kind = rng.random()
        if kind < 0.6 and self.outside:
            return self.outside[rng.integers(len(self.outside))]
        if kind < 0.75:
            return (occlude.hand if kind < 0.67 else occlude.sticker)(rng)
        layer = strands.lattice(SIZE, rng)
        return (np.dstack([layer.color, layer.alpha]) * 255 + 0.5).astype(np.uint8)

    def over_background(self, rgba: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        photo = self.backgrounds[rng.integers(len(self.backgrounds))]
        if rng.random() < 0.1:
            picture, _, _ = render([rgba], photo if rng.random() < 0.3 else None, rng, (SIZE, SIZE))
            return picture.astype(np.float32) / 255
        background = c.studio(SIZE, rng) if rng.random() < 0.45 else c.cover(photo, SIZE, rng)
        if rng.random() < 0.3:
            background = cv2.GaussianBlur(background, (0, 0), rng.uniform(0.5, 4))
        background = c.relight(background, rng)
        layer = c.place(rgba, SIZE, rng, (0.4, 1.15))
        layer.color = c.relight(layer.color, rng)
        layer = c.match_light(layer, background, rng)
        if rng.random() < 0.5:
            background = c.shadow(background, layer.alpha, rng)
        return c.over([layer], background)[0]


def photograph(shown: categories.Shown, rng: np.random.Generator) -> np.ndarray:
    """A random cut around the subject, stretched to the network's input: float32 [SIZE, SIZE, 3]."""
    height, width = shown.rgb.shape[:2]
    x0, y0, x1, y1 = shown.box
    if rng.random() < 0.75:  # somewhere between the subject's box and the whole picture
        room = rng.random(4) * rng.random()
        x0, y0 = x0 * (1 - room[0]), y0 * (1 - room[1])
        x1, y1 = x1 + (width - x1) * room[2], y1 + (height - y1) * room[3]
    else:
        x0, y0, x1, y1 = 0, 0, width, height
    trim = rng.uniform(0, 0.08, 4) * min(x1 - x0, y1 - y0)
    cut = shown.rgb[int(y0 + trim[0]) : int(y1 - trim[1]), int(x0 + trim[2]) : int(x1 - trim[3])]
    picture = cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    return c.relight(picture.astype(np.float32) / 255, rng)


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy with slightly smoothed labels; towards equal odds for what has no category."""
    logits, category = model(batch["image"].float() / 255), batch["category"]
    known = F.cross_entropy(logits, category, label_smoothing=0.05, ignore_index=NONE, reduction="sum")
    unknown = -(logits.log_softmax(1).mean(1) * (category == NONE)).sum()
    return (known + unknown) / len(category)


class Validation:
    """Fixed pictures of the val split: photographs as they are, at most 40 a category, and 24 composites of each."""

    def __init__(self, photographs: int = 40, composites: int = 24) -> None:
        sampler, rng = Sampler("val"), np.random.default_rng(13)
        images, labels, real = [], [], []
        for index, category in enumerate(CATEGORIES):
            group = sampler.photographs.get(category, [])
            order = rng.permutation(len(group))[:photographs]
            images += [cv2.resize(group[i].rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for i in order]
            made = [] if category == "scene" else range(composites)
            images += [c.camera(sampler.composite(category, rng), rng, 0.5) for _ in made]
            labels += [index] * (len(order) + len(made))
            real += [True] * len(order) + [False] * len(made)
        self.images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        self.labels, self.real = np.array(labels), np.array(real)

    def logits(self, model: nn.Module) -> Tensor:
        device = next(model.parameters()).device
        found = []
        for part in self.images.split(32):
            x = (part.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
                found.append(model(x).float().cpu())
        return torch.cat(found)

    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        probability = self.logits(model).softmax(1).numpy()
        predicted, count = probability.argmax(1), len(CATEGORIES)
        right = predicted == self.labels
        found = {
            "macro_f1": metrics.macro_f1(predicted, self.labels, count),
            "accuracy": float(right.mean()),
            "accuracy_photographs": float(right[self.real].mean()),
            "accuracy_composites": float(right[~self.real].mean()),
            "ece": metrics.calibration_error(probability.max(1), right),
            "confident": float((probability.max(1) > 0.6).mean()),
            "accuracy_confident": float(right[probability.max(1) > 0.6].mean())
            if (probability.max(1) > 0.6).any()
            else 0.0,
        }
        table = metrics.confusion(predicted, self.labels, count)
        lines = [f"{name:16}" + "".join(f"{n:5}" for n in row) for name, row in zip(CATEGORIES, table, strict=True)]
        (run / "confusion.txt").write_text("\n".join(lines) + "\n")
        return {key: round(value, 4) for key, value in found.items()}


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature of least cross-entropy (Guo et al., "On Calibration of Modern Neural Networks", 2017)."""
    tried = torch.exp(torch.linspace(-1.2, 1.2, 97))
    return float(min(tried, key=lambda t: float(F.cross_entropy(logits / t, labels))))


def train(plan: Plan, workers: int, batch: int) -> None:
    """Trains within the plan's budget, calibrates, and puts the weights and their card in place."""
    torch.manual_seed(0)
    stream = Stream(Replay(Sampler("train")), seed=9)
    validation = Validation()
    model = pretrained.load_imagenet(ClassifierNet())
    model, found = fit(
        model,
        loader(stream, batch, workers),
        loss,
        validation,
        "macro_f1",
        plan,
        stream.progress,
    )
    if plan.start:
        pretrained.interpolate(model, load_start(ClassifierNet(), plan.start), 0.5)
    model.temperature.fill_(1.0)  # a run that started from given weights had theirs
    model.temperature.fill_(fit_temperature(validation.logits(model), torch.from_numpy(validation.labels)))
    found = validation(model, plan.run)
    print(found, publish(model, "classify", card("classify", __doc__ or "", found, plan)))
