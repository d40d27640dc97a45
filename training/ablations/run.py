"""One training run of one variant: seeded, on the loop that all recipes share, its cost noted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..loop import Batch, Plan, Stream, fit, loader

Figures = dict[str, float]
Make = Callable[[np.random.Generator, float], dict[str, np.ndarray]]
Loss = Callable[[nn.Module, Batch], Tensor]
Validate = Callable[[nn.Module, Path], Figures]


@dataclass
class Run:
    """What a variant is given. `cost` fills up with what it took: samples seen, parameters, operations."""

    folder: Path
    seed: int
    minutes: float
    threads: int = 0
    workers: int = 1
    batch: int = 32
    cost: dict[str, float] = field(default_factory=dict)

    def learn(
        self,
        model: Callable[[], nn.Module],
        make: Make,
        loss: Loss,
        validate: Validate,
        score: str,
        share: float = 1.0,
        part: str = "",
        lr: float = Plan.lr,
        encoder_lr: float = Plan.encoder_lr,
    ) -> tuple[nn.Module, Figures]:
        """Trains a model for a share of the minutes; the best averaged one and its figures.

        Args:
            part: names the training where a variant has several; each has a folder of its own.
        """
        torch.manual_seed(self.seed)
        plan = Plan(self.minutes * share, self.folder / part, lr, encoder_lr, threads=self.threads)
        plan.validate_every = plan.minutes  # at the end, and the early look
        stream = Stream(make, seed=1000 + self.seed)
        batches = loader(stream, self.batch, self.workers)
        made = model()
        trained, figures = fit(made, batches, loss, validate, score, plan, stream.progress)
        last = json.loads((plan.run / "log.jsonl").read_text().splitlines()[-1])
        self.cost[f"seen{part}"] = last["seen"]
        self.cost[f"parameters{part}"] = sum(p.numel() for p in trained.parameters())
        return trained, figures


def gmacs(model: nn.Module, *shapes: tuple[int, ...]) -> float:
    """Billions of multiply-adds of one forward pass over inputs of these shapes."""
    device = next(model.parameters()).device
    model = model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*(torch.zeros(shape, device=device) for shape in shapes))
    return round(counter.get_total_flops() / 2e9, 3)


Variant = Callable[[Run], Figures]


def load_results(runs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(runs.glob("*/*.json"))]
