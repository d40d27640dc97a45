"""The pictures of a job: a folder, a glob, a bucket prefix or a manifest, as one table sorted by id.

Every regular file gives a row, whatever its name or content; only hidden files and what operating systems
leave behind are left out, and counted. Listing reads no file's content.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from ..stages.errors import HairlineError
from .manifest import read_manifest
from .retry import classify_error, with_retries
from .source import Source, lies_among_results, local_etag, local_source
from .storage import display, is_local, local_path, remote

JUNK = {  # lower case; names with a dot in front are hidden ones, such as .DS_Store, ._a.jpg, .Trash-1000, .snapshot
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx"),
    *("$recycle.bin", "recycler", "system volume information", "found.000", "lost+found"),
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),  # Synology, QNAP
}
MANIFESTS = (".parquet", ".csv")
GLOB = set("*?[")
Identity = tuple[int, int]  # device and inode
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.binary()),  # as the file system has it, which need not be UTF-8
        ("etag", pa.string()),
        ("category", pa.string()),
        ("size", pa.int64()),  # -1: not known
        ("problem", pa.string()),  # why it cannot be read, where the listing found that out
    ]
)


@dataclass
class Catalog:
    """All pictures of a job.

    Attributes:
        table: columns of `SCHEMA`, sorted by id; ids are unique.
        left_out: what was passed over, and how often: hidden, system, special, output, folder_loop.
    """

    table: pa.Table
    left_out: Counter[str] = field(default_factory=Counter)


def read_catalog(input_uri: str, output: str, products: Sequence[str] = ()) -> Catalog:
    """Lists the input.

    Args:
        input_uri: a folder, a glob, a bucket prefix, a single picture, or a .parquet or .csv manifest.
        output: where the results go; not listed when it lies inside the input.
        products: names of the folders that the job writes into.

    Raises:
        HairlineError: there is no such input, it is empty, a manifest is wrong, or the results would go among it.
    """
    left_out: Counter[str] = Counter()
    _keep_apart(input_uri, output, products)
    if input_uri.lower().endswith(MANIFESTS) and not _is_folder(input_uri):
        sources = read_manifest(input_uri, output, products)
    elif is_local(input_uri):
        sources = list(_list_local(local_path(input_uri), output, left_out))
    else:
        sources = list(_list_remote(input_uri, output, left_out))
    if not sources:
        passed = ", ".join(f"{n} {what}" for what, n in sorted(left_out.items()))
        raise HairlineError(f"input {input_uri}: no pictures in it" + (f" (left out: {passed})" if passed else ""))
    return Catalog(_table(sources), left_out)


def _table(sources: list[Source]) -> pa.Table:
    sources.sort()
    repeated = [i for i in range(1, len(sources)) if sources[i].id == sources[i - 1].id]
    for index in repeated:  # two undecodable names can look the same, or like a decodable one
        mark = hashlib.sha256(os.fsencode(sources[index].uri)).hexdigest()[:8]
        sources[index] = sources[index]._replace(id=f"{sources[index].id}~{mark}")
    if repeated:
        sources.sort()
    columns = {
        "id": [source.id for source in sources],
        "uri": (os.fsencode(source.uri) for source in sources),
        "etag": [source.etag for source in sources],
        "category": [source.category for source in sources],
        "size": [source.size for source in sources],
        "problem": [source.problem for source in sources],
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _list_local(input_uri: str, output: str, left_out: Counter[str]) -> Iterator[Source]:
    base, pattern = _split_glob(os.path.abspath(os.path.expanduser(input_uri)), os.path.lexists)
    if not os.path.isdir(base):
        if os.path.lexists(base) and not pattern:
            yield local_source(os.path.basename(base), base)
            return
        raise HairlineError(f"input {input_uri}: no such file or folder")
    try:
        os.scandir(base).close()
    except OSError as error:
        raise HairlineError(f"input {input_uri}: cannot be read: {error.strerror}") from error
    pattern = display(pattern)
    for source in _walk(base, output, left_out):
        if _matches(source.id, pattern):
            yield source


def _walk(base: str, output: str, left_out: Counter[str]) -> Iterator[Source]:
    """Files below a folder; links to folders are followed, except back into a folder above them."""
    skip = _identity(local_path(output)) if is_local(output) else None
    waiting: list[tuple[str, str, tuple[Identity, ...]]] = [(base, "", ())]
    while waiting:
        folder, prefix, above = waiting.pop()
        me = _identity(folder)
        if me in above:
            left_out["folder_loop"] += 1
            continue
        if me is not None and me == skip:
            left_out["output"] += 1
            continue
        try:
            entries = list(os.scandir(folder))
        except OSError:  # its pictures cannot even be named: one row that fails says so
            yield Source(display(prefix.rstrip("/")), folder)
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith("."):
                left_out["hidden"] += 1
            elif entry.name.lower() in JUNK:
                left_out["system"] += 1
            else:
                try:
                    facts = entry.stat()
                except OSError:  # a dangling link, say: its row fails when it is fetched
                    yield Source(display(name), entry.path)
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    waiting.append((entry.path, name + "/", (*above, me) if me else above))
                elif stat.S_ISREG(facts.st_mode):
                    yield Source(display(name), entry.path, local_etag(facts), "", facts.st_size)
                else:
                    left_out["special"] += 1


def _list_remote(input_uri: str, output: str, left_out: Counter[str]) -> Iterator[Source]:
    protocol = input_uri.partition("://")[0]
    files, path = remote(input_uri)
    if protocol in ("http", "https"):
        name = urlsplit(input_uri).path.rpartition("/")[2]
        if not name:
            raise HairlineError(f"input {input_uri}: a web server cannot be listed; give a manifest with id and uri")
        yield Source(name, input_uri)
        return

    def find(path: str) -> dict[str, Any]:
        found: dict[str, Any] = with_retries(lambda: files.find(path, detail=True))[0]
        return found

    whole, (path, pattern) = path.rstrip("/"), _split_glob(path.rstrip("/"))
    try:
        found = find(whole)
        if found:
            path, pattern = whole, ""  # wildcards or not, there are such keys
        elif pattern:
            found = find(path)
        if not found:
            with_retries(lambda: files.info(path.partition("/")[0]))  # tells a wrong bucket from an empty prefix
    except Exception as error:
        verdict = classify_error(error)
        hint = {"not_found": "no such bucket or prefix", "permission": "not allowed"}.get(verdict.reason, "no answer")
        raise HairlineError(f"input {input_uri}: {hint}: {verdict.detail}") from error
    skip = "" if is_local(output) else remote(output)[1].rstrip("/") + "/"
    for key, facts in found.items():
        id = key[len(path) + 1 :] if key != path else key.rpartition("/")[2]
        names = id.split("/")
        if facts.get("type") == "directory" or not names[-1]:
            continue
        if skip and key.startswith(skip):
            left_out["output"] += 1
        elif any(name.startswith(".") for name in names):
            left_out["hidden"] += 1
        elif any(name.lower() in JUNK for name in names):
            left_out["system"] += 1
        elif _matches(id, pattern):
            etag = str(facts.get("ETag", "")).strip('"')
            yield Source(id, f"{protocol}://{key}", etag, "", int(facts.get("size", -1)))


def _split_glob(path: str, is_there: Callable[[str], bool] = lambda path: False) -> tuple[str, str]:
    """The folder before the first part with a wildcard, and the rest. What is there by such a name is no wildcard."""
    parts = path.split("/")
    for first, part in enumerate(parts):
        if GLOB & set(part) and not is_there("/".join(parts[: first + 1])):
            return "/".join(parts[:first]), "/".join(parts[first:])
    return path, ""


def _matches(id: str, pattern: str) -> bool:
    """Whether an id fits a glob, where * stays within one name and ** spans any number of folders.

    A part also fits the very name that it spells, such as `photos [1]`.
    """

    def fit(names: list[str], parts: list[str]) -> bool:
        if not parts:
            return not names
        if parts[0] == "**":
            return fit(names, parts[1:]) or (bool(names) and fit(names[1:], parts))
        if not names or not (names[0] == parts[0] or fnmatch.fnmatchcase(names[0], parts[0])):
            return False
        return fit(names[1:], parts[1:])

    return not pattern or fit(id.split("/"), pattern.split("/"))


def _identity(path: str) -> Identity | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _is_folder(input_uri: str) -> bool:
    return is_local(input_uri) and os.path.isdir(local_path(input_uri))


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
