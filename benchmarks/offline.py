"""The pipeline against a bare loop over the same stages, measured alternately in one run.

    python benchmarks/offline.py [--pictures N] [--rounds R] [--pipeline-only] [--distinct N]

Both read the same JPEG pictures of one megapixel from disk and write the same cut-outs, with the same number
of processes. 'Steady' is the rate between the 10th and the 90th percent of the pictures, so neither start-up
nor the last, lonely batch counts. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty

import numpy as np

from hairline.cluster.nodes import cores

sys.path.insert(0, str(Path(__file__).parent))
from command import end, exits_when_stopped, hairline_run
from pictures import make
from record import ratios, record, spread

BATCH = 16


def steady(times: list[tuple[float, int]], total: int) -> float:
    """Pictures per second between 10% and 90% done. times: (seconds, pictures done so far), rising."""
    seconds, done = np.array([(0.0, 0), *times], float).T
    low, high = np.interp([0.1 * total, 0.9 * total], done, seconds)
    return 0.8 * total / max(high - low, 1e-9)


def bare_worker(tasks: mp.Queue, results: mp.Queue, output: str) -> None:
    """One process of the bare loop: read, run the stages, write."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    from hairline.configs.job import load_job
    from hairline.stages.base import run_stages
    from hairline.stages.item import Item
    from hairline.stages.registry import stage_class

    job = load_job("laptop.yaml", input="unused", output=output)
    stages = [stage_class(name)(job.stages[name]) for name in job.stage_names]
    for stage in stages:
        stage.setup(torch.device("cpu"))
    results.put("ready")
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds: dict[str, float] = {}
    while (paths := tasks.get()) is not None:
        items = [Item(str(p), str(p), data=Path(p).read_bytes()) for p in paths]
        run_stages(stages, items)
        for item in items:
            item.finish()
            for product, made in item.outputs.items():
                target = Path(output, product, f"{Path(item.id).name}.{made.ext}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(made.data)
            for name, value in item.seconds.items():
                seconds[name] = seconds.get(name, 0) + value
        results.put([item.status for item in items])
    after = resource.getrusage(resource.RUSAGE_SELF)
    results.put(((after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), seconds))


def bare(paths: list[Path], output: Path, workers: int) -> dict:
    """The bare loop over the paths: rate, processor seconds and seconds by stage."""
    context = mp.get_context("spawn")
    tasks, results = context.Queue(), context.Queue()
    given = (tasks, results, str(output))
    processes = [context.Process(target=bare_worker, args=given, daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    for _ in processes:
        assert results.get(timeout=300) == "ready"
    for start in range(0, len(paths), BATCH):
        tasks.put([str(p) for p in paths[start : start + BATCH]])
    for _ in processes:
        tasks.put(None)
    started, done, times, ok = time.perf_counter(), 0, [], 0
    processor, seconds, ended = 0.0, {}, 0
    while ended < workers:
        try:
            found = results.get(timeout=300)
        except Empty:
            sys.exit("the bare loop stands still")
        if isinstance(found, tuple):
            ended += 1
            processor += found[0]
            for name, value in found[1].items():
                seconds[name] = seconds.get(name, 0) + value
        else:
            done += len(found)
            ok += found.count("ok")
            times.append((time.perf_counter() - started, done))
    for process in processes:
        process.join()
    return {"rate": steady(times, len(paths)), "processor": processor, "seconds": seconds, "ok": ok}


def pipeline(catalog: Path, output: Path, workers: int) -> dict:
    """`hairline run` over the catalog: what its run file says, and the peak memory of all its processes."""
    command = hairline_run(catalog, output, "--set", f"pools.0.workers={workers}")
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=pipe, text=True, start_new_session=True)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watcher.start()
    try:
        _, errors = process.communicate()
    finally:
        end(process)
    if process.returncode not in (0, 3):
        sys.exit(f"hairline run ended with {process.returncode}:\n{errors[-2000:]}")
    run = json.loads(max((output / "runs").glob("*.json")).read_text())
    return {**run, "peak_mib": peak[0]}


def _watch(process: subprocess.Popen, peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], proportional_mib(process.pid))
        time.sleep(10)  # more often costs as much as all that is measured of Ray: 3.5% of a core at every 2 s


def proportional_mib(root: int) -> float:
    """Proportional set size of a process and all its descendants, MiB: shared pages count once in all."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  (names alone, hundreds of times)
        if entry.isdigit():
            try:
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry))
    family, found, total = [root], 0, 0.0
    while found < len(family):
        family += parents.get(family[found], [])
        found += 1
    for pid in family:
        try:
            text = Path("/proc", str(pid), "smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000, help="pictures of each kind of run in all")
    parser.add_argument("--rounds", type=int, default=2, help="how often the two take turns")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--pipeline-only", action="store_true", help="for peak memory: no bare loop, one round")
    parser.add_argument("--distinct", type=int, help="different pictures; the others are links to them (default: all)")
    args = parser.parse_args()
    exits_when_stopped()
    with tempfile.TemporaryDirectory(prefix="hairline-offline-") as folder:
        base = Path(folder)
        rounds = 1 if args.pipeline_only else args.rounds
        rates: dict[str, list[float]] = {"pipeline": [], "bare": []}
        processor, ok, seconds, runs = 0.0, 0, {}, []
        for k in range(rounds):
            catalog = base / f"catalog{k}"
            paths = make(catalog, args.pictures // rounds, seed=k, distinct=args.distinct)
            print(f"round {k + 1} of {rounds}: {len(paths)} pictures made", flush=True)
            if not args.pipeline_only:
                found = bare(paths, base / "bare", args.workers)
                rates["bare"].append(found["rate"])
                processor += found["processor"]
                ok += found["ok"]
                for name, value in found["seconds"].items():
                    seconds[name] = seconds.get(name, 0) + value
                print(f"  bare loop: {found['rate']:.2f} pictures/s, {found['ok']} ok", flush=True)
            run = pipeline(catalog, base / f"out{k}", args.workers)
            runs.append(run)
            rates["pipeline"].append(steady([tuple(x) for x in run["throughput"]], len(paths)))
            print(f"  pipeline:  {rates['pipeline'][-1]:.2f} pictures/s, peak {run['peak_mib']:.0f} MiB", flush=True)
            for path in paths:
                path.unlink()
    count = args.pictures // rounds * rounds
    result = {
        "pictures": count,
        "pictures_per_s": spread(rates["pipeline"]),
        "peak_mib": round(max(run["peak_mib"] for run in runs)),
        "cold_s": round(float(np.mean([run["throughput"][0][0] for run in runs])), 1),
    }
    if not args.pipeline_only:
        result |= {
            "bare_pictures_per_s": spread(rates["bare"]),
            "ratio_to_bare": ratios(rates["pipeline"], rates["bare"]),
            "core_seconds_per_picture": round(processor / count, 3),
            "stage_seconds": {name: round(value / count, 4) for name, value in seconds.items()},
            "ok": ok,
        }
    return record(result)


if __name__ == "__main__":
    sys.exit(main())
