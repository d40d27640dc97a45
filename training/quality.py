"""`hairline train quality`: the recipe of the quality network.

Photographs and composites alike get the same defects with the same odds, and things beside the subject as well as
on it, so that the network cannot tell a defect by where a picture comes from. The same goes for what only looks like
a defect: soft backgrounds, pure white and black ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..evaluation import labels as metrics
from ..stages import checkpoints
from ..stages.imaging import signals
from ..stages.networks.quality import CLASSES, DEFECTS, SIZE, QualityNet
from . import data, pretrained
from .card import card
from .loop import Batch, Plan, Stream, fit, loader, publish
from .replay import Replay
from .synth import composite as c
from .synth import degrade as d
from .synth.occlude import decoy, occlude

FOREGROUNDS = {
    "person": 2, "portrait": 2, "animal": 2, "product_simple": 3, "product_hollow": 2, "clothing": 2, "food": 1.5,
    "cartoon": 1.5, "plant_hollow": 0.5, "vehicle": 0.5,
}  # fmt: skip
PHOTOS = {"clothing": 3, "portrait": 3, "person": 3, "animal": 4, "product_simple": 1, "food": 0.3, "vehicle": 0.3}
NAMES = (*DEFECTS, "noise")  # noise has no class of its own; it counts for the overall class
KNOWN_LIGHT = ("portrait", "person", "animal")  # a dark one is underexposed; a dark shirt may just be black
DEFECT_WEIGHTS = {"noise": 0.5, "occlusion": 2.0}  # how often, beside 1; what covers a subject has no signal to tell by
UNKNOWN = -1
OVERALL = (0, 1, 2, 3, 3)  # worst severity to class


class Sampler:
    """Draws pictures with known defects.

    A sample: image uint8 [3, SIZE, SIZE]; signals float32 [S]; severity int64 [len(DEFECTS)], -1 where a stronger
    defect hides the answer; overall int64.
    """

    def __init__(self, split: str) -> None:
        self.foregrounds = data.foregrounds(split, 320)
        self.photos = data.photos(split, 512)
        self.backgrounds = [data.picture(row, 384)[..., :3] for row in data.select("backgrounds/", split)]
        self.objects = [f.rgba for group in self.foregrounds.values() for f in group[:: max(1, len(group) // 60)]]

    def __call__(self, rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        return sample(*self.spoiled(rng))

    def spoiled(self, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
        """A picture, uint8 [H, W, 3], and the severity of each defect it was given."""
        kind = rng.random()
        if kind < 0.45:
            picture, alpha, category = self.photo(rng)
        elif kind < 0.9:
            picture, alpha, category = self.composite(rng)
        else:
            picture, alpha, category = self.scene(rng)
        severities = draw_severities(rng, bool(alpha.max() > 0.5))
        picture = self.spoil(picture, alpha, category, severities, rng)
        return finish(picture, rng), severities

    def photo(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
        category = draw(rng, PHOTOS, self.photos)
        photo = self.photos[category][rng.integers(len(self.photos[category]))]
        joined = _reframe(np.dstack([photo.rgb, photo.alpha]), rng)
        return joined[..., :3], joined[..., 3], category

    def composite(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
        size = 384
        kind = rng.random()
        if kind < 0.25:
            background = np.ones((size, size, 3), np.float32) * (1.0 if rng.random() < 0.8 else rng.uniform(0.9, 1))
        elif kind < 0.32:
            background = np.ones((size, size, 3), np.float32) * rng.uniform(0, 0.03)
        elif kind < 0.5:
            background = c.studio(size, rng)
        else:
            background = c.cover(self.backgrounds[rng.integers(len(self.backgrounds))], size, rng)
        category = draw(rng, FOREGROUNDS, self.foregrounds)
        foreground = self.foregrounds[category][rng.integers(len(self.foregrounds[category]))]
        layer = c.place(foreground.rgba, size, rng, (0.35, 1.0))
        if kind > 0.5:
            layer = c.match_light(layer, background, rng)
        if rng.random() < (0.25 if kind < 0.32 else 0.5):
            background = c.shadow(background, layer.alpha, rng)
        picture, alpha = c.over([layer], background)
        joined = _reframe((np.dstack([picture, alpha]) * 255 + 0.5).astype(np.uint8), rng)
        return joined[..., :3], joined[..., 3], category

    def scene(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
        picture = _reframe(self.backgrounds[rng.integers(len(self.backgrounds))], rng)
        return picture, np.zeros(picture.shape[:2], np.float32), "scene"

    def spoil(
        self,
        picture: np.ndarray,
        alpha: np.ndarray,
        category: str,
        severities: dict[str, int],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Applies the defects in the order in which light meets them: things in front, lens, haze, sensor."""
        if rng.random() < 0.2:
            picture = d.bokeh(picture, alpha, rng) if alpha.max() > 0.5 else picture
        if rng.random() < 0.2:
            picture = decoy(picture, alpha, rng, self.objects)
        picture = occlude(picture, alpha, severities["occlusion"], rng, self.objects)
        blurred = d.blur(picture, severities["blur"], rng)
        alone = alpha.max() > 0.5 and rng.random() < 0.2
        picture = d.on_subject(picture, blurred, alpha, 2.0 * severities["blur"]) if alone else blurred
        picture = d.low_information(picture, severities["low_information"], rng)
        dark = d.underexpose(picture, severities["exposure_dark"], rng)
        alone = category in KNOWN_LIGHT and severities["exposure_dark"] > 1 and rng.random() < 0.2
        picture = d.on_subject(picture, dark, alpha, 1.0) if alone else dark
        picture = d.overexpose(picture, severities["exposure_over"], rng)
        return d.noise(picture, severities["noise"], rng)


