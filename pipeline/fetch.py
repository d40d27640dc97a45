"""Reading one source, from this machine, a bucket or a web server."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from fsspec.asyn import sync

from ..stages.errors import HairlineError, OutageError, PictureError
from ..stages.limits import Limits
from .credentials import renew
from .outage import Witnesses
from .retry import HttpError, StorageDown, Trouble, classify_error, telling, with_retries
from .storage import filesystem, is_local, local_path, remote
from .throttle import THROTTLE

CHUNK = 1 << 18


def fetch(
    uri: str, limits: Limits, size: int = -1, patience_s: float = 0.0, witnesses: Witnesses | None = None
) -> tuple[bytes, int]:
    """Reads one source whole, but nothing that is larger than the limit.

    Args:
        uri: a path (undecodable bytes as surrogates) or URL.
        size: its size if it is known, bytes; spares a question.
        patience_s: how long a bucket that gives nothing is waited for, seconds. Web servers are not: each picture may
            have its own.
        witnesses: objects that this process has read; what is read from a bucket is added.

    Returns:
        Its bytes, and at which attempt they came.

    Raises:
        PictureError: `not_found`, `permission`, `not_a_file`, `too_many_bytes` or `fetch`.
        OutageError: the bucket gave nothing for so long; that is no fault of the picture.
    """
    try:
        if is_local(uri):
            return with_retries(lambda: _read_local(local_path(uri), limits.max_bytes))
        if uri.startswith(("http://", "https://")):
            return with_retries(lambda: _read_http(uri, limits.max_bytes))
        return _fetch_object(uri, limits.max_bytes, size, patience_s, witnesses or Witnesses())
    except (PictureError, MemoryError, OutageError):
        raise
    except HairlineError as error:
        raise PictureError("fetch", str(error)) from error
    except Exception as error:
        verdict = classify_error(error)
        raise PictureError(verdict.reason, verdict.detail) from error


def fetch_named(name: str, uri: str, limits: Limits | None = None) -> bytes:
    """The bytes of a file that a user names, as `name`. Raises HairlineError: it cannot be read."""
    try:
        return fetch(uri, limits or Limits())[0]
    except PictureError as error:
        raise HairlineError(f"{name} {uri}: cannot be read: {error.detail or error.reason}") from error


def _fetch_object(uri: str, limit: int, size: int, patience_s: float, witnesses: Witnesses) -> tuple[bytes, int]:
    files, path = remote(uri)
    refused = False

    def read() -> bytes:
        nonlocal refused
        try:
            return telling(lambda: _read_remote(files, path, limit, size), lambda: files.cat_file(path, start=0, end=1))
        except OSError as error:
            refused = refused or classify_error(error).trouble is Trouble.REFUSED
            raise

    try:
        found = with_retries(
            read,
            patience_s,
            (lambda: witnesses.are_away(files, path)) if patience_s else None,
            lambda: renew(files),
            THROTTLE,
        )
    except StorageDown as error:
        raise OutageError(
            f"input {uri}: {error} (waited for {patience_s:g} s, and nothing else there can be read)"
        ) from error
    witnesses.add(path, refused)
    return found


def _read_local(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        _check_size(os.fstat(file.fileno()).st_size, limit)
        data = file.read(limit + 1)
    _check_size(len(data), limit)
    return data


def _read_remote(files: Any, path: str, limit: int, size: int) -> bytes:
    _check_size(size if size >= 0 else int(files.info(path)["size"]), limit)
    data: bytes = files.cat_file(path)
    _check_size(len(data), limit)
    return data


def _read_http(uri: str, limit: int) -> bytes:
    files = filesystem(urlsplit(uri).scheme)

    async def get() -> bytes:
        session = await files.set_session()
        async with session.get(uri) as answer:
            if answer.status >= 400:
                wait = answer.headers.get("Retry-After", "")
                raise HttpError(answer.status, answer.reason or "", float(wait) if wait.isdigit() else 0.0)
            _check_size(answer.content_length or 0, limit)
            data = bytearray()
            async for chunk in answer.content.iter_chunked(CHUNK):
                data += chunk
                _check_size(len(data), limit)
            return bytes(data)

    result: bytes = sync(files.loop, get)
    return result


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PictureError("too_many_bytes", f"{size:,} bytes; the limit is {limit:,}")
