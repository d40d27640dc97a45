"""Kills the driver of one job with SIGKILL again and again, and compares what it leaves with an unharmed run.

    python benchmarks/faults.py [--quick] [--pictures N] [--kills K]

Ends with one line of JSON: kills that hit a running job, rows lost and duplicated against the catalog, and files
of the output that differ from the unharmed run's (results: rows that differ in more than time and attempt).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from command import hairline_run
from pictures import make

VOLATILE = {"seconds", "attempts", "run_id", "outputs"}  # outputs hold the folder's name; the files are compared


def run_through(catalog: Path, output: Path) -> float:
    started = time.monotonic()
    done = subprocess.run(hairline_run(catalog, output), capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"the unharmed run ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.monotonic() - started


def run_with_kills(catalog: Path, output: Path, kills: int, seconds: float, rng: random.Random) -> int:
    """Starts the job until it ends by itself; kills it up to `kills` times at random moments. Returns the hits."""
    hits = 0
    for _ in range(kills * 3 + 5):
        process = subprocess.Popen(hairline_run(catalog, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # a little longer than the whole takes: start-up, work and the last writing are all hit
            code = process.wait(timeout=rng.uniform(0.5, seconds) if hits < kills else None)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            hits += 1
            print(f"kill {hits} of {kills}", flush=True)
            continue
        if code not in (0, 3):
            sys.exit(f"a run after {hits} kills ended with {code}")
        if hits >= kills:
            return hits
        # it finished before its kill came: take the work away again, so that there is something to kill
        shutil.rmtree(output)
    sys.exit("the job did not end")


def state(output: Path) -> tuple[dict[str, str], list[dict]]:
    """The files (all but run logs, report and results) by their hash, and the rows of the results."""
    files = {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.relative_to(output).parts[0] not in ("runs", "report", "results")
    }
    table = pq.read_table(output / "results").to_pylist()
    rows = [{k: v for k, v in row.items() if k not in VOLATILE} for row in table]
    return files, rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="120 pictures, 3 kills")
    parser.add_argument("--pictures", type=int, default=0)
    parser.add_argument("--catalog", type=Path, help="a catalog of your own instead of made pictures")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    kills = args.kills or (3 if args.quick else 10)
    with tempfile.TemporaryDirectory(prefix="hairline-faults-") as folder:
        base = Path(folder)
        catalog = args.catalog or base / "catalog"
        if not args.catalog:
            make(catalog, args.pictures or (120 if args.quick else 600), args.seed, size=(480, 360))
        count = sum(1 for path in catalog.rglob("*") if path.is_symlink() or path.is_file())
        seconds = run_through(catalog, base / "whole")
        print(f"unharmed: {count} pictures in {seconds:.0f} s", flush=True)
        hits = run_with_kills(catalog, base / "killed", kills, seconds, random.Random(args.seed))
        files, rows = state(base / "whole")
        killed_files, killed_rows = state(base / "killed")
    ids = [row["id"] for row in killed_rows]
    whole = {row["id"]: row for row in rows}
    different = [name for name in files.keys() | killed_files.keys() if files.get(name) != killed_files.get(name)]
    different += [row["id"] for row in killed_rows if whole.get(row["id"]) != row]
    result = {
        "runs": hits,
        "lost": count - len(set(ids)),
        "duplicated": len(ids) - len(set(ids)),
        "different_files": len(different),
    }
    for name in different[:10]:
        print("different:", name)
    print(json.dumps(result))
    return int(any(result[k] for k in ("lost", "duplicated", "different_files")))


if __name__ == "__main__":
    sys.exit(main())
