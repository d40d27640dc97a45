"""How many processes each pool gets on the nodes that there are, and whether they fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..configs.pipeline import PoolConfig
from ..stages.errors import HairlineError
from .nodes import Node

_ADVICE = ": ask for less (workers, cpus, gpu, gpu_memory_gib of the pools) or take a larger machine"


@dataclass(frozen=True)
class Placement:
    """A pool as it will run: processes at least, at most and at first, and what each one takes.

    Attributes:
        gpu: share of one card, or whole cards.
    """

    pool: PoolConfig
    smallest: int
    largest: int
    first: int
    gpu: float

    def as_dict(self) -> dict[str, Any]:
        sizes = {"smallest": self.smallest, "largest": self.largest, "first": self.first, "gpu": self.gpu}
        return {**self.pool.model_dump(mode="json"), **sizes}


def allocate(pools: Sequence[PoolConfig], nodes: Sequence[Node], batches: int | None = None) -> list[Placement]:
    """How many processes each pool gets.

    `auto` is as many as fit for a single pool; of several, one at least and all at most.

    Args:
        batches: how many batches there are to do; no pool gets more processes.

    Raises:
        HairlineError: the pools do not fit even at their smallest; says what was asked and what there is.
    """
    shares = [_gpu_share(pool, nodes) for pool in pools]
    ranges = [_range(pool, share, nodes, len(pools)) for pool, share in zip(pools, shares, strict=True)]
    counts = [low for low, _ in ranges]
    if not _fits(pools, shares, counts, nodes):
        raise HairlineError(f"the pools do not fit: {_asked(pools, shares, counts)}; there is {_there(nodes)}{_ADVICE}")
    if batches is not None:
        ranges = [(min(low, max(batches, 1)), min(high, max(batches, 1))) for low, high in ranges]
        counts = [low for low, _ in ranges]
    growing = True
    while growing:  # spread what is left, one process at a time, so that all pools start with a fair part
        growing = False
        for index, (_, high) in enumerate(ranges):
            more = [*counts[:index], counts[index] + 1, *counts[index + 1 :]]
            if more[index] <= high and _fits(pools, shares, more, nodes):
                counts, growing = more, True
    return [
        Placement(pool, low, high, first, share)
        for pool, (low, high), first, share in zip(pools, ranges, counts, shares, strict=True)
    ]


def _gpu_share(pool: PoolConfig, nodes: Sequence[Node]) -> float:
    if not pool.gpu_memory_gib:
        return pool.gpu
    cards = [node.gpu_gib for node in nodes if node.gpus]
    asked = f"the pools do not fit: {pool.name} asks for {pool.gpu_memory_gib:g} GiB of a GPU"
    if not cards:
        raise HairlineError(f"{asked}; there is none{_ADVICE}")
    if pool.gpu_memory_gib > min(cards):
        raise HairlineError(f"{asked}; the smallest has {min(cards):.3g} GiB{_ADVICE}")
    return math.ceil(pool.gpu_memory_gib / min(cards) * 1e4) / 1e4  # Ray counts in ten-thousandths


def _range(pool: PoolConfig, share: float, nodes: Sequence[Node], pools: int) -> tuple[int, int]:
    if isinstance(pool.workers, tuple):
        return pool.workers
    if isinstance(pool.workers, int):
        return pool.workers, pool.workers
    most = 0
    for node in nodes:
        by_gpu = (
            math.inf if not share else node.gpus * math.floor(1 / share + 1e-9) if share <= 1 else node.gpus // share
        )
        most += int(min(node.cpus // pool.cpus, by_gpu))
    return (max(most, 1) if pools == 1 else 1), max(most, 1)


def _fits(pools: Sequence[PoolConfig], shares: Sequence[float], counts: Sequence[int], nodes: Sequence[Node]) -> bool:
    """First fit, the largest first, as Ray places processes: a share lies on one card, whole cards in one node."""
    cpus = [node.cpus for node in nodes]
    cards = [[1.0] * node.gpus for node in nodes]
    order = sorted(range(len(pools)), key=lambda i: (-shares[i], -pools[i].cpus))
    for index in order:
        for _ in range(counts[index]):
            for node in range(len(nodes)):
                if cpus[node] + 1e-9 >= pools[index].cpus and _take(cards[node], shares[index]):
                    cpus[node] -= pools[index].cpus
                    break
            else:
                return False
    return True


def _take(cards: list[float], share: float) -> bool:
    needed, part = (1, share) if share <= 1 else (int(share), 1.0)
    free = [i for i, left in enumerate(cards) if left + 1e-9 >= part]
    if share and len(free) < needed:
        return False
    for i in free[:needed] if share else []:
        cards[i] -= part
    return True


def _asked(pools: Sequence[PoolConfig], shares: Sequence[float], counts: Sequence[int]) -> str:
    each = []
    for pool, share, count in zip(pools, shares, counts, strict=True):
        gpu = f" and {share:.3g} GPU" if share else ""
        each.append(f"{pool.name} asks for {count} × {pool.cpus:g} CPU{gpu}")
    return ", ".join(each)


def _there(nodes: Sequence[Node]) -> str:
    gpus = sum(node.gpus for node in nodes)
    where = f" in {len(nodes)} nodes" if len(nodes) > 1 else ""
    return f"{sum(node.cpus for node in nodes):g} CPU and {gpus or 'no'} GPU{where}"
