"""Whether pools, feed and driver keep up with hundreds of workers: stages that sleep as long as the real ones take.

    python benchmarks/simulation.py [--rows N] [--workers N] [--cards N] [--quick]

Everything is that of a run, on a Ray of this machine that is told of more cores and cards than there are: the
manifest and its partitions, the comparison, the feed, Ray Data's pools, which grow from a quarter to all of their
workers, and the rows that they hand on. Only the stages are not: a virtual worker sleeps as long as the real one works
(the processor's time for a picture, measured here; on a card as arithmetic.py works it out). Eight of them live in one
process, for Ray's own processes take 0.1 GiB each. Between pools goes `--row-bytes` a picture, where a real run has
its encoded bytes; these stay between nodes, and do not pass the driver.

Says how much of what the workers could do was done (`kept_up`), rows a second, how long a picture was under way (if
the driver fell behind, the second half would take longer than the first), the driver's memory, its share of a core and
what a batch takes of it, and Ray's. Exit 1 if less than 80% was done, or a row was lost. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pyarrow as pa
from record import record

HERE = Path(__file__).resolve().parent
PER_PROCESS = 8  # virtual workers of one process
LEAST = 0.8
POOLS = ("read", "networks", "write")


@dataclass(frozen=True)
class Spec:
    """What a virtual pool needs to know, in place of a WorkerSpec, whose import would take torch's memory."""

    pool: Any  # name, is_first, is_last, gpu
    seconds: float  # of one picture
    row_bytes: int
    patience_s: float = 0.0


