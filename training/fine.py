"""`hairline train fine`: the recipe of the fine network.

Crops at full resolution: subjects with procedural hair or fur, hollow renders, lattices, plants, smoke and
plain edges over every kind of background. The coarse answer the network is given is, for two thirds of them, what the
coarse network in the tree said of the whole picture; for the others it is the true alpha made worse in the ways that
network makes mistakes: low resolution, shifted edges, closed holes, lost strands. With `--route`, a route's own weights
are made from subjects of that route alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..stages import checkpoints
from ..stages.coarse import predict_alpha
from ..stages.networks.blocks import fold_bn
from ..stages.networks.coarse import CoarseNet
from ..stages.networks.fine import FineNet, FineOutput
from .card import card
from .coarse_samples import Sampler as CoarseSampler
from .coarse_samples import draw
from .loop import Batch, Plan, Stream, fit, loader, publish
from .synth import composite as c
from .synth import strands

# exact or nearly exact alphas count most; masks made by a program only lend their bodies to grow hair on
FOREGROUNDS = {
    "person": 2, "portrait": 3, "animal": 3, "product_simple": 3, "product_hollow": 5, "clothing": 1,
    "cartoon": 3, "food": 1, "plant_hollow": 3, "vehicle": 0.5, "soft_translucent": 1.5,
}  # fmt: skip
ROUTES = {  # the foregrounds of each route that can have weights of its own
    "portrait": ("portrait", "person"),
    "product": ("product_simple", "clothing", "food", "vehicle"),
    "product_hollow": ("product_hollow", "plant_hollow"),
}
SIZE = 256  # side of the validation crops, pixels
SIZES = ((0.0, 176), (0.6, SIZE))  # share of the budget: side of the crops
NETWORK_SHARE = 0.65  # share of the samples whose coarse alpha is what the coarse network found
CROPS_PER_PICTURE = 4  # of those: running the coarse network costs more than all else
LEVELS = 4  # of the Laplacian pyramid; crops are multiples of 16
MIN_IOU = 0.5  # of a coarse alpha with the truth; below it there is nothing to refine

Sample = dict[str, np.ndarray]
Detail = Callable[[Tensor, Tensor], Tensor]  # (alpha, truth) to a scalar


class Sampler(CoarseSampler):
    """A sample: image uint8 [3, S, S], alpha, coarse and uncertainty uint8 [S, S].

    Args:
        route: one of `ROUTES`, for its subjects alone; empty: for all.
    """

    def __init__(self, split: str, route: str = "") -> None:
        super().__init__(split)
        if route:
            self.foregrounds = {name: g for name, g in self.foregrounds.items() if name in ROUTES[route]}
        self.queue: list[Sample] = []

    def __call__(self, rng: np.random.Generator, progress: float) -> Sample:
        size = next(side for share, side in reversed(SIZES) if progress >= share)
        return self.from_network(rng, size) if rng.random() < NETWORK_SHARE else self.crop(rng, size)

    def from_network(self, rng: np.random.Generator, size: int, kind: str = "") -> Sample:
        """A part of a whole picture along the edge, with the coarse network's answer on the whole."""
        while not self.queue or self.queue[-1]["alpha"].shape != (size, size):
            self.queue = self._network_crops(rng, size, kind)
        return self.queue.pop()

    def _network_crops(self, rng: np.random.Generator, size: int, kind: str) -> list[Sample]:
        side = int(size * rng.uniform(1.2, 3.2))
        image, alpha = self.scene(rng, side, kind, (0.5, 1.1), 0.06)
        coarse, uncertainty = self._predict_coarse(image)
        wanted, found = alpha > 0.5, coarse > 127
        if (wanted & found).sum() < MIN_IOU * max((wanted | found).sum(), 1):
            return []
        edge = cv2.morphologyEx(wanted.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        ys, xs = np.nonzero(((alpha > 0.05) & (alpha < 0.95)) | (edge > 0) | (uncertainty > 25))
        picks = rng.integers(len(ys), size=CROPS_PER_PICTURE) if len(ys) else []
        maps = {
            "image": image.transpose(2, 0, 1),
            "alpha": (alpha * 255 + 0.5).astype(np.uint8),
            "coarse": coarse,
            "uncertainty": uncertainty,
        }
        parts = []
        for k in picks:
            wander = rng.uniform(-0.35, 0.35, 2) * size
            y, x = np.clip(np.array([ys[k], xs[k]]) + wander - size / 2, 0, side - size).astype(int)
            parts.append({n: np.ascontiguousarray(m[..., y : y + size, x : x + size]) for n, m in maps.items()})
        return parts

    def _predict_coarse(self, image: np.ndarray) -> list[np.ndarray]:
        """Alpha and its expected error as the coarse stage has them, uint8 [H, W] each, of a square picture."""
        (answer,) = predict_alpha(_coarse_network(), [image], torch.device("cpu"))
        return [cv2.resize(a, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) for a in answer]

    def crop(
        self,
        rng: np.random.Generator,
        size: int,
        kind: str = "",
        area: tuple[float, float] = (0.7, 1.5),
        wander: float = 0.3,
    ) -> Sample:
        """A part of a subject as a tile shows it or, with another area and less wander, a whole one."""
        image, alpha = self.scene(rng, size, kind, area, wander)
        coarse, uncertainty = worsen(alpha, rng)
        as8 = {"alpha": alpha, "coarse": coarse, "uncertainty": uncertainty}
        return {
            "image": image.transpose(2, 0, 1).copy(),
            **{k: (v * 255 + 0.5).astype(np.uint8) for k, v in as8.items()},
        }

    def scene(
        self, rng: np.random.Generator, size: int, kind: str, area: tuple[float, float], wander: float
    ) -> tuple[c.U8, c.F32]:
        """A subject before a background: the picture uint8 [S, S, 3] and its true alpha float32 [S, S]."""
        background = self.background(rng, size, empty=False)
        kind = kind or str(rng.choice(["hair", "plain", "lattice"], p=[0.42, 0.38, 0.2]))
        if kind == "lattice":
            layer = strands.lattice(size, rng)
        else:
            group = draw(rng, FOREGROUNDS, self.foregrounds)
            foreground = group[rng.integers(len(group))]
            layer = c.place(foreground.rgba, size, rng, area, wander=wander)
            if foreground.pseudo:  # its soft rim is an artefact: make it as sharp as the picture is
                layer.alpha = np.clip((layer.alpha - 0.5) * 3 + 0.5, 0, 1)
            if kind == "hair":
                layer = strands.hair(layer, rng)
        layer.color = c.relight(layer.color, rng)
        layer = c.match_light(layer, background, rng)
        if rng.random() < 0.4:
            background = c.shadow(background, layer.alpha, rng)
        picture, alpha = c.over([layer], background)
        if rng.random() < 0.15:  # out of focus, subject and edge alike
            sigma = rng.uniform(0.5, 2)
            picture, alpha = cv2.GaussianBlur(picture, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
        return c.camera(c.relight(picture, rng, 0.5), rng, 0.6), alpha


@lru_cache(maxsize=1)
def _coarse_network() -> nn.Module:
    """The coarse network in the tree, ready on the CPU; once in each process that makes samples."""
    path = checkpoints.find("builtin", "coarse-general.safetensors")
    return checkpoints.inference(fold_bn(checkpoints.load(CoarseNet(), path)), torch.device("cpu"))


def worsen(alpha: c.F32, rng: np.random.Generator) -> tuple[c.F32, c.F32]:
    """A likely coarse answer for a true alpha, and its expected error: float32 [S, S], 0..1."""
    size = alpha.shape[0]
    cell = rng.uniform(1.5, 9)  # pixels of the picture to one of the coarse network
    low = max(8, round(size / cell))
    small = cv2.resize(alpha, (low, low), interpolation=cv2.INTER_AREA)
    truth = small
    if rng.random() < 0.5:  # small holes closed, or thin parts lost
        kernel = np.ones((int(rng.integers(2, 6)),) * 2, np.uint8)
        small = cv2.morphologyEx(small, cv2.MORPH_CLOSE if rng.random() < 0.6 else cv2.MORPH_OPEN, kernel)
    if rng.random() < 0.8:  # edges off by a cell or two, smoothly varying
        noise = rng.normal(0, rng.uniform(0.3, 1.6), (2, max(2, low // 6), max(2, low // 6))).astype(np.float32)
        dx, dy = (cv2.resize(n, (low, low), interpolation=cv2.INTER_CUBIC) for n in noise)
        ys, xs = np.mgrid[0:low, 0:low].astype(np.float32)
        small = cv2.remap(small, xs + dx, ys + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.25:  # a patch taken for the other side
        x, y, r = *rng.uniform(0, low, 2).tolist(), rng.uniform(0.03, 0.12) * low
        spot = np.zeros_like(small)
        cv2.circle(spot, (int(x), int(y)), max(1, int(r)), 1.0, -1)
        small = small + cv2.GaussianBlur(spot, (0, 0), max(0.5, r / 2)) * rng.choice([-0.7, 0.7])
    small = cv2.GaussianBlur(np.clip(small, 0, 1).astype(np.float32), (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:  # uncertain over whole regions, though mostly right: alpha drawn towards one half
        noise = rng.uniform(0, 1, (3, 3)).astype(np.float32)
        doubt = np.clip(cv2.resize(noise, (low, low), interpolation=cv2.INTER_CUBIC) * 1.6 - 0.6, 0, 0.85)
        small = small + doubt * (rng.uniform(0.35, 0.65) - small)
    error = cv2.GaussianBlur(np.abs(small - truth), (0, 0), rng.uniform(1, 2)) * rng.uniform(0.7, 1.3)
    edge = 4 * small * (1 - small) * rng.uniform(0.1, 0.4)
    uncertainty = np.clip(np.maximum(error, edge) + rng.normal(0, 0.01), 0, 1).astype(np.float32)
    full = (size, size)
    return (
        np.clip(cv2.resize(small, full, interpolation=cv2.INTER_LINEAR), 0, 1),
        cv2.resize(uncertainty, full, interpolation=cv2.INTER_LINEAR),
    )


def inputs(batch: Batch) -> Tensor:
    parts = [batch["image"].float(), batch["coarse"][:, None].float(), batch["uncertainty"][:, None].float()]
    return (torch.cat(parts, 1) / 255).contiguous(memory_format=torch.channels_last)


def gradients(alpha: Tensor, truth: Tensor) -> Tensor:
    """L1 on the gradients at two scales. Float [N, 1, H, W] each, 0..1, H and W even; a scalar."""
    value = alpha.new_zeros(())
    for scale in (1, 2):
        a, t = (F.avg_pool2d(x, scale) if scale > 1 else x for x in (alpha, truth))
        value = value + sum((a.diff(dim=d) - t.diff(dim=d)).abs().mean() for d in (2, 3))
    return value * 2


def laplacian(alpha: Tensor, truth: Tensor) -> Tensor:
    """L1 on the levels of a Laplacian pyramid and on what is left above them, as matting networks use it since Hou and
    Liu 2019, "Context-Aware Image Matting".

    Its coarse levels ask how much of a region strands cover where no strand can be told from the next. Float
    [N, 1, H, W] each, 0..1, H and W multiples of 2**LEVELS; a scalar.
    """
    off, value = alpha - truth, alpha.new_zeros(())
    for level in range(LEVELS):
        small = F.avg_pool2d(off, 2)
        value = value + (off - F.interpolate(small, scale_factor=2.0, mode="bilinear")).abs().mean() * 2**level
        off = small
    return (value + off.abs().mean()) * 2


def loss(model: nn.Module, batch: Batch, detail: Detail = laplacian) -> Tensor:
    """L1 on F, B and alpha, most in the transition band, and what `detail` makes of alpha and the truth."""
    matte: FineOutput = model(inputs(batch))
    alpha = batch["alpha"][:, None].float() / 255
    band = ((alpha > 0.01) & (alpha < 0.99)).float()
    band = F.max_pool2d(band, 9, 1, 4)
    weight = 0.3 + band + (batch["uncertainty"][:, None] > 12).float()
    weight = weight / weight.mean((1, 2, 3), keepdim=True)
    value = ((matte.alpha - alpha).abs() * weight).mean() * 2
    value = value + ((matte.foreground - alpha).abs() * weight).mean() * 0.5
    value = value + ((matte.background - (1 - alpha)).abs() * weight).mean() * 0.5
    return value + detail(matte.alpha, alpha)


class Validation:
    """Mean absolute error in the transition band on seeded crops, beside that of the coarse input alone.

    A third of the crops of each kind have the coarse network's own answer; `network` is the error on those of all
    kinds. `cover` is the error of alpha blurred over 9 by 9 pixels: how much of a region strands cover, whether or not
    each is where it should be.
    """

    def __init__(self, count: int = 96, sampler: Sampler | None = None) -> None:
        sampler, rng = sampler or Sampler("val"), np.random.default_rng(11)
        kinds = ("hair", "plain", "lattice")
        samples = []
        for k in range(count):
            sampler.queue = []  # each from a picture of its own
            make = sampler.from_network if k // 3 % 3 == 2 else sampler.crop
            samples.append(make(rng, SIZE, kinds[k % 3]))
        self.from_network = torch.tensor([k // 3 % 3 == 2 for k in range(count)])
        self.batch = {k: torch.from_numpy(np.stack([s[k] for s in samples])) for k in samples[0]}

    @torch.no_grad()
    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        device = next(model.parameters()).device
        found = []
        for start in range(0, len(self.batch["alpha"]), 16):
            part = {k: v[start : start + 16].to(device) for k, v in self.batch.items()}
            with torch.autocast(device.type, dtype=torch.bfloat16):
                found.append(model(inputs(part)).alpha[:, 0].float().cpu())
        predicted, truth = torch.cat(found), self.batch["alpha"].float() / 255
        coarse = self.batch["coarse"].float() / 255
        band = F.max_pool2d(((truth > 0.01) & (truth < 0.99)).float()[:, None], 9, 1, 4)[:, 0]
        metrics = {}
        for k, kind in enumerate(("hair", "plain", "lattice")):
            b = band[k::3]
            metrics[kind] = float(((predicted - truth).abs()[k::3] * b).sum() / b.sum())
            metrics[f"{kind}_coarse"] = float(((coarse - truth).abs()[k::3] * b).sum() / b.sum())
            cover = F.avg_pool2d((predicted - truth)[k::3, None], 9, 1, 4)[:, 0].abs()
            metrics[f"{kind}_cover"] = float((cover * b).sum() / b.sum())
        off, of_coarse = ((x - truth).abs()[self.from_network] * band[self.from_network] for x in (predicted, coarse))
        metrics["network"] = float(off.sum() / band[self.from_network].sum())
        metrics["network_coarse"] = float(of_coarse.sum() / band[self.from_network].sum())
        metrics["score"] = -(metrics["hair"] + metrics["plain"] + metrics["lattice"]) / 3
        lines = []
        for k in range(min(24, len(predicted) // 3 * 3)):
            image = self.batch["image"][k].permute(1, 2, 0).numpy()
            greys = [
                np.repeat((x[k].numpy() * 255).astype(np.uint8)[..., None], 3, 2) for x in (coarse, predicted, truth)
            ]
            lines.append(np.hstack([image, *greys]))
        page = np.vstack([np.hstack(lines[k : k + 3]) for k in range(0, len(lines), 3)])
        cv2.imwrite(
            str(run / "sheet.png"), cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[..., ::-1]
        )
        return {k: round(v, 5) for k, v in metrics.items()}


def train(plan: Plan, workers: int, batch: int) -> None:
    """Trains, then puts the best weights with their card into the tree."""
    torch.manual_seed(0)
    stream = Stream(Sampler("train", plan.route), seed=2)
    validation = Validation(sampler=Sampler("val", plan.route))
    model, metrics = fit(
        FineNet(), loader(stream, batch, workers), loss, validation, "score", plan, progress=stream.progress
    )
    publish(model, f"fine-{plan.route or 'general'}", card("fine", __doc__ or "", metrics, plan, encoder=False))
