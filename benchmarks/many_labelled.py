"""Seconds and memory of `hairline autoclassify prepare` on many small pictures: whether their number costs anything.

    python benchmarks/many_labelled.py [--sizes N [N …]] [--encoders NAMES]

Pictures are drawn, of 64 to 96 pixels, in 10 classes, none like another. Memory is that of the command and all its
processes, shared pages counted once; that of Ray's object store is in it. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from catalog import proportional_mib
from record import record

CLASSES = 10


def make(folder: Path, count: int) -> None:
    """`count` pictures, each a random surface with a random shape on it."""
    rng = np.random.default_rng(count)
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
    for number in range(count):
        width, height = rng.integers(64, 97, 2).tolist()
        coarse = rng.integers(0, 256, (6, 6, 3), np.uint8)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        corners = rng.integers(0, 64, (3 + number % CLASSES, 2)).astype(np.int32)
        cv2.fillPoly(pixels, [corners], rng.integers(0, 256, 3).tolist())
        cv2.imwrite(str(folder / f"class {number % CLASSES}" / f"{number:06d}.jpg"), pixels)


def measure(folder: Path, output: Path, encoders: str) -> tuple[float, float]:
    """Seconds in all, and the largest memory that was seen, MiB."""
    command = [sys.executable, "-m", "hairline", "autoclassify", "prepare", str(folder), "-o", str(output)]
    started, peak = time.monotonic(), 0.0
    said = Path(f"{output}.log")
    with open(said, "wb") as log, subprocess.Popen([*command, "--encoders", encoders], stdout=log, stderr=log) as run:
        while run.poll() is None:
            peak = max(peak, proportional_mib(run.pid))
            time.sleep(2)
    if run.returncode:
        sys.exit(f"prepare ended with {run.returncode}: {said.read_text()[-500:]}")
    return time.monotonic() - started, peak


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[25_000, 100_000])
    options.add_argument("--encoders", default="imagenet")
    given = options.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="hairline-labelled-") as folder:
        for size in given.sizes:
            make(Path(folder, str(size)), size)
            seconds, peak = measure(Path(folder, str(size)), Path(folder, f"out-{size}"), given.encoders)
            found[size] = {
                "seconds": round(seconds),
                "a_thousand_s": round(seconds / size * 1000, 2),
                "mib": round(peak),
            }
            print(f"{size}: {found[size]}", flush=True)
    record(found)


if __name__ == "__main__":
    main()
