"""What the workers get: the pictures to do in batches, with what earlier runs made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from .ledger import Ledger
from .made import Old, products
from .partitions import Share
from .source import as_sources
from .storage import Folder
from .todo import Todo
from .worker import Task

SMALLEST_BATCH = 4  # unless the pool asks for less


@dataclass
class Feed:
    """All batches of a run, in an order that is always the same. Travels by pickle in a machine.

    Attributes:
        batch: pictures of a batch.
        workers: how many processes take them; towards the end batches are smaller, so that all end together.
        output: the output folder; what earlier runs made is read when a partition's turn comes.
    """

    todo: Todo
    batch: int
    workers: int
    output: Folder

    def __iter__(self) -> Iterator[list[Task]]:
        for share in self.todo.shares:
            yield from self.of_share(share)

    @property
    def batches(self) -> int:
        """How many there are, about."""
        return -(-len(self.todo) // self.batch)

    def of_share(self, share: Share) -> Iterator[list[Task]]:
        """The batches of one partition. No batch has pictures of two."""
        rows, start = self.todo.read(share), 0
        known = self.todo.known[share.number]
        made: Mapping[str, Old] = {}
        kept: dict[str, str | None] = {}
        if known:
            ledger = Ledger(self.output).of_share(share)
            before = ledger.read(["id", "outputs", "digests", "kept"], ids=rows["id"].combine_chunks())
            made = _old_outputs(before)
            kept = dict(zip(before["id"].to_pylist(), before["kept"].to_pylist(), strict=True))
        later = sum(self.todo.counts[share.number + 1 :])
        while start < len(rows):
            fair = -(-(later + len(rows) - start) // (4 * self.workers))
            part = rows.slice(start, min(self.batch, max(fair, SMALLEST_BATCH)))
            start += len(part)
            yield [
                Task(source, made.get(source.id, {}), first, (first and kept.get(source.id)) or "")
                for source, first in zip(as_sources(part), part["first"].to_pylist(), strict=True)
            ]


def _old_outputs(before: pa.Table) -> Mapping[str, Old]:
    """id -> what an earlier run made of it: names in the output folder, wherever that was then, with digests."""
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    for id, name, digest in products(before):
        found[id][name] = digest
    return found
