"""Seconds that a thousand small pictures take, in small and in large runs: whether a catalog's size costs anything.

    python benchmarks/sizes.py [--sizes N [N …]] [--rounds R] [--quick]

The stages do next to nothing, so what is seen is what the pipeline itself takes: reading, passing on, writing and the
account of it. One pool with a worker for each core. Runs of all sizes take turns. `seconds` are for a thousand pictures
from the first product to the last, by the files' times, so that the start of Ray and of the workers does not count;
`in_all` has everything. Ends with one line of JSON; exit 1 where the sizes' medians are further apart than 10% of the
smallest one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
TESTS = str(HERE.parent / "tests")
sys.path.insert(1, TESTS)
from command import finished  # noqa: E402
from record import record  # noqa: E402

from kit import jpeg  # noqa: E402

APART = 0.1
BATCH = 8


def run(catalog: Path, output: Path, pictures: int) -> tuple[float, float]:
    """One run; seconds for a thousand pictures, from the first to the last and in all."""
    pool = {"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "batch": BATCH}
    job = {"input": str(catalog), "output": str(output), "products": ["negative"], "pools": [pool]}
    file = output.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(job, sort_keys=False))
    environ = {"PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])}
    started = time.perf_counter()
    command = [sys.executable, "-m", "hairline", "run", str(file)]
    done = finished(command, environ)
    took = time.perf_counter() - started
    times = sorted(path.stat().st_mtime for path in output.joinpath("negative").rglob("*.png"))
    if done.returncode or len(times) != pictures:
        sys.exit(f"hairline run ended with {done.returncode}, {len(times)} products:\n{done.stderr[-2000:]}")
    return (times[-1] - times[0]) / (pictures - 1) * 1000, took / pictures * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--rounds", type=int, default=3, help="how often the sizes take turns")
    parser.add_argument("--quick", action="store_true", help="runs of 400 and 800 pictures, one round, any result")
    args = parser.parse_args()
    sizes, rounds = ([400, 800], 1) if args.quick else (args.sizes, args.rounds)
    found: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(prefix="hairline-sizes-") as folder:
        for size in sizes:
            for i in range(size):
                path = Path(folder, str(size), f"{i // 100:03d}", f"{i:05d}.jpg")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(jpeg(i))
        print("pictures made", flush=True)
        for k in range(rounds):
            for size in sizes:
                found[size].append(run(Path(folder, str(size)), Path(folder, f"out-{size}-{k}"), size))
                print(f"{size}: {found[size][-1][0]:.2f} s for 1,000, {found[size][-1][1]:.2f} s in all", flush=True)
    seconds = {size: round(statistics.median(each for each, _ in runs), 3) for size, runs in found.items()}
    in_all = {size: round(statistics.median(each for _, each in runs), 3) for size, runs in found.items()}
    apart = max(seconds.values()) / min(seconds.values()) - 1
    record({"seconds": seconds, "in_all": in_all, "apart": round(apart, 3)})
    return int(apart > APART and not args.quick)


if __name__ == "__main__":
    sys.exit(main())
