"""Files that are made of very many small parts, and those that only look so."""

from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from hairline.stages.decode.picture import Picture
from hairline.stages.errors import PictureError


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def saved(kind: str, size: int = 64, **options: object) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def scans(times: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def tiled(side: int) -> bytes:
    tags = [
        (256, 64),
        (257, 64),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 200),
        (325, 9),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(600)


PNG, JPEG, GIF = saved("PNG"), saved("JPEG"), saved("GIF")
BOMBS = {
    "PNG of empty chunks": (PNG[:33] + chunk(b"tEXt", b"a\0") * 300_000 + PNG[33:], "parts"),
    "PNG of empty chunks behind": (PNG[:-12] + chunk(b"tEXt", b"a\0") * 300_000 + PNG[-12:], "parts"),
    "JPEG of empty segments": (JPEG[:2] + b"\xff\xe5\0\2" * 500_000 + JPEG[2:], "parts"),
    "JPEG of padding": (JPEG[:2] + b"\xff" * 2_000_000 + JPEG[2:], "parts"),
    "JPEG of small profiles": (JPEG[:2] + b"\xff\xe2\0\x10ICC_PROFILE\0\1\1" * 200_000 + JPEG[2:], "parts"),
    "JPEG of scans": (scans(2000), "parts"),
    "GIF of comments": (GIF[:781] + b"!\xfe\1a\0" * 1_000_000 + GIF[781:], "parts"),
    "GIF of a comment in bytes": (GIF[:781] + b"!\xfe" + b"\1a" * 2_000_000 + b"\0" + GIF[781:], "parts"),
    "TIFF of a huge tile": (tiled(1 << 15), "tiles of 32768x32768"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_very_many_parts_are_refused_at_once(name: str) -> None:
    data, told = BOMBS[name]
    started = time.process_time()
    with pytest.raises(PictureError, match=told) as caught:
        Picture(data)
    assert caught.value.reason in ("decode_error", "too_many_pixels")
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    "data",
    [
        PNG,
        JPEG,
        GIF,
        saved("PNG", 2000, compress_level=0),  # hundreds of IDAT chunks
        saved("JPEG", 500, progressive=True),
        scans(60),
        saved("JPEG", 300, exif=b"Exif\0\0" + bytes(60_000), icc_profile=bytes(300_000)),
        JPEG + bytes(range(256)) * 40_000,  # a film behind the picture
        PNG[:33] + chunk(b"tEXt", b"a\0b") * 200 + PNG[33:],
        GIF[:781] + (b"!\xfe" + b"\xff" + b"a" * 255 + b"\0") * 500 + GIF[781:],
    ],
)
def test_other_files_are_read(data: bytes) -> None:
    assert Picture(data).rgb().any()
