"""`hairline plan`: what a job would do, where, for how long and at what cost. Writes nothing but the tuned job file."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..cluster.nodes import Node, nodes_at_most
from ..cluster.placement import there
from ..cluster.session import Cluster
from ..configs.job import Job
from ..configs.prices import load_prices
from ..stages.documents import Document
from ..stages.errors import HairlineError
from .plan_table import (
    estimate_lines,
    pool_rows,
    pools_table,
    proposal_rows,
    proposal_table,
    sample_rows,
    sample_table,
)
from .prepare import Prepared, describe, prepare
from .progress import clock
from .sampling import Sampled, take_sample, write_tuned
from .storage import Folder
from .tally import last_summary


@dataclass(frozen=True)
class PlanOptions:
    """What a plan is asked for.

    Attributes:
        sample: pictures to measure the pools on; 0: none.
        write: the tuned job file that is to be written; empty: none.
        prices: a price file; empty: none.
        as_json: one JSON object instead of tables.
        force: a stage from which on everything would be done again; None: none.
    """

    sample: int = 0
    write: str = ""
    prices: str = ""
    as_json: bool = False
    force: str | None = None


def show_plan(
    job: Job, document: Document, retry: Sequence[str], console: Console, options: PlanOptions | None = None
) -> None:
    """Prints the pools, whether they fit, how much is new, how long it may take, and what a sample says.

    Args:
        document: what the job was read from.

    Raises:
        HairlineError: what would stop a run before it starts; the tuned file is there already.
    """
    options = options or PlanOptions()
    prices = load_prices(options.prices) if options.prices else None
    if options.write and not options.sample:
        raise HairlineError("--write needs a sample to tune the job by; add --sample N, such as --sample 50")
    if options.write and Path(options.write).exists():
        raise HairlineError(f"--write {options.write}: is there already; give another name, or move it away")
    cluster = Cluster.of_environment()
    with nullcontext() if cluster.machine else cluster.session():
        nodes, at_most = cluster.room(job.nodes)
        if cluster.machine and job.nodes:  # for a cluster that we are not in
            nodes = nodes_at_most(job.nodes)
        output = Folder(job.output)
        if output.local:
            _check_folder(output.root)
        prepared = prepare(job, output, nodes, retry, at_most, options.force, remote=not cluster.machine)
        every = at_most or nodes
        sampled = take_sample(prepared, every, options.sample, prices, cluster) if options.sample else None
    plan = _Plan(job, prepared, every, bool(at_most or job.nodes), output, sampled)
    if options.write and sampled:
        write_tuned(options.write, document, sampled)
    if options.as_json:
        print(json.dumps(plan.as_dict(), ensure_ascii=False), file=console.file)
    else:
        plan.print(console)
        if options.write:
            console.print(f"written: {options.write}", soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class _Plan:
    job: Job
    prepared: Prepared
    nodes: Sequence[Node]
    may_come: bool
    output: Folder
    sampled: Sampled | None

    @property
    def rows(self) -> list[dict[str, Any]]:
        todo = len(self.prepared.todo)
        batches = -(-todo // self.job.pools[0].batch) if todo else None
        return pool_rows(self.prepared.placements, self.nodes, batches)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        prepared, sampled = self.prepared, self.sampled
        speed = _last_speed(self.output)
        return {
            "input": self.job.input,
            "output": self.output.root,
            "pools": self.rows,
            "nodes": {
                "number": len(self.nodes),
                "cpus": sum(node.cpus for node in self.nodes),
                "gpus": sum(node.gpus for node in self.nodes),
                "may_come": self.may_come,
            },
            "pictures": prepared.catalog.total,
            "todo": len(prepared.todo),
            "causes": {cause: number for cause, number in prepared.todo.why._asdict().items() if number},
            "expected_s": round(len(prepared.todo) / speed[0], 1) if speed else None,
            **(sampled.as_dict() if sampled else {}),
        }

    def print(self, console: Console) -> None:
        """The plan as tables."""
        console.print(f"from  {self.job.input}\nto    {self.output.root}", soft_wrap=True, highlight=False)
        console.print(pools_table(self.rows))
        most = "at most " if self.may_come else ""
        console.print(f"The pools fit: there is {most}{there(self.nodes)}.", highlight=False)
        console.print(describe(self.prepared), soft_wrap=True, highlight=False)
        console.print(_expected(self.prepared, self.output), soft_wrap=True, highlight=False)
        if not self.sampled:
            return
        sampled = self.sampled
        console.print(f"\nMeasured on {sampled.pictures} pictures, {sampled.where}:", highlight=False)
        console.print(sample_table(sample_rows(sampled.samples, sampled.pictures), sampled.pictures))
        console.print(
            f"\nProposed: {sampled.rate:.3g} pictures/s (as the file has it: {sampled.rate_now:.3g})", highlight=False
        )
        console.print(proposal_table(proposal_rows(sampled.proposals)))
        for line in estimate_lines(sampled.estimate):
            console.print(line, soft_wrap=True, highlight=False)


def _check_folder(path: str) -> None:
    """What a run would find out when it makes the folder. Raises HairlineError: it could not write there."""
    above = Path(path)
    while not above.exists() and not above.is_symlink():
        above = above.parent
    if not above.is_dir():
        raise HairlineError(f"output {path}: cannot be written: {above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise HairlineError(f"output {path}: cannot be written: {above}: {os.strerror(errno.EACCES)}")


def _last_speed(output: Folder) -> tuple[float, str] | None:
    """Pictures per second of the last run, and that run's name."""
    last = last_summary(output)
    return (last["pictures_per_s_steady"] or last["pictures_per_s_cold"], last["run_id"]) if last else None


def _expected(prepared: Prepared, output: Folder) -> str:
    if not len(prepared.todo):
        return "Nothing to do."
    last = _last_speed(output)
    if last is None:
        return "Expected time: not known before a first run into this output."
    speed, run = last
    return f"Expected time: {clock(len(prepared.todo) / speed)}, at the {speed:.3g} pictures/s of run {run}."
