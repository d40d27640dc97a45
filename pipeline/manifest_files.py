"""Manifests as files have them: CSV, JSON lines, Parquet (also many files in folders), tables of Delta and Iceberg.

Each gives tables of `ROWS`, a few thousand rows at a time. What is remote is copied to a temporary file first.
"""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError, PictureError
from ..stages.limits import Limits
from .fetch import fetch
from .listing import matches, split_glob
from .objects import objects, page
from .partitions import Scratch
from .retry import classify_error, with_retries
from .storage import is_local, local_path, remote
from .tables import delta_batches, iceberg_batches, iceberg_metadata
from .text_tables import as_text, csv_rows, json_rows

COLUMNS = ("id", "uri", "category", "etag", "size")
ROWS = pa.schema(
    [
        ("row", pa.int64()),  # the line of CSV or JSON at which it begins, or the row of a table; from 1
        *((name, pa.string()) for name in COLUMNS[:-1]),
        ("size", pa.int64()),  # bytes; -1: not known
        ("problem", pa.string()),  # why it names no picture
        ("columns", pa.string()),  # those that products want, as a JSON object
    ]
)
TEXTS, PARQUET = (".csv", ".jsonl", ".ndjson"), ".parquet"
MANIFESTS = (PARQUET, *TEXTS)
ICEBERG = ("iceberg://", ".metadata.json")
HTTP = ("http://", "https://")
LIMITS = Limits(max_bytes=4 << 30)
TOGETHER = 20_000  # rows
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def kind(input_uri: str) -> str:
    """What manifest an input is: `iceberg`, `delta`, `files` (several), `file`, or nothing: pictures themselves."""
    name = input_uri.lower()
    if name.startswith(ICEBERG[0]) or name.endswith(ICEBERG[1]):
        return "iceberg"
    if name.startswith(HTTP):
        return "file" if name.endswith(MANIFESTS) else ""
    if is_local(input_uri):
        path = os.path.abspath(os.path.expanduser(local_path(input_uri)))
        if os.path.isdir(path):
            if os.path.isdir(f"{path}/_delta_log"):
                return "delta"
            inside = os.walk(path)
            files = (f"{way}/{each}" for way, _, names in inside for each in names)
            return _kind_of_folder(os.path.relpath(file, path) for file in files)
        if not name.endswith(MANIFESTS):
            return ""
        return "files" if split_glob(path)[1] and not os.path.lexists(path) else "file"
    files, path = remote(input_uri)
    path = path.rstrip("/")
    if name.endswith(MANIFESTS):
        if not split_glob(path)[1] or with_retries(lambda: files.exists(path))[0]:
            return "file"
        return "files"
    if not hasattr(files, "call_s3") or split_glob(path)[1]:
        return ""
    try:
        if page(files, f"{path}/_delta_log/", most=1).objects:
            return "delta"
        found = page(files, f"{path}/")
    except Exception:  # the listing will say what is wrong
        return ""
    return _kind_of_folder(each.key[len(path) + 1 :] for each in found.objects)


def _kind_of_folder(names: Iterator[str]) -> str:
    """A folder of pictures, but for one that holds nothing but Parquet files and what their writers put beside them."""
    many = 0
    for name in names:
        if any(part.startswith((".", "_")) for part in name.split("/")) or name.endswith("/"):
            continue
        if name.startswith("metadata/") and name.endswith(ICEBERG[1]):
            return "iceberg"
        if name.startswith("metadata/") and name.endswith((".avro", ".text")):
            continue
        if not name.lower().endswith(PARQUET):
            return ""
        if (many := many + 1) >= 1000:
            break
    return "files" if many else ""


