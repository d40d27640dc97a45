"""`hairline train coarse`: the recipe of the coarse network.

Two fifths of the samples are photographs with masks, as many are composites (photographs, rooms, shelves, panoramas and
studio paper behind one to three foregrounds), an eighth are scenes of goods, laid out flat or standing on paper or on a
floor with shadows and reflections that are none of theirs, the rest are cut from design pictures, where text and logos
are background, or hold nothing at all. Most photographs have their masks from a
teacher, IS-Net: the more it doubts a picture, and a pixel in it, the less they count; what it cut out surely and whole
also becomes a foreground. Others are drawn: devices with screens, boxes, bottles and cards, printed or blank.
Half of the portraits are dressed in photographed garments, and a third of all subjects have parts dyed, shaded or
printed, so that no subject is taken for several by its colours. A fifth of the composed subjects grow hair or fur, some
are lattices, so that what the fine stage is to refine is not lost here, and a fifth of the things are put together from
plates, wheels, tubes and blocks, as machines are, and a cup on its saucer. One composed picture in eight is wide or
tall.
The encoder hardly learns, for the photographs are few enough to make it forget, and in a run that starts from given
weights not at all, which shows such a run two thirds more samples. At the end the network leans towards the subject,
and a run that started from given weights meets them halfway.
Pictures grow from 160 to 224 pixels early, and for the second half of the budget to 224 and 320 by turns, the sizes at
which the stage looks at them: shapes first, edges later, at a third of the cost.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..stages.coarse import predict_alpha
from ..stages.networks.coarse import SIZE, CoarseNet
from . import data, pretrained
from .card import card
from .coarse_samples import Sampler
from .loop import Batch, Plan, Stream, fit, load_start, loader, publish
from .synth import composite as c

TAUGHT_GROUPS = tuple(f"taught {name}" for name in ("product", "person", "animal", "portrait"))  # enough to judge by
ENCODER_LR = 0.1  # share of the learning rate: with more it forgets what the training pictures do not show
START_SHARE = 0.5  # share of the starting weights in what a run that had some ends with, see `pretrained.interpolate`
SUBJECT_BIAS = 0.4  # added to alpha's logit in the end: missing parts are more frequent, and worse, than extra ones


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of what the network says of a batch's pictures, see `loss_of`."""
    return loss_of(model(batch["image"].float() / 255).float(), batch)


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy and soft IoU on alpha, weighted by trust and towards edges; L1 on the expected error.

    Args:
        logits: float [N, 2, h, w], see `CoarseNet`.
    """
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
    uncertainty = F.binary_cross_entropy_with_logits(logits[:, 1], error, reduction="none").mean((1, 2))
    return (entropy + overlap + 0.3 * uncertainty).mean()


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
        rng, one = np.random.default_rng(7), copy(sampler)
        self.groups["composite"], self.groups["empty"] = [], []
        categories = sorted(sampler.foregrounds)
        for index in range(composites):
            name = categories[index % len(categories)]  # as many of each, however often training draws them
            one.foregrounds = {name: sampler.foregrounds[name]}
            picture, alpha, _ = one.composite(rng, size, count=0 if index % 6 == 5 else 1 if index % 6 else 2)
            image = c.camera(picture, rng, 0.5)
            self.groups["empty" if index % 6 == 5 else "composite"].append((image, (alpha * 255).astype(np.uint8)))

    @torch.no_grad()
    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        device = next(model.parameters()).device
        metrics, sheet = {}, []
        for name, pairs in self.groups.items():
            found = []
            with torch.autocast(device.type, dtype=torch.bfloat16):
                answers = predict_alpha(model, [image for image, _ in pairs], device)
            for (image, truth), answer in zip(pairs, answers, strict=True):
                alpha, uncertainty = (cv2.resize(x, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) for x in answer)
                a, t = alpha > 127, truth > 127
                # without a subject: the share left clear; with one: intersection over union
                found.append(1 - a.mean() if name == "empty" else (a & t).sum() / max((a | t).sum(), 1))
                if len(sheet) < 120 and len(found) <= 10:
                    sheet.append(
                        np.hstack([image, *(np.repeat(x[..., None], 3, 2) for x in (truth, alpha, uncertainty))])
                    )
            metrics[name] = float(np.mean(found))
        sets = [("composite",), ("clothing", "portrait", "animal", "person"), TAUGHT_GROUPS]
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
    model = pretrained.load_imagenet(CoarseNet())
    if plan.start:
        load_start(model, plan.start)
    slow = replace(plan, encoder_lr=ENCODER_LR, encoder_until=0.0 if plan.start else 1.0, start=None)
    model, _ = fit(model, loader(stream, batch, workers), loss, validation, "iou", slow, stream.progress)
    model = add_subject_bias(model)
    if plan.start:
        pretrained.interpolate(model, load_start(CoarseNet(), plan.start), START_SHARE)
    metrics = validation(model, plan.run)
    publish(model, "coarse-general", card("coarse", __doc__ or "", metrics, plan))


@torch.no_grad()
def add_subject_bias(model: CoarseNet, bias: float = SUBJECT_BIAS) -> CoarseNet:
    """The network, calling subject what it holds for that with a probability of 0.4 and more."""
    answer = model.head[1]
    assert isinstance(answer, nn.Conv2d) and answer.bias is not None
    answer.bias[0] += bias
    return model
