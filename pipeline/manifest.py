"""A Parquet or CSV manifest: columns `id` and `uri`, and optionally `category`."""

from __future__ import annotations

import asyncio
import codecs
import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.asyn import get_loop, sync

from ..configs.documents import did_you_mean
from ..stages.errors import HairlineError, PictureError
from ..stages.limits import Limits
from .fetch import fetch
from .source import Source, lies_among_results, local_source
from .storage import is_local, local_path, remote

ASKED_TOGETHER = 64  # objects whose facts are asked for at the same time
LIMITS = Limits(max_bytes=4 << 30)
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
HTTP = ("http://", "https://")


class Row(NamedTuple):
    """One row as it stands there.

    Attributes:
        number: the line of CSV at which it begins, or the row of Parquet.
        problem: why it names no picture.
    """

    number: int
    id: str
    uri: str
    category: str
    problem: str = ""


def read_manifest(manifest_uri: str, output: str, products: Sequence[str]) -> list[Source]:
    """Reads a manifest. Relative uris are relative to it.

    A row that names no picture becomes a source with a `problem`; if it has no id, it is called after its row.

    Raises:
        HairlineError: it cannot be read, lacks a column, or a row has another's id or a source that lies among the
            results.
    """
    folder = local_path(manifest_uri).rpartition("/")[0] if is_local(manifest_uri) else manifest_uri.rpartition("/")[0]
    target = os.path.abspath(local_path(output)) if is_local(output) else output.rstrip("/")
    seen: dict[str, int] = {}
    sources, broken = [], []
    for row in _rows(manifest_uri):
        problem, uri = row.problem, row.uri
        if not problem and not (row.id and uri):
            problem = f"the {'uri' if row.id else 'id'} is empty"
        if not problem:
            try:
                uri = _resolve(uri, folder)
            except HairlineError as error:
                problem = str(error)
        if problem:
            broken.append(row._replace(problem=f"row {row.number}: {problem}"))
            continue
        if row.id in seen:
            raise HairlineError(
                f"manifest {manifest_uri}, row {row.number}: the id {row.id} stands in row {seen[row.id]} already"
            )
        seen[row.id] = row.number
        if lies_among_results(uri, target, products):
            raise HairlineError(
                f"manifest {manifest_uri}, row {row.number}: {uri} lies where the results go; give another output"
            )
        local = is_local(uri)
        sources.append(local_source(row.id, uri, row.category) if local else Source(row.id, uri, "", row.category))
    for row in broken:
        id = row.id if row.id and row.id not in seen else f"row {row.number}"
        while id in seen:
            id += "~"
        seen[id] = row.number
        etag = hashlib.sha256(f"{row.problem} {row.uri}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        sources.append(Source(id, row.uri, etag, row.category, -1, row.problem))  # another etag once it is mended
    return _with_etags(sources)


def _resolve(uri: str, folder: str) -> str:
    """A uri of a manifest as a full path or URL. Raises HairlineError: no storage takes it."""
    if "://" not in uri and not uri.startswith("/") and folder:
        uri = f"{folder}/{uri}"
    if is_local(uri):
        return os.path.abspath(local_path(uri))
    remote(uri)
    return uri


def _rows(manifest_uri: str) -> Iterator[Row]:
    try:
        data = fetch(manifest_uri, LIMITS)[0]
        if not data:
            raise HairlineError(f"manifest {manifest_uri}: is empty")
        if manifest_uri.lower().endswith(".csv"):
            yield from _csv_rows(manifest_uri, _text(data))
        else:
            yield from _parquet_rows(manifest_uri, pq.ParquetFile(io.BytesIO(data)))
    except PictureError as error:
        raise HairlineError(f"manifest {manifest_uri}: cannot be read: {error.detail}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HairlineError(
            f"manifest {manifest_uri}: cannot be read: line {line} is no UTF-8; save it as UTF-8"
        ) from error
    except (csv.Error, pa.ArrowException) as error:
        raise HairlineError(f"manifest {manifest_uri}: cannot be read: {' '.join(str(error).split())[:200]}") from error


def _text(data: bytes) -> io.StringIO:
    """CSV as spreadsheets save it: UTF-8 with or without a mark in front, or UTF-16 with one."""
    coding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return io.StringIO(data.decode(coding), newline="")


def _csv_rows(manifest_uri: str, text: io.StringIO) -> Iterator[Row]:
    head = text.readline()
    heads = [next(csv.reader([head], delimiter=sign, skipinitialspace=True), []) for sign in DELIMITERS]
    sign, names = max(zip(DELIMITERS, heads, strict=True), key=lambda pair: len({"id", "uri"} & set(pair[1])))
    _check_columns(manifest_uri, names)
    reader = csv.reader(text, delimiter=sign, skipinitialspace=True, strict=True)
    where = [names.index(name) if name in names else -1 for name in ("id", "uri", "category")]
    begun = 2  # line at which a row begins; the head is line 1
    try:
        for fields in reader:
            number, begun = begun, reader.line_num + 2
            if not any(fields):  # a blank line, or what a spreadsheet makes of one
                continue
            if len(fields) == len(names):
                yield Row(number, *(fields[at] if at >= 0 else "" for at in where))
            else:
                id = fields[0] if where[0] == 0 else ""  # the fields after the one that broke are not where they belong
                yield Row(number, id, "", "", _miscounted(len(fields), len(names), sign))
    except csv.Error as error:
        raise HairlineError(
            f"manifest {manifest_uri}, row {begun}: cannot be read: {error}; look at its quotes"
        ) from error


def _miscounted(has: int, should: int, sign: str) -> str:
    hint = f"; what holds a {DELIMITERS[sign]} goes in double quotes" if has > should else ""
    return f"it has {has} field{'s' * (has != 1)}, and the head {should}{hint}"


def _parquet_rows(manifest_uri: str, file: pq.ParquetFile) -> Iterator[Row]:
    names = file.schema_arrow.names
    _check_columns(manifest_uri, names)
    wanted = [name for name in ("id", "uri", "category") if name in names]
    number = 0
    for batch in file.iter_batches(columns=wanted):
        columns = [batch.column(name).cast(pa.string()).to_pylist() for name in wanted]
        for id, uri, *category in zip(*columns, strict=True):
            number += 1
            yield Row(number, id or "", uri or "", (category[0] or "") if category else "")


def _check_columns(manifest_uri: str, names: Sequence[str]) -> None:
    for name in ("id", "uri"):
        if name not in names:
            raise HairlineError(f"manifest {manifest_uri}: no column {name}{did_you_mean(name, names)}")


def _with_etags(sources: list[Source]) -> list[Source]:
    """Asks object stores for ETags and sizes. What gives no answer is left to fail when it is fetched."""
    asked = [i for i, s in enumerate(sources) if not (s.problem or is_local(s.uri) or s.uri.startswith(HTTP))]
    for start in range(0, len(asked), 10_000):
        some = asked[start : start + 10_000]
        for index, facts in zip(some, _facts([sources[i].uri for i in some]), strict=True):
            etag = str(facts.get("ETag", "")).strip('"')
            sources[index] = sources[index]._replace(etag=etag, size=int(facts.get("size", -1)))
    return sources


def _facts(uris: list[str]) -> list[dict[str, Any]]:
    async def ask(uri: str, turn: asyncio.Semaphore) -> dict[str, Any]:
        async with turn:
            try:
                files, path = remote(uri)
                return dict(await files._info(path))
            except Exception:
                return {}

    async def ask_all() -> list[dict[str, Any]]:
        turn = asyncio.Semaphore(ASKED_TOGETHER)
        return await asyncio.gather(*(ask(uri, turn) for uri in uris))

    found: list[dict[str, Any]] = sync(get_loop(), ask_all)
    return found
