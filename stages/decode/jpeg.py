"""A JPEG without its end marker: whole but for that, as some cameras and programs leave it, or cut off."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
from PIL import Image

END = b"\xff\xd9"
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
START_OF_SCAN = 0xDA
PADDING = bytes(range(1, 255)) * 4


def lacks_only_its_end(data: bytes) -> bool:
    """Whether a JPEG that does not end with its end marker lacks that and nothing else.

    All scans must be there, and the last must be whole: bytes between a whole scan and the end are skipped; else they
    are taken for its rest, and the picture is another one than what the decoder makes up without them.

    Raises:
        OSError: it cannot be decoded at all.
    """
    if not _all_scans(data):
        return False
    pictures = [Image.open(io.BytesIO(data + more + END), formats=["JPEG"]) for more in (b"", PADDING, PADDING[::-1])]
    first, *others = (np.asarray(picture) for picture in pictures)
    return all(np.array_equal(first, other) for other in others)


def _all_scans(data: bytes) -> bool:
    """Whether scans bring all 64 coefficients of every component down to their last bit."""
    at, components = 2, b""
    while at + 4 <= len(data) and data[at + 1] != START_OF_SCAN:
        if data[at + 1] in START_OF_FRAME:
            components = data[at + 10 : at + 10 + 3 * data[at + 9] : 3] if at + 10 <= len(data) else b""
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    found: set[tuple[int, int]] = set()
    for scan in re.finditer(rb"\xff\xda..(.)", data[at:], re.DOTALL):
        start, count = at + scan.end(), scan[1][0]
        head = data[start : start + 2 * count + 3]
        if len(head) == 2 * count + 3 and not head[-1] & 0x0F:  # this scan's bits reach the last one
            found |= {(part, k) for part in head[: 2 * count : 2] for k in range(head[-3], min(head[-2], 63) + 1)}
    return bool(components) and all((part, k) in found for part in components for k in range(64))
