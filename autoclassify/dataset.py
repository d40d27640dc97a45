"""What a data set holds: which pictures, with which labels, in folders or in a manifest; nothing is decoded here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError
from .files import is_remote, read, remote

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".heic", ".heif"}
)
MANIFESTS = (".csv", ".parquet")
SPLITS = ("train", "val", "test")
LISTED = pa.schema(
    [
        ("uri", pa.string()),
        ("etag", pa.string()),  # tells another version of the file; empty where nothing does
        ("label", pa.string()),
        ("split", pa.string()),  # as a manifest has it; empty: not given
    ]
)
LEAST = 3  # different pictures of a class: one to learn from, one to choose by, one to judge by


def list_dataset(dataset: str) -> pa.Table:
    """The pictures of a data set as a table of `LISTED`, ordered by uri.

    Args:
        dataset: a folder with a folder of pictures for each class, or a manifest (.csv, .parquet) with the columns
            uri, label and, if wished, split; a path or a URL such as s3://…

    Raises:
        HairlineError: it cannot be read, a picture has no label, or the labels are not usable.
    """
    manifest = dataset.lower().endswith(MANIFESTS)
    try:
        table = _manifest(dataset) if manifest else _folders(dataset)
    except HairlineError:
        raise
    except Exception as error:  # the system's, the storage client's, Arrow's
        line = getattr(error, "strerror", "") or " ".join(str(error).split())[:200] or type(error).__name__
        raise HairlineError(f"data set {dataset}: cannot be read: {line}") from error
    check_labels(dataset, Counter(table["label"].to_pylist()))
    return table.sort_by("uri")


def check_labels(dataset: str, counts: Counter[str]) -> None:
    """Raises HairlineError: too few classes, names that look alike, or a class with too few pictures."""
    if not counts:
        raise HairlineError(f"data set {dataset}: holds no pictures ({', '.join(sorted(PICTURES))})")
    alike: dict[str, str] = {}
    for label in sorted(counts):
        plain = " ".join(label.replace("_", " ").replace("-", " ").split()).casefold()
        if plain in alike:
            raise HairlineError(
                f"data set {dataset}: the labels {alike[plain]!r} and {label!r} differ by case or blanks alone; "
                "give both one name"
            )
        alike[plain] = label
    if len(counts) < 2:
        raise HairlineError(f"data set {dataset}: has one class only, {next(iter(counts))!r}; two are the least")
    check_counts(dataset, counts, "pictures")


def check_counts(dataset: str, counts: Counter[str], what: str) -> None:
    """Raises HairlineError: a class has too few pictures to learn from and to be judged by."""
    few = sorted(label for label, count in counts.items() if count < LEAST)
    if few:
        label = few[0]
        others = f", and {len(few) - 1} more classes have as few" if len(few) > 1 else ""
        raise HairlineError(
            f"data set {dataset}: the class {label!r} has {counts[label]} {what}, and {LEAST} are the least{others}; "
            "add pictures or leave the class out"
        )


def _folders(dataset: str) -> pa.Table:
    rows: list[tuple[str, str, str]] = []
    strays: list[str] = []
    for name, uri, etag in _remote_files(dataset) if is_remote(dataset) else _local_files(dataset):
        label, slash, _ = name.partition("/")
        if any(part.startswith(".") for part in name.split("/")) or Path(name).suffix.lower() not in PICTURES:
            continue
        if slash:
            rows.append((uri, etag, label))
        else:
            strays.append(name)
    if strays:
        raise HairlineError(
            f"data set {dataset}: {len(strays)} pictures lie in no class's folder and so have no label, such as "
            f"{strays[0]}; move them into one"
        )
    uris, etags, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return _table(uris, etags, labels, [""] * len(rows))


def _local_files(dataset: str) -> Iterator[tuple[str, str, str]]:
    top = Path(dataset).expanduser().absolute()
    if not top.is_dir():
        what = "is no folder and no manifest (.csv, .parquet)" if top.exists() else "is not there"
        raise HairlineError(f"data set {dataset}: {what}; give a folder with one folder of pictures for each class")

    def refuse(error: OSError) -> None:
        raise error

    for way, _, names in os.walk(top, onerror=refuse, followlinks=True):
        for name in names:
            path = os.path.join(way, name)
            try:
                stat = os.stat(path)
                etag = f"{stat.st_size}-{stat.st_mtime_ns}"
            except OSError:
                etag = ""  # reading it will say what is wrong
            yield os.path.relpath(path, top).replace(os.sep, "/"), path, etag


def _remote_files(dataset: str) -> Iterator[tuple[str, str, str]]:
    files, path = remote(dataset.rstrip("/"))
    protocol = dataset.partition("://")[0]
    for key, info in sorted(files.find(path, detail=True).items()):
        etag = str(info.get("ETag") or info.get("etag") or info.get("LastModified") or "").strip('"')
        yield key[len(path.rstrip("/")) + 1 :], f"{protocol}://{key}", etag


def _manifest(dataset: str) -> pa.Table:
    source = BytesIO(read(dataset)) if is_remote(dataset) else str(Path(dataset).expanduser())
    if dataset.lower().endswith(".parquet"):
        table = pq.read_table(source)
    else:
        table = pa_csv.read_csv(source, convert_options=pa_csv.ConvertOptions(strings_can_be_null=True))
    for column in ("uri", "label"):
        if column not in table.column_names:
            near = did_you_mean(column, table.column_names)
            raise HairlineError(f"manifest {dataset}: has no column {column!r}{near}; it needs uri and label")
    base = dataset.rpartition("/")[0] if is_remote(dataset) else str(Path(dataset).expanduser().absolute().parent)
    uris = [_absolute(base, uri) for uri in _texts(dataset, table, "uri")]
    repeated = next((uri for uri, count in Counter(uris).items() if count > 1), None)
    if repeated:
        raise HairlineError(f"manifest {dataset}: names {repeated} more than once; leave one of the rows out")
    splits = ["" if one is None else str(one) for one in _column(table, "split")]
    unknown = next((one for one in splits if one and one not in SPLITS), None)
    if unknown:
        raise HairlineError(f"manifest {dataset}: split {unknown!r} is none of {', '.join(SPLITS)}")
    return _table(uris, map(_etag, uris), _texts(dataset, table, "label"), splits)


def _texts(dataset: str, table: pa.Table, column: str) -> list[str]:
    values = ["" if one is None else str(one) for one in _column(table, column)]
    empty = [row for row, one in enumerate(values, 1) if not one.strip()]
    if empty:
        raise HairlineError(
            f"manifest {dataset}: {len(empty)} rows have no {column}, the first is row {empty[0]}; fill them in or "
            "leave them out"
        )
    return values


def _column(table: pa.Table, column: str) -> list[Any]:
    if column not in table.column_names:
        return [None] * len(table)
    values: list[Any] = table[column].to_pylist()
    return values


def _absolute(base: str, uri: str) -> str:
    return uri if is_remote(uri) or uri.startswith("/") else f"{base}/{uri}"


def _etag(uri: str) -> str:
    """Of a local file; what is remote is asked for nothing: a manifest may name a million."""
    if is_remote(uri):
        return ""
    try:
        stat = os.stat(uri)
    except OSError:
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _table(uris: Iterable[str], etags: Iterable[str], labels: Sequence[str], splits: Sequence[str]) -> pa.Table:
    columns = [pa.array(list(values), pa.string()) for values in (uris, etags, labels, splits)]
    return pa.Table.from_arrays(columns, schema=LISTED)


def in_parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of `size` values each, the last one shorter."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
