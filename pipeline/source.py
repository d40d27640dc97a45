"""One picture to be read, and the rules that a listing and a manifest share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from ..stages.item import Item
from ..stages.limits import Limits
from .storage import CUTS, WORK, display

OWN = ("results", "runs", "report", "settings", "kept", "review", WORK, CUTS)  # folders of a run beside its products


class Source(NamedTuple):
    """One picture to be read. `uri` holds bytes that are no UTF-8 as surrogates, as Python's paths do."""

    id: str
    uri: str
    etag: str = ""
    category: str = ""
    size: int = -1  # bytes; -1: not known
    problem: str = ""  # why it cannot be read, where that is known already; it ends as failed
    columns: str = ""  # a JSON object: the manifest's other columns, those that products ask for


SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.binary()),  # as the file system has it, which need not be UTF-8
        ("etag", pa.string()),
        ("category", pa.string()),
        ("size", pa.int64()),
        ("problem", pa.string()),
        ("columns", pa.string()),
    ]
)


def as_table(sources: Iterable[Source]) -> pa.Table:
    """Sources as rows of `SCHEMA`."""
    columns: list[list[object]] = [list(column) for column in zip(*sources, strict=True)] or [[] for _ in SCHEMA]
    columns[1] = [os.fsencode(uri) for uri in columns[1]]  # type: ignore[arg-type]
    return pa.table([pa.array(each, field.type) for each, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def as_sources(table: pa.Table) -> list[Source]:
    rows = zip(*(table[name].to_pylist() for name in SCHEMA.names), strict=True)
    return [Source(id, os.fsdecode(uri), *rest) for id, uri, *rest in rows]


def item_of(source: Source, limits: Limits) -> Item:
    """A picture before anything of it is read."""
    return Item(
        source.id,
        display(source.uri),
        etag=source.etag,
        category_hint=source.category,
        columns=json.loads(source.columns) if source.columns else {},
        limits=limits,
    )


def local_source(id: str, path: str, category: str = "") -> Source:
    """One file of this machine, whether or not it is there."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return Source(display(id), path, "", category)
    return Source(display(id), path, local_etag(facts), category, facts.st_size)


def local_etag(facts: os.stat_result) -> str:
    """Size and time of change, hex: changes whenever a file is written."""
    return f"{facts.st_size:x}-{facts.st_mtime_ns:x}"


def lies_among_results(source: str, output: str, products: Sequence[str]) -> bool:
    """Whether a source lies in one of the folders that a run writes."""
    return source.startswith(output + "/") and source[len(output) + 1 :].split("/", 1)[0] in {*products, *OWN}
