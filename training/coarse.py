"""`hairline train coarse`: the recipe of the coarse network.

Half of the samples are photographs with masks, two fifths are composites (photographs, rooms, shelves, panoramas and
studio paper behind one to three foregrounds, categories drawn evenly), a tenth are cut from design pictures, where text
and logos are background; one in eight holds no subject. Most photographs have their masks from a teacher, IS-Net: the
more it doubts a picture, and a pixel in it, the less they count; what it cut out surely and whole also becomes a
foreground. Half of the portraits are dressed in
photographed garments, and a third of all subjects have parts dyed, shaded or printed, so that no subject is taken for
several by its colours. A fifth of the composed subjects grow hair or fur, some are lattices, so that what the fine
stage is to refine is not lost here, and a quarter of the things are put together from plates, wheels, tubes and blocks,
as machines are, and a cup on its saucer.
The encoder hardly learns, and goes a share of the way back to ImageNet's weights first where a run starts from given
ones: the few photographs make it forget. At the end the network leans towards the subject, and a run that started from
given weights meets them.
Pictures grow from 160 to 224 pixels, and for the second half of the budget to 224 and 320 by turns, the two sizes at
which the stage looks at them: shapes first, edges later, at a third of the cost.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..stages.coarse import FAR, ask
from ..stages.foreground import estimate_foreground
from ..stages.networks.coarse import SIZE, CoarseNet
from . import data, pretrained
from .card import card
from .loop import Batch, Plan, Stream, fit, given, loader, publish
from .synth import bodies, design, strands
from .synth import composite as c

# how often each category is drawn: what people cut out, not what the folder holds most of
FOREGROUNDS = {
    "person": 3, "portrait": 3, "animal": 4, "product_simple": 5, "product_hollow": 4, "clothing": 2,
    "cartoon": 2, "food": 2, "plant_hollow": 1, "vehicle": 1, "soft_translucent": 0.5,
}  # fmt: skip
PHOTOS = {
    "clothing": 3, "portrait": 2, "person": 4, "animal": 4, "product_simple": 8, "food": 1, "vehicle": 1.5,
    "plant": 0.4, "glass": 0.3, "scene": 0.5, "other": 0.5,
}  # fmt: skip
TAUGHT = {"product": "product_simple", "product_glass": "glass", "bg_scene_with_subjects": "scene"}  # teachers' names
TAUGHT_SET = tuple(f"taught {name}" for name in ("product", "person", "animal", "portrait"))  # enough to judge by
CUT_OUT = ("person", "animal", "product_simple", "food", "vehicle")  # whose photographs also become foregrounds,
SURE, WHOLE = 0.06, 0.1  # up to this doubt, and with so much of the frame's rim in the subject, against its root area
PATCHED = 0.35  # share of the subjects that get parts in other colours
CLOSE_UP = {"animal": 0.45}  # how often it fills the frame; others every fifth time
CUT_OFF = {"portrait": 0.6, "person": 0.3, "animal": 0.3}  # how often a frame cuts them off below
HAIRY = 0.2  # share of the composed subjects that grow hair or fur
LATTICE, ASSEMBLED = 0.05, 0.25  # shares of them that are lattices, and, of `CORES`, things of many parts
CORES = ("product_simple", "product_hollow", "food", "vehicle", "cartoon")
EMPTY = 0.12  # share of the samples without a subject
ENCODER_LR = 0.1  # share of the learning rate: with more it forgets what the training pictures do not show
RETURNED = 0.4  # how far the encoder of given weights goes back to ImageNet's before it learns on
KEPT = 0.7  # share of the given weights in what such a run ends with: new and old together see more than either
LEAN = 0.4  # added to alpha's logit in the end: parts of things left out are more, and cost more, than pieces too many
# share of the budget: side in pixels; in the end both sides that the stage looks at, the smaller one for what is what
SIZES = ((0.0, 160), (0.3, FAR), *((0.5 + k / 120, (SIZE, FAR)[k % 2]) for k in range(60)))


class Sampler:
    """Draws training samples; seeded by the generator it is handed.

    A sample: image uint8 [3, S, S], alpha uint8 [S, S], trust uint8 [S, S] (how far the label is to be
    believed, 255 fully; less in the edge band of a mask that a program made).
    """

    def __init__(self, split: str) -> None:
        self.foregrounds = data.foregrounds(split, 320)
        self.garments = [f.rgba for f in self.foregrounds["clothing"] if 0.75 < f.rgba.shape[0] / f.rgba.shape[1] < 1.5]
        self.photos = data.photos(split, 448)
        self.varied = split == "train"  # the validation set stays what it was
        if self.varied:
            self._teach(data.taught(split, 448))
        by_category = data.backgrounds(split, 320)
        self.backgrounds = [b for group in by_category.values() for b in group]
        self.empty = [b for name, group in by_category.items() for b in group if name != "bg_shelf"]

    def _teach(self, taught: dict[str, list[data.Photo]]) -> None:
        """Takes in what teachers gave masks: as photographs, and cut out as foregrounds."""
        for name, photos in taught.items():
            category = TAUGHT.get(name, name if name in PHOTOS else "other")
            self.photos.setdefault(category, []).extend(photos)
            if category in CUT_OUT:
                found = (cut_out(photo, category) for photo in photos)
                self.foregrounds.setdefault(category, []).extend(f for f in found if f)

    def __call__(self, rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        size = next(side for share, side in reversed(SIZES) if progress >= share)
        return self.sample(rng, size)

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
        kind = rng.random()
        if kind < 0.5:
            picture, alpha, trust = self.photo(rng, size)
        elif kind < 0.6:
            picture, alpha = self.design(rng, size)
            trust = np.ones_like(alpha)
        else:
            picture, alpha, pseudo = self.composite(rng, size, count=0 if kind > 1 - EMPTY else None)
            trust = edge_trust(alpha) if pseudo else np.ones_like(alpha)
        image = c.camera(picture, rng)
        return {"image": image.transpose(2, 0, 1).copy(), "alpha": to8(alpha), "trust": to8(trust)}

    def photo(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A photograph with alpha and trust, float32 [S, S] each."""
        group = draw(rng, PHOTOS, self.photos)
        photo = group[rng.integers(len(group))]
        picture, alpha = c.cut(photo.rgb, photo.alpha, size, rng)
        if self.varied and rng.random() < PATCHED:
            layer = bodies.patchwork(c.Layer(picture, alpha), self.background(rng, size, empty=False), rng)
            picture, _ = c.over([layer], picture)
        if photo.taught:
            trust = taught_trust(alpha, photo.doubt)
        else:
            trust = edge_trust(alpha) if photo.pseudo else np.ones_like(alpha)
        return c.relight(picture, rng, 0.8), alpha, trust

    def design(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        count = int(rng.choice([0, 1, 2, 3, 4], p=[0.15, 0.45, 0.2, 0.12, 0.08]))
        products = []
        for _ in range(count):
            group = draw(rng, FOREGROUNDS, self.foregrounds)
            products.append(group[rng.integers(len(group))].rgba)
        backdrop = self.empty[rng.integers(len(self.empty))] if rng.random() < 0.3 else None
        side, ratio = size * rng.uniform(1.0, 1.6), float(np.exp(rng.uniform(-0.5, 0.5)))
        picture, _, alpha = design.render(products, backdrop, rng, (int(side * ratio**0.5), int(side / ratio**0.5)))
        return c.cut(picture, alpha, size, rng)

    def composite(
        self, rng: np.random.Generator, size: int, count: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        if count is None:
            count = int(rng.choice([1, 2, 3], p=[0.72, 0.2, 0.08]))
        background = self.background(rng, size, empty=count == 0)
        layers, pseudo = [], False
        area = (0.3, 1.1) if count == 1 else (0.25, 0.65)
        for _ in range(count):
            group = draw(rng, FOREGROUNDS, self.foregrounds)
            foreground = group[rng.integers(len(group))]
            kind = rng.random() if self.varied else 1.0
            if kind < LATTICE:
                layer = strands.lattice(size, rng)
            elif kind < LATTICE + ASSEMBLED and foreground.category in CORES:
                layer = bodies.assembly(foreground.rgba, size, rng, area)
            else:
                layer = self.placed(foreground, rng, size, area, alone=count == 1)
            layer = c.match_light(layer, background, rng)
            if rng.random() < 0.5:
                background = c.shadow(background, layer.alpha, rng)
            layers.append(layer)
            pseudo |= foreground.pseudo
        picture, alpha = c.over(layers, background)
        return c.relight(picture, rng, 0.5), alpha, pseudo

    def placed(
        self, foreground: data.Foreground, rng: np.random.Generator, size: int, area: tuple[float, float], alone: bool
    ) -> c.Layer:
        """A foreground somewhere in the frame, at times larger than it, and changed as the recipe says."""
        name, rgba, cut_off = foreground.category, foreground.rgba, False
        close_up = alone and rng.random() < (CLOSE_UP.get(name, 0.2) if self.varied else 0.15)
        if self.varied and name in CUT_OFF:
            rgba, cut_off = self.dressed(foreground, rng), rng.random() < CUT_OFF[name]
        size_in_frame, wander = ((1.1, 2.2), 0.3) if close_up else (area, 0.06)
        layer = c.place(rgba, size, rng, size_in_frame, wander=wander, cut_off=cut_off)
        if self.varied and rng.random() < PATCHED:
            layer = bodies.patchwork(layer, self.background(rng, size, empty=False), rng)
        if self.varied and rng.random() < HAIRY:
            layer = strands.hair(layer, rng)
        layer.color = c.relight(layer.color, rng)
        return layer

    def dressed(self, foreground: data.Foreground, rng: np.random.Generator) -> np.ndarray:
        """The subject, a portrait every other time in a garment and sometimes with something before it."""
        if foreground.category != "portrait" or rng.random() < 0.5:
            return foreground.rgba
        garment = self.garments[rng.integers(len(self.garments))]
        group = draw(rng, FOREGROUNDS, self.foregrounds)
        held = group[rng.integers(len(group))].rgba if rng.random() < 0.3 else None
        return bodies.dressed(foreground.rgba, garment, rng, held)

    def background(self, rng: np.random.Generator, size: int, empty: bool) -> np.ndarray:
        if rng.random() < 0.3:
            return c.studio(size, rng)
        choice = self.empty if empty else self.backgrounds
        picture = c.cover(choice[rng.integers(len(choice))], size, rng)
        if rng.random() < 0.3:  # depth of field
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 5) * size / 256)
        return c.relight(picture, rng)


