"""Whether every node can do the work, asked before the first picture.

On each node that has cores for workers one small task reads a source, writes and deletes an object of its own in the
output, and compares versions and weights with those of the driver. Without a cluster the driver does it itself; what it
costs there is one source read and one small file written. A worker of a cluster tries the same when it starts, for its
node may have joined since.
"""

from __future__ import annotations

import platform
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

from rich.console import Console

from ..stages.base import Settings
from ..stages.errors import HairlineError, OutageError, PictureError
from ..stages.limits import Limits
from ..stages.registry import stage_class
from .cause import cause
from .credentials import Environment
from .fetch import fetch
from .presence import is_present
from .source import Source
from .storage import Folder, display, is_local

ANSWER_S = 300.0  # longest that nodes are waited for; a process that loads torch for the first time takes a minute
MOST_LINES = 20
OBJECT = b"hairline: whether this node may write here; may be deleted"


@dataclass(frozen=True)
class Errand:
    """What a node is to try; travels to it by pickle.

    Attributes:
        sources: some of those to do; one that can be read is enough.
        stages: (name, settings) of all pools.
        weights: stage -> {role: SHA-256 in hex}, as the driver has them.
        output, run_id: of the run, which is `present` there.
        versions: {what: version} of the driver.
        patience_s: how long storage that is away is waited for, seconds.
    """

    sources: tuple[Source, ...]
    limits: Limits
    stages: tuple[tuple[str, Settings], ...]
    weights: Mapping[str, Mapping[str, str]]
    output: str
    run_id: str
    versions: Mapping[str, str]
    environment: Environment | None = None
    patience_s: float = 0.0


class Finding(NamedTuple):
    """What a node has found.

    Attributes:
        problems: why it cannot do the work, each one line.
        read: the sources that it could read.
        unread: why it could read none.
        shared: whether that was in storage that all nodes share, and no fault of the source's.
    """

    problems: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    unread: str = ""
    shared: bool = False


def own_versions() -> dict[str, str]:
    from .. import __version__
    from ..stages.networks.compiled import engine

    found = {"hairline": __version__, "Python": platform.python_version(), "networks' engine": engine()}
    return found | {name: version(name).partition("+")[0] for name in ("torch", "ray")}


def look(errand: Errand) -> Finding:
    """Tries everything on this node."""
    if errand.environment:
        errand.environment.enter()
    problems = [
        f"{name} is {found or 'missing'} there, and {errand.versions[name]} where the command runs: install the same"
        for name, found in own_versions().items()
        if found != errand.versions[name]
    ]
    for name, settings in errand.stages:
        try:
            found_weights = stage_class(name).weight_hashes(settings)
        except HairlineError as error:
            problems.append(str(error))
            continue
        for role, digest in found_weights.items():
            if digest != errand.weights[name].get(role):
                problems.append(f"stage {name}: the weights of {role} are others there: copy those of the driver")
    problems += _write(Folder(errand.output, errand.run_id, errand.patience_s))
    return _read(errand)._replace(problems=tuple(problems))


def _write(output: Folder) -> list[str]:
    try:
        with output.writing():
            if not is_present(output):
                return [
                    f"output {output.root}: is another folder there than where the command runs; give S3, or a file "
                    "system that all nodes share at the same path"
                ]
            name = f"{output.work}/{uuid.uuid4().hex}"
            output.write(name, OBJECT)
            output.delete(name)
    except OutageError:
        raise
    except HairlineError as error:
        return [str(error)]
    return []


def _read(errand: Errand) -> Finding:
    why, shared = "", False
    for source in errand.sources:
        try:
            fetch(source.uri, errand.limits, source.size, errand.patience_s)
        except PictureError as error:
            if error.reason == "too_many_bytes":
                return Finding(read=(source.uri,))
            why = f"input {display(source.uri)}: {error.detail or error.reason}"
            shared = error.reason in ("permission", "fetch") and source.uri.startswith("s3")
        except OutageError:
            raise
        except HairlineError as error:
            why, shared = str(error), True
        else:
            return Finding(read=(source.uri,))
    return Finding(unread=why, shared=shared)


def preflight(errand: Errand, joined: bool) -> tuple[str, ...]:
    """Asks every node.

    Args:
        joined: whether Ray is that of a cluster which was joined, and not this machine alone.

    Returns:
        Sources that could be read.

    Raises:
        HairlineError: a node cannot do the work; which and why is told on standard error, one line each.
    """
    found = _ask(errand) if joined else {"": look(errand)}
    read = tuple(dict.fromkeys(uri for finding in found.values() for uri in finding.read))
    wrong = {node: problems for node, finding in found.items() if (problems := _problems(finding, bool(read), errand))}
    if not wrong:
        return read
    if not joined:
        raise HairlineError(wrong[""][0])
    lines = [f"node {node}: {problem}" for node, problems in wrong.items() for problem in problems]
    told = Console(stderr=True)
    for line in lines[:MOST_LINES]:
        told.print(f"hairline: {line}", soft_wrap=True, highlight=False, markup=False)
    more = f" (and {len(lines) - MOST_LINES} lines like these)" if len(lines) > MOST_LINES else ""
    raise HairlineError(f"{len(wrong)} of {len(found)} nodes cannot do the work{more}; nothing has been started")


def admit(errand: Errand) -> None:
    """Tries the same in a worker that starts, with sources that others could read.

    Raises:
        HairlineError: its node cannot do the work.
        OutageError: the storage is away.
    """
    if problems := _problems(look(errand), True, errand):
        raise HairlineError(f"node {socket.gethostname()}: {problems[0]}")


def _problems(finding: Finding, some_read: bool, errand: Errand) -> list[str]:
    """What speaks against a node. Sources that nobody can read end as rows that say so, unless it is the storage."""
    problems = list(finding.problems)
    if finding.unread and (some_read or finding.shared):
        local = some_read and is_local(errand.sources[0].uri)
        hint = "; other nodes can: put it where all nodes reach it, at the same path" if local else ""
        problems.append(finding.unread + hint)
    return problems


def _ask(errand: Errand) -> dict[str, Finding]:
    """What every node with cores says, by its name."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked: dict[Any, str] = {}
    task = ray.remote(num_cpus=0, max_retries=1)(look)
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"] and node["Resources"].get("CPU"):
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            asked[task.options(scheduling_strategy=strategy).remote(errand)] = _apart(name, asked.values(), node)
    if not asked:  # an autoscaled cluster at rest
        return {}
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    found = {asked[each]: Finding((f"no answer within {ANSWER_S:g} s",)) for each in late}
    for each in ready:
        try:
            found[asked[each]] = ray.get(each)
        except Exception as error:
            found[asked[each]] = Finding((cause(error),))
    return found


def _apart(name: str, others: Any, node: Mapping[str, Any]) -> str:
    """A node's name; with the start of its id where another one has the same."""
    return f"{name} {node['NodeID'][:8]}" if name in others else name
