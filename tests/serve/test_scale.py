"""Processes come with the load and go with it; in a cluster those of a dead node come back on another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml

from serve_kit import HERE, Server, photo, serving


def write(path: Path, seconds: float, **pool: object) -> Path:
    """A service of one pool whose pictures take their time."""
    stages = ["quick_stages:Find", "quick_stages:Refine", "products"]
    settings = {
        "products": ["mask"],
        "pools": [{"name": "all", "stages": stages, "batch": 1, **pool}],
        "stages": {"quick_stages:Refine": {"seconds": seconds}},
        "jobs": {"folder": str(path.parent / "jobs")},
        "access_log": str(path.parent / "log"),
        "times": {"health": 2},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def running(server: Server) -> int:
    return int(server.get("/readyz").json()["pools"].get("all", {}).get("RUNNING", 0))


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.5)


def test_one_to_three_and_back(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", 0.3, cpus=0.25, workers=[1, 3], scale_up_s=1, scale_down_s=3)
    statuses: list[int] = []
    with serving(file) as server:
        assert running(server) == 1
        stop = threading.Event()

        def client() -> None:
            while not stop.is_set():
                answer = requests.post(f"{server.url}/v1/mask", files={"image_file": photo()}, timeout=60)
                statuses.append(answer.status_code)

        threads = [threading.Thread(target=client) for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_for(lambda: running(server) == 3, 90)
        stop.set()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200}
        wait_for(lambda: running(server) == 1, 90)
        assert server.post("/v1/mask", files={"image_file": photo()}).status_code == 200


def test_a_pool_sleeps_and_wakes(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", 0.05, cpus=0.25, workers=[0, 1], scale_up_s=0.5, scale_down_s=3)
    with serving(file) as server:
        for _ in range(2):  # asleep at first or after a while, awake when asked, and asleep again
            answer = server.post("/v1/mask", files={"image_file": photo()})
            assert answer.status_code == 200, answer.text
            assert server.get("/readyz").status_code == 200
            wait_for(lambda: running(server) == 0, 90)
            assert server.get("/readyz").status_code == 200  # asleep is ready


@pytest.mark.slow
def test_a_dead_nodes_processes_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(HERE))  # of the nodes' workers
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        other = cluster.add_node(num_cpus=1)
        file = write(tmp_path / "s.yaml", 0.05, cpus=1, workers=2)
        with serving(file, RAY_ADDRESS=cluster.address) as server:
            assert running(server) == 2  # one on each node: neither has room for two
            cluster.remove_node(other, allow_graceful=False)
            cluster.add_node(num_cpus=1)
            statuses = []
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                answer = requests.post(f"{server.url}/v1/mask", files={"image_file": photo()}, timeout=60)
                statuses.append(answer.status_code)
                if len(statuses) > 20 and running(server) == 2:
                    break
            assert set(statuses) == {200} and running(server) == 2
    finally:
        cluster.shutdown()
