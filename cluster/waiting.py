"""Waiting until nodes are there that the smallest pools fit on; a cluster's autoscaler is asked for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..configs.job import Job
from ..stages.errors import HairlineError
from .nodes import Node
from .placement import Placement, allocate
from .session import Cluster

LOOK_S = 2.0  # between two looks at the nodes
TELL_S = 30.0  # between two lines about it


def wait_for_nodes(cluster: Cluster, job: Job, tell: Callable[[str], None]) -> tuple[list[Node], list[Node]]:
    """The nodes that there are and all that there may be, once the smallest pools fit on the former.

    Without `wait_for_nodes` in the job, at once: Ray then starts the pools as nodes come.

    Args:
        tell: gets a line now and then while it waits.

    Raises:
        HairlineError: the pools will never fit, or they do not after the time that the job gives.
    """
    nodes, at_most = cluster.room(job.nodes)
    if cluster.machine or not job.wait_for_nodes or not (lack := _lack(job, nodes)):
        return nodes, at_most
    smallest = allocate(job.pools, nodes, at_most=at_most) if at_most else []  # raises where waiting is in vain
    started, told = time.monotonic(), float("-inf")
    try:
        _ask(smallest)
        while lack:
            waited = time.monotonic() - started
            if waited >= job.wait_for_nodes:
                raise HairlineError(f"after {waited:.0f} s of waiting for nodes {lack}")
            if waited - told >= TELL_S:
                told = waited
                tell(f"waiting for nodes ({waited:.0f} of {job.wait_for_nodes:.0f} s): {lack}")
            time.sleep(min(LOOK_S, job.wait_for_nodes - waited))
            nodes, at_most = cluster.room(job.nodes)
            lack = _lack(job, nodes)
    finally:
        _ask(())  # from here on the pools themselves ask
    return nodes, at_most


def _lack(job: Job, nodes: Sequence[Node]) -> str:
    """Why the smallest pools do not fit on some nodes; empty where they do."""
    try:
        allocate(job.pools, nodes)
    except HairlineError as error:
        return str(error)
    return ""


def _ask(placements: Sequence[Placement]) -> None:
    """Asks the autoscaler for room for the smallest pools; with none, for nothing any more."""
    from ray.autoscaler.sdk import request_resources

    bundles: list[dict[str, float]] = []
    for each in placements:
        share = min((card.gpu for card in each.cards), default=0.0)
        bundles += [{"CPU": each.pool.cpus, **({"GPU": share} if share else {})}] * each.smallest
    request_resources(bundles=bundles)
