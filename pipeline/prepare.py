"""Everything that is found out before a run starts: shared by `run` and `plan`, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.nodes import Node
from ..cluster.placement import Placement, allocate
from ..configs.fingerprint import fingerprint, ingredients
from ..configs.job import Job
from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError
from .catalog import Catalog, read_catalog
from .ledger import Ledger
from .made import torn
from .outdated import Outdated
from .retry import classify_error
from .storage import Folder
from .todo import Todo, compare


@dataclass
class Prepared:
    """A job that can start.

    Attributes:
        parts: what the fingerprint is made of, as plain data.
        todo: which of the catalog's pictures are to do, why, and from which stage on; how the others ended.
        outdated: what differs from the settings of earlier runs.
    """

    job: Job
    parts: dict[str, Any]
    fingerprint: str
    catalog: Catalog
    todo: Todo
    outdated: Outdated
    placements: list[Placement]

    @property
    def spared(self) -> list[str]:
        """The stages that no picture to do needs again, where what came of them was kept; by their names in rows."""
        starts, order = self.todo.starts, self.outdated.order
        if starts.total() < len(self.todo):
            return []
        return order[: min(map(order.index, starts), default=0)]


def prepare(
    job: Job,
    output: Folder,
    nodes: Sequence[Node],
    retry: Sequence[str] = (),
    at_most: Sequence[Node] = (),
    force: str | None = None,
    remote: bool = False,
) -> Prepared:
    """Checks weights, pools and input, and compares the catalog with what is done.

    Args:
        nodes, at_most: what there is, and what there may be, as in `allocate`.
        retry: statuses and reason codes to do again even where nothing changed.
        force: a stage, by its name in the job, from which on everything is done again.
        remote: a session with nodes of a cluster lasts, which may help to compare.

    Raises:
        HairlineError: any mistake of the user's.
    """
    if force and force not in job.stage_names:
        raise HairlineError(f"--from {force}: no pool runs such a stage{did_you_mean(force, job.stage_names)}")
    parts = ingredients(job)
    allocate(job.pools, nodes, at_most=at_most)
    catalog = read_catalog(job.input, job.output, job.product_names, job.columns)
    try:
        outdated = Outdated(output, parts, digest := fingerprint(parts), force or "")
        todo = compare(catalog, Ledger(output), outdated.first_stage, retry, torn(output), remote)
        for each in todo.fingerprints:  # tasks elsewhere have compared with copies
            outdated.change(each)
    except HairlineError:
        raise
    except Exception as error:  # Arrow's, botocore's, the system's: all mean the same here
        raise HairlineError(
            f"output {job.output}: its results cannot be read: {classify_error(error).detail}"
        ) from error
    placements = allocate(job.pools, nodes, batches=-(-len(todo) // job.pools[0].batch), at_most=at_most)
    return Prepared(job, parts, digest, catalog, todo, outdated, placements)


def describe(prepared: Prepared) -> str:
    """One line: how many pictures there are, how many are to do and why, what was left out, how many workers start."""
    total, todo = prepared.catalog.total, len(prepared.todo)
    causes = ", ".join(f"{number:,} {cause}" for cause, number in prepared.todo.why._asdict().items() if number)
    line = f"{total:,} pictures, {todo:,} to do" + (f" ({causes})" if todo else "")
    left_out = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in sorted(prepared.catalog.left_out.items()))
    if left_out:
        line += f"; left out: {left_out}"
    if prepared.todo.why.outdated:
        line += f"; outdated by {', '.join(prepared.outdated.keys)}: {', '.join(_starts(prepared))}"
    if todo:
        workers = ", ".join(f"{placement.first} × {placement.pool.name}" for placement in prepared.placements)
        line += f"; workers: {workers}"
    return line


def _starts(prepared: Prepared) -> list[str]:
    """How many of the outdated pictures need which stages, the most first."""
    starts = prepared.todo.starts.most_common()
    return [f"{number:,} need {stage} and what follows" for stage, number in starts]
