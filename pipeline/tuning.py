"""From a sample to workers and batches: whoever holds up the others gets the next process, while there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.card_types import card_types, shares
from ..cluster.nodes import Node
from ..cluster.packing import Room
from ..configs.pipeline import PoolConfig
from .measure import PoolSample
from .worker import THREADS

TASK_S = 2.0  # a task of Ray's should last about so long: much less and its cost shows, much more and a kill costs more
BATCHES = (4, 64)  # smallest and largest that is proposed
FREE = 0.75  # of a machine's memory may be taken by processes


@dataclass(frozen=True)
class Proposal:
    """A pool as the sample would have it.

    Attributes:
        seconds: of one process, for one picture of the catalog; those that never come to the pool count as none.
        workers: processes that find room.
        batch: pictures.
        why: for people.
    """

    pool: str
    seconds: float
    workers: int
    batch: int
    why: str

    @property
    def rate(self) -> float:
        """Pictures of the catalog per second, of all its processes."""
        return self.workers / self.seconds if self.seconds else math.inf

    @property
    def range(self) -> int | list[int]:
        """As the job file has it: at rest a quarter."""
        return self.workers if self.workers < 4 else [max(1, self.workers // 4), self.workers]


def needs(samples: Sequence[PoolSample], pictures: int) -> list[float]:
    """Seconds of one process of each pool for one picture of the catalog.

    Fetching goes on beside the stages, in several threads; where it takes longer than they do, it counts.
    """
    return [max(each.busy_s, each.seconds.get("fetch", 0.0) / THREADS) / max(pictures, 1) for each in samples]


def throughput(seconds: Sequence[float], workers: Sequence[int]) -> float:
    """Pictures per second of a chain of pools: that of the slowest."""
    return min((count / spent for spent, count in zip(seconds, workers, strict=True) if spent), default=0.0)


def propose(
    pools: Sequence[PoolConfig],
    samples: Sequence[PoolSample],
    seconds: Sequence[float],
    nodes: Sequence[Node],
    memory_mib: float = math.inf,
) -> tuple[list[Proposal], Room]:
    """Workers and batches for some nodes.

    One process of each pool, then, again and again, one more of the pool that would hold up the others, until that
    pool finds no more room; whoever is faster needs no more.

    Args:
        seconds: of one process of each pool for one picture, from `needs`.
        memory_mib: of all nodes together, MiB, where it is known.

    Returns:
        A proposal per pool, and the nodes as they are then.
    """
    kinds = card_types(nodes)
    taken = [shares(pool, kinds) for pool in pools]
    room = Room(nodes)
    counts = [1 if room.put(pool.cpus, share) else 0 for pool, share in zip(pools, taken, strict=True)]
    while all(counts):
        slowest = min(range(len(pools)), key=lambda i: counts[i] / seconds[i] if seconds[i] else math.inf)
        took = sum(each.peak_mib * count for each, count in zip(samples, counts, strict=True))
        if took + samples[slowest].peak_mib > memory_mib * FREE:
            limit = "memory"
            break
        if not seconds[slowest] or not room.put(pools[slowest].cpus, taken[slowest]):
            limit = "cards" if taken[slowest] else "cores"
            break
        counts[slowest] += 1
    else:
        limit = "nodes"
    rate = throughput(seconds, counts)
    found = []
    for pool, spent, count in zip(pools, seconds, counts, strict=True):
        slow = spent and math.isclose(count / spent, rate, rel_tol=1e-6)
        why = f"keeps up with {rate:.3g} pictures/s"
        if slow:
            why = f"holds up the others; no more {limit} free" if len(pools) > 1 else f"as many as the {limit} allow"
        found.append(Proposal(pool.name, spent, max(count, 1), _batch(spent), why))
    return found, room


def _batch(seconds: float) -> int:
    """A power of two, for a task of about two seconds."""
    low, high = BATCHES
    return min(high, max(low, 2 ** round(math.log2(TASK_S / seconds)))) if seconds else high


def tuned(data: dict[str, Any], proposals: Sequence[Proposal]) -> dict[str, Any]:
    """A job file's data with the proposed workers and batches."""
    pools = [
        {**pool, "workers": each.range, "batch": each.batch}
        for pool, each in zip(data["pools"], proposals, strict=True)
    ]
    return {**data, "pools": pools}