class Manifest:
    """The rows of a manifest.

    Attributes:
        wanted: columns beside its own that products want -> whether it must have them.
        folder: what relative uris are relative to; without a slash at the end.
    """

    def __init__(self, uri: str, what: str, wanted: Mapping[str, bool] | None = None) -> None:
        self.wanted = dict(wanted or {})
        self.uri, self._what, self._scratch = uri, what, Scratch()
        self._starts: list[tuple[int, str]] = []  # numbers of rows begin anew in each file: (rows before it, its name)
        path = local_path(uri) if is_local(uri) else uri
        base = path if what == "delta" else split_glob(path)[0] if what == "files" else path.rpartition("/")[0]
        self.folder = base.rstrip("/")

    def place(self, row: int) -> str:
        """How a person finds a row."""
        before, name = max((start for start in self._starts if start[0] < row), default=(0, ""))
        return f"{name}, row {row - before}" if name else f"row {row}"

    def tables(self) -> Iterator[pa.Table]:
        """Tables of `ROWS`; their numbers go on from file to file. Raises HairlineError: it cannot be read."""
        try:
            if self._what == "delta":
                yield from self._numbered(delta_batches(self.uri, self._read), {})
            elif self._what == "iceberg":
                where = self.uri if self.uri.lower().endswith(ICEBERG[1]) else iceberg_metadata(self.uri)
                yield from self._numbered(iceberg_batches(where, self._read), {})
            elif self._what == "files":
                before = 0
                for uri, name in self._several():
                    self._starts.append((before, name))
                    last = before
                    for table in self._one(uri, name):
                        last = before + table["row"][-1].as_py()
                        rows = pa.array(table["row"].to_numpy() + before)
                        yield table.set_column(0, ROWS.field("row"), rows)
                    before = last
            else:
                yield from self._one(self.uri, self.uri)
        except PictureError as error:
            raise self._unreadable(error.detail) from error
        except (csv.Error, pa.ArrowException, OSError) as error:
            detail = classify_error(error).detail if isinstance(error, OSError) else str(error)
            raise self._unreadable(" ".join(detail.split())[:200]) from error

    @property
    def _read(self) -> list[str]:
        """All columns that are read."""
        return list(dict.fromkeys((*COLUMNS, *self.wanted)))

    def _unreadable(self, why: str) -> HairlineError:
        return HairlineError(f"manifest {self.uri}: cannot be read: {why}")

    def _several(self) -> Iterator[tuple[str, str]]:
        """(path or URL, name below the folder) of each file, sorted."""
        local = is_local(self.uri)
        files, path = (None, os.path.abspath(self.folder)) if local else remote(self.folder)
        pattern = split_glob(local_path(self.uri) if local else self.uri)[1]
        if local:
            keys = glob.iglob(f"{glob.escape(path)}/**", recursive=True)
            names = [os.path.relpath(key, path) for key in keys if os.path.isfile(key)]
        else:
            names = [found.key[len(path) + 1 :] for found in objects(files, f"{path}/")]
        for name in sorted(names):
            hidden = any(part.startswith((".", "_")) for part in name.split("/"))
            if not hidden and (matches(name, pattern) if pattern else name.lower().endswith(PARQUET)):
                yield f"{self.folder or path}/{name}", name

    def _one(self, uri: str, name: str) -> Iterator[pa.Table]:
        ending = "." + uri.lower().rpartition(".")[2]
        with_ending = self._scratch if not is_local(uri) else None
        path = _copy(uri, with_ending) if with_ending else local_path(uri)
        if not os.path.getsize(path):
            raise HairlineError(f"manifest {uri}: is empty")
        if ending == PARQUET:
            values = dict(part.split("=", 1) for part in name.split("/")[:-1] if "=" in part)
            hive = {key: "" if value == HIVE_NULL else unquote(value) for key, value in values.items()}
            with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
                _check_columns(uri, [*file.schema_arrow.names, *hive], self.wanted)
                wanted = [column for column in self._read if column in file.schema_arrow.names]
                yield from self._numbered(file.iter_batches(TOGETHER, columns=wanted), hive)
        else:
            yield from _together((_csv_rows if ending == ".csv" else _json_rows)(uri, path, self.wanted))
        if with_ending:
            os.unlink(path)

    def _numbered(self, batches: Iterator[pa.RecordBatch], hive: dict[str, str]) -> Iterator[pa.Table]:
        """Batches of a table with their row numbers; columns that it lacks come from the names of folders."""
        number = 0
        for batch in batches:
            if not number:
                _check_columns(self.uri, [*batch.schema.names, *hive], self.wanted)
            columns: list[Any] = [pa.array(range(number + 1, number + len(batch) + 1), pa.int64())]
            for field in list(ROWS)[1:-1]:
                if field.name in batch.schema.names:
                    column = batch.column(field.name).cast(field.type)
                    columns.append(column.fill_null("" if field.type == pa.string() else -1))
                else:
                    value = -1 if field.name == "size" else hive.get(field.name, "")
                    columns.append(pa.repeat(pa.scalar(value, field.type), len(batch)))
            columns.append(pa.array(self._said(batch, hive), pa.string()))
            number += len(batch)
            if len(batch):
                yield pa.table(columns, schema=ROWS)

    def _said(self, batch: pa.RecordBatch, hive: dict[str, str]) -> list[str]:
        """What each row says in the columns that products want."""
        texts: dict[str, list[str]] = {}
        for name in self.wanted:
            if name in batch.schema.names:
                texts[name] = batch.column(batch.schema.names.index(name)).cast(pa.string()).fill_null("").to_pylist()
            elif name in hive:
                texts[name] = [hive[name]] * len(batch)
        rows = zip(*texts.values(), strict=True)
        return [_packed(dict(zip(texts, row, strict=True))) for row in rows] if texts else [""] * len(batch)