def draw_severities(rng: np.random.Generator, subject: bool) -> dict[str, int]:
    """None, one or two defects; a picture without a subject cannot be occluded."""
    severities = dict.fromkeys(NAMES, 0)
    choices = [name for name in NAMES if subject or name != "occlusion"]
    share = np.array([DEFECT_WEIGHTS.get(name, 1.0) for name in choices])
    count = int(rng.choice(3, p=(0.36, 0.46, 0.18)))
    for name in rng.choice(choices, count, replace=False, p=share / share.sum()):
        severities[str(name)] = int(rng.integers(1, 5))
    if severities["exposure_dark"] and severities["exposure_over"]:
        severities["exposure_over"] = 0
    return severities


def labels(severities: dict[str, int]) -> tuple[np.ndarray, int]:
    """Severity of each defect, -1 where a stronger one hides it, and the overall class."""
    known = dict(severities)
    if max(severities["exposure_dark"], severities["exposure_over"]) >= 3:
        known.update(blur=UNKNOWN)
    if severities["low_information"] >= 2:
        known.update(exposure_dark=UNKNOWN, exposure_over=UNKNOWN, blur=UNKNOWN, occlusion=UNKNOWN)
    if severities["noise"] >= 3:
        known.update(blur=UNKNOWN, low_information=UNKNOWN)
    for name, severity in severities.items():  # a strong defect stays known, but haze may be too dark to burn out
        if severity >= 3 and name != "exposure_over":
            known[name] = severity
    return np.array([known[name] for name in DEFECTS], np.int64), OVERALL[max(severities.values())]


