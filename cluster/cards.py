"""The memory of graphics cards: asked of this machine in the ways that there are."""

from __future__ import annotations

import subprocess
from typing import Any


def cards_here() -> list[float]:
    """The memory of each NVIDIA card of this machine, GiB: by nvidia-smi, the driver's library, or torch.

    Containers often lack the first, and some the second.
    """
    return _by_nvidia_smi() or _by_driver() or _by_torch()


def _by_nvidia_smi() -> list[float]:
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.split()
        return [float(line) / 1024 for line in lines]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _by_driver() -> list[float]:
    """By NVML, which Ray brings a wrapper of and the driver the library."""
    from ray._private.thirdparty import pynvml

    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        return [nvml.nvmlDeviceGetMemoryInfo(handle).total / (1 << 30) for handle in handles]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _by_torch() -> list[float]:
    import torch

    if not torch.cuda.is_available():
        return []
    sizes = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
    return [size / (1 << 30) for size in sizes]
