"""Keys of an S3 bucket with their ETags and sizes, a page of a thousand at a time.

Each page is tried again by itself and goes on behind the last key of the one before, so a listing of any length
stands a server that fails now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from .retry import with_retries
from .throttle import THROTTLE

PAGE = 1000  # keys, the most that S3 gives
FEW = 64  # folders that are listed one by one; more are listed together, for most of them may be small
AT_ONCE = 8  # requests


class Found(NamedTuple):
    """One object. `key` begins with its bucket; `size` in bytes, -1: not known."""

    key: str
    etag: str = ""
    size: int = -1


class Ways(Enum):
    """How a prefix may still be split."""

    BOTH = "into its folders, or else by characters"
    CHARACTERS = "by characters"
    NONE = "not at all"


Rest = tuple[str, str, Ways]  # a prefix, the last key that is known of it


class Page(NamedTuple):
    """Part of a listing: objects, prefixes of folders (with a bucket and a slash at the end), whether more follows."""

    objects: list[Found]
    folders: list[str]
    more: bool


def page(files: Any, path: str, after: str = "", folder: bool = False, most: int = 0) -> Page:
    """The first keys that begin with a path (`bucket/prefix`), in order of their UTF-8 bytes.

    Args:
        after: a key with its bucket; only what comes behind it.
        folder: only what lies directly in this folder, and the names of the folders in it.
    """
    bucket, _, prefix = path.partition("/")
    start = after[len(bucket) + 1 :]
    more = ({"StartAfter": start} if start else {}) | ({"Delimiter": "/"} if folder else {})
    answer = with_retries(
        lambda: files.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=most or PAGE, **more),
        throttle=THROTTLE,
    )[0]
    found = [
        Found(f"{bucket}/{each['Key']}", str(each.get("ETag", "")).strip('"'), int(each.get("Size", -1)))
        for each in answer.get("Contents", ())
    ]
    below = [f"{bucket}/{each['Prefix']}" for each in answer.get("CommonPrefixes", ())]
    return Page(found, below, bool(answer.get("IsTruncated")))


def objects(files: Any, path: str, after: str = "", most: int = 0) -> Iterator[Found]:
    """All objects whose key begins with a path, in order."""
    while True:
        one = page(files, path, after, most=most)
        yield from one.objects
        if not one.more or not one.objects:
            return
        after = one.objects[-1].key


def folders(files: Any, path: str) -> Iterator[Found]:
    """All objects below a folder, in no certain order, by several requests at a time.

    A prefix that holds more than a page is split into its folders, where they are few; where they are many or there are
    none, into what its keys go on with, as long as there is not enough else to list.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting: list[Rest] = [(path, "", Ways.BOTH)]
        running: set[Future[tuple[list[Found], list[Rest]]]] = set()
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                step = waiting.pop()
                running.add(threads.submit(_step, files, *step, len(waiting) + len(running) < AT_ONCE // 2))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                found, rest = future.result()
                yield from found
                waiting += rest


def _step(files: Any, path: str, after: str, ways: Ways, idle: bool) -> tuple[list[Found], list[Rest]]:
    """The next page of a prefix, and what remains of it."""
    one = page(files, path, after)
    if not one.more:
        return one.objects, []
    last = one.objects[-1].key
    if ways is Ways.BOTH:
        level = page(files, path, folder=True)
        if not level.more and 0 < len(level.folders) <= FEW:
            direct = [each for each in level.objects if each.key.encode() > last.encode()]
            return one.objects + direct, _behind(level.folders, last)
        ways = Ways.CHARACTERS
    if idle and ways is Ways.CHARACTERS:
        branches = _branches(files, path, last)
        if branches:
            return one.objects, _behind(branches, last)
        ways = Ways.NONE
    return one.objects, [(path, last, ways)]


def _behind(prefixes: Sequence[str], last: str) -> list[Rest]:
    """What remains of some prefixes behind a key."""
    rest = [(each, last, Ways.CHARACTERS) for each in prefixes if last.startswith(each)]
    behind = (each for each in prefixes if not last.startswith(each) and each.encode() > last.encode())
    return rest + [(each, "", Ways.BOTH) for each in behind]


def _branches(files: Any, path: str, after: str) -> list[str]:
    """Prefixes that together hold all keys of a prefix behind one of its keys: by the first character that differs.

    Costs a request for each branch and for each character that all have in common. Nothing where there are too many.
    """
    stem = path
    while True:
        found: list[str] = []
        at = after
        while ahead := page(files, stem, at, most=1).objects:
            branch = ahead[0].key[: len(stem) + 1]
            if branch == stem or branch in found or len(found) == FEW:
                return []
            found.append(branch)
            at = f"{branch}\U0010ffff"
        if len(found) != 1:
            return found
        stem = found[0]


def facts(files: Any, keys: Sequence[str]) -> dict[str, Found]:
    """Of those keys of one bucket that there are: what a listing says of them.

    Goes through the keys in order, from page to page: keys that lie close cost a request for a thousand, and those that
    lie far apart one each. Several stretches are listed at the same time.
    """
    ordered = sorted(set(keys), key=str.encode)
    size = max(PAGE, -(-len(ordered) // AT_ONCE))
    stretches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        parts = threads.map(lambda stretch: _facts(files, stretch), stretches)
        return {found.key: found for part in parts for found in part}


def _facts(files: Any, ordered: Sequence[str]) -> list[Found]:
    bucket = ordered[0].partition("/")[0]
    found, at = [], 0
    while at < len(ordered):
        wanted = ordered[at]
        one = page(files, f"{bucket}/", _before(wanted), most=min(PAGE, 10 * (len(ordered) - at)))
        if not one.objects:
            break
        last = one.objects[-1].key.encode()
        here = {each.key: each for each in one.objects}
        asked = [key for key in islice(ordered, at, None) if key.encode() <= last] or [wanted]
        found += [here[key] for key in asked if key in here]
        at += len(asked)
    return found


def _before(key: str) -> str:
    """A key shortly before another."""
    last = ord(key[-1])
    if last in (1, 0xE000):  # there is no character before these
        return key[:-1]
    return f"{key[:-1]}{chr(last - 1)}\U0010ffff"
