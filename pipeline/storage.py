"""Locations and outputs, on this machine or in S3, by one set of names.

A location is a plain path, or a URL that fsspec knows. Nothing here writes outside the output folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import fsspec

from ..stages.errors import HairlineError, OutageError
from .atomic import Found, http_status, link, look_local, md5, s3_etag, what_is_wrong, write_file
from .credentials import renew
from .retry import classify_error, telling, with_retries
from .throttle import THROTTLE

T = TypeVar("T")
WORK = ".partial"  # in the output, while a run lasts: unfinished files and marks of what is being worked on
CUTS = ".cut"  # in the output: notes of what cuts have made
SETTINGS = "settings"  # in the output: the ingredients of every fingerprint, outdated.py
UNFINISHED = "unfinished"  # in a run's folder there: who works, and when they last gave a sign of life
ONE_PUT = 100 << 20  # bytes; s3fs sends more in parts, which take no If-Match


def is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file://")


def local_path(uri: str) -> str:
    """The path of a local location. A file:// URL is percent-decoded (RFC 8089); a plain path is taken as it stands.

    Raises:
        HairlineError: the URL names another machine.
    """
    if not uri.startswith("file://"):
        return uri
    host, slash, path = uri[len("file://") :].partition("/")
    if host not in ("", "localhost"):
        raise HairlineError(f"{uri}: files of the machine {host} cannot be read; a path has three slashes, file:///…")
    return os.fsdecode(unquote_to_bytes(os.fsencode(slash + path)))


def display(path: str | bytes) -> str:
    """A path as valid text: bytes that are no UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@lru_cache(maxsize=8)
