"""A run from beginning to end: prepare, work, bring the results in order, sum up."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import pyarrow as pa
from rich.console import Console

from ..cluster.session import Cluster
from ..cluster.stage_runner import pool_specs
from ..cluster.waiting import wait_for_nodes
from ..configs.job import Job
from ..stages.errors import HairlineError, OutageError
from . import lease
from .compaction import compact
from .credentials import Environment
from .feed import Feed
from .kept import clear_kept
from .ledger import Ledger
from .made import clear_dead
from .metrics import RunCollector, published, workers_of
from .outdated import save_ingredients
from .partitions import spread
from .pools import run_pools
from .preflight import Errand, own_versions, preflight
from .prepare import Prepared, describe, prepare
from .progress import Progress, clock, outcome_table
from .retry import classify_error
from .source import as_sources
from .storage import Folder, display
from .strangers import MOST, strangers
from .tally import Tally, by_status, new_run_id, summary, write_summary
from .worker import WorkerSpec

FINISHED, ABORTED, SOME_FAILED = 0, 1, 3  # exit codes; a HairlineError is 2


def run_job(job: Job, retry: Sequence[str], console: Console, force: str | None = None) -> int:
    """Runs a job and reports on it.

    Args:
        retry: statuses and reason codes to do again even where nothing changed.
        force: a stage from which on everything is done again.

    Returns:
        The exit code: 0, 3 if more pictures failed than the job allows, 1 if it was interrupted or could not go on.

    Raises:
        HairlineError: the job, a path or a flag is wrong, or the pools do not fit.
    """
    run_id = new_run_id()
    output = Folder(job.output, run_id)
    tally = Tally()
    with ExitStack() as stack:
        cluster = Cluster.of_environment()
        if not cluster.machine:
            stack.enter_context(cluster.session())
        nodes, at_most = wait_for_nodes(cluster, job, lambda line: console.print(line, highlight=False))
        prepared = prepare(job, output, nodes, retry, at_most, force, remote=not cluster.machine)
        if stack.enter_context(lease.held(output, job.lease_wait_s, console)):
            prepared = prepare(
                job, output, nodes, retry, at_most, force, remote=not cluster.machine
            )  # the other run has done some
        output.patience_s = job.patience_s  # up to here a mistake is told at once
        console.print(describe(prepared), soft_wrap=True, highlight=False)
        tally.total = len(prepared.todo)
        counts = Counter(prepared.todo.settled)
        try:
            with _interruptible():
                with output.writing():
                    clear_dead(output, cuts_only=True)
                    stood = [name for name in prepared.job.product_names if output.has(name)]
                if len(prepared.todo):
                    _work(prepared, output, cluster, tally, console)
                counts += tally.counts
                facts = _finalize(prepared, output, cluster, console)
                facts.update(counts=by_status(counts), pictures=counts.total())
                with output.writing():
                    write_summary(output, summary(tally, run_id, facts))
        except (KeyboardInterrupt, HairlineError) as error:
            if isinstance(error, HairlineError) and not isinstance(error, OutageError) and not tally.done:
                raise  # a mistake that shows only where the work is done
            why = f"aborted: {error}" if isinstance(error, HairlineError) else "interrupted"
            Console(stderr=True).print(
                f"hairline: {why} after {tally.done:,} of {tally.total:,} pictures; what is done is kept: "
                "run the same command again to do the rest",
                soft_wrap=True,
                highlight=False,
            )
            return ABORTED
        _report(output, tally, counts, console)
        _mention_strangers(output, stood, console)
    failed = sum(number for (status, _), number in counts.items() if status == "failed")
    return SOME_FAILED if failed > job.most_failed(counts.total()) else FINISHED


def _work(prepared: Prepared, output: Folder, cluster: Cluster, tally: Tally, console: Console) -> None:
    errand = _errand(prepared, output, cluster)
    readable = preflight(errand, joined=not cluster.machine)
    with output.writing():  # not before: a run that is refused leaves nothing
        save_ingredients(output, prepared.fingerprint, prepared.parts)
    with ExitStack() as stack:
        if cluster.machine:
            stack.enter_context(cluster.session())
        workers = workers_of([placement.pool.name for placement in prepared.placements])
        metrics = stack.enter_context(published(prepared.job.metrics, RunCollector(tally, output.run_id, workers)))
        if metrics:
            console.print(f"metrics: http://{metrics}/metrics", highlight=False)
        stack.enter_context(Progress(tally, console))
        specs = _specs(prepared, output, cluster, errand, readable)
        first = prepared.placements[0]
        feed = Feed(prepared.todo, first.pool.batch, first.first, output)
        for done in run_pools(prepared.placements, specs, feed, at_once=bool(cluster.machine)):
            tally.add(done)


def _errand(prepared: Prepared, output: Folder, cluster: Cluster) -> Errand:
    """What every node is to try: with the first, the middle and the last source to do."""
    job, todo = prepared.job, prepared.todo
    shares = list(todo.shares)
    some = pa.concat_tables(todo.read(share) for share in sorted({shares[0], shares[len(shares) // 2], shares[-1]}))
    last = len(some) - 1
    sources = as_sources(some.take(sorted({0, last // 2, last})))
    return Errand(
        tuple(source for source in sources if not source.problem),
        job.limits,
        tuple(job.stages.items()),
        prepared.parts["weights"],
        output.root,
        output.run_id,
        own_versions(),
        None if cluster.machine else Environment.of_driver(),
    )


def _specs(
    prepared: Prepared, output: Folder, cluster: Cluster, errand: Errand, readable: Sequence[str]
) -> list[WorkerSpec]:
    job = prepared.job
    sources = tuple(source for source in errand.sources if source.uri in readable)
    first = None if cluster.machine else replace(errand, sources=sources, patience_s=job.patience_s)
    return [
        WorkerSpec(
            pool,
            job.limits,
            output.root,
            prepared.fingerprint,
            output.run_id,
            job.patience_s,
            prepared.todo.partitions,
            order=tuple(prepared.outdated.order),
            witnesses=tuple(readable),
            errand=first,
            leased=True,
        )
        for pool in pool_specs(job, prepared.placements, job.restart_at, prepared.spared)
    ]


def _finalize(prepared: Prepared, output: Folder, cluster: Cluster, console: Console) -> dict[str, Any]:
    """Brings the results in order, checks that no picture is lost, and sweeps what was left half-made."""
    todo = prepared.todo
    with output.writing():
        lease.check(output)
        ledger = Ledger(output)
        around = [other for other in clear_dead(output, alone=True, also=output.run_id) if not other.is_cut]
        if not around:
            compact(ledger, output.run_id, todo.partitions, remote=not cluster.machine)
            clear_kept(output, ledger)
        lost = sum(spread(_lost, ((todo.read(share), ledger.of_share(share)) for share in todo.shares)))
    for other in around:
        console.print(
            f"run {other.run_id} may be under way in {output.root} (last sign of life {clock(other.age)} ago): "
            "what it has not finished stays as it is, and a later run merges the results",
            soft_wrap=True,
            highlight=False,
        )
    if lost:
        raise RuntimeError(f"{lost} pictures have no row in {output.root}/results; please report this")
    return {
        "name": prepared.job.name,
        "input": display(prepared.job.input),
        "output": display(output.root),
        "fingerprint": prepared.fingerprint,
        "settings": prepared.parts,
        "pools": [placement.as_dict() for placement in prepared.placements],
        "to_do": todo.why._asdict(),
        "left_out": dict(prepared.catalog.left_out),
        "gone": todo.gone,  # rows of sources that the input no longer holds; they are kept
    }


def _lost(done: pa.Table, ledger: Ledger) -> int:
    """How many of the pictures that were done have no row."""
    ids = done["id"].combine_chunks()
    return len(ids) - len(ledger.read(["id"], ids=ids))


def _report(output: Folder, tally: Tally, counts: Counter[tuple[str, str]], console: Console) -> None:
    """The table and the report at the end."""
    console.print(outcome_table(counts))
    speed = f", {tally.done / tally.elapsed:.3g} pictures/s" if tally.done else ""
    console.print(f"{tally.done:,} pictures done in {clock(tally.elapsed)}{speed}", highlight=False)
    try:
        from .report import write_report

        console.print(f"report: {write_report(output.root)}", soft_wrap=True, highlight=False)
    except Exception as error:  # the pictures are done, whatever is wrong with the report
        what = str(error) if isinstance(error, HairlineError) else f"{type(error).__name__}: {error}"
        Console(stderr=True).print(f"warning: no report: {what}", soft_wrap=True, highlight=False)


def _mention_strangers(output: Folder, stood: Sequence[str], console: Console) -> None:
    """What else lies in the output: it stays, and is mentioned."""
    try:
        number = strangers(output, Ledger(output), stood)
    except Exception as error:  # the pictures are done
        Console(stderr=True).print(
            f"warning: {output.root}: {classify_error(error).detail}", soft_wrap=True, highlight=False
        )
        return
    if number:
        files, were, stay = ("file", "was", "stays as it is") if number == 1 else ("files", "were", "stay as they are")
        some = "at least " if number >= MOST else ""
        console.print(
            f"{some}{number:,} {files} in {output.root} {were} not made by runs into it and {stay}",
            soft_wrap=True,
            highlight=False,
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
