"""`hairline cluster check` finds what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from hairline.cluster.nodes import Node
from hairline.configs.job import load_job
from hairline.pipeline.check import _facts, _fits, _node, _storage
from kit import as_nobody, hairline

HERE: dict[str, Any] = {"Resources": {"CPU": 4.0, "GPU": 1.0}}


def told(**changes: Any) -> dict[str, Any]:
    well = {"versions": {"ray": "1"}, "cards_gib": [15.0], "disk_free": 0.5, "shm_gib": 8.0, "storage": {}}
    return {**well, **changes}


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (told(), "ok", "4 CPUs, 1 GPUs, versions as here"),
        (told(versions={"ray": "2"}), "wrong", "ray is 2 there and 1 here; install the same"),
        (told(cards_gib=[]), "wrong", "Ray counts 1 GPUs, but the driver shows 0"),
        (told(cards_gib=[15.0, 15.0]), "wrong", "has 2 cards, of which Ray counts 1; start Ray with --num-gpus"),
        (told(disk_free=0.01), "wrong", "1% of the disk of its temporary folder is free"),
        (told(shm_gib=0.06), "wrong", "/dev/shm has 0.06 GiB"),
        (told(storage={"output": "denied"}), "wrong", "output is not reached: denied"),
        ("ModuleNotFoundError: No module named 'hairline'", "wrong", "does not answer (ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_with_a_node(found: dict[str, Any] | str, state: str, words: str) -> None:
    (finding,) = _node("n", HERE, found, told())
    assert finding.state == state and words in finding.what and finding.where == "node n"


def test_pools_that_fit_now_later_or_never(job_file: Callable[..., Path]) -> None:
    config = load_job(str(job_file()), ["pools.0.workers=3"])
    assert [each.state for each in _fits(config, [Node(4)], [])] == ["ok"]
    (later,) = _fits(config, [Node(1)], [Node(4)])
    assert later.state == "note" and "once the autoscaler has brought nodes" in later.what
    (never,) = _fits(config, [Node(1)], [])
    assert never.state == "wrong" and "1 of all have room, so workers: 1 would fit" in never.what


def test_storage_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _storage("output", str(out)) == "" and not out.exists()
    out.mkdir()
    assert _storage("output", str(out)) == "" and not [path for path in out.rglob("*") if path.is_file()]
    assert _storage("input", str(out)) == ""
    assert "is not there" in _storage("input", "/no/such/folder/anywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    tmp_path.chmod(0o755)
    with as_nobody():
        assert _storage("output", str(locked))
    assert _facts({})["versions"]["ray"] and _facts({})["storage"] == {}


def test_a_cluster_is_needed() -> None:
    done = hairline("cluster", "check", RAY_ADDRESS="")
    assert done.returncode == 2 and "RAY_ADDRESS names no cluster to look at" in done.stderr


@pytest.mark.slow
def test_a_real_cluster(cluster: Cluster, job_file: Callable[..., Path], tmp_path: Path) -> None:
    job = job_file()
    done = hairline("cluster", "check", job, RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     node" in done.stdout and "the smallest fit the nodes that are there" in done.stdout
    cluster.add_node(num_cpus=2, num_gpus=2)
    dying = cluster.add_node(num_cpus=1)
    cluster.remove_node(dying)
    job = job_file(pools=[{"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "workers": 9}])
    done = hairline("cluster", "check", job, "--json", RAY_ADDRESS=cluster.address)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {each["where"]: each for each in json.loads(done.stdout) if each["state"] != "ok"}
    assert "1 of 3 nodes are dead" in found["nodes"]["what"]
    assert "9 × 1 CPU" in found["pools"]["what"] and "4 of all have room" in found["pools"]["what"]
    assert any("Ray counts 2 GPUs, but the driver shows 0" in each["what"] for each in found.values())
    assert not (tmp_path / "out").exists()
