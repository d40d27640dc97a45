"""What became of every picture: the results table, which is also the memory of what is done.

While a run lasts, each batch adds a small file `part-<run id>-<hash>.parquet`. At its end all files are
rewritten as a few `all-NNNNN.parquet`, sorted by id. Whoever reads takes all files and, of several rows with
one id, that of the newest run: so a kill between any two steps loses nothing and doubles nothing.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..stages.errors import HairlineError
from ..stages.item import Facts, Item
from .storage import Folder

RESULTS = "results"
ROWS = re.compile(
    rf"{RESULTS}/(part-[^/]+-[0-9a-f]{{16}}|merge-[^/]+-\d{{5}}|all-\d{{5}})\.parquet"
)  # all others are not ours
ROWS_PER_FILE = 100_000
TRIES = 4  # at reading files that another run merges meanwhile
THREADS = 16  # that read and delete result files


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
ADDED = {"digests", "kept"}  # columns that older files lack


def row(
    item: Item, outputs: dict[str, str], fingerprint: str, run_id: str, digests: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The results row of a finished picture.

    Args:
        outputs: product -> path or URL.
        digests: product -> md5 of the file (hex), or empty where that was there already and is not the run's.
    """
    return {
        "id": item.id,
        "uri": item.uri,
        "etag": item.etag,
        **item.facts(),
        "detail": clean(item.detail),
        "quality": list(item.quality.items()),
        "outputs": sorted(outputs.items()),
        "digests": None if digests is None else sorted(digests.items()),
        "kept": "",
        "seconds": list(item.seconds.items()),
        "attempts": item.attempts,
        "fingerprint": fingerprint,
        "run_id": run_id,
    }


def clean(text: str) -> str:
    """Text as Parquet takes it: an error's message can hold an undecodable file name."""
    return text.encode("utf-8", "backslashreplace").decode()


def write_part(output: Folder, rows: Sequence[dict[str, Any]]) -> None:
    """Adds one batch's rows. The same rows of the same run always get the same file."""
    name = part_name(rows[0]["run_id"], [str(row["id"]) for row in rows])
    output.write(name, _encode(pa.Table.from_pylist(list(rows), SCHEMA)))


def part_name(run_id: str, ids: Sequence[str]) -> str:
    """Where one batch's rows go."""
    return f"{RESULTS}/part-{run_id}-{hashlib.sha256(chr(0).join(ids).encode()).hexdigest()[:16]}.parquet"


class Ledger:
    """The newest row of every picture in an output folder.

    Args:
        wanted: which result files, by name; all of them otherwise. What else lies in the folder is passed over.

    Attributes:
        files: the result files there are, by name.
    """

    def __init__(self, output: Folder, wanted: Callable[[str], bool] = lambda name: True) -> None:
        self.output, self._wanted = output, wanted
        self._list()

    def _list(self) -> None:
        self.files = [name for name in self.output.names(RESULTS) if ROWS.fullmatch(name) and self._wanted(name)]

    def read(self, columns: Sequence[str], ids: pa.Array | None = None) -> pa.Table:
        """Some columns of the newest rows, sorted by id; of all pictures or those with the given ids."""
        wanted = list(dict.fromkeys([*KEYS, *columns]))

        def part(name: str) -> pa.Table:
            table = self._table(name, wanted)
            return table if ids is None else table.filter(pc.is_in(table["id"], value_set=ids))

        for _ in range(TRIES):
            try:
                with ThreadPoolExecutor(THREADS) as threads:
                    return newest(_concat(threads.map(part, self.files), wanted)).select(list(columns))
            except FileNotFoundError:  # in S3 another run may be merging them
                self._list()
        raise FileNotFoundError(
            f"{self.output.uri(RESULTS)}: its files go while they are read; is another run at its end?"
        )

    def compact(self, run_id: str) -> None:
        """Rewrites all files as few, sorted by id, one row per picture.

        The new files first lie beside the old ones under names of this run's own, then the old ones go,
        then the new ones get their lasting names: at every moment some file holds each newest row.
        """
        if all(name.startswith(f"{RESULTS}/all-") for name in self.files):
            return
        made = []
        for number, table in enumerate(self._sorted_slices()):
            made.append(f"{RESULTS}/merge-{run_id}-{number:05d}.parquet")
            self.output.write(made[-1], _encode(table))
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.output.delete, self.files))
        self.files = [f"{RESULTS}/all-{number:05d}.parquet" for number in range(len(made))]
        for old, new in zip(made, self.files, strict=True):
            self.output.rename(old, new)

    def _sorted_slices(self) -> Iterator[pa.Table]:
        """Newest rows in order of id, `ROWS_PER_FILE` at a time; never all of them in memory."""
        with ThreadPoolExecutor(THREADS) as threads:
            keys = list(threads.map(lambda name: self._table(name, ["id"])["id"], self.files))
            bounds = [pc.min_max(ids).as_py() for ids in keys]
            ids = pa.chunked_array([chunk for key in keys for chunk in key.chunks], pa.string()).unique()
            ids = ids.take(pc.sort_indices(ids))
            for start in range(0, len(ids), ROWS_PER_FILE):
                some = ids.slice(start, ROWS_PER_FILE)
                first, last = some[0].as_py(), some[-1].as_py()

                def part(name: str, first: str = first, last: str = last) -> pa.Table:
                    table = self._table(name, SCHEMA.names)
                    inside = pc.and_(pc.greater_equal(table["id"], first), pc.less_equal(table["id"], last))
                    return table.filter(inside)

                touching = [
                    name
                    for name, bound in zip(self.files, bounds, strict=True)
                    if bound["min"] is not None and bound["min"] <= last and bound["max"] >= first
                ]
                yield newest(_concat(threads.map(part, touching), SCHEMA.names))

    def _table(self, name: str, columns: Sequence[str]) -> pa.Table:
        schema = pa.schema([SCHEMA.field(column) for column in columns])
        data = self.output.read(name)
        try:
            file = pq.ParquetFile(io.BytesIO(data))
            if set(SCHEMA.names) - set(file.schema_arrow.names) - ADDED:
                raise HairlineError(f"{self.output.uri(name)}: not a results file, but named as one; move it away")
            table = file.read([column for column in columns if column in file.schema_arrow.names])
            for column in ADDED.intersection(columns) - set(table.column_names):
                table = table.append_column(column, pa.nulls(len(table), SCHEMA.field(column).type))
            table = table.select(list(columns)).cast(schema)
            if any(table[key].null_count for key in KEYS if key in columns):
                raise pa.ArrowInvalid("rows without an id")
            return table
        except (pa.ArrowException, OSError, ValueError) as error:
            raise HairlineError(f"{self.output.uri(name)}: a damaged results file; move it away") from error


