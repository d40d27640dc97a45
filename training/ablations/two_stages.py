"""(b) Coarse, then fine along its uncertain band, against one network at the fine resolution, at equal cost.

All three networks see the same kind of pictures. The two stages share the minutes that the one network has alone; the
cost is that of a picture of 512 pixels with `TILES` fine tiles.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...evaluation import matte
from ...stages.coarse import CONTEXT_SIDE, SECOND_CONTEXT_SIDE, CoarseSettings, CoarseStage, predict_alpha
from ...stages.fine import FineSettings, FineStage
from ...stages.networks.blocks import ConvBN
from ...stages.networks.coarse import SIZE, CoarseNet
from ...stages.networks.fine import FineNet
from .. import coarse, fine, pretrained, validation
from ..loop import Batch
from .run import Figures, Make, Run, Variant, gmacs

SIDE = 512
TILES = 5  # of 256 pixels along the band of such a picture, as the fine stage places them on average
OUTPUTS = (76, 120, 184, 224)  # of the one network's decoder: the cost of coarse's looks and `TILES` times fine
AREA, WANDER = (0.3, 1.1), 0.06  # subjects in the frame as a crop shows them
SIZES = ((0.0, 192), (0.5, 320), (0.8, 448))  # share of the budget: side of the one network's pictures


class OneNet(nn.Module):
    """The coarse network, wider, at the full resolution, with a head that also sees the pixels themselves.

    Input: float [N, 3, H, W], RGB 0..1, H and W multiples of 32. Output: logits of alpha [N, 1, H, W].
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = CoarseNet(outputs=OUTPUTS)
        pretrained.load_imagenet(self.body)
        self.body.head = nn.Identity()
        self.head = nn.Sequential(ConvBN(OUTPUTS[0] + 12, 32), nn.Conv2d(32, 4, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([self.body(x), F.pixel_unshuffle((x - 0.45) * 3.0, 2)], 1)
        return F.pixel_shuffle(self.head(seen).float(), 2)


def whole(sampler: fine.Sampler, sizes: tuple[tuple[float, int], ...]) -> Make:
    """Subjects with hair, with plain edges, and lattices, whole, at the size that the budget has come to."""

    def make(rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        sample = sampler.crop(rng, next(s for share, s in reversed(sizes) if progress >= share), "", AREA, WANDER)
        trust = np.full_like(sample["alpha"], 255)  # every label is exact
        return {"image": sample["image"], "alpha": sample["alpha"], "trust": trust}

    return make


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The fine recipe's terms on alpha, and the coarse recipe's overlap, for the one network has to do both."""
    predicted = model(batch["image"].float() / 255).sigmoid()
    alpha = batch["alpha"][:, None].float() / 255
    band = F.max_pool2d(((alpha > 0.01) & (alpha < 0.99)).float(), 9, 1, 4)
    weight = 0.3 + band
    weight = weight / weight.mean((1, 2, 3), keepdim=True)
    value = ((predicted - alpha).abs() * weight).mean() * 3
    for scale in (1, 2):
        a, t = (F.avg_pool2d(x, scale) if scale > 1 else x for x in (predicted, alpha))
        value = value + sum((a.diff(dim=d) - t.diff(dim=d)).abs().mean() for d in (2, 3)) * 2
    both = (predicted * alpha).sum((1, 2, 3))
    union = (predicted + alpha - predicted * alpha).sum((1, 2, 3))
    return value + (1 - (both + 20) / (union + 20)).mean()


@lru_cache(maxsize=1)
def _pictures() -> list[validation.Picture]:
    return validation.hairy(16, SIDE)


def two(run: Run) -> Figures:
    sampler = fine.Sampler("train")
    first, _ = run.learn(
        lambda: pretrained.load_imagenet(CoarseNet()),
        whole(sampler, coarse.SIZES),
        coarse.loss,
        _coarse_score,
        "iou",
        0.5,
        "coarse",
    )
    second, _ = run.learn(FineNet, sampler, fine.loss, fine.Validation(), "score", 0.5, "fine")
    run.cost["gmacs"] = cost(first, second)
    weights = {part: str(run.folder / part / "best.safetensors") for part in ("coarse", "fine")}
    stages = (
        CoarseStage(CoarseSettings(weights=weights["coarse"], min_area=0, no_subject=1)),
        FineStage(FineSettings(weights=weights["fine"], min_area=1e-6)),
    )
    for stage in stages:
        stage.setup(torch.device("cpu"))
    found = []
    for picture in _pictures():
        item = picture.item()
        for stage in stages:
            stage.process([item])
        alpha = item.alpha if item.alpha is not None else np.zeros(picture.rgb.shape[:2], np.uint8)
        found.append(alpha.astype(np.float32) / 255)
    return _figures(found)


def cost(first: nn.Module, second: nn.Module) -> float:
    """Billions of multiply-adds of both looks of the coarse network and of the fine network's tiles."""
    looks = sum(gmacs(first, (1, 3, side, side)) for side in (SIZE, CONTEXT_SIDE, SECOND_CONTEXT_SIDE))
    return looks + TILES * gmacs(second, (1, 5, 256, 256))


def one(run: Run) -> Figures:
    model, _ = run.learn(OneNet, whole(fine.Sampler("train"), SIZES), loss, lambda m, _: _figures(_answers(m)), "score")
    run.cost["gmacs"] = gmacs(model, (1, 3, SIDE, SIDE))
    return _figures(_answers(model))


@torch.no_grad()
def _answers(model: nn.Module) -> list[np.ndarray]:
    device = next(model.parameters()).device
    found = []
    for picture in _pictures():
        image = torch.from_numpy(picture.rgb).permute(2, 0, 1)[None].to(device).float() / 255
        with torch.autocast(device.type, dtype=torch.bfloat16):
            found.append(model(image)[0, 0].float().sigmoid().cpu().numpy())
    return found


def _coarse_score(model: nn.Module, _: Path) -> Figures:
    device = next(model.parameters()).device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        answers = predict_alpha(model, [picture.rgb for picture in _pictures()], device)
    found = []
    for picture, (answer, _) in zip(_pictures(), answers, strict=True):
        alpha = cv2.resize(answer, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        found.append(matte.iou(alpha > 127, picture.alpha > 127))
    return {"iou": float(np.mean(found))}


def _figures(found: list[np.ndarray]) -> Figures:
    judged = [matte.evaluate(a, p.alpha.astype(np.float32) / 255) for a, p in zip(found, _pictures(), strict=True)]
    figures = {name: float(np.mean([j[name] for j in judged])) for name in ("sad_band", "grad_band", "mse", "iou")}
    return figures | {"score": -figures["sad_band"]}


VARIANTS: dict[str, Variant] = {"coarse_then_fine": two, "one_network": one}
