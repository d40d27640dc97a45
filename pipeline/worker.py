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
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..cluster.stage_runner import PoolSpec, StageRunner
from ..stages.errors import PictureError
from ..stages.item import Item
from ..stages.limits import Limits
from ..stages.state import State, unpack
from . import lease, ledger
from .atomic import Found, md5
from .decisions import corrected_products
from .fetch import fetch
from .kept import read_kept, write_kept
from .made import Batch, Entry, Old
from .marks import Marks
from .names import output_name
from .outage import Witnesses
from .outdated import start_of
from .preflight import Errand, admit
from .presence import CUT
from .retry import WRONG_NAME, classify_error
from .source import Source, item_of
from .storage import Folder

THREADS = 8  # of one worker, that wait for storage
FILES = 4  # of kept states, in memory at once


@dataclass(frozen=True)
class WorkerSpec:
    """All that a worker needs to know; travels to its process by pickle.

    Attributes:
        pool: the first reads sources, the last writes products and results.
        output: the output folder.
        patience_s: how long storage that is away is waited for, seconds.
        partitions: of the ledger.
        order: all stages of the job, as they run, by their names in rows.
        witnesses: objects of the input that could be read before the start.
        errand: what it is to try first, on a cluster.
        leased: whether it may write only while its run holds the lease on the output.
    """

    pool: PoolSpec
    limits: Limits
    output: str
    fingerprint: str
    run_id: str
    patience_s: float = 0.0
    partitions: int = 1
    order: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    errand: Errand | None = None
    leased: bool = False


@dataclass
class Task:
    """One picture to do.

    Attributes:
        source: where it is.
        old: the products (names in the output, with digests) that an earlier run made of it.
        first: the first stage to run, by its name in rows, where the answers of those before are as they would be now.
        kept: the file with what that run kept of the picture; or nothing.
    """

    source: Source
    old: Old = field(default_factory=dict)
    first: str = ""
    kept: str = ""


@dataclass
class PendingItem:
    """One picture on its way from pool to pool."""

    item: Item
    old: Old


@dataclass
class PlannedWrite:
    """One product on its way into the output. `mine`: whether what was `found` at its name may be replaced."""

    product: str
    name: str
    data: bytes
    digest: str
    found: Found | None
    mine: bool


@dataclass
class Summary:
    """What one batch came to.

    Attributes:
        counts: (status, reason) -> pictures.
        seconds: stage -> busy seconds; passed: stage -> pictures that were in it.
        retries: reads of sources that were made again.
        peak_mib: largest resident memory of the process so far.
    """

    counts: dict[tuple[str, str], int]
    seconds: dict[str, float]
    pid: int
    peak_mib: float
    passed: dict[str, int] = field(default_factory=dict)
    retries: int = 0