def _concat(tables: Iterable[pa.Table], columns: Sequence[str]) -> pa.Table:
    empty = pa.schema([SCHEMA.field(name) for name in columns]).empty_table()
    return pa.concat_tables([empty, *tables])


def newest(table: pa.Table) -> pa.Table:
    """Of several rows with one id that of the newest run, sorted by id."""
    table = table.take(pc.sort_indices(table, [("id", "ascending"), ("run_id", "descending")]))
    if len(table) < 2:
        return table
    ids = table["id"].combine_chunks()
    first = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return table.filter(pa.concat_arrays([pa.array([True]), first]))


def _encode(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


class ToDo(NamedTuple):
    """Why a picture is done in this run."""

    new: int = 0
    changed: int = 0  # the file is another one
    outdated: int = 0  # done with other settings, weights or version
    asked: int = 0  # --retry


FirstStage = Callable[[str, str, str, str], str | None]  # fingerprint, status, stage, reason -> Outdated.first_stage


def what_to_do(
    catalog: pa.Table,
    ledger: Ledger,
    first_stage: FirstStage,
    retry: Sequence[str] = (),
    torn: Mapping[str, str] | None = None,
) -> tuple[pa.Table, ToDo, pa.Table]:
    """Compares the catalog with what is done.

    Args:
        catalog: columns id and etag at least.
        first_stage: the first stage to run again for a picture with such a row; None: it is done.
        retry: statuses (`failed`, `filtered`, `ok`) and reason codes to do again.
        torn: id -> run that was replacing its products when it died: an older row does not hold any more.

    Returns:
        The catalog's rows to do, with a column `first`, the first stage to run, empty: all of them; their numbers by
        cause; and the rows (id, status, reason) of those that are done.
    """
    done = ledger.read(["id", "run_id", "etag", *RESULT])
    if torn:
        some = done.filter(pc.is_in(done["id"], value_set=pa.array(list(torn), pa.string()))).select(KEYS).to_pylist()
        untrue = [row["id"] for row in some if row["run_id"] < torn[row["id"]]]
        done = done.filter(pc.invert(pc.is_in(done["id"], value_set=pa.array(untrue, pa.string()))))
    at = pc.index_in(catalog["id"], value_set=done["id"])
    known = done.take(at)  # a null where the ledger has no row
    new = pc.is_null(at)
    changed = pc.fill_null(pc.not_equal(known["etag"], catalog["etag"]), False)
    first = _first_stages(known, first_stage)
    outdated = pc.and_not(pc.is_valid(first), changed)
    settled = pc.invert(pc.or_(new, pc.or_(changed, outdated)))
    wanted = pa.array(retry, pa.string())
    named = pc.or_(pc.is_in(known["status"], value_set=wanted), pc.is_in(known["reason"], value_set=wanted))
    asked = pc.and_(settled, pc.fill_null(named, False))
    why = ToDo(*(pc.sum(mask).as_py() or 0 for mask in (new, changed, outdated, asked)))
    todo = pc.or_(pc.invert(settled), asked)
    from_start = pc.if_else(outdated, first, "")
    catalog = catalog.append_column("first", from_start)
    return catalog.filter(todo), why, known.select(["id", "status", "reason"]).filter(pc.invert(todo))


def _first_stages(known: pa.Table, first_stage: FirstStage) -> pa.ChunkedArray:
    """The first stage to run again for each row; null where it is done, or there is none. Rows have few kinds."""
    kinds = pc.binary_join_element_wise(*(known[name] for name in RESULT), "\0").combine_chunks().dictionary_encode()
    answers = [first_stage(*kind.split("\0")) for kind in kinds.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(answers, pa.string()).take(kinds.indices)])
