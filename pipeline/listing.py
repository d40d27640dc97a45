"""The files of a folder, a glob or a bucket prefix, one after the other: never all of them in memory.

Every regular file gives a source, whatever its name or content; only hidden files and what operating systems
leave behind are left out, and counted. Listing reads no file's content.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from ..stages.errors import HairlineError
from .objects import Found, folders, objects
from .retry import classify_error, with_retries
from .source import Source, local_etag, local_source
from .storage import display, is_local, local_path, remote

JUNK = {  # lower case; names with a dot in front are hidden ones, such as .DS_Store, ._a.jpg, .Trash-1000, .snapshot
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx"),
    *("$recycle.bin", "recycler", "system volume information", "found.000", "lost+found"),
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),  # Synology, QNAP
}
GLOB = set("*?[")
Identity = tuple[int, int]  # device and inode


def list_local(input_uri: str, output: str, left_out: Counter[str]) -> Iterator[Source]:
    base, pattern = split_glob(os.path.abspath(os.path.expanduser(input_uri)), os.path.lexists)
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
        if matches(source.id, pattern):
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
            with os.scandir(folder) as entries:
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
        except OSError:  # its pictures cannot even be named: one row that fails says so
            yield Source(display(prefix.rstrip("/")), folder)


def list_remote(input_uri: str, output: str, left_out: Counter[str]) -> Iterator[Source]:
    protocol = input_uri.partition("://")[0]
    files, path = remote(input_uri)
    if protocol in ("http", "https"):
        name = urlsplit(input_uri).path.rpartition("/")[2]
        if not name:
            raise HairlineError(f"input {input_uri}: a web server cannot be listed; give a manifest with id and uri")
        yield Source(name, input_uri)
        return
    whole, (path, pattern) = path.rstrip("/"), split_glob(path.rstrip("/"))
    try:
        listed = _find(files, whole)
        first = next(listed, None)
        if first:
            path, pattern = whole, ""  # wildcards or not, there are such keys
        elif pattern:
            listed = _find(files, path)
            first = next(listed, None)
        if first is None:
            with_retries(lambda: files.info(path.partition("/")[0]))  # tells a wrong bucket from an empty prefix
            return
        skip = "" if is_local(output) else remote(output)[1].rstrip("/") + "/"
        for found in chain([first], listed):
            id = found.key[len(path) + 1 :] if found.key != path else found.key.rpartition("/")[2]
            names = id.split("/")
            if not names[-1]:
                continue
            if skip and found.key.startswith(skip):
                left_out["output"] += 1
            elif any(name.startswith(".") for name in names):
                left_out["hidden"] += 1
            elif any(name.lower() in JUNK for name in names):
                left_out["system"] += 1
            elif matches(id, pattern):
                yield Source(id, f"{protocol}://{found.key}", found.etag, "", found.size)
    except HairlineError:
        raise
    except Exception as error:
        verdict = classify_error(error)
        hint = {"not_found": "no such bucket or prefix", "permission": "not allowed"}.get(verdict.reason, "no answer")
        raise HairlineError(f"input {input_uri}: {hint}: {verdict.detail}") from error


def _find(files: Any, path: str) -> Iterator[Found]:
    """The key itself, and all below it. In S3 page by page, several folders at the same time."""
    if hasattr(files, "call_s3"):
        if "/" in path and (itself := next(objects(files, path, most=1), None)) and itself.key == path:
            yield itself
        yield from folders(files, f"{path}/")
        return
    listed: dict[str, Any] = with_retries(lambda: files.find(path, detail=True))[0]
    for key, facts in listed.items():
        if facts.get("type") != "directory":
            yield Found(key, str(facts.get("ETag", "")).strip('"'), int(facts.get("size", -1)))


def split_glob(path: str, is_there: Callable[[str], bool] = lambda path: False) -> tuple[str, str]:
    """The folder before the first part with a wildcard, and the rest. What is there by such a name is no wildcard."""
    parts = path.split("/")
    for first, part in enumerate(parts):
        if GLOB & set(part) and not is_there("/".join(parts[: first + 1])):
            return "/".join(parts[:first]), "/".join(parts[first:])
    return path, ""


def matches(id: str, pattern: str) -> bool:
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
