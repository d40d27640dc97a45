"""Running a network so that an answer never depends on which pictures shared its batch.

A CPU gains nothing from batches here (one thread, batch 1 keeps the caches warm), so every sample runs
by itself. On a GPU the batch always has the same shape: the last one is filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import precision
from . import compiled

GPU_BATCH = 16


def forward_images(network: Callable[[Tensor], Tensor], images: NDArray, device: torch.device) -> Tensor:
    """The network's outputs for images: uint8 [N, H, W, C], given to it as [N, C, H, W], 0..1.

    Args:
        network: `compiled.ready` on the device, or a method of one that is; or whatever takes float [n, C, H, W] there,
            in the precision of `checkpoints.precision`.

    Returns:
        float32 [N, ...] on the CPU.
    """
    if device.type == "cpu" and (found := compiled.forward(network, images)) is not None:
        return found
    samples = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return in_fixed_batches(network, samples, device, precision(device))


@torch.inference_mode()
def in_fixed_batches(
    network: Callable[[Tensor], Tensor], samples: Tensor, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """The network's answers for float samples [N, ...], as float32 on the CPU, one for each sample."""
    size = 1 if device.type == "cpu" else GPU_BATCH
    found = []
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        count = len(part)
        if count < size:
            part = torch.cat([part, part.new_zeros(size - count, *part.shape[1:])])
        part = part.to(device, dtype)
        if part.ndim == 4:
            part = part.contiguous(memory_format=torch.channels_last)
        found.append(network(part)[:count].float().cpu())
    return torch.cat(found)
