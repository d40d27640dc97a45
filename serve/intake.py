"""Reading a request: multipart, form or JSON, bounded in bytes, parts and time, into fields and files."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import numpy as np
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from .admission import AdmissionSlot
from .errors import ApiError

FIELDS = 200  # fields, and
FILES = 1000  # files of one request, at most; how many a route takes is its own affair
JSON_VALUES = 10_000  # of a body; a list of empty lists would take a hundred times its own bytes
BLOCK = 1 << 20  # bytes that are unquoted at a time
HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 255 for c in range(256)], np.uint8)
FIELD_BYTES = 64 << 10  # of a form field that holds no picture


@dataclass
class Form:
    """What a request brought.

    Attributes:
        values: name -> text. Of a field that comes twice the last one counts; JSON's true, 3 and [1] become text.
        files: (name, bytes) in their order. Their file names are not kept.
    """

    values: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)

    def file(self, name: str) -> bytes | None:
        """The last file of that name, if it is not empty."""
        return next((data for key, data in reversed(self.files) if key == name and data), None)

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()


async def read_form(request: Request, slot: AdmissionSlot, max_bytes: int, seconds: float) -> Form:
    """The fields and files of a request.

    Args:
        max_bytes: of the whole body, in whatever encoding.
        seconds: from here to the body's last byte.

    Raises:
        ApiError: too large, too slow, or in no known form.
        ClientDisconnect: nobody is there any more.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(seconds):
            stream = _bounded(request, slot, max_bytes)
            if kind == "multipart/form-data":
                return await _multipart(request, stream, max_bytes)
            body = b"".join([chunk async for chunk in stream])
    except TimeoutError as error:
        raise ApiError(408, "request_timeout", "Upload took too long", f"the limit is {seconds:g} seconds") from error
    if kind == "application/json":
        return await asyncio.to_thread(_from_json, body)
    if kind == "application/x-www-form-urlencoded":
        return await asyncio.to_thread(_from_urlencoded, body)
    if not body:
        return Form()
    raise ApiError(
        415,
        "unsupported_media_type",
        "Unsupported content type",
        "send multipart/form-data, application/x-www-form-urlencoded or application/json",
    )


def decode_b64(text: str, max_bytes: int) -> bytes:
    """Bytes of base64 text, a data URL too. Raises ValueError: it is none, or longer than allowed."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if len(text) // 4 * 3 > max_bytes + 3:
        raise ApiError(413, "file_too_large", "File too large", f"File exceeds limit of {size(max_bytes)}")
    text = text.strip().translate(_BLANKS)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("this is no base64 text") from error


def size(count: int) -> str:
    """Bytes for a person: 12 MB."""
    return f"{count / (1 << 20):.3g} MB" if count >= 1 << 20 else f"{count:,} bytes"


_BLANKS = {ord(c): None for c in " \t\r\n"} | {ord("-"): "+", ord("_"): "/"}


async def _bounded(request: Request, slot: AdmissionSlot, max_bytes: int) -> AsyncGenerator[bytes, None]:
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(max_bytes)
        slot.take(len(chunk))
        yield chunk


class _Parser(MultiPartParser):
    spool_max_size = 1 << 40  # the body is bounded, and its bytes are counted: nothing goes to the disk


async def _multipart(request: Request, stream: AsyncGenerator[bytes, None], max_bytes: int) -> Form:
    form = Form()
    try:
        # a field may hold a picture in base64, so it may be as long as the body
        parser = _Parser(
            request.headers,
            stream,
            max_files=FILES,
            max_fields=FIELDS,
            max_part_size=max_bytes,
        )
        for name, value in (await parser.parse()).multi_items():
            if isinstance(value, UploadFile):
                form.files.append((name, await value.read()))
                await value.close()
            else:
                form.values[name] = value
    except (MultiPartException, KeyError, ValueError, UnicodeError) as error:
        raise ApiError(400, "invalid_request", "The multipart body cannot be read") from error
    return form


def _from_json(body: bytes) -> Form:
    if sum(map(body.count, (b"[", b"{", b","))) > JSON_VALUES:
        raise ApiError(400, "invalid_request", "The JSON body holds too many values", f"at most {JSON_VALUES:,}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "invalid_request", "The body is not valid JSON") from error
    if not isinstance(found, dict):
        raise ApiError(400, "invalid_request", "The JSON body must be an object")
    values = {k: v if isinstance(v, str) else json.dumps(v) for k, v in found.items() if v is not None}
    if any(0xD800 <= ord(c) < 0xE000 for text in values.values() for c in text[:FIELD_BYTES]):
        raise ApiError(400, "invalid_request", "The JSON body holds half a character")
    return Form(values)


def _from_urlencoded(body: bytes) -> Form:
    if body.count(b"&") >= FIELDS:
        raise ApiError(400, "invalid_request", "The form body holds too many fields", f"at most {FIELDS}")
    form = Form()
    try:
        for pair in filter(None, body.split(b"&")):
            name, _, value = pair.partition(b"=")
            form.values[_unquoted(name)] = _unquoted(value)
    except UnicodeError as error:
        raise ApiError(400, "invalid_request", "The form body cannot be read") from error
    return form


def _unquoted(text: bytes) -> str:
    """As HTML forms encode it. Raises UnicodeError: other than ASCII before, or UTF-8 after."""
    if not text.isascii():
        raise UnicodeError
    found, start = bytearray(), 0
    while start < len(text):
        end = start + BLOCK
        cut = text.rfind(b"%", end - 2, end)  # not through an escape
        end = cut if start < cut else end
        found += _unquoted_block(text[start:end].replace(b"+", b" "))
        start = end
    return found.decode("utf-8")


def _unquoted_block(text: bytes) -> bytes:
    """What urllib's `unquote_to_bytes` gives; of nothing but escapes that takes a minute for 80 MB, and 6 GB."""
    codes = np.frombuffer(text, np.uint8).copy()
    at = np.flatnonzero(codes[:-2] == ord("%"))
    high, low = HEX[codes[at + 1]], HEX[codes[at + 2]]
    real = (high < 16) & (low < 16)
    at = at[real]
    codes[at] = high[real] * 16 + low[real]
    keep = np.ones(len(codes), bool)
    keep[at + 1] = keep[at + 2] = False
    return codes[keep].tobytes()


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, "file_too_large", "File too large", f"The request exceeds {size(max_bytes)}")


__all__ = ["ClientDisconnect", "Form", "decode_b64", "read_form", "size"]
