"""Weights behind a URL: fetched once per machine into a folder, and known there by their hash.

A URL is s3://, https:// or whatever else fsspec knows, and its hash is part of the setting: what lies behind it may
change, an answer may not. Processes of one machine wait for the first of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from .errors import HairlineError

ATTEMPTS = 4
WAIT_S = 1.0  # before the second attempt; doubled before each further one
FRAGMENT = "#sha256="
HASH = re.compile(r"[0-9a-f]{64}")


def is_url(setting: str) -> bool:
    return "://" in setting


def suffix(setting: str) -> str:
    """The ending of a path or URL, in small letters, such as `.onnx`."""
    return PurePosixPath(urlsplit(setting).path if is_url(setting) else setting).suffix.lower()


def folder() -> Path:
    """Where fetched files are kept: $HAIRLINE_CACHE, or `hairline` in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("HAIRLINE_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hairline"


def named(setting: str, sha256: str = "") -> tuple[str, str]:
    """The URL that a setting names, and the hash of the file behind it, 64 hex digits.

    Args:
        setting: the URL; its hash may stand behind it as `#sha256=<64 hex digits>`.
        sha256: the hash otherwise, hex.

    Raises:
        HairlineError: there is no hash.
    """
    url, _, inside = setting.partition(FRAGMENT)
    expected = (sha256 or inside).lower()
    if not HASH.fullmatch(expected):
        raise HairlineError(
            f"weights {url}: name the sha256 of the file (64 hex digits), as `sha256:` beside it or behind the URL as "
            f"{FRAGMENT}…; what lies behind a URL may change"
        )
    return url, expected


def fetched(url: str, expected: str, anew: bool = False) -> Path:
    """The file behind a URL: from the folder, where it has been fetched before.

    Args:
        url, expected: see `named`.
        anew: whether that in the folder has turned out to be damaged.

    Raises:
        HairlineError: the file cannot be had or kept, or has another hash.
    """
    path = folder() / "weights" / f"{expected}{suffix(url)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            if anew or not path.is_file():
                _fetch(url, path, expected)
    except OSError as error:
        raise HairlineError(
            f"weights {url}: cannot be kept in {path.parent}: {error.strerror or error}; set HAIRLINE_CACHE to a "
            "folder with room"
        ) from error
    return path


def _fetch(url: str, path: Path, expected: str) -> None:
    part = path.with_name(uuid.uuid4().hex)
    try:
        _download(url, part)
        with open(part, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise HairlineError(
                f"weights {url} have sha256 {found[:12]}…, but {expected[:12]}… is expected: another file lies there; "
                "correct the URL or the sha256"
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _download(url: str, part: Path) -> None:
    """Raises HairlineError: nothing comes, also after several attempts."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            files, way = filesystem(url)
            files.get_file(way, str(part))
            return
        except Exception as error:  # fsspec's, aiohttp's, botocore's
            final = isinstance(error, FileNotFoundError | PermissionError | ValueError | ImportError)
            if final or attempt == ATTEMPTS:
                line = " ".join(str(error).split())[:200] or type(error).__name__
                raise HairlineError(f"weights {url}: cannot be fetched: {line}") from error
            time.sleep(WAIT_S * 2 ** (attempt - 1))


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system that a URL names, over a connection of its own, and the path in it."""
    import fsspec

    protocol = urlsplit(url).scheme
    options: dict[str, Any] = {"skip_instance_cache": True}  # credentials may have been replaced
    if protocol in ("s3", "s3a"):
        options["config_kwargs"] = {
            "request_checksum_calculation": "when_required",  # many S3 servers do not know the newer checksums
            "response_checksum_validation": "when_required",
        }
    files = fsspec.filesystem(protocol, **options)
    return files, url if protocol in ("http", "https") else url.partition("://")[2]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; on a file system without locks each fetches for itself, and the last rename counts."""
    with open(path.with_name(f"{path.name}.lock"), "ab") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
