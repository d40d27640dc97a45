"""JPEGs that fit a number of bytes, found by search over their quality.

Where a rule says KB without saying of which kind, its preset has the bounds at which both readings hold: 1,000 for the
most, 1,024 for the least.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

COMMENT = 65_000  # bytes of one comment segment


def fitted(encode: Callable[[int], bytes], quality: int, lowest: int, low: float | None, high: float | None) -> bytes:
    """The JPEG of the best quality, from `lowest` to `quality`, that has at most `high` bytes.

    One that has fewer than `low` is filled up with a comment, which no viewer shows. One that has too many even at the
    lowest quality stays so; whoever judges it will say it.

    Args:
        encode: quality -> the whole file.
        low, high: bytes, inclusive; None: no bound.
    """
    data = encode(quality)
    if high is not None and len(data) > high and lowest < quality:
        fits, too_large = lowest, quality
        data = encode(lowest)
        while too_large - fits > 1 and len(data) <= high:
            middle = (fits + too_large) // 2
            tried = encode(middle)
            if len(tried) <= high:
                fits, data = middle, tried
            else:
                too_large = middle
    return data if low is None else _filled(data, math.ceil(low))


def _filled(data: bytes, low: int) -> bytes:
    """The file with comments of zeros after its first segments (JFIF, ICC, EXIF stay first)."""
    at = 2
    while data[at] == 0xFF and 0xE0 <= data[at + 1] <= 0xEF:
        at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    while len(data) < low:
        size = min(max(low - len(data) - 4, 0), COMMENT)
        data = data[:at] + b"\xff\xfe" + struct.pack(">H", size + 2) + bytes(size) + data[at:]
    return data
