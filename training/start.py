"""Starting a network's encoder from one that has already learned to see."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file
from torch import nn

from ..stages import weights
from .loop import Plan

N = TypeVar("N", bound=nn.Module)


def encoder_start(model: N, plan: Plan) -> N:
    """Copies the layers of the coarse network's encoder that fit into `model.encoder`, where there is such a one.

    Looks for the best weights of a coarse run beside this one, then for the published ones.
    """
    for path in (plan.run.parent / "coarse" / "best.safetensors", weights.FOLDER / "coarse-general.safetensors"):
        if path.is_file():
            print(f"{copy_encoder(model, path)} tensors of the encoder start from {path.name}")
            return model
    print("encoder starts from scratch")
    return model


def copy_encoder(model: nn.Module, path: Path) -> int:
    """Copies the `encoder.*` tensors of a weight file that the model's encoder has in the same shape; how many."""
    own = model.get_submodule("encoder").state_dict()
    found = {k.removeprefix("encoder."): v for k, v in load_file(path).items() if k.startswith("encoder.")}
    same = {k: v.to(own[k].dtype) for k, v in found.items() if k in own and v.shape == own[k].shape}
    model.get_submodule("encoder").load_state_dict(same, strict=False)
    return len(same)
