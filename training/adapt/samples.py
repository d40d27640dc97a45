"""What the networks learn from one catalog: its pictures, and its own subjects before its own backgrounds.

Where there are training pictures (`$HAIRLINE_DATA`) a share of the samples comes from them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from ...stages import checkpoints
from ...stages.coarse import predict_alpha
from ...stages.networks.blocks import fold_bn
from ...stages.networks.coarse import CoarseNet
from .. import coarse_samples, data, fine
from ..coarse_samples import cut_out, taught_trust
from ..data import U8
from ..synth import composite as c
from .teaching import Known

PHOTO_SHARE = 0.7  # of the samples of the catalog that are its pictures; the others are composites
OLD_SHARE = 0.35  # of all samples, where there are training pictures
FINE_DOUBT = 0.15  # of a teacher's mask whose edge the fine network learns from
TRIES = 4  # to find a picture on whose subject the coarse network agrees
CLEAR_SIDE = 64  # least side of a part without a subject that serves as a background, pixels
MARGIN = 0.04  # kept between such a part and the subject, share of the picture's longer side
Sample = dict[str, np.ndarray]


def old_pictures(sampler: type[coarse_samples.Sampler]) -> coarse_samples.Sampler | None:
    """A recipe's sampler over the training pictures, where `$HAIRLINE_DATA` names them."""
    return sampler("train") if os.environ.get("HAIRLINE_DATA") else None


class _Catalog:
    """What both samplers take from the catalog.

    Attributes:
        known: its labelled pictures.
        foregrounds, backgrounds, empty: as `coarse_samples.Sampler` has them.
    """

    category = "product_simple"  # of its subjects: one that both recipes draw

    def __init__(self, known: Sequence[Known]) -> None:
        self.known = list(known)
        cut = [f for each in known if (f := cut_out(each.photo, self.category))]
        self.foregrounds = {self.category: cut} if cut else {}
        self.backgrounds = [part for each in known if (part := clear_part(each.photo)) is not None]
        self.empty = self.backgrounds
        self.varied = False  # what it has no pictures of is not made up
        self.things: list[U8] = []

    def drawn(self, rng: np.random.Generator, known: Sequence[Known]) -> Known:
        return known[rng.integers(len(known))]


class CoarseSampler(_Catalog, coarse_samples.Sampler):
    """As the coarse recipe's, with `anchor`, uint8: whether the sample shows what the shipped weights have right."""

    def __init__(self, known: Sequence[Known], old: coarse_samples.Sampler | None) -> None:
        super().__init__(known)
        self.old = old

    def __call__(self, rng: np.random.Generator, progress: float) -> Sample:
        return super().__call__(rng, 0.5 + progress / 2)  # at both sides of the stage from the beginning

    def sample(self, rng: np.random.Generator, size: int) -> Sample:
        if self.old and rng.random() < OLD_SHARE:
            return {**self.old.sample(rng, size), "anchor": np.uint8(0)}
        anchor = False
        if not self.foregrounds or rng.random() < PHOTO_SHARE:
            each = self.drawn(rng, self.known)
            photo, anchor = each.photo, each.anchored
            picture, alpha, weight = c.cut_weighed(photo.rgb, photo.alpha, photo.weight, size, rng)
            trust = weight if each.corrected else taught_trust(alpha, photo.doubt) * weight
            picture = c.relight(picture, rng, 0.6)
        else:
            picture, alpha, _ = self.composite(rng, size)
            trust = coarse_samples.edge_trust(alpha)
        image = c.camera(picture, rng, 0.7)
        maps = {"alpha": coarse_samples.to8(alpha), "trust": coarse_samples.to8(trust), "anchor": np.uint8(anchor)}
        return {"image": image.transpose(2, 0, 1).copy(), **maps}

    def background(self, rng: np.random.Generator, size: int, empty: bool) -> c.F32:
        return super().background(rng, size, empty) if self.backgrounds else c.studio(size, rng)


class FineSampler(_Catalog, fine.Sampler):
    """As the fine recipe's: half of the subjects without hair are the catalog's pictures as they are.

    Args:
        coarse: weight file of the coarse network whose answers are refined.
    """

    def __init__(self, known: Sequence[Known], coarse: Path, old: coarse_samples.Sampler | None) -> None:
        super().__init__(known)
        self.sharp = [each for each in known if each.photo.doubt <= FINE_DOUBT]
        self.coarse, self.old = coarse, old
        self.queue: list[Sample] = []

    def __call__(self, rng: np.random.Generator, progress: float) -> Sample:
        if self.old and rng.random() < OLD_SHARE:
            return self.old(rng, progress)
        return super().__call__(rng, progress)

    def scene(
        self, rng: np.random.Generator, size: int, kind: str, area: tuple[float, float], wander: float
    ) -> tuple[U8, c.F32]:
        as_it_is = self.sharp and rng.random() < (0.5 if self.foregrounds else 1.0)
        if kind in ("", "plain") and as_it_is:
            photo = self.drawn(rng, self.sharp).photo
            picture, alpha = c.cut(photo.rgb, photo.alpha, size, rng)
            return c.camera(c.relight(picture, rng, 0.5), rng, 0.6), alpha
        if not self.foregrounds and kind == "hair":
            kind = "lattice"
        return super().scene(rng, size, kind, area, wander)

    def from_network(self, rng: np.random.Generator, size: int, kind: str = "") -> Sample:
        for _ in range(TRIES):  # where coarse is wrong there is nothing to refine, and that may be everywhere
            if self.queue and self.queue[-1]["alpha"].shape == (size, size):
                return self.queue.pop()
            self.queue = self._network_crops(rng, size, kind)
        return self.crop(rng, size, kind)

    def background(self, rng: np.random.Generator, size: int, empty: bool) -> c.F32:
        return super().background(rng, size, empty) if self.backgrounds else c.studio(size, rng)

    def _predict_coarse(self, image: np.ndarray) -> list[np.ndarray]:
        (answer,) = predict_alpha(self._network, [image], torch.device("cpu"))
        return [cv2.resize(a, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) for a in answer]

    @cached_property
    def _network(self) -> nn.Module:
        network = checkpoints.load(CoarseNet(), self.coarse)
        return checkpoints.inference(fold_bn(network), torch.device("cpu"))


def clear_part(photo: data.Photo) -> U8 | None:
    """The largest part of a picture beside its subject, uint8 [h, w, 3]; None where that is small."""
    height, width = photo.alpha.shape
    x, y, w, h = cv2.boundingRect((photo.alpha > 12).astype(np.uint8))
    gap = round(MARGIN * max(height, width))
    parts = (
        np.s_[: max(y - gap, 0), :],
        np.s_[y + h + gap :, :],
        np.s_[:, : max(x - gap, 0)],
        np.s_[:, x + w + gap :],
    )
    best = max((photo.rgb[part] for part in parts), key=lambda part: part.shape[0] * part.shape[1])
    return data.shrink(np.ascontiguousarray(best), 320) if min(best.shape[:2]) >= CLEAR_SIDE else None
