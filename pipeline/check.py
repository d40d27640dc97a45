"""`hairline cluster check`: what is wrong in a running cluster, each finding one line with what to do."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from ..cluster.join import TOKEN
from ..cluster.nodes import Node
from ..cluster.placement import allocate, there
from ..cluster.session import Cluster
from ..configs.job import Job
from ..configs.service import Service
from ..stages.errors import HairlineError
from .retry import classify_error
from .storage import Folder, is_local, local_path, remote

WELL, WRONG = 0, 1  # exit codes; a HairlineError is 2
ANSWER_S = 120.0  # for a node to say what it has; a first import of torch takes long
LEAST_DISK = 0.05  # of a node's temporary folder; Ray stops taking tasks at 5%
LEAST_SHM_GIB = 0.25
PROBE = b"hairline cluster check: may be deleted"
STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}
VERSIONS = ("ray", "torch", "pyarrow", "numpy", "hairline-matting")


@dataclass(frozen=True)
class Finding:
    """What was looked at, and how it is. `what` says what is to be done where it is wrong."""

    state: Literal["ok", "note", "wrong"]
    where: str
    what: str


def check_cluster(file: str | None, changes: Sequence[str], as_json: bool, console: Console) -> int:
    """Looks at the cluster that RAY_ADDRESS names, and whether a job or a service would do there.

    Args:
        file: a job or service file, or None.

    Returns:
        The exit code: 0 all is well, 1 something is wrong.

    Raises:
        HairlineError: there is no cluster to look at, it cannot be joined, or the file is wrong.
    """
    from ..cluster.render import load

    config = load(file, changes)[0] if file else None
    cluster = Cluster.of_environment()
    if cluster.machine:
        raise HairlineError("RAY_ADDRESS names no cluster to look at; set it to HOST:PORT of the head, or to auto")
    with cluster.session():
        found = [*_cluster(cluster, config)]
    if as_json:
        print(json.dumps([asdict(each) for each in found], ensure_ascii=False), file=console.file)
    else:
        for each in found:
            line = Text(f"{each.state:5}  ", style=STYLES[each.state]) + Text(f"{each.where}: {each.what}", style="")
            console.print(line, soft_wrap=True, highlight=False)
    return WRONG if any(each.state == "wrong" for each in found) else WELL


def _cluster(cluster: Cluster, config: Job | Service | None) -> Iterator[Finding]:
    import ray

    yield _token()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    dead = [node for node in nodes if not node["Alive"]]
    if dead:
        names = ", ".join(sorted({_name(node) for node in dead})[:5])
        told = f"{len(dead)} of {len(nodes)} nodes are dead ({names}): see why in the cluster's events or pods"
        yield Finding("note" if len(dead) < len(nodes) / 2 else "wrong", "nodes", told)
    alive = [node for node in nodes if node["Alive"]]
    answers = _ask(alive, config)
    ours = _facts(_places(config))
    for node in alive:
        yield from _node(_name(node), node, answers[node["NodeID"]], ours)
    types = config.nodes if config else ()
    present, at_most = cluster.room(types)
    yield Finding("ok", "resources", f"there is {there(present)}" + (f", at most {there(at_most)}" if at_most else ""))
    if config:
        yield from _fits(config, present, at_most)


def _token() -> Finding:
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    if is_token_auth_enabled():
        return Finding("ok", "token", "the cluster asks for one, and ours is right")
    return Finding(
        "note", "token", f"whoever reaches the cluster's ports can run programs there; {TOKEN}, on all nodes"
    )


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def _ask(alive: Sequence[dict[str, Any]], config: Job | Service | None) -> dict[str, dict[str, Any] | str]:
    """What every node says of itself, or why it does not."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_facts)
    asked = {
        node["NodeID"]: task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(_places(config))
        for node in alive
    }
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_S)
    answers: dict[str, dict[str, Any] | str] = {}
    for key, answer in asked.items():
        try:
            answers[key] = ray.get(answer, timeout=1)
        except (RayError, TimeoutError) as error:
            lines = str(error).strip().splitlines()
            answers[key] = lines[-1][:200] if lines else type(error).__name__
    return answers


