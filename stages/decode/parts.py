"""Whether a file is made of so many small parts that reading past them would cost more than its pixels.

Pillow reads every part of a header in Python, some microseconds each: thirty megabytes of empty ones take half a
minute. Pictures from cameras, editors and web tools have some dozens.
"""

from __future__ import annotations

import re
import struct

from ..errors import PictureError

ALWAYS_ALLOWED = 1000  # parts that any file may have, and
BYTES_PER_PART = 1024  # of the file for each further one
GIF_BYTES_PER_PART = 16  # a GIF's are at most 255 bytes
MAX_SCANS = 100  # of a progressive JPEG, at most; encoders make ten or so
SCAN, END = 0xDA, 0xD9  # JPEG markers
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what may not stand in a scan
STANDALONE = frozenset((0x01, *range(0xD0, 0xD9), 0xFF))  # JPEG markers without a length, and padding


def check_parts(data: bytes, kind: str) -> None:
    """Raises PictureError `decode_error`: a PNG, JPEG or GIF has too many parts. Damage is for the decoder to find."""
    count = {"PNG": _count_png, "JPEG": _count_jpeg, "GIF": _count_gif}.get(kind)
    limit = ALWAYS_ALLOWED + len(data) // (GIF_BYTES_PER_PART if kind == "GIF" else BYTES_PER_PART)
    if count and count(data, limit) > limit:
        raise PictureError("decode_error", f"the {kind} is made of more than {limit:,} parts")


def _count_png(data: bytes, limit: int) -> int:
    parts, position = 0, 8
    while position + 12 <= len(data) and parts <= limit:
        position += 12 + struct.unpack_from(">I", data, position)[0]
        parts += 1
    return parts


def _count_jpeg(data: bytes, limit: int) -> int:
    """Segments, padding included. A scan counts for more: it may be a few bytes, and goes over all pixels."""
    parts, position = 0, 2
    while position + 4 <= len(data) and data[position] == 0xFF and parts <= limit:
        marker = data[position + 1]
        if marker == END:
            break
        position += (1 if marker == 0xFF else 2) if marker in STANDALONE else 2 + max(2, _u16(data, position + 2))
        parts += 1
        if marker == SCAN:
            parts += limit // MAX_SCANS
            follows = MARKER.search(data, position)
            position = follows.start() if follows else len(data)
    return parts


def _count_gif(data: bytes, limit: int) -> int:
    """Blocks before the first frame."""
    parts = 0
    position = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    while position < len(data) and parts <= limit:
        if data[position] != 0x21:  # a frame, or the end, or bytes that the decoder skips one by one
            if data[position] in (0x2C, 0x3B):
                break
            position += 1
        else:
            position += 2
            while position < len(data) and data[position] and parts <= limit:
                position += 1 + data[position]
                parts += 1
            position += 1
        parts += 1
    return parts


def _u16(data: bytes, position: int) -> int:
    return int(struct.unpack_from(">H", data, position)[0])
