"""What the routes of a review take: JSON objects and forms, checked; whatever is wrong is an `ApiError` of 400."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from ..serve.errors import ApiError
from ..stages.correction import Correction, read_boxes, read_places
from .index import Filter

MOST_BYTES = 64 << 10  # of a request that brings no picture
MOST_MATTES = 128 << 20  # and of one that brings strokes and a matte


@dataclass(frozen=True)
class Form:
    """A form's fields, by their names."""

    texts: dict[str, str]
    files: dict[str, bytes]

    def correction(self) -> Correction:
        """Raises ValueError: a place or a box is none, or there is nothing that it could start from."""
        keep, drop = (
            read_places([self.texts[name]], name) if self.texts.get(name) else () for name in ("keep", "drop")
        )
        boxes = read_boxes([self.texts["box"]]) if self.texts.get("box") else ()
        strokes, matte = (self.files.get(f"{name}_file", b"") for name in ("strokes", "matte"))
        if not matte and not boxes:
            raise ValueError("matte_file: give the matte so far, or a box")
        follow = self.texts.get("follow", "true") != "false"
        return Correction(boxes=boxes, keep=keep, drop=drop, strokes=strokes, follow=follow, matte=matte)


async def read_body(request: Request, most: int) -> bytes:
    """A request's body. Raises ApiError: it is larger than may be."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise ApiError(413, "too_large", "Too large", f"at most {most:,} bytes", {"Connection": "close"})
    return bytes(data)


async def read_json(request: Request) -> dict[str, Any]:
    """The object that a request brings. What it holds can be written as UTF-8."""
    try:
        given = json.loads(await read_body(request, MOST_BYTES))
        json.dumps(given, ensure_ascii=False).encode()  # half a surrogate pair cannot
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "invalid_json", "No JSON", str(error)) from error
    if not isinstance(given, dict):
        raise ApiError(400, "invalid_json", "No JSON object")
    return given


async def read_form(request: Request) -> Form:
    """The form that a request brings."""
    body = await read_body(request, MOST_MATTES)

    async def once() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    try:
        async with Request(request.scope, once).form(max_files=4, max_fields=16, max_part_size=MOST_BYTES) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = await value.read()
                else:
                    texts[name] = value
    except MultiPartException as error:
        raise ApiError(400, "invalid_form", "No form", error.message) from error
    return Form(texts, files)


def text(given: dict[str, Any], name: str) -> str:
    """A field that must be there."""
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, "missing", f"{name} is missing", f"{name} must be text")
    return value


def texts(given: dict[str, Any], name: str) -> list[str]:
    """A list of texts; empty where it is not there."""
    found = given.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ApiError(400, f"invalid_{name}", f"Invalid {name}", f"{name} must be a list of texts")
    return found


def number_seen(given: dict[str, Any]) -> int:
    """The number of the newest decision that the page saw."""
    seen = given.get("seen")
    if isinstance(seen, str) and seen.isdecimal() and len(seen) < 6:  # in a form
        seen = int(seen)
    if not isinstance(seen, int) or isinstance(seen, bool) or not 0 <= seen < 99_999:
        raise ApiError(
            400, "missing", "seen is missing", "seen must be the number of the newest decision that was seen"
        )
    return seen


def filter_of(given: dict[str, Any]) -> Filter:
    """Which pictures are wanted."""
    asked = given.get("filter") or {}
    if not isinstance(asked, dict) or not all(isinstance(value, str | None) for value in asked.values()):
        raise ApiError(400, "invalid_filter", "No filter", "filter must be an object of texts")
    return Filter(asked.get("reason", ""), asked.get("route"), asked.get("category"))
