"""What a search may choose, what each choice costs, and which choices a limit leaves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from ..stages import checkpoints
from ..stages.errors import HairlineError
from ..stages.networks.exported import ExportedNet, Form
from ..stages.networks.lite import LiteEncoder
from .examine import SIZE
from .heads import one_thread

LEVELS = (3, 4, 5)
SIZES = (128, 160, 192, 224)
HIDDEN = (0, 128, 256)


@dataclass(frozen=True)
class Limits:
    """What the classifier may cost at most.

    Attributes:
        milliseconds: for one picture, on one thread or on the GPU; 0: any.
        parameters: of encoder and head; 0: any.
    """

    milliseconds: float = 0.0
    parameters: int = 0

    def allow(self, milliseconds: float, parameters: int) -> bool:
        return (not self.milliseconds or milliseconds <= self.milliseconds) and (
            not self.parameters or parameters <= self.parameters
        )


def cost(size: int, levels: int, hidden: int = 0) -> tuple[float, int]:
    """What a classifier of ten classes costs: milliseconds for one picture, and parameters."""
    form = Form(labels=tuple(map(str, range(10))), size=size, levels=levels, hidden=hidden)
    return milliseconds(size, levels), sum(each.numel() for each in ExportedNet(form).parameters())


@lru_cache(maxsize=64)
def milliseconds(size: int, levels: int) -> float:
    """What the encoder takes for one picture, the fastest of several; the head takes next to nothing."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = checkpoints.inference(LiteEncoder(levels).eval(), device)
    x = torch.zeros(1, 3, size, size, device=device, dtype=checkpoints.precision(device))
    x = x.contiguous(memory_format=torch.channels_last)
    took = []
    with one_thread(), torch.inference_mode():
        for _ in range(6):
            started = time.perf_counter()
            encoder(x)
            if device.type == "cuda":
                torch.cuda.synchronize()
            took.append(time.perf_counter() - started)
    return round(1000 * min(took), 2)


def allowed(limits: Limits, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(size, levels) of the classifiers that keep to the limits.

    Raises:
        HairlineError: there are none.
    """
    forms = [(size, levels) for size in sizes for levels in LEVELS]
    found = [(size, levels) for size, levels in forms if limits.allow(*cost(size, levels))]
    if not found:
        least = min(cost(size, levels) for size, levels in forms)
        raise HairlineError(
            f"no classifier keeps to the limits: the smallest takes {least[0]:g} ms and {least[1]:,} parameters; raise "
            "--max-ms or --max-parameters"
        )
    return found


@dataclass(frozen=True)
class HeadSpace:
    """How Optuna draws a head on cached features; it is pickled with the search.

    Attributes:
        starts, levels, hidden: to choose from.
    """

    starts: tuple[str, ...]
    levels: tuple[int, ...]
    hidden: tuple[int, ...]

    @classmethod
    def within(cls, starts: Sequence[str], limits: Limits) -> HeadSpace:
        """What the limits leave. Raises HairlineError: nothing."""
        levels = sorted({levels for _, levels in allowed(limits, [SIZE])}, reverse=True)
        hidden = [units for units in HIDDEN if limits.allow(*cost(SIZE, max(levels), units))]
        return cls(tuple(starts), tuple(levels), tuple(hidden or [0]))

    def __call__(self, trial: Any) -> dict[str, Any]:
        trial.suggest_categorical("start", self.starts)
        trial.suggest_categorical("levels", self.levels)
        trial.suggest_categorical("hidden", self.hidden)
        trial.suggest_float("lr", 5e-4, 2e-2, log=True)
        trial.suggest_float("weight_decay", 1e-3, 0.5, log=True)
        trial.suggest_float("dropout", 0.0, 0.7)
        trial.suggest_float("smoothing", 0.0, 0.2)
        trial.suggest_float("balance", 0.0, 1.0)
        return {"size": SIZE, "tuned": False}


@dataclass(frozen=True)
class TunedSpace:
    """How Optuna draws an encoder that learns along.

    Attributes:
        starts: to choose from.
        forms: likewise, `<size>x<levels>`.
    """

    starts: tuple[str, ...]
    forms: tuple[str, ...]

    @classmethod
    def within(cls, starts: Sequence[str], limits: Limits) -> TunedSpace:
        """What the limits leave, the deeper ones where there are any. Raises HairlineError: nothing."""
        there = allowed(limits, SIZES)
        deep = [form for form in there if form[1] > min(LEVELS)] or there
        return cls(tuple(starts), tuple(f"{size}x{levels}" for size, levels in deep))

    def __call__(self, trial: Any) -> dict[str, Any]:
        trial.suggest_categorical("start", self.starts)
        trial.suggest_categorical("form", self.forms)
        trial.suggest_categorical("schedule", ("cosine", "constant"))
        trial.suggest_float("lr", 1e-4, 3e-3, log=True)
        trial.suggest_float("weight_decay", 1e-3, 0.1, log=True)
        trial.suggest_float("augment", 0.0, 1.0)
        trial.suggest_float("smoothing", 0.0, 0.2)
        trial.suggest_float("balance", 0.0, 1.0)
        return {"tuned": True}
