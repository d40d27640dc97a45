"""How long the pools of a job take for a picture, measured here, and what of it networks would take on a card."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from pictures import make
from torch.utils.flop_counter import FlopCounterMode

from hairline.cluster.nodes import Node
from hairline.cluster.placement import allocate
from hairline.cluster.stage_runner import PoolSpec, StageRunner, pool_specs
from hairline.configs.job import Job
from hairline.pipeline.measure import PoolSample, Sampling, in_a_process
from hairline.pipeline.source import Source
from hairline.stages.item import Item
from hairline.stages.networks import compiled

# 10^12 operations a second of one card's tensor cores, bf16 without sparsity, as NVIDIA's data sheets have it
PEAK = {"A10G": 70.0, "L4": 121.0, "L40S": 362.0, "A100": 312.0, "A100-80G": 312.0, "H100": 989.0, "H200": 989.0}


@dataclass(frozen=True)
class Measured:
    """A job's pools on some pictures.

    Attributes:
        samples: of each pool, all on the CPU.
        seconds: of a core for one picture, in each pool. Of the processor and not of the clock, so that they hold on a
            machine that has other things to do.
        inside: of those of the networks' pool, in networks.
        operations: multiplications and additions of the networks for one picture.
    """

    pictures: int
    samples: list[PoolSample]
    seconds: list[float]
    inside: float
    operations: float


def measured(job: Job, pictures: int, folder: Path) -> Measured:
    """Makes pictures of a megapixel and takes them through the job's pools, one after the other."""
    paths = make(folder, pictures, distinct=min(pictures, 24))
    sources = [Source(path.name, str(path), "", "") for path in paths]
    placements = allocate(job.pools, [Node(256, 8, 80.0)])
    data, samples, seconds, inside, operations = pickle.dumps(sources, protocol=5), [], [], 0.0, 0.0
    for pool, spec in zip(job.pools, pool_specs(job, placements), strict=True):
        spec = replace(spec, gpu=0.0, cpus=1.0)  # several threads wait for each other, and it counts
        sample = in_a_process(Sampling(spec, job.limits, data))
        if spec.is_first:
            came = [Item(each.id, each.uri, data=Path(each.uri).read_bytes(), limits=job.limits) for each in sources]
            data = pickle.dumps(came, protocol=5)
        spent, in_them, counted = processor(spec, data, count=bool(pool.gpu_memory_gib))
        inside, operations = inside + in_them, operations + counted
        samples.append(sample)
        seconds.append(spent / pictures)
        data = sample.data
    return Measured(pictures, samples, seconds, inside / pictures, operations / pictures)


def processor(spec: PoolSpec, data: bytes, count: bool) -> tuple[float, float, float]:
    """Processor seconds of a pool's stages for all items of a sample, those in networks, and these's operations."""
    with mock.patch.object(compiled, "engine", return_value="torch"):  # whose modules and operations are counted
        runner = StageRunner(spec)
    runner.run([pickle.loads(data)[0]])  # what only the first picture pays is left out
    with in_networks() as clock:
        started = time.process_time()
        _run(runner, spec, data)
        total = time.process_time() - started
    if not count:
        return total, 0.0, 0.0
    counter = FlopCounterMode(display=False)
    with counter:
        _run(runner, spec, data)
    return total, clock.seconds, float(counter.get_total_flops())


def _run(runner: StageRunner, spec: PoolSpec, data: bytes) -> None:
    items = [item for item in pickle.loads(data) if not item.ended]
    for at in range(0, len(items), spec.batch):
        runner.run(items[at : at + spec.batch])


class in_networks:
    """Counts processor seconds in modules of torch, in the outermost ones, while the block lasts."""

    def __enter__(self) -> in_networks:
        self.seconds, self._depth, self._since = 0.0, 0, 0.0
        module = torch.nn.modules.module
        self._hooks: list[Any] = [
            module.register_module_forward_pre_hook(self._begin),
            module.register_module_forward_hook(self._end),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _begin(self, *_: object) -> None:
        if not self._depth:
            self._since = time.process_time()
        self._depth += 1

    def _end(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.seconds += time.process_time() - self._since


def on_card(found: Measured, pool: int, card: str, share: float, measured_ms: float = 0.0) -> float:
    """Seconds of one process of the networks' pool for a picture, with a card.

    Args:
        pool: which pool that is.
        share: of the card's published peak that the networks get, 0 to 1.
        measured_ms: as measured on such a card, instead.
    """
    if measured_ms:
        return measured_ms / 1000
    return found.seconds[pool] - found.inside + found.operations / (PEAK[card] * 1e12 * share)
