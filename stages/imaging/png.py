"""Arrays to PNG, several times faster than the usual writers: one filter for all rows, and ISA-L's deflate.

Source of the format: PNG specification, third edition, W3C 2025. On cut-outs of photographs the file is at most a
tenth larger than with a filter chosen for each row and a searching deflate at its fast setting.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

try:
    from isal.isal_zlib import compress as deflate

    LEVEL = 2
except ImportError:  # a processor for which there is no wheel: the same picture in five times the time
    from zlib import compress as deflate

    LEVEL = 1

MAGIC = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> grey, RGB, RGBA
UP = 2  # the filter that stores each row as its difference to the one above


def encode_png(pixels: NDArray[np.uint8] | NDArray[np.uint16], chunks: bytes = b"") -> bytes:
    """A PNG that holds exactly these pixels.

    Args:
        pixels: uint8 or uint16, [h, w] grey, [h, w, 3] RGB or [h, w, 4] RGBA with straight alpha; h, w >= 1.
        chunks: what goes between header and pixels, made by `chunk`.

    Returns:
        The same bytes every time on one machine; processors of other makes may choose other matches.

    Raises:
        ValueError: another shape or dtype.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype not in (np.uint8, np.uint16) or channels not in COLOUR_TYPES or pixels.ndim not in (2, 3):
        raise ValueError(f"no picture for a PNG: {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    size = pixels.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, 8 * size, COLOUR_TYPES[channels], 0, 0, 0)
    if size == 2:
        pixels = pixels.astype(">u2")  # the format's byte order
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, width * channels * size)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return b"".join(
        (MAGIC, chunk(b"IHDR", header), chunks, chunk(b"IDAT", deflate(filtered, LEVEL)), chunk(b"IEND", b""))
    )


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk: length, name, data and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
