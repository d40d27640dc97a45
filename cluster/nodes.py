"""Nodes: the computers that work runs on, with their cores and cards."""

from __future__ import annotations

import math
import os
import subprocess
from dataclasses import dataclass

from .quota import quota


@dataclass(frozen=True)
class Node:
    """One computer: cores, cards, and the memory of its smallest card in GiB."""

    cpus: float
    gpus: int = 0
    gpu_gib: float = 0.0


def this_machine() -> Node:
    """The cores that this process may use, and the NVIDIA cards."""
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.split()
        cards = [float(line) / 1024 for line in lines]
    except (OSError, ValueError, subprocess.SubprocessError):
        cards = []
    return Node(cores(), len(cards), min(cards, default=0.0))


def cores() -> int:
    """Cores of this process: its affinity, and the quota of its control groups."""
    allowed, granted = len(os.sched_getaffinity(0)), quota()
    return allowed if granted is None else max(1, min(allowed, math.floor(granted)))


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