class Worker:
    """The stages of one pool, set up, with their reading and writing."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        if spec.errand:
            admit(spec.errand)
        self.witnesses = Witnesses(spec.witnesses)
        self.output = Folder(spec.output, spec.run_id, spec.patience_s)
        self.marks = Marks(self.output, spec.run_id, spec.pool.name)
        self._turn = threading.Lock()
        self.runner = StageRunner(spec.pool)
        self._files: dict[str, dict[str, dict[str, State]]] = {}
        self._reading = threading.Lock()

    def start(self, tasks: Sequence[Task]) -> list[PendingItem]:
        """Reads the sources of a batch; what cannot be read comes back as failed."""
        return list(self._storage.map(self._fetch, tasks))

    def work(self, batch: Sequence[PendingItem]) -> None:
        """Runs the stages over a batch. Raises HairlineError when nothing can be written any more."""
        self.marks.guard([each.item for each in batch], self.runner.run, self._turn, self.spec.pool.stages[0][0])

    @contextlib.contextmanager
    def written(self, batch: Sequence[PendingItem]) -> Iterator[list[dict[str, Any]]]:
        """Writes the products of a batch; those of an earlier run that are none now are deleted. Gives its rows.

        The block is to put the rows into a ledger: until it has ended, the batch's write-ahead list stays.

        Raises:
            HairlineError: nothing can be written any more (disk full, permission gone, no answer from S3).
        """
        with self.output.writing():
            self._check_lease()
            own = Batch(self.output, [each.item.id for each in batch])
            planned = list(self._storage.map(lambda work: self._look(work, own), batch))
            own.begin([entry for pair in zip(batch, planned, strict=True) for entry in _entries(*pair)])
            states = {each.item.id: each.item.states for each in batch}
            rows = list(self._storage.map(self._write, batch, planned))
            kept = write_kept(
                self.output, self.spec.run_id, {row["id"]: states[row["id"]] for row in rows if row["status"] == "ok"}
            )
            for row in rows:
                row["kept"] = kept if row["status"] == "ok" else ""
            own.check()
            self._check_lease()
            yield rows
            own.settle()

    def finish(self, batch: Sequence[PendingItem]) -> Summary:
        """Writes the products of a batch, then its rows. Raises HairlineError when nothing can be written any more."""
        with self.written(batch) as rows:
            ledger.write_part(self.output, rows, self.spec.partitions)
        counts: dict[tuple[str, str], int] = {}
        seconds: dict[str, float] = {}
        passed: dict[str, int] = {}
        for each in batch:
            item = each.item
            counts[item.status, item.reason] = counts.get((item.status, item.reason), 0) + 1
            for stage, spent in item.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + spent
                passed[stage] = passed.get(stage, 0) + 1
        retries = sum(max(each.item.attempts - 1, 0) for each in batch)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Summary(counts, seconds, os.getpid(), peak, passed, retries)

    def _check_lease(self) -> None:
        """Raises HairlineError when another run has taken the output over."""
        if self.spec.leased:
            lease.check(self.output)

    @cached_property
    def _storage(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    def _fetch(self, task: Task) -> PendingItem:
        source, limits = task.source, self.spec.limits
        item = item_of(source, limits)
        item.attempts = 1
        started = time.perf_counter()
        try:
            if source.problem:
                raise PictureError("manifest_row", source.problem)
            item.data, item.attempts = fetch(source.uri, limits, source.size, self.spec.patience_s, self.witnesses)
        except PictureError as error:
            item.fail("fetch", error)
        except MemoryError:
            item.fail("fetch", PictureError("out_of_memory", "reading the file"))
        if task.kept and not item.ended:
            self._restart(item, task)
        item.seconds["fetch"] = time.perf_counter() - started
        return PendingItem(item, task.old)

    def _restart(self, item: Item, task: Task) -> None:
        """Takes a picture to where it can go on; from the beginning where what was kept cannot be had."""
        try:
            states = self._kept(task.kept)[item.id]
            start = start_of(list(states), task.first, self.spec.order)
            if start:
                unpack(item, states[start])
                before = self.spec.order[: self.spec.order.index(start) + 1]
                item.done = frozenset(before[:-1])
                item.states = {stage: state for stage, state in states.items() if stage in before}
        except (KeyError, ValueError, FileNotFoundError):
            return

    def _kept(self, name: str) -> dict[str, dict[str, State]]:
        """A file of kept states; the last few stay, for pictures come in the order in which they were kept."""
        with self._reading:
            if name not in self._files:
                while len(self._files) >= FILES:
                    self._files.pop(next(iter(self._files)))
                self._files[name] = read_kept(self.output, name)
            return self._files[name]

    def _look(self, work: PendingItem, own: Batch) -> list[PlannedWrite]:
        """What lies where a picture's products go, and whether it may be replaced."""
        started = time.perf_counter()
        planned = []
        for product, made in work.item.outputs.items():
            name, digest = output_name(product, work.item.id, made.ext), md5(made.data)
            try:
                found = self.output.look(name, {digest, work.old.get(name) or digest})
            except OSError as error:
                if not _is_name(error):
                    raise
                found = None  # writing will say what is wrong with the name
            mine = found is None or own.owns(name, found.digest, work.old)
            planned.append(PlannedWrite(product, name, made.data, digest, found, mine))
        work.item.seconds["write"] = time.perf_counter() - started
        return planned

    def _write(self, work: PendingItem, planned: Sequence[PlannedWrite]) -> dict[str, Any]:
        item, started = work.item, time.perf_counter()
        outputs: dict[str, str] = {}
        digests: dict[str, str] = {}
        try:
            for each in planned:
                digests[each.product] = self._write_product(each)
                outputs[each.product] = self.output.uri(each.name)
        except OSError as error:
            if not _is_name(error):
                raise
            item.fail("write", PictureError("write", classify_error(error).detail))
        except PictureError as error:
            item.fail("write", error)
        gone = dict(work.old)
        if item.status == "failed":
            gone |= {each.name: each.digest for each in planned if digests.get(each.product)}
            outputs, digests = {}, {}
        for name in gone.keys() - {each.name for each in planned if each.product in outputs}:
            self._delete(name, gone[name])
        item.seconds["write"] += time.perf_counter() - started
        item.release()
        return ledger.row(item, outputs, self.spec.fingerprint, self.spec.run_id, digests)

    def _write_product(self, each: PlannedWrite) -> str:
        """Writes one product; returns its digest, or nothing where what was there already stays: the same bytes, not a
        run's, or what a person has corrected.

        Raises:
            PictureError: `occupied`.
        """
        if each.found and each.found.digest == each.digest:
            return each.digest if each.mine else ""
        if each.found and not each.mine and each.found.digest in self._corrected.get(each.name, ()):
            return ""  # what a person has corrected stays
        if each.mine:
            if each.found is None and self.output.create(each.name, each.data):
                return each.digest
            if each.found is not None and self.output.swap(each.name, each.data, each.found):
                return each.digest
        raise PictureError(
            "occupied", f"{each.name} is there and {self._not_made}: move it away or choose another output"
        )

    @cached_property
    def _corrected(self) -> dict[str, set[str]]:
        """Slow; asked only for what is in the way."""
        return corrected_products(self.output)

    @property
    def _not_made(self) -> str:
        by = "cut" if self.spec.run_id.startswith(CUT) else "run"
        return f"was not made by a {by} into this output, or was changed since"

    def _delete(self, name: str, digest: str | None) -> None:
        """Deletes a product that is none any more, unless somebody has changed it."""
        if digest is None or (digest and (found := self.output.look(name, {digest})) and found.digest == digest):
            self.output.delete(name)


def _is_name(error: OSError) -> bool:
    """Whether it is the name that the storage does not take, and not the storage that is away."""
    return error.errno in WRONG_NAME and not classify_error(error).again


def _entries(work: PendingItem, planned: Sequence[PlannedWrite]) -> Iterator[Entry]:
    """What a picture's write-ahead list holds: what is about to be written, and what is about to be deleted."""
    for each in planned:
        if each.mine:
            yield Entry(work.item.id, each.name, each.digest)
    for name in work.old.keys() - {each.name for each in planned}:
        yield Entry(work.item.id, name, "")
