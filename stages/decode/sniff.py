"""What a file is, from its first bytes and never from its name, and whether its end is missing."""

from __future__ import annotations

import struct
from typing import Literal

from ..errors import PictureError

Format = Literal["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "JPEG2000", "TIFF", "BMP"]

FORMATS: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  ", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
UNSUPPORTED_PICTURES = (
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\x01\0", "an icon"),
    (b"%!PS", "PostScript"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "a DDS texture"),
)
OTHER_FILES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"RIFF", "sound or video"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "a database"),
)
BRANDS: tuple[tuple[Format, frozenset[bytes]], ...] = (
    ("AVIF", frozenset({b"avif", b"avis"})),
    ("HEIF", frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"})),
)


def sniff(data: bytes) -> Format:
    """The picture's format.

    Raises:
        PictureError: `unsupported` for a picture of a kind that is not read, `not_a_picture` for
            anything else, with what it looks like as detail.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for magic, kind in FORMATS:
        if data.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return _sniff_boxes(data)
    for magic, name in UNSUPPORTED_PICTURES:
        if data.startswith(magic):
            raise PictureError("unsupported", f"{name} is not read: convert it to JPEG, PNG, WebP, AVIF or TIFF")
    for magic, name in OTHER_FILES:
        if data.startswith(magic):
            raise PictureError("not_a_picture", f"looks like {name}")
    raise _text_or_unknown(data)


def incomplete(data: bytes, kind: Format) -> bool:
    """Whether the file stops before its own format says that it ends, or ends in a long run of zeros
    in place of its end, as an unfinished download does. Cheap: it reads lengths, not pixels."""
    body = data.rstrip(b"\0")
    zeros = len(data) - len(body)
    if kind == "JPEG":
        return not body.endswith(b"\xff\xd9")
    if kind == "PNG":
        return b"IEND" not in data[-64:] and b"IEND" not in body[-12:]
    if kind == "GIF":
        return not body.endswith(b";")
    if kind == "WEBP":
        return len(data) < 30 or _u32(data, 4) + 8 > len(data) or zeros > max(256, len(data) // 100)
    if kind == "BMP":
        return len(data) < 26 or _u32(data, 2) > len(data)
    if kind == "JPEG2000":
        return not body.endswith(b"\xff\xd9")
    if kind == "TIFF":
        offset = struct.unpack_from("<I" if data[:1] == b"I" else ">I", data.ljust(8, b"\0"), 4)[0]
        return len(data) < 8 or bool(data[2:4] in (b"*\0", b"\0*") and offset + 2 > len(data))
    return _boxes_end(data) > len(data) or zeros > max(256, len(data) // 100)


def png_chunk(data: bytes, name: bytes) -> bytes:
    """The first chunk of a PNG with this name, which may stand behind the pixels; empty if there is none."""
    position = 8
    while position + 12 <= len(data):
        length = struct.unpack_from(">I", data, position)[0]
        if data[position + 4 : position + 8] == name:
            return data[position + 8 : position + 8 + length]
        position += 12 + length
    return b""


def _sniff_boxes(data: bytes) -> Format:
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, size, 4))}
    for kind, known in BRANDS:
        if brands & known:
            return kind
    if b"crx " in brands:
        raise PictureError("unsupported", "a camera's raw file is not read: develop it to JPEG or TIFF")
    raise PictureError("not_a_picture", "looks like a video")


def _boxes_end(data: bytes) -> int:
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:  # 0: up to the end of the file
            return len(data)
        position += size
    return position


def _text_or_unknown(data: bytes) -> PictureError:
    head = data[:1024]
    if not head.strip(b"\0"):
        return PictureError("not_a_picture", "starts with nothing but zero bytes: an unfinished download?")
    text = _as_text(head)
    if text is None:
        return PictureError("not_a_picture", f"no known format: starts with {head[:8].hex(' ')}")
    start = text.lstrip("\ufeff \t\r\n").lower()
    if "<svg" in start:
        return PictureError("unsupported", "SVG is not read: convert it to PNG")
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return PictureError("not_a_picture", "looks like an HTML page: the address may need a login or be gone")
    if start.startswith("<?xml") and "error" in start:
        return PictureError("not_a_picture", "looks like an XML error message of a server")
    if start.startswith(("{", "[")):
        return PictureError("not_a_picture", "looks like JSON")
    return PictureError("not_a_picture", f"looks like text: {' '.join(text.split())[:60]!r}")


def _as_text(head: bytes) -> str | None:
    text = head.decode("utf-8", errors="ignore")
    if len(text.encode()) < len(head) - 3 or any(ord(c) < 32 and c not in "\t\r\n\f" for c in text):
        return None
    return text


def _u32(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<I", data, offset)[0])
