"""What became of every picture: the results table, which is also the memory of what is done.

While a run lasts, each batch adds a small file `part-<run id>-<hash>.parquet`. At its end they are merged into
`all-00000.parquet`, sorted by id (compaction.py). A large ledger has partitions by a hash of the id (partitions.py),
and the name of each file ends in the one that it holds, `-00007-of-00128`; without that a file may hold any id.
Whoever reads takes all files and, of several rows with one id, that of the newest run: so a kill between any two
steps loses nothing and doubles nothing.
"""

from __future__ import annotations

import copy
import hashlib
import io
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..stages.errors import HairlineError
from ..stages.item import Facts, Item
from .partitions import Share, Spill, hashes, partitions_for, share_of
from .storage import Folder

RESULTS = "results"
ROWS = re.compile(
    rf"{RESULTS}/(part-[^/]+-[0-9a-f]{{16}}(-\d{{5}}-of-\d{{5}})?|(merge-[^/]+|all)-\d{{5}}(-of-\d{{5}})?)\.parquet"
)  # all others are not ours
ROWS_PER_FILE = 100_000  # of the files without a partition that earlier versions left
GROUP = 20_000  # rows of a row group: what is read to find a few of them
TOGETHER = 64  # small files that are read at the same time
TRIES = 4  # at reading files that another run merges meanwhile
THREADS = 16  # that read and delete result files of a bucket, where most of the time is waiting
THREADS_HERE = 4  # that read them from a disk; each takes memory of its own


def _arrow_type(hint: Any) -> pa.DataType:
    """The type of the column that holds a field of `Facts`."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Annotated, UnionType):  # with a description; or None
        return _arrow_type(parts[0])
    if kind is list:
        return pa.list_(_arrow_type(parts[0]))
    if kind is dict:
        return NUMBERS
    if is_dataclass(hint):
        return pa.struct([(name, _arrow_type(part)) for name, part in get_type_hints(hint).items()])
    return pa.string() if kind is Literal else {str: pa.string(), int: pa.int32(), float: pa.float32()}[hint]


NUMBERS, TEXTS = pa.map_(pa.string(), pa.float64()), pa.map_(pa.string(), pa.string())
FACTS = {name: _arrow_type(hint) for name, hint in get_type_hints(Facts).items()}
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.string()),
        ("etag", pa.string()),
        *((name, kind) for name, kind in FACTS.items() if name != "seconds"),
        ("outputs", TEXTS),
        ("digests", TEXTS),  # product -> md5 hex; empty: the same bytes lay there before
        ("kept", pa.string()),  # the file with what later runs can start from, or nothing
        ("seconds", FACTS["seconds"]),
        ("attempts", pa.int32()),
        ("fingerprint", pa.string()),
        ("run_id", pa.string()),
    ]
)
KEYS = ["id", "run_id"]
RESULT = ["fingerprint", "status", "stage", "reason"]  # what `first_stage` is asked with
ADDED = {"digests", "kept", "verdicts"}  # columns that older files lack


def row(
    item: Item, outputs: dict[str, str], fingerprint: str, run_id: str, digests: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The results row of a finished picture.

    Args:
        outputs: product -> path or URL.
        digests: product -> md5 of the file (hex), or empty where that was there already and is not the run's.
    """
    facts = item.facts()
    return {
        "id": item.id,
        "uri": item.uri,
        "etag": item.etag,
        **facts,
        "detail": clean(item.detail),
        "quality": list(item.quality.items()),
        "verdicts": [_with_text(verdict) for verdict in facts["verdicts"]],
        "outputs": sorted(outputs.items()),
        "digests": None if digests is None else sorted(digests.items()),
        "kept": "",
        "seconds": list(item.seconds.items()),
        "attempts": item.attempts,
        "fingerprint": fingerprint,
        "run_id": run_id,
    }