class Sleeper:
    """A process with virtual workers, as Ray Data calls it: as many batches at a time as there are of them."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.turns = threading.Semaphore(PER_PROCESS)  # a worker has one batch in its stages, another one waits

    def __call__(self, table: pa.Table) -> pa.Table:
        came = table["row"].to_pylist()
        first, last = self.spec.pool.is_first, self.spec.pool.is_last
        count = sum(map(tasks_in, came)) if first else len(came)
        births = [time.time()] * count if first else [pickle.loads(row)[0] for row in came]
        with self.turns:
            time.sleep(self.spec.seconds * count)
        out: list[Any] = [(birth, bytes(self.spec.row_bytes)) for birth in births]
        if last:
            now = time.time()
            out = [SimpleNamespace(count=count, ages=[now - birth for birth in births])]
        return pa.table({"row": pa.array([pickle.dumps(each, protocol=5) for each in out], pa.large_binary())})


class _Light(pickle.Unpickler):
    """Reads a batch without the modules that its classes are in."""

    def find_class(self, module: str, name: str) -> Any:
        return type(name, (), {"__init__": lambda self, *_: None, "__setstate__": lambda self, _: None})


def tasks_in(row: bytes) -> int:
    return len(_Light(BytesIO(row)).load())


class Watch:
    """The driver and Ray's own processes, looked at now and then: memory, processor time, workers."""

    def __init__(self, count: Any) -> None:
        self.me, self.count = psutil.Process(), count
        self.ray = [p for p in self.me.children(recursive=True) if {"gcs_server", "raylet"} & {p.name()}]
        self.began, self.mib, self.most = self._spent(), [], Counter[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(2.0):
            self.mib.append(self.me.memory_info().rss / (1 << 20))
            alive = {pool: number for (pool, state), number in self.count().items() if state == "alive"}
            self.most |= Counter(alive)

    def _spent(self) -> tuple[float, float]:
        return sum(self.me.cpu_times()[:2]), sum(sum(p.cpu_times()[:2]) for p in self.ray)

    def end(self, seconds: float) -> dict[str, Any]:
        self._over.set()
        self._thread.join()
        spent = [now - before for now, before in zip(self._spent(), self.began, strict=True)]
        half = len(self.mib) // 2
        return {
            "driver_mib": round(max(self.mib, default=0.0)),
            "driver_mib_halfway": round(max(self.mib[:half], default=0.0)),
            "driver_cores": round(spent[0] / seconds, 3),
            "ray_cores": round(spent[1] / seconds, 3),
            "ray_mib": round(sum(p.memory_info().rss for p in self.ray) / (1 << 20)),
            "workers_at_most": {pool: number * PER_PROCESS for pool, number in self.most.items()},
        }


def simulate(args: argparse.Namespace, seconds: dict[str, float], folder: Path) -> dict[str, Any]:
    from large_catalog import write_manifest

    from hairline.cluster.nodes import Node
    from hairline.cluster.session import OWN, PRIVATE, QUIET
    from hairline.configs.job import load_job
    from hairline.pipeline import pools
    from hairline.pipeline.feed import Feed
    from hairline.pipeline.metrics import workers_of
    from hairline.pipeline.prepare import prepare
    from hairline.pipeline.storage import Folder

    os.environ.update({**QUIET, **OWN, **PRIVATE, "RAY_AUTH_MODE": "disabled"})  # it listens on loopback alone
    import ray

    virtual = shared_out(args.workers, seconds)
    processes = {pool: max(1, round(number / PER_PROCESS)) for pool, number in virtual.items()}
    node = Node(PER_PROCESS * sum(processes.values()) + 8, args.cards, 22.0)
    changes = [f"pools.{i}.workers={[max(1, n // 4), n]}" for i, n in enumerate(processes.values())]
    changes += [f"pools.{i}.cpus={PER_PROCESS}" for i in range(3)]
    changes += [f"pools.{i}.batch={args.batch}" for i in range(3)]
    changes += ["pools.1.gpu_memory_gib=0", f"pools.1.gpu={max(1, args.cards // processes['networks'])}"]
    write_manifest(folder / "list.parquet", args.rows)
    job = load_job("gpu-node.yaml", changes, input=str(folder / "list.parquet"), output=str(folder / "out"))
    output = Folder(job.output, "20270101T000000.000Z-aaaa")
    prepared = prepare(job, output, [node])
    specs = [
        Spec(SimpleNamespace(name=name, is_first=name == "read", is_last=name == "write", gpu=0), seconds[name],
             args.row_bytes) for name in POOLS
    ]  # fmt: skip
    pools.PoolWorker, pools.CALLS, pools.IN_FLIGHT = Sleeper, 2 * PER_PROCESS, 3 * PER_PROCESS  # type: ignore
    ray.init(address="local", num_cpus=int(node.cpus), num_gpus=args.cards, include_dashboard=False,
             log_to_driver=False, object_store_memory=2 << 30, _temp_dir=f"{folder}/ray")  # fmt: skip
    watch, started, curve, ages = Watch(workers_of(POOLS)), time.monotonic(), [(0.0, 0)], []
    feed = Feed(prepared.todo, job.pools[0].batch, prepared.placements[0].first, output)
    for done in pools.run_pools(prepared.placements, specs, feed, at_once=False):  # type: ignore[arg-type]
        curve.append((time.monotonic() - started, curve[-1][1] + done.count))
        ages.append(max(done.ages))
    took = time.monotonic() - started
    figures = watch.end(took)
    figures["driver_ms_per_batch"] = round(figures["driver_cores"] * took / len(ages) * 1000, 2)
    ray.shutdown()
    could = min(processes[pool] * PER_PROCESS / seconds[pool] for pool in POOLS)
    rate, half = steady(curve), len(ages) // 2
    return {
        "rows": args.rows, "lost": args.rows - curve[-1][1], "partitions": prepared.todo.partitions,
        "virtual_workers": {pool: number * PER_PROCESS for pool, number in processes.items()},
        "rows_per_s": round(rate, 1), "could_per_s": round(could, 1), "kept_up": round(rate / could, 3),
        "batches_per_s": round(rate / job.pools[0].batch, 1), "seconds": round(took, 1),
        "under_way_s": [round(sorted(part)[len(part) // 2], 2) for part in (ages[:half], ages[half:])],
        **figures,
    }  # fmt: skip


def shared_out(workers: int, seconds: dict[str, float]) -> dict[str, int]:
    """Virtual workers of each pool, so that all pools could do the same number of pictures."""
    return {pool: max(PER_PROCESS, round(workers * spent / sum(seconds.values()))) for pool, spent in seconds.items()}


def steady(curve: list[tuple[float, int]]) -> float:
    """Rows a second between 30% and 90% done: the pools have grown by then, and the tail is left out."""
    import numpy as np

    times, done = np.array(curve).T
    low, high = np.interp([0.3 * done[-1], 0.9 * done[-1]], done, times)
    return float(0.6 * done[-1] / (high - low))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=256, help="virtual ones, of all pools")
    parser.add_argument("--batch", type=int, default=32, help="pictures of the first pool's batches")
    parser.add_argument("--cards", type=int, default=64, help="that Ray is told of")
    parser.add_argument("--row-bytes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, nargs=3, metavar="S", help="of each pool, instead of measuring")
    parser.add_argument("--quick", action="store_true", help="12,000 rows in batches of 8, 32 workers")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.workers, args.batch = 12_000, 32, 8
    with tempfile.TemporaryDirectory(prefix="hairline-sim-", dir="/tmp") as made:
        seconds = dict(zip(POOLS, args.seconds or measured_seconds(Path(made, "pictures")), strict=True))
        print(" ".join(f"{pool}: {spent * 1000:.1f} ms" for pool, spent in seconds.items()), flush=True)
        found = simulate(args, seconds, Path(made))
    record({**found, "pool_ms": {pool: round(spent * 1000, 2) for pool, spent in seconds.items()}})
    return int(found["kept_up"] < LEAST or found["lost"] != 0)


def measured_seconds(folder: Path) -> list[float]:
    """Of one worker for a picture, in each pool; in a process of its own, whose memory is not the driver's."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_measure, folder).result()


def _measure(folder: Path) -> list[float]:
    from stage_times import measured, on_card

    from hairline.configs.job import load_job

    found = measured(load_job("gpu-node.yaml", input="s3://bucket/in", output="s3://bucket/out"), 12, folder)
    return [found.seconds[0], on_card(found, 1, "A10G", 0.1), found.seconds[2]]


if __name__ == "__main__":
    sys.exit(main())
