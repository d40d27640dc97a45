"""Pictures a second of pools that grow and shrink: a node that joins late, and a trough in which too little comes.

    python benchmarks/elastic.py [--quick] [--only late|trough]

Both on a Ray cluster of processes on this machine that is told of more cores than there are; the stages sleep, a
quarter of a second in the pool that grows, from one to four workers. `late`: the cluster has two cores, and a node with
four joins while the run lasts. `trough`: the pool before it gives 20 pictures a second, then one in two seconds, then
20 again. Says for each part of the run pictures a second at its end, in how many processes, and how many seconds it
took until nine tenths of what four workers can do were reached. Exit 1 if they never were. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TESTS = str(HERE.parent / "tests")
sys.path.insert(1, TESTS)
from record import record  # noqa: E402

from kit import jpeg  # noqa: E402

WORKERS = 4
WORK_S = 0.25  # of a picture, in the pool that grows
CAN = WORKERS / WORK_S  # pictures a second of all of its workers
WINDOW_S = 5.0  # over which a rate is taken
SLOW_S = 2.0  # between two pictures of the trough
Log = list[tuple[float, int]]  # (seconds, process) of every picture, rising


def run(folder: Path, pictures: int, slow: range, pools: list[dict], address: str) -> tuple[subprocess.Popen, Path]:
    """`hairline run` over pictures of which some are slow in the first pool; the process and its log of pictures."""
    catalog, log = folder / "in", folder / "log"
    catalog.mkdir(parents=True)
    for i in range(pictures):
        (catalog / f"{i:05d}.jpg").write_bytes(jpeg(i) + (b"slow!" if i in slow else b""))
    work = {"fast_s": WORK_S, "slow_s": WORK_S, "log": str(log)}
    stages = {"own_stages:Work": work, "own_stages:Pace": {"fast_s": 0.05, "slow_s": SLOW_S}}
    used = [name for pool in pools for name in pool["stages"]]
    job = {"input": str(catalog), "output": str(folder / "out"), "products": ["negative"], "pools": pools}
    job["stages"] = {name: stages[name] for name in used if name in stages}
    (folder / "job.yaml").write_text(yaml.safe_dump(job, sort_keys=False))
    command = [sys.executable, "-m", "hairline", "run", str(folder / "job.yaml")]
    environ = {**os.environ, "RAY_ADDRESS": address}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ), log


def read(log: Path) -> Log:
    pairs = (line.split() for line in log.read_text().splitlines()) if log.exists() else ()
    return sorted((float(seconds), int(process)) for seconds, process in pairs)


def ended(process: subprocess.Popen, log: Path, pictures: int) -> Log:
    said = process.communicate()[1]
    found = read(log)
    if process.returncode or len(found) != pictures:
        sys.exit(f"hairline run ended with {process.returncode}, {len(found)} of {pictures} pictures:\n{said[-2000:]}")
    return found


def at_end(part: Log) -> dict[str, Any]:
    """Pictures a second and processes in the last seconds of a part."""
    until = part[-1][0]
    last = [one for one in part if one[0] > until - WINDOW_S]
    return {"pictures_per_s": round(len(last) / WINDOW_S, 1), "processes": len({process for _, process in last})}


def reached(part: Log, since: float) -> float | None:
    """Seconds from a moment until nine tenths of what all workers can do were done for the length of a window."""
    for i, (seconds, _) in enumerate(part):
        if seconds >= since and sum(s < seconds + WINDOW_S for s, _ in part[i:]) >= 0.9 * CAN * WINDOW_S:
            return round(seconds - since, 1)
    return None


def late(cluster: Any, folder: Path, pictures: int) -> dict[str, Any]:
    """A node joins after a third of the pictures."""
    pool = {"name": "all", "stages": ["own_stages:Work", "own_stages:Invert"], "batch": 2, "workers": [1, WORKERS]}
    process, log = run(folder, pictures, range(0), [pool], cluster.address)
    while len(read(log)) < pictures / 3 and process.poll() is None:
        time.sleep(0.2)
    joins = time.time()
    cluster.add_node(num_cpus=4)
    found = ended(process, log, pictures)
    before, after = [one for one in found if one[0] < joins], [one for one in found if one[0] >= joins]
    return {"before": at_end(before), "after": at_end(full(after)), "reached_after_s": reached(after, joins)}


def trough(cluster: Any, folder: Path, pictures: int) -> dict[str, Any]:
    """Twenty pictures in the middle take the first pool two seconds each."""
    cluster.add_node(num_cpus=4)
    pools = [
        {"name": "first", "stages": ["own_stages:Pace"], "batch": 4, "workers": 1},
        {"name": "second", "stages": ["own_stages:Work", "own_stages:Invert"], "batch": 2, "workers": [1, WORKERS]},
    ]
    middle = pictures // 2
    process, log = run(folder, pictures, range(middle, middle + 20), pools, cluster.address)
    found = ended(process, log, pictures)
    gaps = [i for i in range(1, len(found)) if found[i][0] - found[i - 1][0] > SLOW_S * 0.75]
    before, inside, after = found[: gaps[0]], found[gaps[0] : gaps[-1]], found[gaps[-1] :]
    return {
        "before": at_end(full(before)),
        "in": at_end(inside),
        "after": at_end(full(after)),
        "reached_at_start_s": reached(before, before[0][0]),
        "reached_after_s": reached(after, after[0][0]),
    }


def full(part: Log) -> Log:
    """A part without its last, lonely pictures."""
    return part[: -2 * WORKERS]


PARTS: dict[str, Callable[[Any, Path, int], dict[str, Any]]] = {"late": late, "trough": trough}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 pictures each")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS)
    args = parser.parse_args()
    environ = {"PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")]), "RAY_AUTH_MODE": "disabled"}
    os.environ.update(environ, RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0")  # the cluster is on loopback
    from ray.cluster_utils import Cluster

    found: dict[str, dict[str, Any]] = {}
    for name in [args.only] if args.only else PARTS:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        try:
            with tempfile.TemporaryDirectory(prefix="hairline-elastic-") as folder:
                found[name] = PARTS[name](cluster, Path(folder), 300 if args.quick else args.pictures)
        finally:
            cluster.shutdown()
        print(name, json.dumps(found[name]), flush=True)
    record({"four_workers_can": CAN, **found})
    return int(any(part["reached_after_s"] is None for part in found.values()))


if __name__ == "__main__":
    sys.exit(main())
