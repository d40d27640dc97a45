"""Keys of an S3 bucket with their ETags and sizes, a page of a thousand at a time.

Each page is tried again by itself and goes on behind the last key of the one before, so a listing of any length
stands a server that fails now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, NamedTuple

from .retry import with_retries

PAGE = 1000  # keys, the most that S3 gives
FEW = 64  # folders that are listed one by one; more are listed together, for most of them may be small
AT_ONCE = 8  # requests


class Found(NamedTuple):
    """One object. `key` begins with its bucket; `size` in bytes, -1: not known."""

    key: str
    etag: str = ""
    size: int = -1


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
        lambda: files.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=most or PAGE, **more)
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
    """All objects below a folder, in no certain order. Its folders are listed at the same time, where they are few."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting = [(path, "", True)]  # a prefix, the last key that is known of it, whether it may be split
        running: dict[Future[tuple[Page, Page | None]], str] = {}
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                step = waiting.pop()
                running[threads.submit(_step, files, *step)] = step[0]
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                path = running.pop(future)
                one, level = future.result()
                yield from one.objects
                if one.more:
                    last = one.objects[-1].key
                    if level is None:
                        waiting.append((path, last, False))
                    else:
                        yield from (each for each in level.objects if each.key.encode() > last.encode())
                        for below in level.folders:
                            if last.startswith(below):
                                waiting.append((below, last, False))
                            elif below.encode() > last.encode():
                                waiting.append((below, "", True))


def _step(files: Any, path: str, after: str, split: bool) -> tuple[Page, Page | None]:
    """The next page of a prefix; and what lies directly below it, where there is more and its folders are few."""
    one = page(files, path, after)
    if not (split and one.more):
        return one, None
    level = page(files, path, folder=True)
    return one, None if level.more or not 0 < len(level.folders) <= FEW else level


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
