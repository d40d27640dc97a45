"""Waiting for nodes: ones that come by themselves, and ones that a real autoscaler starts, Ray's own for tests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray._private.services import get_node_ip_address

from hairline.cluster import waiting
from hairline.cluster.nodes import Node
from hairline.cluster.placement import Placement
from hairline.cluster.session import Cluster
from hairline.cluster.waiting import wait_for_nodes
from hairline.configs.job import Job
from hairline.configs.nodes import NodeType
from hairline.stages.errors import HairlineError
from kit import hairline


def job(**fields: object) -> Job:
    pool = {"name": "all", "stages": ["filter"], "cpus": 2, "workers": 3}
    return Job.model_validate({"input": "in", "output": "out", "pools": [pool], **fields})


@dataclass(frozen=True)
class Growing(Cluster):
    """A cluster that gets a node of two cores at each look, up to a number."""

    machine: None = None
    most: int = 9
    looks: list[int] = field(default_factory=list)

    def room(self, types: Sequence[NodeType]) -> tuple[list[Node], list[Node]]:
        self.looks.append(1)
        return [Node(2)] * min(len(self.looks), self.most), [Node(2)] * self.most


class Still(list[int]):
    """Looks that are not counted: no node comes."""

    def __len__(self) -> int:
        return 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes the autoscaler was asked for, call by call."""
    calls: list[int] = []

    def note(placements: Sequence[Placement]) -> None:
        calls.append(sum(each.smallest for each in placements))

    monkeypatch.setattr(waiting, "_ask", note)
    monkeypatch.setattr(waiting, "LOOK_S", 0.01)
    return calls


def test_it_waits_until_the_smallest_pools_fit(asked: list[int]) -> None:
    told: list[str] = []
    nodes, at_most = wait_for_nodes(Growing(), job(wait_for_nodes=60), told.append)
    assert (len(nodes), len(at_most), asked) == (3, 9, [3, 0])
    assert len(told) == 1 and "1 of all have room, so workers: 1 would fit" in told[0]
    assert len(wait_for_nodes(Growing(), job(), told.append)[0]) == 1 and len(asked) == 2  # not asked to wait


def test_it_ends_when_the_time_is_over_or_waiting_is_in_vain(asked: list[int]) -> None:
    started = time.monotonic()
    with pytest.raises(HairlineError, match=r"there is at most 4 CPU.*workers: 2 would fit"):
        wait_for_nodes(Growing(most=2), job(wait_for_nodes=600), lambda line: None)
    assert time.monotonic() - started < 300 and asked == []
    with pytest.raises(HairlineError, match=r"after \d+ s of waiting for nodes the pools do not fit: all asks for 3"):
        wait_for_nodes(Growing(most=3, looks=Still()), job(wait_for_nodes=0.05), lambda line: None)
    assert asked[-1] == 0


RESOURCES = {"CPU": 2, "object_store_memory": 80_000_000}
NOTHING = (  # lists that Ray wants in the file
    *("cluster_synced_files", "initialization_commands", "setup_commands", "head_setup_commands"),
    *("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands", "rsync_exclude"),
    "rsync_filter",
)
WORKER = {"resources": RESOURCES, "node_config": {}, "min_workers": 0, "max_workers": 2}


@pytest.fixture
def autoscaling() -> Iterator[tuple[str, str]]:
    """The address of a cluster at rest whose autoscaler may start two nodes of two cores, and its home folder."""
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    config: dict[str, Any] = {
        "cluster_name": "fake",
        "max_workers": 2,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "fake_multinode",
            **dict.fromkeys(("use_node_id_as_ip", "disable_node_updaters", "disable_launch_config_check"), True),
        },
        "available_node_types": {"cpu": WORKER, "ray.head.default": head},
        "head_node_type": "ray.head.default",
        **{name: {} for name in ("auth", "file_mounts", "head_node", "worker_nodes")},
        **{name: [] for name in NOTHING},
    }
    with tempfile.TemporaryDirectory(prefix="h") as folder, socket.socket() as free:  # short, for its sockets
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config["provider"]["gcs_address"] = f"{get_node_ip_address()}:{port}"
        (Path(folder) / "ray_bootstrap_config.yaml").write_text(json.dumps(config))
        command = [
            str(Path(sys.executable).parent / "ray"),
            "start",
            "--head",
            "--block",
            f"--port={port}",
            "--num-cpus=0",
        ]
        command += [f"--temp-dir={folder}", "--object-store-memory=100000000", "--include-dashboard=false"]
        command += ["--disable-usage-stats", f"--autoscaling-config={folder}/ray_bootstrap_config.yaml"]
        environ = {**os.environ, "RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "HOME": folder}
        environ |= {"RAY_AUTH_MODE": "disabled", "AUTOSCALER_METRIC_PORT": "0"}
        with open(f"{folder}/said", "wb") as said:
            process = subprocess.Popen(command, env=environ, stdout=said, stderr=said, start_new_session=True)
        deadline = time.monotonic() + 120
        while not list(Path(folder).glob("session_latest/sockets/raylet")):
            assert process.poll() is None and time.monotonic() < deadline, Path(f"{folder}/said").read_text()
            time.sleep(0.2)
        yield f"127.0.0.1:{port}", folder
        members = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(members, timeout=30)


@pytest.mark.slow
def test_an_autoscaler_is_asked_for_the_nodes(
    autoscaling: tuple[str, str], job_file: Callable[..., Path], tmp_path: Path
) -> None:
    address, home = autoscaling
    environment = {"RAY_ADDRESS": address, "HOME": home, "RAY_AUTH_MODE": "disabled"}
    pool = {"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "batch": 4, "workers": 4}
    done = hairline("plan", job_file(pools=[{**pool, "workers": 5}]), **environment)
    assert done.returncode == 2 and "there is at most 4 CPU" in done.stderr, done.stderr
    assert hairline("plan", job_file(pools=[pool]), **environment).returncode == 0
    done = hairline("run", job_file(pools=[pool]), "--wait-for-nodes", 240, **environment)
    assert done.returncode == 0, done.stderr
    assert "waiting for nodes (0 of 240 s)" in done.stdout
    assert "20 pictures done" in done.stdout
