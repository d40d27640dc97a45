"""The memory of graphics cards: asked of this machine in the ways that there are."""

from __future__ import annotations

import subprocess
import sys


def cards_here() -> list[float]:
    """The memory of each NVIDIA card of this machine, GiB: by nvidia-smi or, as containers often lack that, by torch.

    Ray's own wrapper of the driver's library is out of the question: importing Ray settles where it listens, which a
    service says only later.
    """
    return _by_nvidia_smi() or _by_torch()


def _by_nvidia_smi() -> list[float]:
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.split()
        return [float(line) / 1024 for line in lines]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _by_torch() -> list[float]:
    """Asked of another process: to tell, torch makes itself at home on the card."""
    import torch

    if not torch.cuda.is_available():
        return []
    ask = "import torch.cuda as c; print(*(c.get_device_properties(i).total_memory for i in range(c.device_count())))"
    try:
        told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=120, check=True)
        return [int(size) / (1 << 30) for size in told.stdout.split()]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
