"""Reading pictures and manifests wherever they lie, and writing whole files into the tool's own folder."""

from __future__ import annotations

import json
import os
import uuid
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..stages import downloads
from ..stages.errors import HairlineError


@lru_cache(maxsize=8)
def _connection(protocol: str) -> Any:
    return downloads.filesystem(f"{protocol}://")[0]


def remote(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it; one connection for each process and kind of storage."""
    protocol, _, path = uri.partition("://")
    return _connection(protocol), uri if protocol in ("http", "https") else path


def is_remote(uri: str) -> bool:
    return "://" in uri


def read(uri: str) -> bytes:
    """The bytes behind a path or URL. Raises OSError, or what the storage's client raises."""
    if is_remote(uri):
        files, path = remote(uri)
        data: bytes = files.cat_file(path)
        return data
    return Path(uri).read_bytes()


def open_folder(output: str) -> Path:
    """The folder OUT, made where it is missing, after it has been tried whether it can be written.

    Raises:
        HairlineError: it cannot be written, or is no folder.
    """
    if is_remote(output):
        raise HairlineError(
            f"output {output}: must be a folder; where a cluster works on it, one that all its nodes see, such as NFS"
        )
    path = Path(output).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{uuid.uuid4().hex}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise HairlineError(f"output {path}: cannot be written: {error.strerror or error}") from error
    return path


def write(path: Path, data: bytes | str) -> None:
    """Writes a file whole or not at all; what was there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with open(part, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise HairlineError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, default: Any = None) -> Any:
    """What a file of ours holds; the default where there is none. Raises HairlineError: it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise HairlineError(f"{path}: is damaged ({error}); move it away, and what it held is made again") from error


def write_table(path: Path, table: pa.Table) -> None:
    sink = BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write(path, sink.getvalue())
