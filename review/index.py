"""An index of a ledger: in memory what sorts and filters its pictures, on disk what is shown of one of them.

A million rows take some 70 MB of memory, half of it ids; what else a row says lies in one temporary file, packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..pipeline.ledger import SCHEMA
from ..pipeline.outcome import Outcome, Row, plain
from ..pipeline.partitions import Scratch
from ..stages.errors import HairlineError

SORTED_BY = ["id", "status", "reason", "route", "category", "confidence", "run_id"]
SHOWN = [
    *("id", "uri", "status", "reason", "stage", "detail", "width", "height", "category", "category_score", "route"),
    *("confidence", "quality", "boxes", "outputs", "digests", "fingerprint", "run_id"),
]
TOGETHER = 1000  # rows that are packed together: what is read to show one
GENERAL = "general"
NO = "none"  # what a filter calls pictures without a category


@dataclass(frozen=True)
class Filter:
    """Which pictures are wanted; None: of any. `reason`: why they ended, empty for those that were cut out."""

    reason: str | None = ""
    route: str | None = None
    category: str | None = None

    def name(self) -> str:
        """In words, for names of samples."""
        return f"reason={self.reason} route={self.route} category={self.category}"


class Index:
    """The pictures of an output in the order in which they are looked at: the least certain first, then by id.

    Args:
        outcome: its rows, as they are now; what a run adds later is not seen.

    Attributes:
        ids: of all pictures, in that order.
        confidence: float32 [N], 0..1; NaN where it is not known: these come last.

    Raises:
        HairlineError: the ledger cannot be read, or the temporary file cannot be written.
    """

    def __init__(self, outcome: Outcome) -> None:
        self._scratch, self._lock = Scratch(), Lock()
        self._starts: list[int] = []  # number of the first row of each packed batch
        tables: list[pa.Table] = []
        path = self._scratch.path("rows.arrow")
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        schema = pa.schema([SCHEMA.field(name) for name in SHOWN])
        total = 0
        try:
            with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema, options=options) as writer:
                for table in outcome.tables(list(dict.fromkeys([*SORTED_BY, *SHOWN]))):
                    tables.append(_light(table))
                    for batch in table.select(SHOWN).combine_chunks().to_batches(max_chunksize=TOGETHER):
                        self._starts.append(total)
                        total += len(batch)
                        writer.write_batch(batch)
        except OSError as error:
            raise HairlineError(f"temporary folder: {path} cannot be written: {error.strerror or error}") from error
        self._rows = pa.ipc.open_file(pa.memory_map(path))
        light = pa.concat_tables(tables).combine_chunks()
        tables.clear()
        confidence = light["confidence"].to_numpy(zero_copy_only=False).astype(np.float32)
        order = pc.sort_indices(
            pa.table({"unsure": pc.fill_null(light["confidence"], 2.0), "id": light["id"]}),
            [("unsure", "ascending"), ("id", "ascending")],
        ).to_numpy()
        self.ids: pa.Array = _one(light["id"]).take(pa.array(order))
        self.confidence: NDArray[np.float32] = confidence[order]
        self._place = order.astype(np.int64)
        self._codes: dict[str, NDArray[np.int32]] = {}
        self.values: dict[str, list[str]] = {}
        for name in ("reason", "route", "category", "run_id"):
            coded = _one(light[name])
            self._codes[name] = coded.indices.to_numpy()[order].astype(np.int32)
            self.values[name] = coded.dictionary.to_pylist()
        del light
        pa.default_memory_pool().release_unused()  # what the tables took goes back to the system

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: list[str]) -> NDArray[np.int64]:
        """Where pictures stand, int64 [n]; -1 where there is none of that id."""
        found = pc.index_in(self.ids, value_set=pa.array(ids, pa.large_string()))
        numbers = np.full(len(ids), -1, np.int64)
        at = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        numbers[found.take(pa.array(at)).to_numpy().astype(np.int64)] = at
        return numbers

    def place(self, id: str) -> int:
        """Where a picture stands; -1 where there is none of that id."""
        return int(pc.index(self.ids, pa.scalar(id, pa.large_string())).as_py())

    def id(self, place: int) -> str:
        return str(self.ids[place].as_py())

    def run_id(self, place: int) -> str:
        return self.values["run_id"][self._codes["run_id"][place]]

    def row(self, place: int) -> Row:
        """What is shown of a picture: the columns `SHOWN`, maps as dicts."""
        number = int(self._place[place])
        batch = int(np.searchsorted(self._starts, number, "right")) - 1
        with self._lock:  # a reader has one position
            found = self._rows.get_batch(batch)
        table = pa.Table.from_batches([found.slice(number - self._starts[batch], 1)])
        (row,) = plain(table)
        return row

    def wanted(self, chosen: Filter) -> NDArray[np.bool_]:
        """Which pictures a filter lets through, bool [N]."""
        mask = np.ones(len(self), bool)
        for name in ("reason", "route", "category"):
            value = getattr(chosen, name)
            if value is not None:
                known = self.values[name]
                mask &= self._codes[name] == (known.index(value) if value in known else -1)
        return mask

    def counts(self, mask: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
        """{reason, route, category: {value: pictures}} of those in a mask, most first."""
        return {name: dict(self._count(name, mask)) for name in ("reason", "route", "category")}

    def _count(self, name: str, mask: NDArray[np.bool_]) -> Iterator[tuple[str, int]]:
        numbers = np.bincount(self._codes[name][mask], minlength=len(self.values[name]))
        for code in np.argsort(-numbers, kind="stable").tolist():
            if numbers[code]:
                yield self.values[name][code], int(numbers[code])


def _light(table: pa.Table) -> pa.Table:
    """What sorts and filters, small: words as numbers."""
    columns: dict[str, Any] = {"id": table["id"].cast(pa.large_string()), "confidence": table["confidence"]}
    plain_words = {"reason": table["reason"], "run_id": table["run_id"]}
    plain_words["route"] = pc.if_else(pc.equal(table["route"], ""), GENERAL, table["route"])
    plain_words["category"] = pc.if_else(pc.equal(table["category"], ""), NO, table["category"])
    for name, words in plain_words.items():
        columns[name] = pc.fill_null(words, "").dictionary_encode()
    return pa.table(columns)


def _one(column: pa.ChunkedArray) -> Any:
    """A column in one piece, with one dictionary."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