def finish(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little grain and JPEG, as every file has: float32 to uint8 [H, W, 3]."""
    if rng.random() < 0.4:
        picture = picture + rng.normal(0, rng.uniform(0, 0.01), picture.shape)
    out = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.uniform(50, 97))
        out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return out


def inputs(rgb: np.ndarray) -> dict[str, np.ndarray]:
    """What the network is given of a picture, as the filter stage does it."""
    found = signals.measure(rgb)
    image = cv2.resize(rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return {
        "image": np.ascontiguousarray(image.transpose(2, 0, 1)),
        "signals": np.array([found[name] for name in signals.NAMES], np.float32),
    }


def sample(rgb: np.ndarray, severities: dict[str, int]) -> dict[str, np.ndarray]:
    severity, overall = labels(severities)
    return inputs(rgb) | {"severity": severity, "overall": np.array(overall)}


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of every cumulative step of every known defect, and of the overall class."""
    defects, classes = model(batch["image"].float() / 255, batch["signals"])
    severity, overall = batch["severity"][..., None], batch["overall"][:, None]
    steps = torch.arange(defects.shape[-1], device=defects.device)
    each = F.binary_cross_entropy_with_logits(defects, (severity > steps).float(), reduction="none")
    known = (severity >= 0).float()
    whole = F.binary_cross_entropy_with_logits(classes, (overall > steps[: classes.shape[-1]]).float())
    return (each * known).sum() / (known.sum() * len(steps)) + 0.5 * whole


class Validation:
    """Fixed pictures of the val split: spoiled ones, photographs as they are, correct ones on pure white."""

    def __init__(self, spoiled: int = 500, white: int = 150) -> None:
        sampler, rng = Sampler("val"), np.random.default_rng(11)
        self.sets = {
            "spoiled": [sampler(rng, 1.0) for _ in range(spoiled)],
            "photos": [inputs(p.rgb) for group in sampler.photos.values() for p in group],
            "white": [inputs(on_white(sampler, rng)) for _ in range(white)],
        }

    def predict(self, model: nn.Module, name: str) -> tuple[np.ndarray, np.ndarray]:
        """P(severity > k) [N, defects, 4] and P(worse than class k) [N, 3] on one of the sets."""
        found = []
        device = next(model.parameters()).device
        for start in range(0, len(self.sets[name]), 32):
            part = self.sets[name][start : start + 32]
            image = torch.from_numpy(np.stack([s["image"] for s in part])).to(device).float() / 255
            measured = torch.from_numpy(np.stack([s["signals"] for s in part])).to(device)
            with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
                found.append([p.sigmoid().cpu().numpy() for p in model(image, measured)])
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        defects, classes = self.predict(model, "spoiled")
        severity = np.stack([s["severity"] for s in self.sets["spoiled"]])
        overall = np.array([int(s["overall"]) for s in self.sets["spoiled"]])
        found = {}
        for index, name in enumerate(DEFECTS):
            known = severity[:, index] >= 0
            found[f"auc_{name}"] = metrics.auc(defects[known, index, 1], severity[known, index] >= 2)
        found["auc"] = float(np.mean(list(found.values())))
        predicted = (classes > 0.5).sum(1)
        found["accuracy"] = float((predicted == overall).mean())
        found["macro_f1"] = metrics.macro_f1(predicted, overall, len(CLASSES))
        found["kappa"] = metrics.kappa(predicted, overall, len(CLASSES))
        found["ece"] = metrics.calibration_error(classes[:, 1], overall >= 2)
        for name in ("photos", "white"):
            false = self.predict(model, name)[0][:, :, 2] > 0.5
            found[f"false_alarms_{name}"] = float(false.any(1).mean())
        return {key: round(value, 4) for key, value in found.items()}


def on_white(sampler: Sampler, rng: np.random.Generator, white: int = 255) -> np.ndarray:
    """A correct product photograph: a subject on a white of 0..255, uint8 [H, W, 3]."""
    category = draw(rng, FOREGROUNDS, sampler.foregrounds)
    group = sampler.foregrounds[category]
    layer = c.place(group[rng.integers(len(group))].rgba, 448, rng, (0.5, 0.95))
    picture, _ = c.over([layer], np.full((448, 448, 3), white / 255, np.float32))
    return (picture * 255 + 0.5).astype(np.uint8)


def with_signals(model: QualityNet, make: Callable[[np.random.Generator, float], dict[str, np.ndarray]]) -> QualityNet:
    """Notes the mean and deviation of the signals over the first samples in the network."""
    first = np.stack([make(np.random.default_rng(index), 0.0)["signals"] for index in range(256)])
    model.mean.copy_(torch.from_numpy(first.mean(0)))
    model.deviation.copy_(torch.from_numpy(first.std(0) + 1e-3))
    return model


def train(plan: Plan, workers: int, batch: int) -> None:
    """Trains within the plan's budget and puts the weights and their card in place."""
    stream = Stream(Replay(Sampler("train"), fresh=0.35), seed=5)
    model = with_signals(pretrained.load_imagenet(QualityNet()), stream.make)
    model, found = fit(
        model,
        loader(stream, batch, workers),
        loss,
        Validation(),
        "auc",
        plan,
        stream.progress,
    )
    print(publish(model, "quality", card("quality", __doc__ or "", found, plan)), checkpoints.INDEX)


def draw(rng: np.random.Generator, shares: dict[str, float], groups: dict[str, list]) -> str:
    """A category, drawn by its share, of those that have pictures."""
    names = [name for name in shares if groups.get(name)]
    share = np.array([shares[name] for name in names], float)
    return names[rng.choice(len(names), p=share / share.sum())]


def _reframe(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slight random cut at a random size, mirrored at random: uint8 to float32 0..1."""
    height, width = image.shape[:2]
    top, left = (int(rng.uniform(0, 0.12) * side) for side in (height, width))
    bottom, right = (int(rng.uniform(0.88, 1) * side) for side in (height, width))
    cut = image[top:bottom, left:right]
    scale = rng.uniform(0.55, 1.0) if rng.random() < 0.6 else 1.0
    if scale * max(cut.shape[:2]) > 200 and scale < 1:
        cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return np.ascontiguousarray(cut).astype(np.float32) / 255
