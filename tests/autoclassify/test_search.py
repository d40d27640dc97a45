"""The search outlives a killed driver and killed workers: the same number of trials, and no decision twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hairline.autoclassify.ledger import Ledger
from hairline.autoclassify.search import pareto
from labelled import labelled

TRIALS = 8


def test_the_front_holds_what_nothing_beats() -> None:
    rows = [{"score": s, "milliseconds": ms} for s, ms in ((0.9, 30), (0.8, 10), (0.85, 20), (0.84, 25), (0.9, 40))]
    assert [(row["score"], row["milliseconds"]) for row in pareto(rows)] == [(0.8, 10), (0.85, 20), (0.9, 30)]


def command(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    words = [
        "autoclassify",
        str(pictures),
        "-o",
        str(out),
        "--trials",
        str(TRIALS),
        "--concurrent",
        "1",
        "--rounds",
        "2",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "hairline", *words, "--encoders", "builtin", "--tuned-trials", "0", "--minutes", "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    pictures, out, rng = labelled(tmp_path / "in", 20), tmp_path / "out", random.Random(int(time.time()))
    for kill in range(5):
        process = command(pictures, out)
        deadline = time.monotonic() + rng.uniform(15, 45)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.2)
        workers = [p for p in family(process) if p.name().startswith("ray::")]
        if kill % 2 and workers:
            os.kill(rng.choice(workers).pid, signal.SIGKILL)
            process.wait(timeout=1800)
        children = family(process)
        process.kill()
        process.wait()
        for each in children:
            if each.is_running():
                each.kill()
    last = command(pictures, out)
    assert last.wait(timeout=1800) == 0
    rounds = sorted((out / "rounds").glob("*/trials.json"))
    assert rounds and all(len(json.loads(path.read_text())) == TRIALS for path in rounds)
    made = [(each.uri, each.by, each.round) for each in Ledger(out).all()]
    assert len(made) == len(set(made))
    assert (out / "model" / "model.safetensors").is_file()
