"""The pictures of a job: a folder, a glob, a bucket prefix or a manifest, in partitions, each sorted by id."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..stages.errors import HairlineError
from .listing import list_local, list_remote
from .manifest import NUMBERED, read_manifest
from .manifest_files import Manifest, kind
from .partitions import EVERYTHING, Partitioned, Share, Spill, hashes, partitions_for, shares, spread
from .source import SCHEMA, Source, as_table, lies_among_results
from .storage import is_local, local_path

TOGETHER = 20_000  # sources


class Catalog(Partitioned):
    """All pictures of a job; what is read of it has the columns of `source.SCHEMA`, sorted by id. Ids are unique.

    Attributes:
        total: how many there are.
        left_out: what was passed over, and how often: hidden, system, special, output, folder_loop.
    """

    def __init__(self, total: int, left_out: Counter[str]) -> None:
        super().__init__(NUMBERED, partitions_for(total))
        self.total, self.left_out = total, left_out

    def read(self, share: Share = EVERYTHING) -> pa.Table:
        return super().read(share).select(SCHEMA.names)

    @property
    def table(self) -> pa.Table:
        """All of it, sorted by id; for few pictures."""
        return self.read().sort_by("id")


def read_catalog(
    input_uri: str, output: str, products: Sequence[str] = (), columns: Mapping[str, bool] | None = None
) -> Catalog:
    """Lists the input.

    Args:
        input_uri: a folder, a glob, a bucket prefix, a single picture, or a manifest.
        output: where the results go; not listed when it lies inside the input.
        products: names of the folders that the job writes into.
        columns: of a manifest, that products want beside its own -> whether there must be one.

    Raises:
        HairlineError: there is no such input, it is empty, a manifest is wrong or there must be one, or the results
            would go among it.
    """
    left_out: Counter[str] = Counter()
    _keep_apart(input_uri, output, products)
    what = kind(input_uri)
    manifest = Manifest(input_uri, what, columns) if what else None
    if needed := [name for name, must in (columns or {}).items() if must and not manifest]:
        raise HairlineError(
            f"input {input_uri}: is no manifest, and a product takes its column {needed[0]}: give a .csv, .jsonl or "
            ".parquet with the columns id, uri and " + ", ".join(needed)
        )
    if manifest:
        tables = read_manifest(manifest, output, products)
    else:
        listing = list_local if is_local(input_uri) else list_remote
        path = local_path(input_uri) if is_local(input_uri) else input_uri
        tables = _tables(listing(path, output, left_out))
    spill = Spill(NUMBERED)
    for table in tables:
        spill.add(table)
    if not spill.total:
        passed = ", ".join(f"{n} {what}" for what, n in sorted(left_out.items()))
        raise HairlineError(f"input {input_uri}: no pictures in it" + (f" (left out: {passed})" if passed else ""))
    catalog = Catalog(spill.total, left_out)
    _settle(catalog, spill, manifest)
    return catalog


def _tables(sources: Iterator[Source]) -> Iterator[pa.Table]:
    while some := list(islice(sources, TOGETHER)):
        yield as_table(some).append_column("row", pa.nulls(len(some), pa.int64()))


def _settle(catalog: Catalog, spill: Spill, manifest: Manifest | None) -> None:
    """Sorts each partition and sees to it that no id comes twice.

    Raises:
        HairlineError: a manifest has two pictures with one id.
    """

    def settle(share: Share, table: pa.Table) -> pa.Table:
        kept, moved = _apart(table, manifest)
        catalog.put(share.number, kept)
        return moved

    every = shares(catalog.partitions)
    moved = list(spread(settle, ((share, spill.read(share)) for share in every)))
    while some := pa.concat_tables(moved):
        places = hashes(some["id"]).astype(np.int64) * catalog.partitions >> 32
        moved = []
        for share in (every[number] for number in np.unique(places)):
            more = some.filter(pa.array(places == share.number))
            moved.append(settle(share, pa.concat_tables([Partitioned.read(catalog, share), more])))


def _apart(table: pa.Table, manifest: Manifest | None) -> tuple[pa.Table, pa.Table]:
    """A partition sorted by id, and those of its rows that had to be renamed as their id is another's.

    Rows with a problem come after all others with their id; two undecodable names can look the same, or like a
    decodable one.
    """
    broken = pc.not_equal(table["problem"], "")
    order = [("id", "ascending"), ("broken", "ascending"), ("row", "ascending"), ("uri", "ascending")]
    table = table.take(pc.sort_indices(table.append_column("broken", broken), order)).combine_chunks()
    ids = table["id"].combine_chunks()
    again = np.concatenate([[False], pc.equal(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0))).to_numpy(False)])
    again = again[: len(table)].astype(bool)
    if not again.any():
        return table, table.schema.empty_table()
    renamed = []
    for i in np.flatnonzero(again).tolist():
        id, uri, problem, row = (table[name][i].as_py() for name in ("id", "uri", "problem", "row"))
        if manifest is None:
            renamed.append(f"{id}~{hashlib.sha256(uri).hexdigest()[:8]}")
        elif problem:
            where = manifest.place(row)
            renamed.append(f"{id}~" if id.rstrip("~") == where else where)
        else:
            first = table["row"][pc.index(ids, id).as_py()].as_py()
            raise HairlineError(
                f"manifest {manifest.uri}, {manifest.place(row)}: the id {id} stands in {manifest.place(first)} already"
            )
    moved = table.filter(pa.array(again)).set_column(0, NUMBERED.field("id"), pa.array(renamed, pa.string()))
    return table.filter(pa.array(~again)), moved


def _keep_apart(input_uri: str, output: str, products: Sequence[str]) -> None:
    """Nothing of the input may be overwritten, and no output may be taken for input the next time."""
    for name, path in (("input", input_uri), ("output", output)):
        if "\0" in path:
            raise HairlineError(f"{name} {path}: no path holds a null character")
    if is_local(input_uri) != is_local(output):
        return
    source, target = (os.path.realpath(local_path(p)) if is_local(p) else p.rstrip("/") for p in (input_uri, output))
    if source == target:
        raise HairlineError(f"output {output}: is the input itself; give the results a folder of their own")
    if lies_among_results(source, target, products):
        raise HairlineError(f"input {input_uri}: lies where the results go; give the results another folder")
