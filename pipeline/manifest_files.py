"""Manifests as files have them: CSV, JSON lines, Parquet (also many files in folders), tables of Delta and Iceberg.

Each gives tables of `ROWS`, a few thousand rows at a time. What is remote is copied to a temporary file first.
"""

from __future__ import annotations

import codecs
import csv
import glob
import json
import os
from collections.abc import Iterator, Sequence
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

COLUMNS = ("id", "uri", "category", "etag", "size")
ROWS = pa.schema(
    [
        ("row", pa.int64()),  # the line of CSV or JSON at which it begins, or the row of a table; from 1
        *((name, pa.string()) for name in COLUMNS[:-1]),
        ("size", pa.int64()),  # bytes; -1: not known
        ("problem", pa.string()),  # why it names no picture
    ]
)
TEXTS, PARQUET = (".csv", ".jsonl", ".ndjson"), ".parquet"
MANIFESTS = (PARQUET, *TEXTS)
ICEBERG = ("iceberg://", ".metadata.json")
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
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
        folder: what relative uris are relative to; without a slash at the end.
    """

    def __init__(self, uri: str, what: str) -> None:
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
                yield from self._numbered(delta_batches(self.uri, COLUMNS), {})
            elif self._what == "iceberg":
                where = self.uri if self.uri.lower().endswith(ICEBERG[1]) else iceberg_metadata(self.uri)
                yield from self._numbered(iceberg_batches(where, COLUMNS), {})
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
                _check_columns(uri, [*file.schema_arrow.names, *hive])
                wanted = [column for column in COLUMNS if column in file.schema_arrow.names]
                yield from self._numbered(file.iter_batches(TOGETHER, columns=wanted), hive)
        else:
            rows = _csv_rows(uri, path) if ending == ".csv" else _json_rows(uri, path)
            try:
                yield from _together(rows)
            except UnicodeDecodeError as error:
                raise HairlineError(
                    f"manifest {uri}: cannot be read: line {_undecodable(path)} is no UTF-8; save it as UTF-8"
                ) from error
        if with_ending:
            os.unlink(path)

    def _numbered(self, batches: Iterator[pa.RecordBatch], hive: dict[str, str]) -> Iterator[pa.Table]:
        """Batches of a table with their row numbers; columns that it lacks come from the names of folders."""
        number = 0
        for batch in batches:
            if not number:
                _check_columns(self.uri, [*batch.schema.names, *hive])
            columns: list[Any] = [pa.array(range(number + 1, number + len(batch) + 1), pa.int64())]
            for field in list(ROWS)[1:]:
                if field.name in batch.schema.names:
                    column = batch.column(field.name).cast(field.type)
                    columns.append(column.fill_null("" if field.type == pa.string() else -1))
                else:
                    value = -1 if field.name == "size" else hive.get(field.name, "")
                    columns.append(pa.repeat(pa.scalar(value, field.type), len(batch)))
            number += len(batch)
            if len(batch):
                yield pa.table(columns, schema=ROWS)


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


def _undecodable(path: str) -> int:
    """The first line that is no UTF-8."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _csv_rows(uri: str, path: str) -> Iterator[tuple[Any, ...]]:
    """CSV as spreadsheets save it: UTF-8 with or without a mark in front, or UTF-16 with one."""
    with open(path, "rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    with open(path, encoding="utf-16" if marked else "utf-8-sig", newline="") as text:
        head = text.readline()
        heads = [next(csv.reader([head], delimiter=sign, skipinitialspace=True), []) for sign in DELIMITERS]
        sign, names = max(zip(DELIMITERS, heads, strict=True), key=lambda pair: len({"id", "uri"} & set(pair[1])))
        _check_columns(uri, names)
        reader = csv.reader(text, delimiter=sign, skipinitialspace=True, strict=True)
        where = [names.index(name) if name in names else -1 for name in COLUMNS]
        begun = 2  # line at which a row begins; the head is line 1
        try:
            for fields in reader:
                number, begun = begun, reader.line_num + 2
                if not any(fields):  # a blank line, or what a spreadsheet makes of one
                    continue
                if len(fields) == len(names):
                    *texts, size = (fields[at] if at >= 0 else "" for at in where)
                    yield (number, *texts, *_size(size))
                else:
                    id = fields[0] if where[0] == 0 else ""  # fields after the one that broke are not where they belong
                    yield number, id, "", "", "", -1, _miscounted(len(fields), len(names), sign)
        except csv.Error as error:
            raise HairlineError(f"manifest {uri}, row {begun}: cannot be read: {error}; look at its quotes") from error


def _size(text: str) -> tuple[int, str]:
    """A size in bytes, and what is wrong with it."""
    if not text:
        return -1, ""
    good = text.isdecimal() and len(text) < 19
    return (int(text), "") if good else (-1, f"the size {text[:40]} is no number of bytes")


def _miscounted(has: int, should: int, sign: str) -> str:
    hint = f"; what holds a {DELIMITERS[sign]} goes in double quotes" if has > should else ""
    return f"it has {has} field{'s' * (has != 1)}, and the head {should}{hint}"


def _json_rows(uri: str, path: str) -> Iterator[tuple[Any, ...]]:
    """One JSON object a line; what is none is a row with a problem, and the others go on."""
    checked = False
    with open(path, encoding="utf-8-sig") as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            values, problem = {}, ""
            try:
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise ValueError("it is no object")
                if not checked:
                    _check_columns(uri, list(found))
                    checked = True
                values = {name: _as_text(found.get(name), name) for name in COLUMNS}
            except json.JSONDecodeError as error:
                problem = f"is no JSON: {error.msg} at column {error.colno}"
            except ValueError as error:
                problem = str(error)
            *texts, size = (values.get(name, "") for name in COLUMNS)
            length, wrong = _size(size)
            yield (number, *texts, length, problem or wrong)


def _as_text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict | float):
        raise ValueError(f"the {name} is no text")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {name} is no valid text") from None
    return text


def _check_columns(uri: str, names: Sequence[str]) -> None:
    for name in ("id", "uri"):
        if name not in names:
            raise HairlineError(f"manifest {uri}: no column {name}{did_you_mean(name, names)}")
