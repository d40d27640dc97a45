"""How many pixels the memory holds: what the queue's `auto` means. `benchmarks/online_memory.py` measures it."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster.placement import Placement
from ..configs.service import Service
from ..stages.errors import HairlineError
from .admission import Room

BYTES_PER_PIXEL = 28  # of the picture, the background and the result, at most
WORK_BYTES = 400 << 20  # of the networks' own arrays while a picture is worked on, whose size does not grow with it
PROCESS_BYTES = (750 << 20) + WORK_BYTES  # of a process with its networks


def processes(placements: Sequence[Placement]) -> int:
    """Of all pools together, at most."""
    return sum(placement.largest for placement in placements)


def room(service: Service, placements: Sequence[Placement], memory: int) -> int:
    """Pixels that may be in the pools at the same time.

    Args:
        memory: bytes that the processes may take.

    Raises:
        HairlineError: a picture that the limits allow would never get in.
    """
    count, limit = processes(placements), service.limits.max_pixels
    asked = service.queue.megapixels
    pixels = asked * 1_000_000 if asked != "auto" else (memory - count * PROCESS_BYTES) // BYTES_PER_PIXEL
    if pixels > 0 and Room(pixels, count).pixels >= limit:
        return pixels
    if asked != "auto":
        raise HairlineError(
            f"queue.megapixels = {asked}: a picture of limits.max_pixels = {limit:,} pixels would never get in; "
            f"give at least {limit * 1.25 / 1e6:.0f}"
        )
    gib = 1 << 30
    raise HairlineError(
        f"{memory / gib:.1f} GiB of memory do not hold {count} processes of {PROCESS_BYTES / gib:.1f} GiB and a "
        f"picture of limits.max_pixels = {limit:,} pixels at {BYTES_PER_PIXEL} bytes: lower limits.max_pixels "
        "or the pools' workers, or say what fits in queue.megapixels"
    )
