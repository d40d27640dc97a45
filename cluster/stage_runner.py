"""What a pool's process is: some stages, ready, and the one place that runs them. Serves runs and the service alike.

Nothing here knows Ray.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import torch

from ..configs.pipeline import PipelineConfig
from ..stages.base import Settings, Stage, is_due, run_stage
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item
from ..stages.registry import stage_class
from ..stages.state import pack
from .placement import Placement

ItemType = TypeVar("ItemType", bound=Item)


@dataclass(frozen=True)
class PoolSpec:
    """What a process of a pool needs to know to run its stages; travels to it by pickle.

    Attributes:
        stages: (name, settings) in the order in which they run.
        cpus: cores of the process.
        gpu: share of one card (0 to 1), or number of cards; 0: the stages run on the CPU.
        batch, batch_pixels: pictures, and their pixels, that go through the stages together at most.
        restart_at: stages before which the state of a picture is kept, for a later run to start there.
        spared: stages that no picture should need; their networks are loaded only when one comes that does.
        is_first, is_last: whether pictures start and end in this pool.
    """

    name: str
    stages: tuple[tuple[str, Settings], ...]
    cpus: float
    gpu: float
    batch: int
    batch_pixels: int = 50_000_000
    restart_at: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()
    is_first: bool = True
    is_last: bool = True

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


def pool_specs(
    config: PipelineConfig,
    placements: Sequence[Placement],
    restart_at: Sequence[str] = (),
    spared: Sequence[str] = (),
) -> list[PoolSpec]:
    """One for each pool of a job or service, in the order in which pictures go through them.

    Args:
        restart_at: stages, by their names in the job, before which the state of a picture is kept.
        spared: stages, by their names in rows, that no picture should need.
    """
    last = len(placements) - 1
    return [
        PoolSpec(
            each.pool.name,
            tuple((name, config.stages[name]) for name in each.pool.stages),
            each.pool.cpus,
            each.gpu,
            each.pool.batch,
            each.pool.batch_pixels,
            frozenset(stage_class(name).name for name in restart_at),
            frozenset(spared),
            is_first=number == 0,
            is_last=number == last,
        )
        for number, each in enumerate(placements)
    ]


class StageRunner:
    """The stages of one pool, ready, in a process that is theirs alone."""

    def __init__(self, spec: PoolSpec) -> None:
        """Loads the networks, but for those that are spared.

        Raises:
            HairlineError: there is no GPU, or weights are missing or damaged.
        """
        self.spec = spec
        torch.set_num_threads(spec.threads)
        cv2.setNumThreads(spec.threads)
        if spec.gpu and not torch.cuda.is_available():
            raise HairlineError(f"pool {spec.name} asks for a GPU, but torch finds none")
        if 0 < spec.gpu < 1:
            torch.cuda.set_per_process_memory_fraction(spec.gpu)
        self.stages: list[Stage[Settings]] = [stage_class(name)(settings) for name, settings in spec.stages]
        self._unloaded = set(spec.spared)
        for stage in self.stages:
            if stage.name not in self._unloaded:
                self._load(stage)

    def run(self, items: Sequence[Item]) -> None:
        """Takes items through the stages, in place; no error of a picture leaves this.

        Large pictures go in groups of at most `batch_pixels`, so that a batch of them does not take the memory. In the
        last pool what has not ended is `ok` then.
        """
        torch.set_num_threads(self.spec.threads)  # each thread has its own setting
        for group in groups(items, self.spec.batch_pixels):
            for stage in self.stages:
                if stage.name in self.spec.restart_at:
                    _keep(stage.name, group)
                if stage.name in self._unloaded and any(is_due(stage, item) for item in group):
                    self._load(stage)
                run_stage(stage, group)
            for item in group:
                if self.spec.is_last:
                    item.finish()
                item.forget_pixels()  # decoded pixels do not wait for the rest of the batch

    def _load(self, stage: Stage[Settings]) -> None:
        stage.setup(torch.device("cuda" if self.spec.gpu else "cpu"))
        self._unloaded.discard(stage.name)


def _keep(stage: str, items: Sequence[Item]) -> None:
    for item in items:
        if not item.ended and stage not in item.done:
            item.states[stage] = pack(item)


def groups(items: Sequence[ItemType], most: int) -> Iterator[list[ItemType]]:
    """The items in groups of at most so many pixels; a larger one goes alone, and what cannot be read counts none."""
    group: list[ItemType] = []
    pixels = 0
    for item in items:
        size = 0
        if not item.ended:
            with contextlib.suppress(PictureError):  # the first stage will say so
                size = item.picture.width * item.picture.height
        if group and pixels + size > most:
            yield group
            group, pixels = [], 0
        group.append(item)
        pixels += size
    if group:
        yield group
