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
    """Copies the coarse network's encoder into `model.encoder`, where there is one that fits.

    Looks for the published weights, then for the best ones so far of a run beside this one.
    """
    for path in (weights.FOLDER / "coarse-general.safetensors", plan.run.parent / "coarse" / "best.safetensors"):
        if fits(model, path):
            print(f"encoder starts from {path}")
            return model
    print("encoder starts from scratch")
    return model


def fits(model: nn.Module, path: Path) -> bool:
    """Loads `encoder.*` of a weight file into the model, if its shapes are the same."""
    if not path.is_file():
        return False
    found = {k.removeprefix("encoder."): v.float() for k, v in load_file(path).items() if k.startswith("encoder.")}
    own = model.get_submodule("encoder").state_dict()
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in own.items()}:
        return False
    model.get_submodule("encoder").load_state_dict({k: v.to(own[k].dtype) for k, v in found.items()})
    return True
