"""A Parquet or CSV manifest: columns `id` and `uri`, and optionally `category`."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.asyn import get_loop, sync

from ..stages.errors import HairlineError, PictureError
from ..stages.limits import Limits
from .source import Source, lies_among_results, local_source
from .storage import fetch, is_local, local_path, remote
from .yamlfile import did_you_mean

ASKED_TOGETHER = 64  # objects whose facts are asked for at the same time
LIMITS = Limits(max_bytes=4 << 30)
Row = tuple[int, str, str, str]  # line or row number, id, uri, category


def read_manifest(place: str, output: str, products: Sequence[str]) -> list[Source]:
    """Reads a manifest. Relative uris are relative to it.

    Raises:
        HairlineError: it cannot be read, lacks a column, or a row has no id, no uri, another's id,
            or a source that lies among the results.
    """
    folder = place.rpartition("/")[0]
    target = os.path.abspath(local_path(output)) if is_local(output) else output.rstrip("/")
    seen: dict[str, int] = {}
    sources = []
    for number, id, uri, category in _rows(place):
        if not id:
            raise HairlineError(f"manifest {place}, row {number}: the id is empty")
        if id in seen:
            raise HairlineError(f"manifest {place}, row {number}: the id {id} stands in row {seen[id]} already")
        if not uri:
            raise HairlineError(f"manifest {place}, row {number}: the uri is empty")
        seen[id] = number
        if "://" not in uri and not uri.startswith("/") and folder:
            uri = f"{folder}/{uri}"
        if is_local(uri):
            uri = os.path.abspath(local_path(uri))
        if lies_among_results(uri, target, products):
            raise HairlineError(f"manifest {place}, row {number}: {uri} lies where the results go; give another output")
        sources.append(local_source(id, uri, category) if is_local(uri) else Source(id, uri, "", category))
    return _with_etags(sources)


def _rows(place: str) -> Iterator[Row]:
    try:
        data = fetch(place, LIMITS)[0]
        if place.lower().endswith(".csv"):
            yield from _csv_rows(place, io.StringIO(data.decode("utf-8-sig"), newline=""))
        else:
            yield from _parquet_rows(place, pq.ParquetFile(io.BytesIO(data)))
    except PictureError as error:
        raise HairlineError(f"manifest {place}: cannot be read: {error.detail}") from error
    except (UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise HairlineError(f"manifest {place}: cannot be read: {' '.join(str(error).split())[:200]}") from error


def _csv_rows(place: str, text: io.StringIO) -> Iterator[Row]:
    reader = csv.DictReader(text)
    _check_columns(place, reader.fieldnames or [])
    for row in reader:
        yield reader.line_num, row["id"] or "", row["uri"] or "", row.get("category") or ""


def _parquet_rows(place: str, file: pq.ParquetFile) -> Iterator[Row]:
    names = file.schema_arrow.names
    _check_columns(place, names)
    wanted = [name for name in ("id", "uri", "category") if name in names]
    number = 0
    for batch in file.iter_batches(columns=wanted):
        columns = [batch.column(name).cast(pa.string()).to_pylist() for name in wanted]
        for id, uri, *category in zip(*columns, strict=True):
            number += 1
            yield number, id or "", uri or "", (category[0] or "") if category else ""


def _check_columns(place: str, names: Sequence[str]) -> None:
    for name in ("id", "uri"):
        if name not in names:
            raise HairlineError(f"manifest {place}: no column {name}{did_you_mean(name, names)}")


def _with_etags(sources: list[Source]) -> list[Source]:
    """Asks object stores for ETags and sizes. What gives no answer is left to fail when it is fetched."""
    asked = [i for i, s in enumerate(sources) if not is_local(s.uri) and not s.uri.startswith(("http://", "https://"))]
    for start in range(0, len(asked), 10_000):
        some = asked[start : start + 10_000]
        for index, facts in zip(some, _facts([sources[i].uri for i in some]), strict=True):
            etag = str(facts.get("ETag", "")).strip('"')
            sources[index] = sources[index]._replace(etag=etag, size=int(facts.get("size", -1)))
    return sources


def _facts(uris: list[str]) -> list[dict[str, Any]]:
    async def ask(uri: str, turn: asyncio.Semaphore) -> dict[str, Any]:
        async with turn:
            files, path = remote(uri)
            try:
                return dict(await files._info(path))
            except Exception:
                return {}

    async def ask_all() -> list[dict[str, Any]]:
        turn = asyncio.Semaphore(ASKED_TOGETHER)
        return await asyncio.gather(*(ask(uri, turn) for uri in uris))

    found: list[dict[str, Any]] = sync(get_loop(), ask_all)
    return found
