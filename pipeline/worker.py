"""One process of a pool: reads pictures, runs the pool's stages over them, writes what they made.

Nothing here knows Ray. A worker is called with batches, by up to two threads at a time: while one batch is in
the stages, the next is fetched and the one before is written. The stages themselves never run twice at once.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import torch

from ..stages.base import Settings, Stage, run_stages
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item
from ..stages.limits import Limits
from ..stages.registry import stage_class
from . import ledger
from .marks import Marks
from .names import output_name
from .retry import WRONG_NAME, judge
from .source import Source
from .storage import Folder, display, fetch

THREADS = 8  # of one worker, that wait for storage
PIXELS = 50_000_000  # decoded at the same time; a batch of large pictures goes through in smaller ones


@dataclass(frozen=True)
class WorkerSpec:
    """All that a worker needs to know; travels to its process by pickle.

    Attributes:
        stages: (name, settings) in the order in which they run.
        gpu: share of the card, or number of cards; 0: the stages run on the CPU.
        is_first, is_last: whether the pool reads sources, and whether it writes products and results.
        output: the output folder.
    """

    pool: str
    stages: tuple[tuple[str, Settings], ...]
    cpus: float
    gpu: float
    is_first: bool
    is_last: bool
    limits: Limits
    output: str
    fingerprint: str
    run_id: str


@dataclass
class Task:
    """One picture to do: the source, and the products (names in the output folder) that an earlier run made of it."""

    source: Source
    old: tuple[str, ...] = ()


@dataclass
class Work:
    """One picture on its way from pool to pool."""

    item: Item
    old: tuple[str, ...]


@dataclass
class Summary:
    """What one batch came to.

    Attributes:
        counts: (status, reason) -> pictures.
        seconds: stage -> busy seconds.
        peak_mib: largest resident memory of the process so far.
    """

    counts: dict[tuple[str, str], int]
    seconds: dict[str, float]
    pid: int
    peak_mib: float


class Worker:
    """The stages of one pool, set up, with their reading and writing."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.output = Folder(spec.output, spec.run_id)
        self.marks = Marks(self.output, spec.run_id, spec.pool)
        self._turn = threading.Lock()
        self._threads = max(1, int(spec.cpus))
        self.stages = set_up(spec.pool, spec.stages, self._threads, spec.gpu)

    def start(self, tasks: Sequence[Task]) -> list[Work]:
        """Reads the sources of a batch; what cannot be read comes back as failed."""
        return list(self._storage.map(self._fetch, tasks))

    def work(self, batch: Sequence[Work]) -> None:
        """Runs the stages over a batch."""
        self.marks.guard([each.item for each in batch], self._run, self._turn, self.spec.stages[0][0])

    def write(self, batch: Sequence[Work]) -> list[dict[str, Any]]:
        """Writes the products of a batch; those of an earlier run that are none now are deleted. Returns its rows.

        Raises:
            OSError: nothing can be written any more (disk full, permission gone, no answer from S3).
        """
        return list(self._storage.map(self._write, batch))

    def finish(self, batch: Sequence[Work]) -> Summary:
        """Writes the products of a batch, then its rows. Raises HairlineError when nothing can be written any more."""
        try:
            ledger.write_part(self.output, self.write(batch))
        except Exception as error:
            raise HairlineError(f"output {self.output.root}: cannot be written: {judge(error).detail}") from error
        counts: dict[tuple[str, str], int] = {}
        seconds: dict[str, float] = {}
        for each in batch:
            item = each.item
            counts[item.status, item.reason] = counts.get((item.status, item.reason), 0) + 1
            for stage, spent in item.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + spent
        return Summary(counts, seconds, os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    @cached_property
    def _storage(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    def _fetch(self, task: Task) -> Work:
        source, limits = task.source, self.spec.limits
        item = Item(source.id, display(source.uri), etag=source.etag, category_hint=source.category, limits=limits)
        item.attempts = 1
        started = time.perf_counter()
        try:
            if source.problem:
                raise PictureError("manifest_row", source.problem)
            item.data, item.attempts = fetch(source.uri, limits, source.size)
        except PictureError as error:
            item.fail("fetch", error)
        except MemoryError:
            item.fail("fetch", PictureError("out_of_memory", "reading the file"))
        item.seconds["fetch"] = time.perf_counter() - started
        return Work(item, task.old)

    def _run(self, items: Sequence[Item]) -> None:
        torch.set_num_threads(self._threads)  # each thread has its own setting
        for group in _groups(items):
            run_stages(self.stages, group)
            for item in group:
                if self.spec.is_last:
                    item.finish()
                item.forget_pixels()  # decoded pixels do not wait for the rest of the batch

    def _write(self, work: Work) -> dict[str, Any]:
        item, outputs = work.item, {}
        started = time.perf_counter()
        made = {product: output_name(product, item.id, out.ext) for product, out in item.outputs.items()}
        try:
            for product, name in made.items():
                self.output.write(name, item.outputs[product].data)
                outputs[product] = self.output.uri(name)
        except OSError as error:
            if error.errno not in WRONG_NAME:
                raise
            item.fail("write", PictureError("write", judge(error).detail))
            outputs = {}
        for name in {*work.old, *made.values()} - {made[product] for product in outputs}:
            self.output.delete(name)
        item.seconds["write"] = time.perf_counter() - started
        item.release()
        return ledger.row(item, outputs, self.spec.fingerprint, self.spec.run_id)


def set_up(pool: str, stages: Sequence[tuple[str, Settings]], threads: int, gpu: float) -> list[Stage[Settings]]:
    """The stages of a pool, ready, in a process that is theirs alone.

    Args:
        gpu: share of the card, or number of cards; 0: the stages run on the CPU.

    Raises:
        HairlineError: there is no GPU, or weights are missing or damaged.
    """
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    if gpu and not torch.cuda.is_available():
        raise HairlineError(f"pool {pool} asks for a GPU, but torch finds none")
    if 0 < gpu < 1:
        torch.cuda.set_per_process_memory_fraction(gpu)
    ready = [stage_class(name)(settings) for name, settings in stages]
    for stage in ready:
        stage.setup(torch.device("cuda" if gpu else "cpu"))
    return ready


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    """The items in groups of at most `PIXELS`, so that a batch of large pictures does not take the memory."""
    group: list[Item] = []
    pixels = 0
    for item in items:
        size = 0
        if not item.ended:
            with contextlib.suppress(PictureError):  # the first stage will say so
                size = item.picture.width * item.picture.height
        if group and pixels + size > PIXELS:
            yield group
            group, pixels = [], 0
        group.append(item)
        pixels += size
    if group:
        yield group