def filesystem(protocol: str) -> Any:
    """The fsspec file system of a protocol. S3 takes endpoint and credentials from the AWS environment."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol == "s3":
        options["max_concurrency"] = 1  # one request per object; many objects go at the same time
        options["config_kwargs"] = {
            "retries": {"total_max_attempts": 1},  # the tries are counted and spread here, in retry.py
            "max_pool_connections": 32,
            "request_checksum_calculation": "when_required",  # many S3 servers do not know the newer checksums
            "response_checksum_validation": "when_required",
        }
    try:
        _, *arguments = signature(fsspec.get_filesystem_class(protocol).__init__).parameters.values()
        if any(each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD for each in arguments):
            raise ValueError("it needs more than an address")  # FTP, say, a host to log in to
        files = fsspec.filesystem(protocol, **options)
    except (ValueError, ImportError) as error:
        raise HairlineError(
            f"{protocol}://: no such kind of storage here; paths, s3:// and https:// are ({error})"
        ) from error
    files.retries = 1
    return files


def remote(uri: str) -> tuple[Any, str]:
    """The file system and the path in it. A key is never taken for a glob."""
    protocol, _, path = uri.partition("://")
    return filesystem("s3" if protocol in ("s3a", "s3n") else protocol), path


class Folder:
    """An output folder. Names are relative to it, with /; writes are whole or not at all.

    Args:
        uri: its path or URL.
        run_id: the run that writes; it has a folder of its own in WORK and clears it. Empty outside of runs.
        patience_s: how long storage that does not answer, or refuses what it did a moment ago, is waited for, seconds,
            beyond the usual attempts.

    Every method raises OSError, FileNotFoundError and PermissionError as Python's own files do.
    """

    def __init__(self, uri: str, run_id: str = "", patience_s: float = 0.0) -> None:
        self.local = is_local(uri)
        self.root = os.path.abspath(local_path(uri)) if self.local else uri.rstrip("/")
        self.run_id, self.patience_s = run_id, patience_s
        self.work = f"{WORK}/{run_id}" if run_id else WORK

    def uri(self, name: str) -> str:
        """The full path or URL of a name."""
        return f"{self.root.rstrip('/')}/{name}"

    def write(self, name: str, data: bytes) -> None:
        """Writes one file. A kill at any moment leaves the old file, or the new one, and at most a leftover in WORK."""
        if self.local:
            self._put(name, data, os.replace)
        else:
            files, path = remote(self.uri(name))
            self._retry(lambda: files.pipe_file(path, data))

    def create(self, name: str, data: bytes) -> bool:
        """Writes one file where nothing is; False, and nothing is changed, where something is.

        Two that create the same name at the same time: one gets False. Only file systems without hard links and S3
        servers that do not know `If-None-Match` leave a moment between the look and the write.
        """
        if self.local:
            try:
                self._put(name, data, link)
            except (FileExistsError, NotADirectoryError):
                return False
            return True
        return self.look(name) is None and self._put_if(name, data, {"mode": "create"}, md5(data))

    def swap(self, name: str, data: bytes, found: Found) -> bool:
        """Replaces a file that was `found`; False, and nothing is changed, if it is another one by now.

        In S3 by `If-Match`. Local files, and S3 servers that do not know it, have a moment between look and write.
        """
        if not self.local and found.etag and self._put_if(name, data, {"IfMatch": f'"{found.etag}"'}, md5(data)):
            return True
        if self.look(name, {found.digest}) != found:
            return False
        self.write(name, data)
        return True

    def look(self, name: str, expected: Collection[str] = ()) -> Found | None:
        """What lies at a name, or None. In S3 a HEAD; it is read only if its ETag is none of the expected digests."""
        if self.local:
            return look_local(self.uri(name))
        files, path = remote(self.uri(name))
        try:
            etag = self._retry(lambda: s3_etag(files, path))[0]
            if etag in expected:
                return Found(etag, etag)
            return Found(md5(self._retry(lambda: files.cat_file(path))[0]) if expected else "", etag)
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        if self.local:
            return Path(self.uri(name)).read_bytes()
        files, path = remote(self.uri(name))
        data: bytes = self._retry(lambda: files.cat_file(path))[0]
        return data

    def names(self, folder: str) -> list[str]:
        """The files directly or deeper below a folder, sorted; none if there is no such folder."""
        if self.local:
            base = self.uri(folder)
            found = [os.path.join(way, name) for way, _, names in os.walk(base) for name in names]
            return sorted(os.path.relpath(path, self.root) for path in found)
        files, path = remote(self.uri(folder))
        top = remote(self.root)[1]
        return sorted(key[len(top) + 1 :] for key in self._retry(lambda: files.find(path))[0])

    def has(self, name: str) -> bool:
        """Whether there is such a file, or a folder with something in it."""
        if self.local:
            return os.path.lexists(self.uri(name))
        files, path = remote(self.uri(name))
        there: bool = self._retry(lambda: files.exists(path))[0]
        return there

    def changed(self, name: str) -> float:
        """When a file was written, seconds since 1970 by the clock of the storage."""
        if self.local:
            return os.stat(self.uri(name)).st_mtime
        files, path = remote(self.uri(name))
        return float(self._retry(lambda: files.modified(path))[0].timestamp())

    def delete(self, name: str) -> None:
        """Deletes a file; it need not be there."""
        with contextlib.suppress(FileNotFoundError):
            if self.local:
                os.unlink(self.uri(name))
            else:
                files, path = remote(self.uri(name))
                self._retry(lambda: files.rm_file(path))

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what was there. In S3 both are there for a moment."""
        if self.local:
            os.replace(self.uri(old), self.uri(new))
        else:
            files, source = remote(self.uri(old))
            target = remote(self.uri(new))[1]
            self._retry(lambda: files.cp_file(source, target))
            self.delete(old)

    def clear(self, folder: str, ours: re.Pattern[str]) -> None:
        """Deletes the files of a folder in WORK that are ours, and the folders there that are empty then."""
        for name in filter(ours.fullmatch, self.names(folder)):
            self.delete(name)
        if self.local:
            for way, _, _ in os.walk(self.uri(folder), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(way)
            with contextlib.suppress(OSError):
                os.rmdir(self.uri(WORK))

    def mark_unfinished(self, data: bytes = b"") -> None:
        """Leaves a file in WORK, which says that a run is not finished.

        Raises:
            HairlineError: nothing can be written here.
        """
        with self.writing():
            self.write(f"{self.work}/{UNFINISHED}", data)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes a HairlineError, one line, of what the storage says inside."""
        try:
            yield
        except HairlineError:
            raise
        except Exception as error:  # the system's, botocore's, Arrow's: all mean the same here
            what = (
                what_is_wrong(error) if isinstance(error, OSError) and error.strerror else classify_error(error).detail
            )
            away = self.patience_s and not self.local and classify_error(error).again
            raise (OutageError if away else HairlineError)(f"output {self.root}: cannot be written: {what}") from error

    def _retry(self, action: Callable[[], T]) -> tuple[T, int]:
        files, root = remote(self.root)

        def tried() -> T:
            return telling(action, lambda: files.cat_file(f"{root}/{WORK}/"))

        return with_retries(tried, self.patience_s, renew=lambda: renew(files), throttle=THROTTLE)

    def _put(self, name: str, data: bytes, move: Callable[[str, str], None]) -> None:
        """Writes a file into WORK and moves it to its name; what fails leaves nothing."""
        target, part = self.uri(name), self.uri(f"{self.work}/{uuid.uuid4().hex}")
        try:
            try:
                write_file(part, data)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(part), exist_ok=True)
                write_file(part, data)
            try:
                move(part, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                move(part, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        finally:
            if not self.run_id:
                with contextlib.suppress(OSError):  # no run is under way that would clear it at its end
                    os.rmdir(self.uri(WORK))

    def _put_if(self, name: str, data: bytes, condition: dict[str, str], digest: str) -> bool:
        files, path = remote(self.uri(name))
        if not hasattr(files, "call_s3") or (len(data) >= ONE_PUT and "IfMatch" in condition):
            condition = {}
        try:
            self._retry(lambda: files.pipe_file(path, data, **condition))
        except Exception as error:
            status = http_status(error)
            if status == 501:  # a server that knows no conditions
                self._retry(lambda: files.pipe_file(path, data))
                return True
            if isinstance(error, FileExistsError) or status in (409, 412):
                found = self.look(name, (digest,))
                return found is not None and found.digest == digest  # an earlier try of ours whose answer was lost
            raise
        return True
