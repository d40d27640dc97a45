"""Small pictures first: shapes are learned from fewer pixels at half the cost, detail at the end."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from .loop import Batch

SMALL = 128  # side of the early pictures, pixels
UNTIL = 0.6  # share of the budget that is spent on them


def growing(batches: Iterator[Batch], progress: Tensor) -> Iterator[Batch]:
    """The batches with their `image` [N, 3, S, S] averaged down to `SMALL` until `UNTIL` of the budget is spent."""
    for batch in batches:
        if float(progress) < UNTIL:
            batch["image"] = F.interpolate(batch["image"].float(), (SMALL, SMALL), mode="area")
        yield batch
