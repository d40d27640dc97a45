"""What a benchmark ends with: its figures as one line of JSON, and as a file in `results/`.

`docs/make_performance.py` draws the plots and fills in the tables of `docs/performance.md` from these files. They are
committed when they were measured on a machine that had nothing else to do.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hairline import __version__
from hairline.cluster.nodes import cores

HERE = Path(__file__).resolve().parent
FOLDER = "HAIRLINE_RESULTS"  # environment variable: another folder for the files
LIBRARIES = ("torch", "openvino", "onnxruntime", "ray", "numpy", "opencv-python-headless", "pillow", "isal")
LOAD = os.getloadavg()[0]  # when the benchmark began: what else the machine had to do


def record(figures: Mapping[str, Any], name: str = "") -> int:
    """Prints the figures as one line of JSON and keeps them with where and how they were measured.

    Args:
        figures: what was measured; anything that JSON can hold.
        name: of the file, without `.json`; by default that of the script that was started.
    Returns:
        0, for a benchmark to end with.
    """
    script = Path(sys.argv[0])
    folder = Path(os.environ.get(FOLDER) or HERE / "results")
    folder.mkdir(parents=True, exist_ok=True)
    given = [Path(each).name if "/" in each else each for each in sys.argv[1:]]
    found = {
        "command": " ".join(["python", f"benchmarks/{script.name}", *given]),
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "figures": figures,
    }
    (folder / f"{name or script.stem}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(figures), flush=True)
    return 0


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, least and most of several runs, and how many there were."""
    of = (statistics.median(values), min(values), max(values))
    return {
        **dict(zip(("median", "least", "most"), (round(each, digits) for each in of), strict=True)),
        "runs": len(values),
    }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Spread of the ratios of runs that took turns: the first of ours over the first of theirs, and so on."""
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def machine() -> dict[str, Any]:
    """The processor's name, how many cores we have of it, memory in GiB, the card, and how busy it was."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": named[0] if named else platform.processor() or platform.machine(),
        "cores": cores(),
        "memory_gib": round(memory, 1),
        "card": card(),
        "load_before": round(LOAD, 1),
    }


def card() -> str:
    """Name of the first CUDA device; empty where there is none."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def versions() -> dict[str, str]:
    """Versions of Python, of ourselves and of the libraries that figures depend on."""
    found = {"python": platform.python_version(), "hairline": __version__}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit that was measured, `+` where files differ from it; empty outside a checkout."""
    found = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()
