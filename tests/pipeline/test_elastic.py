"""Pools of `[min, max]` workers grow under load, also onto nodes that join late, shrink in a trough and grow again."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from kit import hairline, jpeg

pytestmark = pytest.mark.slow
Log = list[tuple[float, int]]  # (seconds, process) of every picture


def catalog(folder: Path, slow: range, pictures: int) -> None:
    folder.mkdir()
    for i in range(pictures):
        (folder / f"{i:04d}.jpg").write_bytes(jpeg(i) + (b"slow!" if i in slow else b""))


def read(log: Path) -> Log:
    pairs = (line.split() for line in log.read_text().splitlines())
    return [(float(seconds), int(process)) for seconds, process in pairs]


def processes(log: Log) -> int:
    return len({process for _, process in log})


def job(write: Callable[..., Path], pools: list[dict[str, object]], log: Path, **pace: float) -> Path:
    stages: dict[str, object] = {"own_stages:Work": {"fast_s": 0.25, "slow_s": 0.25, "log": str(log)}}
    return write(pools=pools, stages=stages | ({"own_stages:Pace": pace} if pace else {}))


def test_a_pool_grows_onto_a_node_that_joins_late(
    cluster: Cluster, tmp_path: Path, job_file: Callable[..., Path]
) -> None:
    log = tmp_path / "log"
    catalog(tmp_path / "many", range(0), 240)
    pool = {"name": "all", "stages": ["own_stages:Work", "own_stages:Invert"], "batch": 2, "workers": [1, 4]}
    file = job(job_file, [pool], log)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(hairline, "run", file, "--input", tmp_path / "many", RAY_ADDRESS=cluster.address)
        while not log.exists() and not running.done():
            time.sleep(0.2)
        cluster.add_node(num_cpus=4)
        done = running.result()
    assert done.returncode == 0, done.stderr
    found = read(log)
    assert len(found) == 240
    assert processes(found[:20]) <= 2 and processes(found[-60:]) == 4


def test_a_pool_that_shrank_in_a_trough_grows_again(
    cluster: Cluster, tmp_path: Path, job_file: Callable[..., Path]
) -> None:
    cluster.add_node(num_cpus=4)
    log = tmp_path / "log"
    catalog(tmp_path / "wave", range(120, 135), 300)  # in the middle the first pool gives one picture a second
    pools = [
        {"name": "first", "stages": ["own_stages:Pace"], "batch": 1, "workers": 1},
        {"name": "second", "stages": ["own_stages:Work", "own_stages:Invert"], "batch": 1, "workers": [1, 4]},
    ]
    file = job(job_file, pools, log, fast_s=0.05, slow_s=2.0)
    done = hairline("run", file, "--input", tmp_path / "wave", RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stderr
    found = read(log)
    assert len(found) == 300
    gap = max(range(1, len(found)), key=lambda i: found[i][0] - found[i - 1][0])  # inside the trough
    assert processes(found[:gap][-40:]) >= 3  # before
    assert processes(found[gap : gap + 4]) <= 3  # in it, few
    assert processes(found[-60:]) >= 3  # and after it
