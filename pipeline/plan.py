"""`hairline plan`: what a job would do, where, and for how long. Starts nothing and writes nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..cluster.nodes import Node
from ..cluster.session import Cluster
from ..configs.job import Job
from ..stages.errors import HairlineError
from .prepare import Prepared, describe, prepare
from .progress import clock
from .storage import Folder
from .tally import last_summary


def show_plan(job: Job, retry: Sequence[str], console: Console, force: str | None = None) -> None:
    """Prints the pools, whether they fit, how much is new and how long it may take.

    Raises:
        HairlineError: what would stop a run before it starts.
    """
    cluster = Cluster.of_environment()
    output = Folder(job.output)
    if output.local:
        _check_folder(output.root)
    with nullcontext() if cluster.machine else cluster.session():
        nodes = cluster.nodes
        prepared = prepare(job, output, nodes, retry, force, remote=not cluster.machine)
    console.print(f"from  {job.input}\nto    {output.root}", soft_wrap=True, highlight=False)
    console.print(_pools(prepared))
    console.print(f"The pools fit: {_there(nodes)}.", highlight=False)
    console.print(describe(prepared), soft_wrap=True, highlight=False)
    console.print(_expected(prepared, output), soft_wrap=True, highlight=False)


def _check_folder(path: str) -> None:
    """What a run would find out when it makes the folder. Raises HairlineError: it could not write there."""
    above = Path(path)
    while not above.exists() and not above.is_symlink():
        above = above.parent
    if not above.is_dir():
        raise HairlineError(f"output {path}: cannot be written: {above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise HairlineError(f"output {path}: cannot be written: {above}: {os.strerror(errno.EACCES)}")


def _pools(prepared: Prepared) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("pool", "stages", "processes", "CPUs each", "GPU each", "batch"):
        table.add_column(column, justify="left" if column in ("pool", "stages") else "right")
    for placement in prepared.placements:
        processes = (
            str(placement.smallest)
            if placement.smallest == placement.largest
            else f"{placement.smallest}–{placement.largest}"
        )
        cells = [
            processes,
            f"{placement.pool.cpus:g}",
            f"{placement.gpu:.3g}" if placement.gpu else "–",
            str(placement.pool.batch),
        ]
        table.add_row(placement.pool.name, " ".join(placement.pool.stages), *cells)
    return table


def _there(nodes: Sequence[Node]) -> str:
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    where = f"{len(nodes)} nodes have" if len(nodes) > 1 else "this machine has"
    return f"{where} {cpus:g} CPUs and {gpus or 'no'} GPUs"


def _expected(prepared: Prepared, output: Folder) -> str:
    if not len(prepared.todo):
        return "Nothing to do."
    last = last_summary(output)
    if last is None:
        return "Expected time: not known before a first run into this output."
    speed = last["pictures_per_s_steady"] or last["pictures_per_s_cold"]
    seconds = len(prepared.todo) / speed
    return f"Expected time: {clock(seconds)}, at the {speed:.3g} pictures/s of run {last['run_id']}."