def _places(config: Job | Service | None) -> dict[str, str]:
    return {"input": config.input, "output": config.output} if isinstance(config, Job) else {}


def _facts(places: dict[str, str]) -> dict[str, Any]:
    """What this node has: versions, card memory, room, and whether it reaches the storage."""
    from ..cluster.cards import cards_here

    versions: dict[str, str] = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            versions[name] = version(name)
        except ImportError:
            versions[name] = "missing"
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all"):
        del os.environ["CUDA_VISIBLE_DEVICES"]
    disk, shm = shutil.disk_usage(tempfile.gettempdir()), shutil.disk_usage("/dev/shm")
    return {
        "versions": versions,
        "cards_gib": cards_here(),
        "disk_free": disk.free / disk.total,
        "shm_gib": shm.total / (1 << 30),
        "storage": {name: why for name, uri in places.items() if (why := _storage(name, uri))},
    }


def _storage(name: str, uri: str) -> str:
    """Why this node does not reach a job's input or output; empty where it does. Leaves nothing behind."""
    try:
        if name == "input":
            if is_local(uri):
                base = Path(local_path(uri).split("*")[0])
                return "" if base.exists() or base.parent.is_dir() else f"{uri} is not there"
            files, path = remote(uri)
            files.ls(path.split("*")[0].rstrip("/"), detail=False) if not files.isfile(path) else None
            return ""
        folder = Folder(uri)
        probe = f".partial/check-{uuid.uuid4().hex}"
        with ExitStack() as stack:
            if folder.local and not Path(folder.root).exists():
                above = next(each for each in Path(folder.root).parents if each.exists())
                return "" if os.access(above, os.W_OK) else f"{above} cannot be written"
            folder.write(probe, PROBE)
            stack.callback(folder.delete, probe)
            return "" if folder.read(probe) == PROBE else "what is written there cannot be read again"
    except HairlineError as error:
        return str(error)
    except Exception as error:  # botocore's, the system's
        return classify_error(error).detail


def _node(name: str, node: dict[str, Any], told: dict[str, Any] | str, ours: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with one node; one line that it is well, where nothing is."""
    where = f"node {name}"
    if isinstance(told, str):
        yield Finding("wrong", where, f"does not answer ({told}); is Hairline installed there?")
        return
    wrong = []
    for what, here in ours["versions"].items():
        if told["versions"].get(what) != here:
            wrong.append(f"{what} is {told['versions'].get(what)} there and {here} here; install the same")
    logical = int(node["Resources"].get("GPU", 0))
    if logical > len(told["cards_gib"]):
        wrong.append(
            f"Ray counts {logical} GPUs, but the driver shows {len(told['cards_gib'])}; is the driver or the container "
            "runtime of the cards missing, or was --num-gpus given by hand?"
        )
    if len(told["cards_gib"]) > logical:
        wrong.append(f"has {len(told['cards_gib'])} cards, of which Ray counts {logical}; start Ray with --num-gpus")
    if told["disk_free"] < LEAST_DISK:
        wrong.append(f"{told['disk_free']:.0%} of the disk of its temporary folder is free; Ray stops at 5%")
    if told["shm_gib"] < LEAST_SHM_GIB:
        wrong.append(f"/dev/shm has {told['shm_gib']:.2f} GiB; give the container more (--shm-size, an emptyDir)")
    wrong += [f"{place} is not reached: {why}" for place, why in told["storage"].items()]
    for each in wrong:
        yield Finding("wrong", where, each)
    if not wrong:
        cpus = node["Resources"].get("CPU", 0)
        yield Finding("ok", where, f"{cpus:g} CPUs, {logical or 'no'} GPUs, versions as here")


def _fits(config: Job | Service, present: Sequence[Node], at_most: Sequence[Node]) -> Iterator[Finding]:
    try:
        allocate(config.pools, present, at_most=at_most, one_card=isinstance(config, Service))
    except HairlineError as error:
        yield Finding("wrong", "pools", str(error))
        return
    try:
        allocate(config.pools, present, one_card=isinstance(config, Service))
    except HairlineError as error:
        yield Finding("note", "pools", f"they fit once the autoscaler has brought nodes; now {error}")
        return
    yield Finding("ok", "pools", "the smallest fit the nodes that are there")
