"""Partitions by a hash of the id: which ids belong together, and tables larger than memory that are split by it.

Catalog and ledger have the same partitions, so that one of the one is compared with one of the other. The hash is
CRC-32 of the id's UTF-8 bytes, whose range is cut into equal shares; each power of two cuts them finer.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from ..stages.errors import HairlineError
from .credentials import Environment

T = TypeVar("T")
ROWS = 100_000  # rows of a partition, at most, when their number is chosen
MOST = 1024  # partitions
AT_ONCE = 2  # partitions that one process holds at the same time
SUFFIX = re.compile(r"-(\d{5})-of-(\d{5})(?=\.)")


class Share(NamedTuple):
    """One of `of` equal parts of all ids; `of` is a power of two up to `MOST`. Share() is all of them."""

    number: int = 0
    of: int = 1

    def meets(self, other: Share) -> bool:
        """Whether an id can be in both: shares of powers of two lie apart, or one in the other."""
        return self.number * other.of < (other.number + 1) * self.of and (
            other.number * self.of < (self.number + 1) * other.of
        )

    def filter(self, table: pa.Table) -> pa.Table:
        """Those rows whose `id` is in this share."""
        return table if self.of == 1 else table.filter(pa.array(self.of_hashes(hashes(table["id"]))))

    def of_hashes(self, found: np.ndarray) -> np.ndarray:
        """Which hashes, uint32 [n], are of this share: bool [n]."""
        return (found >> np.uint32(22)).astype(np.int64) * self.of // MOST == self.number

    @property
    def suffix(self) -> str:
        """What a file's name says of the share that it holds; nothing if it may hold any id."""
        return "" if self.of == 1 else f"-{self.number:05d}-of-{self.of:05d}"


EVERYTHING = Share()


def share_of(name: str) -> Share:
    """The share that a file's name tells."""
    match = SUFFIX.search(name)
    return Share(int(match[1]), int(match[2])) if match else Share()


def shares(of: int) -> list[Share]:
    return [Share(number, of) for number in range(of)]


