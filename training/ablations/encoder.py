"""(h) What the coarse network's encoder is and where it starts: EfficientNet-Lite0 from ImageNet's weights, as shipped,
the same from scratch, and a residual network of the same cost from scratch; the same samples for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from torch import Tensor, nn

from ...stages.networks.blocks import ConvBN, Encoder, Residual
from ...stages.networks.coarse import SIZE, CoarseNet
from .. import coarse, pretrained
from ..loop import Plan
from .run import Figures, Run, Variant, gmacs

WIDTHS = (24, 32, 72, 112, 176)  # channels at strides 2, 4, 8, 16, 32
DEPTHS = (2, 2, 2, 2)  # residual blocks at strides 4, 8, 16, 32


class ResidualEncoder(Encoder):
    """A plain residual network (He et al. 2016)."""

    widths = WIDTHS

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBN(3, WIDTHS[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(before, width, stride=2), *(Residual(width, width) for _ in range(depth - 1)))
            for before, width, depth in zip(WIDTHS[:-1], WIDTHS[1:], DEPTHS, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.stem((x - 0.45) * 4.0)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features


def lite_from_scratch() -> CoarseNet:
    """The shipped network without ImageNet's weights, all of it to be trained."""
    net = CoarseNet().requires_grad_(True)
    net.encoder.fixed = 0
    return net


@lru_cache(maxsize=1)
def _fixed() -> tuple[coarse.Sampler, coarse.Validation]:
    return coarse.Sampler("train"), coarse.Validation()


def _variant(network: Callable[[], CoarseNet], encoder_lr: float) -> Variant:
    def run(run: Run) -> Figures:
        sampler, validation = _fixed()
        model, figures = run.learn(network, sampler, coarse.loss, validation, "iou", encoder_lr=encoder_lr)
        run.cost["gmacs"] = gmacs(model, (1, 3, SIZE, SIZE))
        return figures

    return run


VARIANTS = {
    "lite_imagenet": _variant(lambda: pretrained.load_imagenet(CoarseNet()), Plan.encoder_lr),
    "lite_scratch": _variant(lite_from_scratch, 1.0),
    "residual_scratch": _variant(lambda: CoarseNet(ResidualEncoder()), 1.0),
}