def _with_text(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict with the values of its checks as text: a column has one type."""
    return verdict | {"checks": [check | {"value": str(check["value"])} for check in verdict["checks"]]}


def clean(text: str) -> str:
    """Text as Parquet takes it: an error's message can hold an undecodable file name."""
    return text.encode("utf-8", "backslashreplace").decode()


def write_part(output: Folder, rows: Sequence[dict[str, Any]], partitions: int = 1) -> None:
    """Adds one batch's rows, one file for each partition. The same rows of the same run always get the same files."""
    stem, table = part_stem(rows[0]["run_id"], [row["id"] for row in rows]), pa.Table.from_pylist(list(rows), SCHEMA)
    places = hashes(table["id"]).astype(np.int64) * partitions >> 32
    for number in np.unique(places).tolist():
        some = table.filter(pa.array(places == number))
        output.write(f"{stem}{Share(number, partitions).suffix}.parquet", encode(some))


def part_stem(run_id: str, ids: Sequence[str]) -> str:
    """How the names of the files with one batch's rows begin."""
    return f"{RESULTS}/part-{run_id}-{hashlib.sha256(chr(0).join(ids).encode()).hexdigest()[:16]}"


class Ledger:
    """The newest row of every picture in an output folder, or of those in one share of the ids.

    Args:
        wanted: which result files, by name; all of them otherwise. What else lies in the folder is passed over.
        files: those files alone, which are not listed first.

    Attributes:
        files: the result files there are, by name.
    """

    def __init__(
        self, output: Folder, wanted: Callable[[str], bool] | None = None, files: list[str] | None = None
    ) -> None:
        self.output, self._wanted, self._share = output, wanted, Share()
        self._split: pa.Table | None = None
        self._threads = THREADS_HERE if output.local else THREADS
        self.files = files or []
        if files is None:
            self.refresh()

    def refresh(self) -> None:
        """Lists the files again."""
        self.files = [
            name
            for name in self.output.names(RESULTS)
            if ROWS.fullmatch(name) and (self._wanted is None or self._wanted(name)) and self._holds(name)
        ]

    def _holds(self, name: str) -> bool:
        share = share_of(name)
        return share.meets(self._share) and (self._split is None or share.of >= self._share.of)

    @property
    def partitions(self) -> int:
        """How many partitions its files have, or should have where they have none."""
        whole = sum("/all-" in name and share_of(name).of == 1 for name in self.files)
        return max([partitions_for(whole * ROWS_PER_FILE), *(share_of(name).of for name in self.files)])

    def rows(self, enough: int) -> int:
        """How many rows the files have, those of one picture in several files counted each; stops when it is enough."""
        found = 0
        for name in self.files:
            if found > enough:
                break
            found += len(self.table(name, ["id"]))
        return found

    def of_share(self, share: Share, split: Spill | None = None) -> Ledger:
        """The rows of one share.

        Args:
            split: what `split` gave, so that files with several shares are not read for each of them.
        """
        part = copy.copy(self)
        part._share, part._split = share, split.read(share) if split else None
        part.files = [name for name in self.files if part._holds(name)]
        return part

    def split(self, columns: Sequence[str], partitions: int) -> Spill | None:
        """Some columns of all files that hold rows of more than one of so many partitions; None if there are none."""
        wanted = list(dict.fromkeys([*KEYS, *columns]))
        for _ in range(TRIES):
            coarse = [name for name in self.files if share_of(name).of < partitions]
            if not coarse:
                return None
            spill = Spill(pa.schema([SCHEMA.field(name) for name in wanted]))
            small = [name for name in coarse if "/part-" in name]
            steps = [[name] for name in coarse if "/part-" not in name]
            steps += [small[start : start + TOGETHER] for start in range(0, len(small), TOGETHER)]
            try:
                with ThreadPoolExecutor(self._threads) as threads:
                    for step in steps:
                        for table in threads.map(lambda name: self.table(name, wanted), step):
                            spill.add(table)
                return spill
            except FileNotFoundError:
                self.refresh()
        raise self._vanishing()

    def read(self, columns: Sequence[str], ids: pa.Array | None = None) -> pa.Table:
        """Some columns of the newest rows, sorted by id; of all pictures or those with the given ids."""
        wanted = list(dict.fromkeys([*KEYS, *columns]))
        found = None if ids is None else hashes(ids)

        def part(name: str) -> pa.Table:
            share, some = share_of(name), ids
            if ids is not None and found is not None:
                some = ids.filter(pa.array(share.of_hashes(found)))
                if not len(some):
                    return self._empty(wanted)
            table = self.table(name, wanted, some)
            return self._share.filter(table) if share.of < self._share.of else table

        for _ in range(TRIES):
            try:
                with ThreadPoolExecutor(self._threads) as threads:
                    tables = list(threads.map(part, self.files))
            except FileNotFoundError:  # in S3 another run may be merging them
                self.refresh()
                continue
            if self._split is not None:
                split = self._split.select(wanted)
                tables.append(split if ids is None else split.filter(pc.is_in(split["id"], value_set=ids)))
            return newest(pa.concat_tables([self._empty(wanted), *tables])).select(list(columns))
        raise self._vanishing()

    def _vanishing(self) -> FileNotFoundError:
        return FileNotFoundError(
            f"{self.output.uri(RESULTS)}: its files go while they are read; is another run at its end?"
        )

    def _empty(self, columns: Sequence[str]) -> pa.Table:
        return pa.schema([SCHEMA.field(name) for name in columns]).empty_table()

    def table(self, name: str, columns: Sequence[str], ids: pa.Array | None = None) -> pa.Table:
        """Some columns of one file; of all its rows or those with the given ids."""
        schema = pa.schema([SCHEMA.field(column) for column in columns])
        opened = pa.OSFile(self.output.uri(name)) if self.output.local else io.BytesIO(self.output.read(name))
        try:
            with opened, pq.ParquetFile(opened, pre_buffer=False) as file:
                if set(SCHEMA.names) - set(file.schema_arrow.names) - ADDED:
                    raise HairlineError(f"{self.output.uri(name)}: not a results file, but named as one; move it away")
                groups = range(file.num_row_groups) if ids is None else _groups_with(file.metadata, ids)
                there = [column for column in columns if column in file.schema_arrow.names]
                table = file.read_row_groups(list(groups), there)
            for column in ADDED.intersection(columns) - set(table.column_names):
                table = table.append_column(column, pa.nulls(len(table), SCHEMA.field(column).type))
            table = table.select(list(columns)).cast(schema)
            if any(table[key].null_count for key in KEYS if key in columns):
                raise pa.ArrowInvalid("rows without an id")
            return table if ids is None else table.filter(pc.is_in(table["id"], value_set=ids))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise HairlineError(f"{self.output.uri(name)}: a damaged results file; move it away") from error


def _groups_with(metadata: pq.FileMetaData, ids: pa.Array) -> list[int]:
    """The row groups that may hold some of the ids, as their statistics say."""
    groups, wanted = [], ids.take(pc.sort_indices(ids)).to_pylist()
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = (group.column(i) for i in range(group.num_columns))
        facts = next((column.statistics for column in columns if column.path_in_schema == "id"), None)
        if not facts or not facts.has_min_max or bisect_left(wanted, facts.min) < bisect_right(wanted, facts.max):
            groups.append(number)
    return groups


def newest(table: pa.Table) -> pa.Table:
    """Of several rows with one id that of the newest run, sorted by id."""
    ids = table["id"].combine_chunks()
    if len(table) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return table
    table = table.take(pc.sort_indices(table, [("id", "ascending"), ("run_id", "descending")]))
    ids = table["id"].combine_chunks()
    first = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return table.filter(pa.concat_arrays([pa.array([True]), first]))


def encode(table: pa.Table) -> bytes:
    """A results file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP)
    return sink.getvalue()
