"""A manifest's rows as sources: full addresses, and ETags and sizes where the manifest does not say them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..stages.errors import HairlineError
from .manifest_files import HTTP, Manifest
from .objects import Found, facts
from .retry import with_retries
from .source import SCHEMA, lies_among_results, local_source
from .storage import is_local, local_path, remote
from .throttle import THROTTLE

ASKED_TOGETHER = 64  # objects whose facts are asked for at the same time
NUMBERED = SCHEMA.append(pa.field("row", pa.int64()))


def read_manifest(manifest: Manifest, output: str, products: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a manifest as tables of `NUMBERED`. Relative uris are relative to it.

    A row that names no picture gets a `problem`; if it has no id, it is called after its row.

    Raises:
        HairlineError: it cannot be read, lacks a column, or a row has a source that lies among the results.
    """
    target = os.path.abspath(local_path(output)) if is_local(output) else output.rstrip("/")
    for rows in manifest.tables():
        made = _resolved(rows, manifest)
        inside = pc.starts_with(made["uri"].cast(pa.binary()), pattern=os.fsencode(f"{target}/"))
        for row in made.filter(inside).select(["uri", "row"]).to_pylist():
            uri = os.fsdecode(row["uri"])
            if lies_among_results(uri, target, products):
                raise HairlineError(
                    f"manifest {manifest.uri}, {manifest.place(row['row'])}: {uri} lies where the results go; "
                    "give another output"
                )
        yield _with_columns(_with_facts(made))


def _resolved(rows: pa.Table, manifest: Manifest) -> pa.Table:
    """Rows of `ROWS` with full addresses, as rows of `NUMBERED`; files of this machine with their etags and sizes."""
    if _is_plain(rows):
        return pa.table([rows[field.name].cast(field.type) for field in NUMBERED], schema=NUMBERED)
    ids, uris, etags, sizes, problems = (rows[name].to_pylist() for name in ("id", "uri", "etag", "size", "problem"))
    categories, numbers = rows["category"].to_pylist(), rows["row"].to_pylist()
    known: dict[str, str] = {}  # protocol -> what is wrong with it
    full: list[bytes] = []
    for i, (id, uri) in enumerate(zip(ids, uris, strict=True)):
        problem = problems[i] or ("" if id and uri else f"the {'uri' if id else 'id'} is empty")
        if not problem:
            try:
                if "://" not in uri and uri[0] != "/" and manifest.folder:
                    uri = f"{manifest.folder}/{uri}"
                if is_local(uri):
                    source = local_source(id, os.path.abspath(local_path(uri))) if not etags[i] else None
                    uri = source.uri if source else os.path.abspath(local_path(uri))
                    if source:
                        etags[i], sizes[i] = source.etag, source.size
                else:
                    protocol = uri.partition("://")[0]
                    if protocol not in known:
                        known[protocol] = _wrong_with(uri)
                    problem = known[protocol]
            except HairlineError as error:
                problem = str(error)
        if problem:
            where = manifest.place(numbers[i])
            problems[i] = f"{where}: {problem}"
            ids[i] = id or where
            # another etag once it is mended
            text = f"{problems[i]} {uri}".encode("utf-8", "surrogatepass")
            etags[i], sizes[i] = hashlib.sha256(text).hexdigest()[:16], -1
        full.append(os.fsencode(uri))
    columns = [ids, full, etags, categories, sizes, problems, rows["columns"].to_pylist(), numbers]
    arrays = [pa.array(each, field.type) for each, field in zip(columns, NUMBERED, strict=True)]
    return pa.table(arrays, schema=NUMBERED)


def _is_plain(rows: pa.Table) -> bool:
    """Whether all rows are full URLs of storage that there is, as in most large manifests: no row needs a look."""
    uris = rows["uri"]
    full = pc.and_not(pc.match_substring(uris, "://"), pc.starts_with(uris, "file://"))
    sound = pc.and_(pc.equal(rows["problem"], ""), pc.not_equal(rows["id"], ""))
    if not pc.all(pc.and_(full, sound)).as_py():
        return False
    protocols = pc.list_element(pc.split_pattern(uris, "://", max_splits=1), 0).unique().to_pylist()
    return not any(_wrong_with(f"{protocol}://") for protocol in protocols)


def _wrong_with(uri: str) -> str:
    """Why no storage takes such a URL; nothing if one does."""
    try:
        remote(uri)
    except HairlineError as error:
        return str(error)
    return ""


def _with_facts(rows: pa.Table) -> pa.Table:
    """Fills in ETags and sizes of objects for which the manifest has none. What gives no answer is left to fail later.

    S3 is asked by listing, a thousand neighbours at a time; one by one only where listing is not allowed.
    """
    silent = pc.and_(pc.equal(rows["etag"], ""), pc.equal(rows["problem"], ""))
    places = [(i, os.fsdecode(uri.as_py())) for i, uri in enumerate(rows["uri"].filter(silent))]
    asked = [(i, uri) for i, uri in places if not is_local(uri) and not uri.startswith(HTTP)]
    if not asked:
        return rows
    by_bucket: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, uri in asked:
        protocol, _, path = uri.partition("://")
        by_bucket[protocol, path.partition("/")[0]].append(uri)
    found: dict[str, Found] = {}
    for uris in by_bucket.values():
        found |= _facts(uris)
    at = pc.indices_nonzero(silent).to_pylist()
    etags, sizes = rows["etag"].to_pylist(), rows["size"].to_pylist()
    for i, uri in asked:
        if uri in found:
            etags[at[i]], sizes[at[i]] = found[uri].etag, found[uri].size
    for name, values in (("etag", etags), ("size", sizes)):
        place = NUMBERED.get_field_index(name)
        rows = rows.set_column(place, NUMBERED.field(name), pa.array(values, NUMBERED.field(name).type))
    return rows


def _with_columns(rows: pa.Table) -> pa.Table:
    """A row whose other columns say something else is another version of its picture: they count for the ETag."""
    if not pc.any(pc.not_equal(rows["columns"], "")).as_py():
        return rows
    pairs = zip(rows["etag"].to_pylist(), rows["columns"].to_pylist(), strict=True)
    marked = [f"{etag}+{hashlib.sha256(said.encode()).hexdigest()[:16]}" if said else etag for etag, said in pairs]
    return rows.set_column(NUMBERED.get_field_index("etag"), NUMBERED.field("etag"), pa.array(marked, pa.string()))


def _facts(uris: Sequence[str]) -> dict[str, Found]:
    """uri -> what is known of it, of objects in one bucket."""
    files, _ = remote(uris[0])
    keys = {remote(uri)[1]: uri for uri in uris}
    if hasattr(files, "call_s3"):
        try:
            listed = facts(files, list(keys))
            return {uri: listed[remote(uri)[1]] for uri in uris if remote(uri)[1] in listed}
        except PermissionError:
            pass
        except Exception:  # no such bucket, no answer: each picture will say so
            return {}

    def ask(uri: str) -> tuple[str, dict[str, Any]]:
        try:
            return uri, with_retries(lambda: files.info(remote(uri)[1]), throttle=THROTTLE)[0]
        except Exception:  # the picture will say so
            return uri, {}

    with ThreadPoolExecutor(ASKED_TOGETHER) as threads:
        told = [(uri, each) for uri, each in threads.map(ask, uris) if each]
    return {uri: Found(uri, str(each.get("ETag", "")).strip('"'), int(each.get("size", -1))) for uri, each in told}