def _packed(values: Mapping[str, str]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""


def _copy(uri: str, scratch: Scratch) -> str:
    path = scratch.path("manifest")
    if uri.startswith(HTTP):
        data = fetch(uri, LIMITS)[0]
        with open(path, "wb") as file:
            file.write(data)
    else:
        files, source = remote(uri)
        with_retries(lambda: files.get_file(source, path))
    return path


def _together(rows: Iterator[tuple[Any, ...]]) -> Iterator[pa.Table]:
    """Rows as tables of `TOGETHER` each."""
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == TOGETHER:
            yield _table(held)
            held = []
    if held:
        yield _table(held)


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(each, field.type) for each, field in zip(columns, ROWS, strict=True)], schema=ROWS)


def _csv_rows(uri: str, path: str, wanted: Mapping[str, bool]) -> Iterator[tuple[Any, ...]]:
    names, rows = csv_rows(f"manifest {uri}", path, ("id", "uri"))
    _check_columns(uri, names, wanted)
    where = [names.index(name) if name in names else -1 for name in COLUMNS]
    more = {name: names.index(name) for name in wanted if name in names}
    for number, fields, problem in rows:
        if problem:
            id = fields[0] if where[0] == 0 else ""  # fields after the one that broke are not where they belong
            yield number, id, "", "", "", -1, problem, ""
        else:
            *texts, size = (fields[at] if at >= 0 else "" for at in where)
            yield (number, *texts, *_size(size), _packed({name: fields[at] for name, at in more.items()}))


def _size(text: str) -> tuple[int, str]:
    """A size in bytes, and what is wrong with it."""
    if not text:
        return -1, ""
    good = text.isdecimal() and len(text) < 19
    return (int(text), "") if good else (-1, f"the size {text[:40]} is no number of bytes")


def _json_rows(uri: str, path: str, wanted: Mapping[str, bool]) -> Iterator[tuple[Any, ...]]:
    checked = False
    for number, found, problem in json_rows(f"manifest {uri}", path):
        values, said = {}, ""
        if not problem:
            if not checked:
                _check_columns(uri, list(found), wanted)
                checked = True
            try:
                values = {name: as_text(found.get(name), name) for name in COLUMNS}
                said = _packed({name: as_text(found[name], name, number=True) for name in wanted if name in found})
            except ValueError as error:
                problem = str(error)
        *texts, size = (values.get(name, "") for name in COLUMNS)
        length, wrong = _size(size)
        yield (number, *texts, length, problem or wrong, said)


def _check_columns(uri: str, names: Sequence[str], wanted: Mapping[str, bool]) -> None:
    for name in ("id", "uri", *(name for name, must in wanted.items() if must)):
        if name not in names:
            what = "" if name in ("id", "uri") else ", which a product takes"
            raise HairlineError(f"manifest {uri}: no column {name}{what}{did_you_mean(name, names)}")
