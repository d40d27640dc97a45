"""Measuring pools on some real pictures: each pool in a process of its own, as in a run, but nothing is written."""

from __future__ import annotations

import pickle
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from ..cluster.stage_runner import PoolSpec, StageRunner
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item
from ..stages.limits import Limits
from .fetch import fetch
from .source import Source, item_of

Start = Callable[["Sampling"], "PoolSample"]


@dataclass(frozen=True)
class Sampling:
    """What is measured in one process: travels to it by pickle.

    Attributes:
        data: what the pool before has left: pickled items; for the first pool the sources.
    """

    pool: PoolSpec
    limits: Limits
    data: bytes


@dataclass
class PoolSample:
    """What one process of a pool took for the sample.

    Attributes:
        pictures: of the sample that were not yet ended when they came to the pool.
        seconds: stage -> busy seconds, `fetch` included in the first pool.
        peak_mib: largest resident memory of the process; gpu_mib: of the card's, by torch's own account.
        bytes_in: bytes of the sources (first pool) or of the items that came; bytes_out: of the items or products.
        counts: status -> pictures that ended here.
        setup_s: to load the networks.
    """

    pool: str
    stages: tuple[str, ...]
    pictures: int
    seconds: dict[str, float]
    peak_mib: float
    gpu_mib: float
    bytes_in: int
    bytes_out: int
    setup_s: float
    counts: Counter[str] = field(default_factory=Counter)
    data: bytes = b""

    @property
    def busy_s(self) -> float:
        """Seconds in the stages; fetching goes on beside them."""
        return sum(spent for stage, spent in self.seconds.items() if stage != "fetch")


def measure(
    pools: Sequence[PoolSpec], limits: Limits, sources: Sequence[Source], start: Start | None = None
) -> list[PoolSample]:
    """Takes pictures through all pools, one pool after the other.

    Args:
        start: runs one measurement where its pool would run; in a process of this machine without it.

    Raises:
        HairlineError: a process died, or its stages cannot be set up.
    """
    data, samples = pickle.dumps(list(sources), protocol=5), []
    for pool in pools:
        sample = (start or in_a_process)(Sampling(pool, limits, data))
        data, sample.data = sample.data, b""
        samples.append(sample)
    return samples


def in_a_process(sampling: Sampling) -> PoolSample:
    """Measures in a fresh process of this machine, so that no pool's memory counts for another."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(measure_pool, sampling).result()
        except BrokenProcessPool as error:
            raise HairlineError(
                f"the sample ended a process of pool {sampling.pool.name}: too little memory, or a picture that a "
                "decoder cannot bear; take another sample"
            ) from error


def measure_pool(sampling: Sampling) -> PoolSample:
    """Measures one pool in this process, which should be a fresh one."""
    import torch

    pool, started = sampling.pool, time.perf_counter()
    runner = StageRunner(pool)
    setup_s = time.perf_counter() - started
    came: list[Any] = pickle.loads(sampling.data)
    items = [_item(each, sampling.limits) for each in came] if pool.is_first else came
    inside = [item for item in items if not item.ended]
    if inside:  # what only the first picture of a process pays is left out
        runner.run([pickle.loads(pickle.dumps(inside[0]))])
    before = {id(item): dict(item.seconds) for item in items}
    bytes_in = sum(len(item.data) for item in items) if pool.is_first else len(sampling.data)
    for at in range(0, len(inside), pool.batch):
        runner.run(inside[at : at + pool.batch])
    seconds: Counter[str] = Counter()
    for item in items:
        earlier = {} if pool.is_first else before[id(item)]
        for stage, spent in item.seconds.items():
            seconds[stage] += spent - earlier.get(stage, 0.0)
    left = b"" if pool.is_last else pickle.dumps(items, protocol=5)
    products = sum(len(made.data) for item in items for made in item.outputs.values())
    return PoolSample(
        pool.name,
        tuple(name for name, _ in pool.stages),
        len(inside),
        {stage: spent for stage, spent in seconds.items() if spent > 0},
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        torch.cuda.max_memory_reserved() / (1 << 20) if torch.cuda.is_available() and pool.gpu else 0.0,
        bytes_in,
        products if pool.is_last else len(left),
        setup_s,
        Counter(item.status for item in inside if item.ended),
        left,
    )


def _item(source: Source, limits: Limits) -> Item:
    item = item_of(source, limits)
    started = time.perf_counter()
    try:
        if source.problem:
            raise PictureError("manifest_row", source.problem)
        item.data, item.attempts = fetch(source.uri, limits, source.size)
    except PictureError as error:
        item.fail("fetch", error)
    item.seconds["fetch"] = time.perf_counter() - started
    return item
