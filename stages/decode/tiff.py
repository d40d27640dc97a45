"""What a TIFF's directories say before Pillow opens one: which page is the picture, and what cannot be read."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import pairwise

from ..errors import PictureError

MAX_PAGES = 1000  # directories that are read
FLOAT = 3  # of SampleFormat
SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS = 254, 255, 256, 257, 258  # tags
SAMPLES, RESOLUTION, SUB_IFDS, FORMAT = 277, 282, 330, 339
RAW_TAGS = (50706, 33421)  # DNGVersion, CFARepeatPatternDim: of cameras' raw files
TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # the types of the whole numbers that are read here

Tags = dict[int, int]


def main_page(data: bytes) -> tuple[int, bool]:
    """Which page holds the picture, and whether it states a resolution.

    It is the first full page: those that call themselves thumbnails, reduced versions or masks (NewSubfileType,
    SubfileType) are skipped. Full pages that halve in size one after the other are a pyramid, whatever they call
    themselves; of those, and where no page is full, it is the largest.

    Raises:
        PictureError: `unsupported` for a camera's raw file and for floating-point colours.
    """
    pages = list(_directories(data))
    if not pages:
        return 0, False  # Pillow says what is wrong
    full = [page for page in pages if not page.get(SUBFILE, 0) & 0b101 and page.get(OLD_SUBFILE) != 2]
    if any(tag in page for tag in RAW_TAGS for page in pages) or (not full and any(SUB_IFDS in page for page in pages)):
        raise PictureError("unsupported", "a camera's raw file is not read: develop it to JPEG or TIFF")
    largest = max(full or pages, key=lambda page: page.get(WIDTH, 0) * page.get(HEIGHT, 0))
    chosen = full[0] if full and not _is_pyramid(full) else largest
    samples, bits = chosen.get(SAMPLES, 1), chosen.get(BITS, 1)
    if chosen.get(FORMAT) == FLOAT and (samples > 1 or bits != 32):
        what = f"{samples} channels of {bits}-bit floating-point samples"
        raise PictureError("unsupported", f"TIFF with {what}: save it with 8 or 16 bits a channel")
    return pages.index(chosen), RESOLUTION in chosen


def _directories(data: bytes) -> Iterator[Tags]:
    """The pages' tags, of each the first of its values, as far as they are whole; 0 for what is no whole number."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data.ljust(4, b"\0"), 2)[0] == 43
    offset_type, count_type, head, entry = ("Q", "Q", 8, 20) if big else ("I", "H", 2, 12)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset_type, data, 8 if big else 4)
        while at and at not in seen and len(seen) < MAX_PAGES:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count_type, data, at)
            end = at + head + entries * entry
            if end > len(data):
                return
            yield dict(_entry(data, offset, order, big) for offset in range(at + head, end, entry))
            (at,) = struct.unpack_from(order + offset_type, data, end)
    except struct.error:
        return


def _entry(data: bytes, at: int, order: str, big: bool) -> tuple[int, int]:
    tag, kind, count = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", data, at)
    if kind not in TYPES:
        return tag, 0
    value, room = at + (12 if big else 8), 8 if big else 4
    code = order + TYPES[kind]
    if struct.calcsize(code) * count > room:  # what does not fit lies elsewhere
        (value,) = struct.unpack_from(order + ("Q" if big else "I"), data, value)
    return (tag, int(struct.unpack_from(code, data, value)[0])) if value + 8 <= len(data) else (tag, 0)


def _is_pyramid(pages: list[Tags]) -> bool:
    sizes = sorted(((p.get(WIDTH, 0), p.get(HEIGHT, 0)) for p in pages), reverse=True)
    return len(sizes) > 1 and all(_is_reduced(*pair) for pair in pairwise(sizes))


def _is_reduced(large: tuple[int, int], small: tuple[int, int]) -> bool:
    """Whether one size is the other divided by a power of two, rounded either way."""
    ratio = 2 ** max(1, round(math.log2(max(large[0], 1) / max(small[0], 1))))
    return all(abs(a - b * ratio) < ratio for a, b in zip(large, small, strict=True))
