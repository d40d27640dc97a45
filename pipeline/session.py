"""Starting Ray quietly, or joining the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from ..stages.errors import HairlineError
from .machine import Node, this_machine

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what Ray's C++ would print on our terminal
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_worker_niceness": "0",  # workers as urgent as the command that starts them: `nice hairline run` is polite
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its future default; without it Ray warns
}
# settings of all processes of a cluster: for a Ray of our own only, for in a foreign one they must be as it has them
OWN = {
    "RAY_enable_metrics_collection": "0",  # nobody looks at them in a batch job, and they cost a share of a core
    "RAY_event_stats": "0",
}


def joins_cluster() -> bool:
    return bool(os.environ.get("RAY_ADDRESS"))


@contextmanager
def ray_session(node: Node | None = None) -> Iterator[None]:
    """Ray, for as long as the block lasts.

    Args:
        node: the machine to start Ray on with its cores and cards; None: join the cluster.

    Raises:
        HairlineError: there is no cluster at RAY_ADDRESS, or Ray does not start.
    """
    for name, value in (QUIET | OWN if node else QUIET).items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():  # by the program that we are part of; it also ends it
        yield
        return
    try:
        with _muted_stderr(), _own_sigterm():
            if node is None:
                ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level=logging.FATAL)
            else:
                ray.init(
                    address="local",  # never a cluster that happens to run here
                    num_cpus=int(node.cpus),
                    num_gpus=node.gpus,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.FATAL,
                )
    except SystemExit:  # a SIGTERM while Ray starts
        raise KeyboardInterrupt from None
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        where = f"at RAY_ADDRESS={os.environ['RAY_ADDRESS']}" if node is None else "on this machine"
        raise HairlineError(f"Ray does not start {where}: {' '.join(str(error).split())[:200]}") from error
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # where Ray tells of workers that died
            yield
    finally:
        ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keeps our way to end on SIGTERM; Ray puts in its own, which exits at once with code 15."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _muted_stderr() -> Iterator[None]:
    """Keeps what Ray's C++ says while it starts off the terminal; its failures come as exceptions all the same."""
    sys.stderr.flush()
    before = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def cluster_nodes() -> list[Node]:
    """What the nodes of the joined cluster have. Nodes with cards are asked for the memory of theirs."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    asked = {}
    for node in alive:
        if node["Resources"].get("GPU"):
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[node["NodeID"]] = ray.remote(num_cpus=0)(this_machine).options(scheduling_strategy=strategy).remote()
    cards = {key: ray.get(answer).gpu_gib for key, answer in asked.items()}
    return [
        Node(node["Resources"].get("CPU", 0), int(node["Resources"].get("GPU", 0)), cards.get(node["NodeID"], 0.0))
        for node in alive
    ]
