"""Pools that share cards, seen from Ray's own state, on nodes of one machine whose GPUs are bookkeeping alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from kit import hairline

pytestmark = pytest.mark.slow
CARD = "ray.io/accelerator-type"
STAGES = ("One", "Two", "Three", "Four", "Five")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    made.add_node(num_cpus=8, num_gpus=1, labels={CARD: "T4"})
    try:
        yield made
    finally:
        made.shutdown()


def facts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Stage -> what each of its processes noted."""
    found = defaultdict(list)
    for path in folder.glob("*.json"):
        noted = json.loads(path.read_text())
        found[noted["stage"]].append(noted)
    return found


def test_pools_share_cards_as_planned(cluster: Cluster, tmp_path: Path, job_file: Callable[..., Path]) -> None:
    # Five pools on one card: the memory of a T4 is known from its name, as no node can be asked for it.
    folder = tmp_path / "five"
    folder.mkdir()
    pools: list[dict[str, Any]] = [
        {"name": name.lower(), "stages": [f"logical_gpus:{name}"], "gpu_memory_gib": 2.5, "batch": 4, "workers": 1}
        for name in STAGES
    ]
    pools[-1]["stages"].append("own_stages:Invert")
    stages: dict[str, dict[str, Any]] = {f"logical_gpus:{name}": {"folder": str(folder)} for name in STAGES}
    stages["logical_gpus:One"]["peers"] = 5  # the first pool sees all five before any picture goes on
    done = hairline("run", job_file(pools=pools, stages=stages), RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stderr
    found = facts(folder)
    share = found["one"][0]["gpu"]
    assert share == pytest.approx(2.5 / 14.5, abs=1e-4)  # Ray counts in ten-thousandths
    assert {name: [each["gpu"] for each in noted] for name, noted in found.items()} == {
        name.lower(): [share] for name in STAGES
    }
    assert len({each["node"] for noted in found.values() for each in noted}) == 1
    assert {tuple(each["cards"]) for noted in found.values() for each in noted} == {("0",)}
    assert all(each["caps"] == [share] and each["device"] == "cuda" for noted in found.values() for each in noted)
    assert found["one"][0]["left"] == pytest.approx(1 - 5 * share, abs=1e-3)  # all five hold their part at once

    # A second kind of card: each process takes the share of the card that it comes to.
    cluster.add_node(num_cpus=8, num_gpus=1, labels={CARD: "A100-80G"})
    folder = tmp_path / "two kinds"
    folder.mkdir()
    pool = {"name": "one", "stages": ["logical_gpus:One", "own_stages:Invert"], "gpu_memory_gib": 10, "workers": 3}
    stages = {"logical_gpus:One": {"folder": str(folder), "pause_s": 0.5}}
    pool["batch"] = 1
    done = hairline("run", job_file(pools=[pool], stages=stages), RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stderr
    shares = sorted(each["gpu"] for each in facts(folder)["one"])
    assert shares == pytest.approx([10 / 79.5, 10 / 79.5, 10 / 14.5], abs=1e-4)
    assert all(each["caps"] == [each["gpu"]] for each in facts(folder)["one"])
    where = {each["node"]: each["gpu"] for each in facts(folder)["one"]}
    assert len(where) == 2

    # What no small card holds goes to the large one; what none holds is refused with the numbers.
    done = hairline(
        "plan", job_file(pools=[{**pool, "gpu_memory_gib": 100}], stages=stages), RAY_ADDRESS=cluster.address
    )
    assert done.returncode == 2
    assert (
        "one asks for 100 GiB of a GPU; the largest has 79.5 GiB (there is 1 × T4 (14.5 GiB), 1 × A100-80G"
        in done.stderr
    )

    # A sample measures each pool on a node that it would come to, and proposes workers for both kinds of cards.
    reader = {"name": "first", "stages": ["logical_gpus:Two"], "workers": 1}
    stages = {"logical_gpus:One": {"folder": str(folder)}, "logical_gpus:Two": {"folder": str(folder)}}
    file = job_file(pools=[reader, {**pool, "workers": 1}], stages=stages)
    done = hairline("plan", file, "--output", tmp_path / "out3", "--sample", 4, "--json", RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["sample"]["where"] == "a process for each pool, on the cluster's nodes"
    assert [each["pictures"] for each in plan["sample"]["pools"]] == [4, 4]
    assert plan["pools"][1]["nodes"] == ["T4"]  # one worker, on the smallest card that holds it
    assert [each["pool"] for each in plan["proposed"]["pools"]] == ["first", "one"]
    assert not (tmp_path / "out3").exists()
