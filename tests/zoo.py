"""Odd and damaged picture files, each with what must become of it, and whole catalogs of files.

`KINDS` are files by content; `write_zoo` adds what only a file system can do (dangling links, no
permission). An expectation is the set of allowed statuses and, for `failed`, of allowed reasons.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]
READABLE = frozenset({"ok", "filtered"})
FAILED = frozenset({"failed"})


@dataclass(frozen=True)
class Expectation:
    """What may become of a file: its status, and if that is `failed`, for which reason (empty: any)."""

    kind: str
    statuses: frozenset[str] = READABLE
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Kind:
    ext: str
    make: Callable[[U8, np.random.Generator], bytes]  # from a photograph, uint8 [h, w, 3]
    reasons: tuple[str, ...] = ()  # of the failure; none: it is a picture and must be read

    def expectation(self, name: str) -> Expectation:
        return Expectation(name, FAILED, frozenset(self.reasons)) if self.reasons else Expectation(name)


def encode(image: U8 | Image.Image, kind: str, **options) -> bytes:
    """One picture as a file of a kind that Pillow writes."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, stream: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with any header over any pixel stream."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", stream) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def oriented(photo: U8, orientation: int, kind: str = "JPEG", **options) -> bytes:
    """A file whose pixels are `photo` as they are, to be turned by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(photo, kind, exif=exif, **options)


def alpha_of(photo: U8) -> U8:
    """A soft disc, 0..255, the size of the photograph."""
    h, w = photo.shape[:2]
    y, x = np.ogrid[:h, :w]
    distance = np.hypot((y - h / 2) / h, (x - w / 2) / w)
    return np.clip((0.45 - distance) * 2000, 0, 255).astype(np.uint8)


def rgba(photo: U8) -> U8:
    return np.dstack([photo, alpha_of(photo)])


def grey(photo: U8) -> U8:
    return np.asarray(Image.fromarray(photo).convert("L"))


def grey16(photo: U8) -> NDArray[np.uint16]:
    return grey(photo).astype(np.uint16) * 257


def rgb16_png(photo: U8) -> bytes:
    rows = (photo.astype(">u2") * 257).reshape(photo.shape[0], -1)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png_of(photo.shape[1], photo.shape[0], stream, depth=16)


def cmyk_profile() -> bytes:
    """A small but whole CMYK profile (lut8, two grid points an ink, with a greenish black)."""
    grid = []
    for inks in np.ndindex(2, 2, 2, 2):
        c, m, y, k = inks
        lightness = max(0, 100 - 30 * c - 38 * m - 8 * y - 85 * k)
        a, b = -35 * c + 70 * m - 5 * y, -48 * c - 3 * m + 88 * y
        grid += [round(lightness * 2.55), round(128 + a * (1 - k) - 12 * k), round(128 + b * (1 - k))]
    ramp = bytes(range(256))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + bytes(grid) + ramp * 3
    text = b"a small profile for tests\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": table,
    }
    offset, index, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        index += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4xI", offset + len(body), 0x02100000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def animation(photo: U8) -> list[Image.Image]:
    return [Image.fromarray(np.roll(photo, 20 * i, axis=1)) for i in range(3)]


def animated(photo: U8, kind: str) -> bytes:
    first, *rest = animation(photo)
    return encode(first, kind, save_all=True, append_images=rest, duration=100, loop=0)


def palette_trns(photo: U8) -> bytes:
    image = Image.fromarray(photo).quantize(255)
    indices = np.asarray(image).copy()
    indices[alpha_of(photo) < 128] = 255
    result = Image.fromarray(indices, "P")
    result.putpalette([*(image.getpalette() or [])[:765], 0, 0, 0])
    return encode(result, "PNG", transparency=255)


def corrupt_stream(photo: U8) -> bytes:
    data = bytearray(encode(photo, "PNG"))
    start = data.index(b"IDAT") + 40
    length = struct.unpack_from(">I", data, data.index(b"IDAT") - 4)[0]
    data[start : start + 60] = b"\xff" * 60
    body = bytes(data[data.index(b"IDAT") : data.index(b"IDAT") + 4 + length])
    struct.pack_into(">I", data, data.index(b"IDAT") + 4 + length, zlib.crc32(body))
    return bytes(data)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(len(data) * rng.uniform(0.3, 0.9))]


DECODING = ("truncated", "decode_error")
PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
TEXT = "Artikelnummer; Preis; Größe\n4711; 12,50 €; L\n".encode() * 20

KINDS: dict[str, Kind] = {
    "truncated_jpeg": Kind("jpg", lambda p, r: cut(encode(p, "JPEG"), r), ("truncated",)),
    "truncated_progressive": Kind("jpg", lambda p, r: cut(encode(p, "JPEG", progressive=True), r), ("truncated",)),
    "truncated_png": Kind("png", lambda p, r: cut(encode(p, "PNG"), r), ("truncated",)),
    "truncated_webp": Kind("webp", lambda p, r: cut(encode(p, "WEBP"), r), ("truncated",)),
    "unfinished_jpeg": Kind("jpg", lambda p, r: cut(encode(p, "JPEG"), r) + bytes(5000), ("truncated",)),
    "empty": Kind("jpg", lambda p, r: b"", ("empty_file",)),
    "zeros": Kind("jpg", lambda p, r: bytes(4096), ("not_a_picture",)),
    "text_as_jpeg": Kind("jpg", lambda p, r: TEXT, ("not_a_picture",)),
    "html_as_jpeg": Kind("jpg", lambda p, r: PAGE, ("not_a_picture",)),
    "zip_as_jpeg": Kind("jpg", lambda p, r: b"PK\x03\x04" + r.bytes(2000), ("not_a_picture",)),
    "pdf_as_png": Kind("png", lambda p, r: b"%PDF-1.7\n" + r.bytes(2000), ("not_a_picture",)),
    "random_bytes": Kind("jpg", lambda p, r: b"\x01\x02\x03" + r.bytes(3000), ("not_a_picture",)),
    "random_after_magic": Kind("jpg", lambda p, r: b"\xff\xd8\xff\xe0" + r.bytes(3000), DECODING),
    "corrupt_png_stream": Kind("png", lambda p, r: corrupt_stream(p), DECODING),
    "zero_sized": Kind("png", lambda p, r: png_of(0, 100, zlib.compress(b"")), DECODING),
    "heic": Kind(
        "jpg", lambda p, r: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + r.bytes(500), ("truncated", "decode_error")
    ),
    "svg": Kind("png", lambda p, r: b'<svg xmlns="http://www.w3.org/2000/svg"/>', ("unsupported",)),
    "bomb_20000": Kind("png", lambda p, r: png_of(20_000, 20_000, zlib.compress(bytes(9999))), ("too_many_pixels",)),
    "strip_65535": Kind("jpg", lambda p, r: encode(np.full((4, 65_500, 3), 200, np.uint8), "JPEG"), ("too_large",)),
    "strip_tall": Kind("png", lambda p, r: encode(np.full((65_535, 4, 3), 200, np.uint8), "PNG"), ("too_large",)),
    "strip_thin": Kind("png", lambda p, r: encode(np.full((2, 20_000, 3), 200, np.uint8), "PNG")),
    "one_pixel": Kind("png", lambda p, r: encode(p[:1, :1], "PNG")),
    "grey_16_png": Kind("png", lambda p, r: encode(Image.fromarray(grey16(p)), "PNG")),
    "rgb_16_png": Kind("png", lambda p, r: rgb16_png(p)),
    "grey_16_tiff": Kind("tif", lambda p, r: encode(Image.fromarray(grey16(p)), "TIFF")),
    "float_tiff": Kind("tif", lambda p, r: encode(Image.fromarray(grey(p).astype(np.float32) / 255), "TIFF")),
    "cmyk_jpeg": Kind("jpg", lambda p, r: encode(Image.fromarray(p).convert("CMYK"), "JPEG")),
    "cmyk_icc_jpeg": Kind(
        "jpg", lambda p, r: encode(Image.fromarray(p).convert("CMYK"), "JPEG", icc_profile=cmyk_profile())
    ),
    "palette": Kind("png", lambda p, r: encode(Image.fromarray(p).quantize(64), "PNG")),
    "palette_trns": Kind("png", lambda p, r: palette_trns(p)),
    "rgba": Kind("png", lambda p, r: encode(rgba(p), "PNG")),
    "grey_alpha": Kind("png", lambda p, r: encode(Image.fromarray(rgba(p)).convert("LA"), "PNG")),
    "grey": Kind("jpg", lambda p, r: encode(grey(p), "JPEG")),
    "one_bit": Kind("png", lambda p, r: encode(Image.fromarray(p).convert("1"), "PNG")),
    "animated_gif": Kind("gif", lambda p, r: animated(p, "GIF")),
    "animated_webp": Kind("webp", lambda p, r: animated(p, "WEBP")),
    "apng": Kind("png", lambda p, r: animated(p, "PNG")),
    **{
        f"orientation_{o}": Kind("jpg", lambda p, r, o=o: oriented(p, o, quality=95))  # type: ignore[misc]
        for o in range(1, 9)
    },
    "jpeg_as_png": Kind("png", lambda p, r: encode(p, "JPEG", quality=95)),
    "png_as_jpeg": Kind("jpg", lambda p, r: encode(p, "PNG")),
    "avif": Kind("avif", lambda p, r: encode(p, "AVIF")),
    "webp": Kind("webp", lambda p, r: encode(p, "WEBP")),
    "multi_page_tiff": Kind("tiff", lambda p, r: animated(p, "TIFF")),
    "lzw_tiff": Kind("tiff", lambda p, r: encode(p, "TIFF", compression="tiff_lzw")),
    "bmp": Kind("bmp", lambda p, r: encode(p, "BMP")),
    "gif": Kind("gif", lambda p, r: encode(p, "GIF")),
    "huge_exif": Kind("jpg", lambda p, r: encode(p, "JPEG", exif=b"Exif\0\0" + r.bytes(65_000))),
    "progressive": Kind("jpg", lambda p, r: encode(p, "JPEG", progressive=True)),
    "trailing_bytes": Kind("jpg", lambda p, r: encode(p, "JPEG") + r.bytes(5000)),
}

FOLDERS = ("Schuhe & Taschen", "summer 2024", "鞋子", "обувь", "λευκά", "plain", "ไทย", "with'quote")
STEMS = ("item", "Größe L", "商品", "товар", "pic (1)", "100% wool", "a+b", "été")


def write_zoo(folder: Path, count: int, rng: np.random.Generator, photo: U8 | None = None) -> dict[Path, Expectation]:
    """Writes `count` odd files into a folder, every kind before any comes twice.

    Args:
        photo: uint8 [h, w, 3], what the readable ones show; a part of a photograph by default.

    Returns:
        What is expected of each file that was written.
    """
    photo = some_photographs()[0] if photo is None else photo
    folder.mkdir(parents=True, exist_ok=True)
    names = [*KINDS, "no_permission", "dangling_link"]
    return dict(_write_odd(folder, i, names[i % len(names)], photo, rng) for i in range(count))


def write_catalog(
    folder: Path, pictures: int = 2000, odd: int = 100, seed: int = 0, sources: Sequence[U8] | None = None
) -> dict[Path, Expectation]:
    """Writes a catalog: folders four deep, one stem under several endings, spaces and non-Latin letters.

    Args:
        sources: photographs, uint8 [h, w, 3]; the pictures are parts of them, mirrored or not, brighter
            or darker. By default some that come with scikit-image.

    Returns:
        What is expected of each file that was written: `pictures` readable ones and `odd` odd ones.
    """
    rng = np.random.default_rng(seed)
    photos = list(sources) if sources is not None else some_photographs()
    expected: dict[Path, Expectation] = {}
    endings = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("JPG", "JPEG"), ("jpeg", "JPEG"))
    for i in range(pictures):
        stem, (ext, kind) = i // 3, endings[i % 3 if i % 15 else 3 + i % 2]
        path = _four_deep(folder, stem) / f"{STEMS[stem % len(STEMS)]} {stem:05d}.{ext}"
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"compress_level": 1} if kind == "PNG" else {"quality": 90}
        path.write_bytes(encode(_part(photos[int(rng.integers(len(photos)))], rng), kind, **options))
        expected[path] = Expectation("picture")
    names = [*KINDS, "no_permission", "dangling_link"]
    for i in range(odd):
        place = _four_deep(folder, int(rng.integers(max(pictures // 3, 1))))
        path, expectation = _write_odd(place, i, names[i % len(names)], photos[0][:240, :320], rng)
        expected[path] = expectation
    return expected


def some_photographs() -> list[U8]:
    """Photographs that come with scikit-image, uint8 [h, w, 3]."""
    from skimage import data

    return [data.chelsea()[20:260, 60:380], data.coffee(), data.astronaut(), data.rocket()]


def _four_deep(folder: Path, n: int) -> Path:
    k = len(FOLDERS)
    return folder / FOLDERS[n % k] / FOLDERS[n // k % k] / f"{n // 40:03d}" / FOLDERS[(n // 7) % k]


def _part(photo: U8, rng: np.random.Generator) -> U8:
    h, w = photo.shape[:2]
    ch, cw = int(h * rng.uniform(0.6, 1)), int(w * rng.uniform(0.6, 1))
    y, x = int(rng.integers(h - ch + 1)), int(rng.integers(w - cw + 1))
    part = photo[y : y + ch, x : x + cw, ::1]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return np.clip(part * rng.uniform(0.8, 1.2), 0, 255).astype(np.uint8)


def _write_odd(folder: Path, i: int, name: str, photo: U8, rng: np.random.Generator) -> tuple[Path, Expectation]:
    folder.mkdir(parents=True, exist_ok=True)
    kind = KINDS.get(name)
    path = folder / f"{i:03d} {name}.{kind.ext if kind else 'jpg'}"
    if kind:
        path.write_bytes(kind.make(photo, rng))
        return path, kind.expectation(name)
    if name == "dangling_link":
        path.symlink_to(folder / "not there.jpg")
        return path, Expectation(name, FAILED)
    path.write_bytes(encode(photo, "JPEG"))
    path.chmod(0)
    return path, Expectation(name, READABLE if os.geteuid() == 0 else FAILED)  # root reads everything
