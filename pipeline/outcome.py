"""Reads back what runs left in an output folder: the results, newest row per picture, and the run summaries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..stages.errors import HairlineError

STAGE_ORDER = ("fetch", "filter", "classify", "detect", "coarse", "fine", "products", "write")
LIGHT = ("id", "status", "reason", "stage", "route", "confidence")
Row = dict[str, Any]


class Place(NamedTuple):
    """Where a product lies: its full path or URL, and a link to it relative to OUTPUT/report (or empty)."""

    uri: str
    link: str


class Outcome:
    """The results and run summaries of one output.

    Attributes:
        base: the output's path or URL, without a slash at the end.
        rows: one light row per picture, in order of id: the columns of `LIGHT` and `index`, its place in the table.
        runs: the run summaries, oldest first.
    """

    def __init__(self, base: str, table: pa.Table, runs: list[dict[str, Any]]) -> None:
        self.base, self.table, self.runs = base, table, runs
        self.rows: list[Row] = table.select(list(LIGHT)).to_pylist()
        for index, row in enumerate(self.rows):
            row["index"] = index

    @property
    def name(self) -> str:
        return self.base.rsplit("/", 1)[-1]

    @property
    def last_run(self) -> dict[str, Any]:
        return self.runs[-1] if self.runs else {}

    def full(self, rows: Sequence[Row]) -> list[Row]:
        """The given light rows with all their columns; maps as dicts, null maps and lists as empty ones."""
        full: list[Row] = self.table.take([row["index"] for row in rows]).to_pylist(maps_as_pydicts="lossy")
        for row in full:
            for column, empty in (("quality", {}), ("boxes", []), ("outputs", {}), ("seconds", {})):
                row[column] = row[column] or empty
        return full

    def busy_seconds(self) -> dict[str, float]:
        """Seconds spent in each stage, over all rows."""
        seconds = self.table["seconds"].combine_chunks()
        if not len(seconds):
            return {}
        pairs = pa.table({"stage": seconds.keys, "seconds": seconds.items})
        sums = pairs.group_by("stage").aggregate([("seconds", "sum")])
        return dict(zip(sums["stage"].to_pylist(), sums["seconds_sum"].to_pylist(), strict=True))

    def place(self, row: Row, product: str) -> Place:
        """Where a picture's product lies now, also when the output has been moved since it was written."""
        uri: str = row["outputs"].get(product, "")
        start = uri.rfind(f"/{product}/{row['id']}.")
        if start < 0:
            return Place(uri, "")
        inside = uri[start + 1 :]
        return Place(f"{self.base}/{inside}", "../" + quote(inside))


def load_outcome(output: str) -> Outcome:
    """Reads OUTPUT/results/*.parquet and OUTPUT/runs/*.json.

    Raises:
        HairlineError: there is no such output, or it has no results.
    """
    files, root = fsspec.core.url_to_fs(output)
    root = root.rstrip("/")
    try:
        parts = sorted(files.glob(f"{root}/results/*.parquet"))
    except OSError as error:
        raise HairlineError(f"{output}: cannot be read ({error})") from error
    if not parts:
        raise HairlineError(f"{output}: no results/*.parquet here; give the output of a `hairline run`")
    tables = []
    for part in parts:
        with files.open(part, "rb") as file:
            tables.append(pq.read_table(file))
    table = newest(pa.concat_tables(tables, promote_options="permissive"))
    runs = [json.loads(files.cat_file(path)) for path in sorted(files.glob(f"{root}/runs/*.json"))]
    runs.sort(key=lambda run: str(run.get("start", "")))
    return Outcome(output.rstrip("/"), table, runs)


def newest(table: pa.Table) -> pa.Table:
    """The last row of each id, ordered by id."""
    numbered = table.append_column("_row", pa.array(range(len(table)), pa.int64()))
    last = numbered.group_by("id").aggregate([("_row", "max")])
    last = last.take(pc.sort_indices(last["id"]))
    return table.take(last["_row_max"])
