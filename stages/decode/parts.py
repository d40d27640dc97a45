"""Whether a file is made of so many small parts that reading past them would cost more than its pixels.

Pillow looks at every part of a header in Python, some microseconds each: thirty megabytes of empty ones take half a
minute. Pictures from cameras, editors and web tools have some dozens.
"""

from __future__ import annotations

import re
import struct

from ..errors import PictureError

SOME = 1000  # parts that any file may have, and
BYTES = 1024  # of the file for each further one
GIF_BYTES = 16  # a GIF's are at most 255 bytes
SCANS = 100  # of a progressive JPEG, at most; encoders make ten or so
SCAN, END = 0xDA, 0xD9  # JPEG markers
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what may not stand in a scan
STANDALONE = frozenset((0x01, *range(0xD0, 0xD9), 0xFF))  # JPEG markers without a length, and padding


def check_parts(data: bytes, kind: str) -> None:
    """Raises PictureError `decode_error`: a PNG, JPEG or GIF has too many parts. Damage is for the decoder to find."""
    count = {"PNG": _png, "JPEG": _jpeg, "GIF": _gif}.get(kind)
    most = SOME + len(data) // (GIF_BYTES if kind == "GIF" else BYTES)
    if count and count(data, most) > most:
        raise PictureError("decode_error", f"the {kind} is made of more than {most:,} parts")


def _png(data: bytes, most: int) -> int:
    found, position = 0, 8
    while position + 12 <= len(data) and found <= most:
        position += 12 + struct.unpack_from(">I", data, position)[0]
        found += 1
    return found


def _jpeg(data: bytes, most: int) -> int:
    """Segments, padding included. A scan counts for more: it may be a few bytes, and goes over all pixels."""
    found, position = 0, 2
    while position + 4 <= len(data) and data[position] == 0xFF and found <= most:
        marker = data[position + 1]
        if marker == END:
            break
        position += (1 if marker == 0xFF else 2) if marker in STANDALONE else 2 + max(2, _u16(data, position + 2))
        found += 1
        if marker == SCAN:
            found += most // SCANS
            follows = MARKER.search(data, position)
            position = follows.start() if follows else len(data)
    return found


def _gif(data: bytes, most: int) -> int:
    """Blocks before the first frame."""
    found = 0
    position = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    while position < len(data) and found <= most:
        if data[position] != 0x21:  # a frame, or the end, or bytes that the decoder skips one by one
            if data[position] in (0x2C, 0x3B):
                break
            position += 1
        else:
            position += 2
            while position < len(data) and data[position] and found <= most:
                position += 1 + data[position]
                found += 1
            position += 1
        found += 1
    return found


def _u16(data: bytes, position: int) -> int:
    return int(struct.unpack_from(">H", data, position)[0])