def cut_out(photo: data.Photo, category: str) -> data.Foreground | None:
    """A photograph's subject alone, without the mask's veils; None where the teacher is unsure or the frame cuts it."""
    rim = np.concatenate([photo.alpha[[0, -1]].ravel(), photo.alpha[:, [0, -1]].ravel()]) > 127
    area = (photo.alpha > 127).sum()
    if photo.doubt > SURE or area < 32 * 32 or rim.sum() > WHOLE * area**0.5:
        return None
    alpha = to8(np.clip((photo.alpha / 255 - 0.25) / 0.5, 0, 1))
    x, y, width, height = cv2.boundingRect(alpha)
    rgba = np.dstack([estimate_foreground(photo.rgb, alpha), alpha])[y : y + height, x : x + width]
    return data.Foreground(data.shrink(rgba, 320), category, pseudo=True)


def edge_trust(alpha: np.ndarray) -> np.ndarray:
    """How far a mask by a simple program is believed, float32 [S, S], 0..1: less at its edges."""
    steps = max(1, alpha.shape[0] // 64)
    band = cv2.dilate(alpha, None, iterations=steps) - cv2.erode(alpha, None, iterations=steps)
    return np.where(band > 0.1, np.float32(0.35), np.float32(1))


def taught_trust(alpha: np.ndarray, doubt: float) -> np.ndarray:
    """How far a teacher's mask is believed, float32 [S, S], 0..1: less where it is neither yes nor no."""
    known = 1 - 0.65 * 2 * np.minimum(alpha, 1 - alpha)
    return (known * max(0.3, 1 - 1.5 * doubt)).astype(np.float32)


def to8(share: np.ndarray) -> np.ndarray:
    """0..1 as uint8."""
    return (share * 255 + 0.5).astype(np.uint8)


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy and soft IoU on alpha, weighted by trust and towards edges; L1 on the expected error."""
    image = batch["image"].float() / 255
    logits = model(image).float()
    size = logits.shape[-2:]
    alpha = F.interpolate(batch["alpha"][:, None].float() / 255, size, mode="area")[:, 0]
    trust = F.interpolate(batch["trust"][:, None].float() / 255, size, mode="area")[:, 0]
    edges = F.max_pool2d(alpha[:, None], 5, 1, 2) + F.max_pool2d(-alpha[:, None], 5, 1, 2)
    weight = trust * (1 + edges[:, 0])
    probability = logits[:, 0].sigmoid()
    entropy = (F.binary_cross_entropy_with_logits(logits[:, 0], alpha, reduction="none") * weight).mean((1, 2))
    both = (probability * alpha * trust).sum((1, 2))
    union = ((probability + alpha - probability * alpha) * trust).sum((1, 2))
    overlap = (1 - (both + 20) / (union + 20)) * trust.mean((1, 2))
    error = (probability.detach() - alpha).abs()
    unsure = F.binary_cross_entropy_with_logits(logits[:, 1], error, reduction="none").mean((1, 2))
    return (entropy + overlap + 0.3 * unsure).mean()


class Validation:
    """IoU of the stage's answers on the val photographs by category and on seeded composites; a contact sheet."""

    def __init__(self, size: int = SIZE, composites: int = 96, per_category: int = 24) -> None:
        sampler = Sampler("val")
        self.groups: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for category, photos in sampler.photos.items():
            self.groups[category] = [
                (
                    cv2.resize(p.rgb, (size, size), interpolation=cv2.INTER_AREA),
                    cv2.resize(p.alpha, (size, size), interpolation=cv2.INTER_AREA),
                )
                for p in photos[:per_category]
            ]
        for category, photos in data.taught("val", 448).items():
            self.groups[f"taught {category}"] = [
                tuple(cv2.resize(x, (size, size), interpolation=cv2.INTER_AREA) for x in (p.rgb, p.alpha))
                for p in photos
                if p.doubt < 0.2
            ]
        rng = np.random.default_rng(7)
        self.groups["composite"], self.groups["empty"] = [], []
        for index in range(composites):
            picture, alpha, _ = sampler.composite(rng, size, count=0 if index % 6 == 5 else 1 if index % 6 else 2)
            image = c.camera(picture, rng, 0.5)
            self.groups["empty" if index % 6 == 5 else "composite"].append((image, (alpha * 255).astype(np.uint8)))

    @torch.no_grad()
    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        device = next(model.parameters()).device
        metrics, sheet = {}, []
        for name, pairs in self.groups.items():
            found = []
            with torch.autocast(device.type, dtype=torch.bfloat16):
                answers = ask(model, [image for image, _ in pairs], device)
            for (image, truth), answer in zip(pairs, answers, strict=True):
                alpha, unsure = (cv2.resize(x, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) for x in answer)
                a, t = alpha > 127, truth > 127
                # without a subject: the share left clear; with one: intersection over union
                found.append(1 - a.mean() if name == "empty" else (a & t).sum() / max((a | t).sum(), 1))
                if len(sheet) < 120 and len(found) <= 10:
                    sheet.append(np.hstack([image, *(np.repeat(x[..., None], 3, 2) for x in (truth, alpha, unsure))]))
            metrics[name] = float(np.mean(found))
        sets = [("composite",), ("clothing", "portrait", "animal", "person"), TAUGHT_SET]
        means = [[metrics[name] for name in names if name in metrics] for names in sets]
        metrics["iou"] = float(np.mean([np.mean(values) for values in means if values]))
        columns = [np.vstack(sheet[i::4][:14]) for i in range(4)]
        height = min(x.shape[0] for x in columns)
        page = np.hstack([x[:height] for x in columns])
        page = cv2.resize(page, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(run / "sheet.png"), page[..., ::-1])
        return {k: round(v, 4) for k, v in metrics.items()}


def train(plan: Plan, workers: int, batch: int) -> None:
    """Trains, then puts the best weights with their card into the tree."""
    torch.manual_seed(0)
    stream = Stream(Sampler("train"), seed=1)
    validation = Validation()
    model = pretrained.start(CoarseNet())
    if plan.start:
        model = pretrained.remember(given(model, plan.start), RETURNED)
    slow = replace(plan, encoder_lr=ENCODER_LR, start=None)
    model, _ = fit(model, loader(stream, batch, workers), loss, validation, "iou", slow, stream.progress)
    model = lean(model)
    if plan.start:
        pretrained.meet(model, given(CoarseNet(), plan.start), KEPT)
    metrics = validation(model, plan.run)
    publish(model, "coarse-general", card("coarse", __doc__ or "", metrics, plan))


@torch.no_grad()
def lean(model: CoarseNet) -> CoarseNet:
    """The network, calling subject what it holds for that with a probability of 0.4 and more."""
    answer = model.head[1]
    assert isinstance(answer, nn.Conv2d) and answer.bias is not None
    answer.bias[0] += LEAN
    return model


def draw(rng: np.random.Generator, shares: dict[str, float], groups: dict[str, list]) -> list:
    """One group, drawn by weight among the groups that are there."""
    names = [name for name in shares if groups.get(name)]
    share = np.array([shares[name] for name in names], float)
    return groups[names[rng.choice(len(names), p=share / share.sum())]]
