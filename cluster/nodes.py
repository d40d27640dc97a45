"""Nodes: the computers that work runs on, with their cores and cards; those that are there, and those that may come."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ..configs.nodes import CARD_GIB, NodeType
from .cards import cards_here
from .quota import quota

CARD_LABEL, GROUP_LABEL, ID_LABEL = "ray.io/accelerator-type", "ray.io/node-group", "ray.io/node-id"
CARD_RESOURCE = "accelerator_type:"
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")  # where `ray up` leaves its configuration on the head node
ANSWER_S = 60.0  # for a node to say what cards it has


@dataclass(frozen=True)
class Node:
    """One computer: cores, cards, and the memory of its smallest card in GiB.

    Attributes:
        gpu_gib: 0 where it is not known.
        card: what Ray calls its cards; empty where it has no name for them.
        group: Ray's node group, which is a node type's name; empty where nodes are started by hand.
        id: Ray's, of a node that is there.
    """

    cpus: float
    gpus: int = 0
    gpu_gib: float = 0.0
    card: str = ""
    group: str = ""
    id: str = ""


def this_machine() -> Node:
    """The cores that this process may use, and the NVIDIA cards."""
    cards = cards_here()
    return Node(cores(), len(cards), min(cards, default=0.0))


def cores() -> int:
    """Cores of this process: its affinity, and the quota of its control groups."""
    allowed, granted = len(os.sched_getaffinity(0)), quota()
    return allowed if granted is None else max(1, min(allowed, math.floor(granted)))


def cluster_nodes(types: Sequence[NodeType] = ()) -> list[Node]:
    """What the nodes of the joined cluster have.

    The memory of cards comes from the node types where they declare it, else from the nodes themselves, else from the
    card's name.
    """
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    found = [_node(each) for each in alive]
    declared = {node.id: gib for node in found if (gib := _declared(node, types))}
    asked = {}
    for node in found:
        if node.gpus and node.id not in declared:
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
            ask = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_smallest_card)  # torch may hold the card: ends
            asked[node.id] = ask.options(scheduling_strategy=strategy).remote()
    measured = {key: _answer(answer) for key, answer in asked.items()}
    return [replace(n, gpu_gib=declared.get(n.id) or measured.get(n.id) or n.gpu_gib) for n in found]


def nodes_at_most(types: Sequence[NodeType]) -> list[Node]:
    """All the nodes that declared types may come to."""
    return [Node(t.cpus, t.gpus, t.gib_of_card, t.card, t.name) for t in types for _ in range(t.max)]


def nodes_of_autoscaler(present: Sequence[Node]) -> list[Node]:
    """All the nodes that the joined cluster's autoscaler may start, and those that are there and not its own.

    As the autoscaler has told the cluster's head, or as its configuration says, which `ray up` puts on the head node.
    None where neither is found: KubeRay's autoscaler, for one, tells nobody, so its node types are to be declared.
    """
    known = {node.group: node for node in present if node.group}
    nodes: list[Node] = []
    for name, resources, most in _reported() or _configured():
        gpus = int(resources.get("GPU", 0))
        cards = sorted(_card_resources(resources), key=len) if gpus else []
        node = Node(resources.get("CPU", 0), gpus, CARD_GIB.get(cards[-1], 0.0) if cards else 0.0, *cards[:1])
        if (seen := known.get(name)) and seen.gpus:  # a node that is there knows more of its cards
            node = replace(node, gpu_gib=seen.gpu_gib, card=seen.card)
        nodes += [replace(node, group=name)] * most
    own = {node.group for node in nodes}
    return [*nodes, *(node for node in present if node.group not in own)] if nodes else []


Group = tuple[str, Mapping[str, float], int]  # name, resources of one node, nodes at most


def _reported() -> list[Group]:
    from ray._private.state import state

    config = state.get_cluster_config()
    groups = config.node_group_configs if config else ()
    return [(group.name, dict(group.resources), max(group.max_count, 0)) for group in groups]


def _configured() -> list[Group]:
    try:
        config = yaml.safe_load(BOOTSTRAP.expanduser().read_text("utf-8"))
        types, limit = config["available_node_types"], int(config.get("max_workers", 2))
        head = config.get("head_node_type", "")
        return [
            (name, facts.get("resources") or {}, min(int(facts.get("max_workers", 0)), limit))
            for name, facts in types.items()
            if name != head
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):  # none, or of another kind
        return []


def _node(told: Mapping[str, Any]) -> Node:
    resources, labels = told["Resources"], told.get("Labels") or {}
    gpus = int(resources.get("GPU", 0))
    card = labels.get(CARD_LABEL, "") if gpus else ""
    names = max([card, *_card_resources(resources)], key=len)  # A100-80G, given by hand, says more than A100
    gib = CARD_GIB.get(names, 0.0) if gpus else 0.0
    return Node(resources.get("CPU", 0), gpus, gib, card, labels.get(GROUP_LABEL, ""), told["NodeID"])


def _card_resources(resources: Mapping[str, float]) -> list[str]:
    return [name.removeprefix(CARD_RESOURCE) for name in resources if name.startswith(CARD_RESOURCE)]


def _declared(node: Node, types: Sequence[NodeType]) -> float:
    """The memory of a node's cards by the type that it is of: that of its group, or else the only one with its card."""
    of_group = [each for each in types if each.name == node.group]
    same = of_group or [each for each in types if each.gpus and each.card == node.card]
    sizes = {each.gib_of_card for each in same if each.gpus}
    return sizes.pop() if len(sizes) == 1 else 0.0


def _smallest_card() -> float:
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all"):  # what Ray tells a task that asks for none
        del os.environ["CUDA_VISIBLE_DEVICES"]
    return min(cards_here(), default=0.0)


def _answer(asked: Any) -> float:
    import ray
    from ray.exceptions import RayError

    try:
        return float(ray.get(asked, timeout=ANSWER_S))
    except (RayError, TimeoutError):  # the node has gone, or has other code; its card's name may say it
        return 0.0
