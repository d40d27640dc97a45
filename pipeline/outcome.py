"""Reads back what runs left in an output folder: the results, newest row per picture, and the run summaries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa

from ..stages.errors import HairlineError
from .ledger import SCHEMA, Ledger
from .names import output_name
from .partitions import shares
from .retry import classify_error
from .storage import Folder
from .tally import RUN, RUNS

STAGE_ORDER = ("fetch", "filter", "classify", "detect", "coarse", "fine", "products", "write")
Row = dict[str, Any]


class ProductLink(NamedTuple):
    """Where a product lies: its full path or URL, and a link to it relative to OUTPUT/report (or empty)."""

    uri: str
    link: str


class Outcome:
    """The results and run summaries of one output. The rows are read when they are asked for, a partition at a time.

    Attributes:
        folder: the output.
        runs: the run summaries, oldest first.
        partitions: how many the ledger has.
    """

    def __init__(self, folder: Folder, ledger: Ledger, runs: list[dict[str, Any]]) -> None:
        self.folder, self.runs, self._ledger = folder, runs, ledger
        self.partitions = ledger.partitions

    @property
    def name(self) -> str:
        """The job's name, or else the end of the output's path."""
        return str(self.last_run.get("name") or "/".join(self.folder.root.rstrip("/").split("/")[-2:]))

    @property
    def last_run(self) -> dict[str, Any]:
        """The newest run that did pictures, or else the newest."""
        busy = [run for run in self.runs if run.get("done")]
        return (busy or self.runs or [{}])[-1]

    def tables(self, columns: Sequence[str], partitions: int = 0) -> Iterator[pa.Table]:
        """Some columns of the newest rows, one partition after the other, each sorted by id.

        Args:
            partitions: other than the ledger's own, and more.

        Raises:
            HairlineError: they cannot be read.
        """
        partitions = max(partitions, self.partitions)
        with self._reading():
            split = self._ledger.split(columns, partitions)
            for share in shares(partitions):
                yield self._ledger.of_share(share, split).read(columns)

    def full(self, ids: Sequence[str]) -> list[Row]:
        """The rows of some pictures with all their columns, in the order of the ids; see `plain`."""
        with self._reading():
            table = self._ledger.read(SCHEMA.names, ids=pa.array(sorted(set(ids)), pa.string()))
        found = {row["id"]: row for row in plain(table)}
        return [found[id] for id in ids]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException, ValueError) as error:
            raise HairlineError(f"{self.folder.root}: cannot be read: {classify_error(error).detail}") from error

    def product_link(self, row: Row, product: str) -> ProductLink:
        """Where a picture's product lies now, also when the output has been moved since it was written."""
        if product not in row["outputs"]:
            return ProductLink("", "")
        name = output_name(product, row["id"], row["outputs"][product].rpartition(".")[2])
        return ProductLink(self.folder.uri(name), "../" + quote(name))


def plain(table: pa.Table) -> list[Row]:
    """Rows of the ledger as dicts; maps as dicts, null maps and lists as empty ones."""
    rows: list[Row] = table.to_pylist(maps_as_pydicts="lossy")
    for row in rows:
        for column, empty in (("quality", {}), ("boxes", []), ("outputs", {}), ("verdicts", []), ("seconds", {})):
            if column in row:
                row[column] = row[column] or empty
    return rows


def rows_of_run(output: Path, columns: Sequence[str] = SCHEMA.names) -> list[Row]:
    """All rows of a run, sorted by id, with all their columns or some. Raises HairlineError as `load_outcome` does."""
    rows = [row for table in load_outcome(str(output)).tables(columns) for row in plain(table)]
    return sorted(rows, key=lambda row: row["id"])


def load_outcome(output: str) -> Outcome:
    """Lists OUTPUT/results/*.parquet and reads OUTPUT/runs/*.json.

    Raises:
        HairlineError: there is no such output, or it has no results.
    """
    folder = Folder(output)
    try:
        ledger = Ledger(folder)
        if not ledger.files:
            raise HairlineError(f"{output}: no results/*.parquet here; give the output of a `hairline run`")
        runs = [json.loads(folder.read(name)) for name in folder.names(RUNS) if RUN.fullmatch(name)]
    except (OSError, ValueError) as error:
        raise HairlineError(f"{output}: cannot be read: {classify_error(error).detail}") from error
    return Outcome(folder, ledger, sorted(runs, key=lambda run: str(run["run_id"])))
