"""Reads back what runs left in an output folder: the results, newest row per picture, and the run summaries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa

from ..stages.errors import HairlineError
from .ledger import SCHEMA, Ledger
from .names import output_name
from .retry import classify_error
from .storage import Folder
from .tally import RUN, RUNS

STAGE_ORDER = ("fetch", "filter", "classify", "detect", "coarse", "fine", "products", "write")
LIGHT = ("id", "status", "reason", "stage", "route", "confidence")
Row = dict[str, Any]


class ProductLink(NamedTuple):
    """Where a product lies: its full path or URL, and a link to it relative to OUTPUT/report (or empty)."""

    uri: str
    link: str


class Outcome:
    """The results and run summaries of one output.

    Attributes:
        folder: the output.
        rows: one light row per picture, in order of id: the columns of `LIGHT` and `index`, its row in the table.
        runs: the run summaries, oldest first.
    """

    def __init__(self, folder: Folder, table: pa.Table, runs: list[dict[str, Any]]) -> None:
        self.folder, self.table, self.runs = folder, table, runs
        self.rows: list[Row] = table.select(list(LIGHT)).to_pylist()
        for index, row in enumerate(self.rows):
            row["index"] = index

    @property
    def name(self) -> str:
        """The job's name, or else the end of the output's path."""
        return str(self.last_run.get("name") or "/".join(self.folder.root.rstrip("/").split("/")[-2:]))

    @property
    def last_run(self) -> dict[str, Any]:
        """The newest run that did pictures, or else the newest."""
        busy = [run for run in self.runs if run.get("done")]
        return (busy or self.runs or [{}])[-1]

    def full(self, rows: Sequence[Row]) -> list[Row]:
        """The given light rows with all their columns; maps as dicts, null maps and lists as empty ones."""
        full: list[Row] = self.table.take(pa.array([row["index"] for row in rows], pa.int64())).to_pylist(
            maps_as_pydicts="lossy"
        )
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

    def product_link(self, row: Row, product: str) -> ProductLink:
        """Where a picture's product lies now, also when the output has been moved since it was written."""
        if product not in row["outputs"]:
            return ProductLink("", "")
        name = output_name(product, row["id"], row["outputs"][product].rpartition(".")[2])
        return ProductLink(self.folder.uri(name), "../" + quote(name))


def rows_of_run(output: Path) -> list[Row]:
    """All rows of a run, with all their columns. Raises HairlineError as `load_outcome` does."""
    outcome = load_outcome(str(output))
    return outcome.full(outcome.rows)


def load_outcome(output: str) -> Outcome:
    """Reads OUTPUT/results/*.parquet and OUTPUT/runs/*.json.

    Raises:
        HairlineError: there is no such output, or it has no results.
    """
    folder = Folder(output)
    try:
        ledger = Ledger(folder)
        if not ledger.files:
            raise HairlineError(f"{output}: no results/*.parquet here; give the output of a `hairline run`")
        table = ledger.read(SCHEMA.names)
        runs = [json.loads(folder.read(name)) for name in folder.names(RUNS) if RUN.fullmatch(name)]
    except (OSError, pa.ArrowException, ValueError) as error:
        raise HairlineError(f"{output}: cannot be read: {classify_error(error).detail}") from error
    return Outcome(folder, table, sorted(runs, key=lambda run: str(run["run_id"])))