def hashes(ids: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """CRC-32 of each id, uint32 [n]."""
    return np.fromiter(map(zlib.crc32, ids.cast(pa.binary()).to_pylist()), np.uint32, len(ids))


def partitions_for(rows: int) -> int:
    """How many partitions so many rows make: the power of two that leaves each at most `ROWS`, on average."""
    return min(MOST, 1 << max(0, -(-rows // ROWS) - 1).bit_length())


def spread(work: Callable[..., T], arguments: Iterable[tuple[Any, ...]], remote: bool = False) -> Iterator[T]:
    """Calls `work` for each tuple of arguments, a few at a time; results in the same order.

    Args:
        remote: as Ray tasks on any node of the session that lasts; else in threads of this process.
    """
    todo = iter(arguments)
    if remote:
        import ray

        environment = Environment.of_driver()

        def call(*arguments: Any) -> T:
            environment.enter()
            return work(*arguments)

        task = ray.remote(num_cpus=0.5, max_retries=3)(call)
        width = max(2 * AT_ONCE, int(2 * ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        waiting = [task.remote(*each) for each in islice(todo, width)]
        while waiting:
            try:
                yield ray.get(waiting.pop(0))
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            waiting += [task.remote(*each) for each in islice(todo, 1)]
        return
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [threads.submit(work, *each) for each in islice(todo, AT_ONCE)]
        while running:
            yield running.pop(0).result()
            running += [threads.submit(work, *each) for each in islice(todo, 1)]


MAKING = Lock()  # partitions are written by several threads, and all go into one folder


class Scratch:
    """A temporary folder of this process, made when it is first used; it goes with this object, at the latest.

    TMPDIR says where. It is local, for no other node reads it: what tasks elsewhere need travels with them.
    """

    def __init__(self) -> None:
        self._made: str | None = None

    def path(self, name: str) -> str:
        with MAKING:
            if self._made is None:
                self._made = tempfile.mkdtemp(prefix="hairline-")
                weakref.finalize(self, shutil.rmtree, self._made, ignore_errors=True)
        return f"{self._made}/{name}"

    def write(self, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
        """Writes an Arrow file and returns its path. Raises HairlineError: there is no room."""
        try:
            path = self.path(name)
            with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
        except OSError as error:
            where = os.path.dirname(self._made) if self._made else tempfile.gettempdir()
            what = os.strerror(error.errno) if error.errno else str(error)
            hint = "; set TMPDIR to a folder with room" if error.errno in (errno.ENOSPC, errno.EDQUOT, None) else ""
            raise HairlineError(f"temporary folder {where}: cannot be written: {what}{hint}") from error
        return path


class Spill:
    """A table that comes piece by piece and is read back share by share. What is much lies on disk.

    Args:
        schema: with a column `id`.
        in_memory: rows that are kept in memory, at most.

    Attributes:
        total: rows so far.
    """

    def __init__(self, schema: pa.Schema, in_memory: int = ROWS) -> None:
        self.schema, self.total = schema, 0
        self._most, self._held, self._pieces = in_memory, 0, list[pa.Table]()
        self._scratch, self._paths, self._files = Scratch(), list[str](), dict[str, pa.ipc.RecordBatchFileReader]()
        self._lock = Lock()

    def add(self, table: pa.Table) -> None:
        self._pieces.append(table)
        self._held += len(table)
        self.total += len(table)
        if self._held > self._most:
            self._flush()

    def read(self, share: Share = EVERYTHING) -> pa.Table:
        """The rows of a share, in no certain order."""
        batches: list[pa.RecordBatch] = []
        first, last = (edge * MOST // share.of for edge in (share.number, share.number + 1))
        for path in self._paths:
            with self._lock:  # a reader has one position
                file = self._files.setdefault(path, pa.ipc.open_file(pa.OSFile(path)))
                batches += [batch for n in range(first, last) if len(batch := file.get_batch(n))]
        written = pa.Table.from_batches(batches, self.schema)
        return pa.concat_tables([written, *(share.filter(piece) for piece in self._pieces)])

    def _flush(self) -> None:
        """Writes what is in memory as one file of `MOST` record batches, each of them the finest share there is."""
        table = pa.concat_tables(self._pieces).combine_chunks()
        places = (hashes(table["id"]) >> np.uint32(22)).astype(np.int64)
        table = table.take(pa.array(np.argsort(places, kind="stable"))).combine_chunks()
        edges = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=MOST))]).tolist()
        (whole,) = table.to_batches()
        pieces = (whole.slice(start, end - start) for start, end in pairwise(edges))
        self._paths.append(self._scratch.write(f"{len(self._paths):05d}.arrow", pieces, self.schema))
        self._pieces, self._held = [], 0


class Partitioned:
    """A table in partitions, each at most some 100,000 rows; one alone stays in memory. Travels by pickle in a machine.

    Attributes:
        partitions: how many there are.
    """

    def __init__(self, schema: pa.Schema, partitions: int) -> None:
        self.schema, self.partitions = schema, partitions
        self._scratch, self._small = Scratch(), schema.empty_table()

    def put(self, number: int, table: pa.Table) -> None:
        if self.partitions == 1:
            self._small = table
        else:
            self._scratch.write(f"{number:05d}.arrow", table.combine_chunks().to_batches(), self.schema)

    def read(self, share: Share) -> pa.Table:
        """The rows of a share in their order, which holds within each partition."""
        if self.partitions == 1:
            return share.filter(self._small)
        if share.of > self.partitions:
            return share.filter(self._partition(share.number * self.partitions // share.of))
        first, last = (edge * self.partitions // share.of for edge in (share.number, share.number + 1))
        return pa.concat_tables([self._partition(number) for number in range(first, last)])

    def _partition(self, number: int) -> pa.Table:
        with pa.OSFile(self._scratch.path(f"{number:05d}.arrow")) as file:
            return pa.ipc.open_file(file).read_all()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_scratch": _Borrowed(self._scratch._made)}


class _Borrowed(Scratch):
    """Another process's scratch folder, on the same machine: it goes with that."""

    def __init__(self, made: str | None) -> None:
        self._made = made
