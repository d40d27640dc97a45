"""The files of jobs: nothing is written, read or deleted that the service did not make.

What it made stands in each job's own `job.json`, which is written before anything else of the job: its id, the inode
of its folder, and its pictures, from which the names of all its files follow. A folder whose list does not fit it is
somebody else's, or a copy. Symbolic links are never followed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ..stages.errors import HairlineError

ID = re.compile(r"[0-9a-f]{32}")
LOCK, LIST = "lock", "job.json"


@dataclass
class Entry:
    """One picture of a job."""

    url: str = ""
    status: Literal["waiting", "ok", "filtered", "failed"] = "waiting"
    reason: str = ""
    detail: str = ""
    ext: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Job:
    """One job.

    Attributes:
        owner: identity of the key that it was ordered with, or empty; nobody else is told of it.
        product: name of the product; options: as the request gave them.
        ended: seconds since 1970, or 0.
        request_id: of the request that ordered it.
        inode: of the folder that was made for it; 0: made before that was noted.
        whole: whether its uploads are all there.
    """

    id: str
    owner: str
    product: str
    options: dict[str, Any]
    category: str
    lenient: bool
    entries: list[Entry]
    created: float
    ended: float = 0.0
    request_id: str = ""
    inode: int = 0
    whole: bool = True

    @property
    def status(self) -> str:
        if self.ended:
            return "done"
        return "running" if any(entry.status != "waiting" for entry in self.entries) else "waiting"

    @property
    def files(self) -> list[str]:
        """Names of all files that it may have."""
        sources = [f"{n}.source" for n, entry in enumerate(self.entries) if not entry.url]
        names = [*sources, *(f"{n}.result" for n in range(len(self.entries)))]
        return [*names, *map(_part, names), _part(LIST), LIST]


_JOBS = TypeAdapter(Job)


class JobFiles:
    """The folder of all jobs."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder if there is none. Raises HairlineError: it cannot be used."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise HairlineError(f"jobs.folder {folder}: cannot be used: {error.strerror}") from error

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            os.close(self._fd)

    def lock(self) -> int:
        """The open lock file, whose content does not matter. Raises HairlineError: something else has its name."""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(LOCK, flags, 0o600, dir_fd=self._fd)
        except OSError as error:
            raise HairlineError(f"jobs.folder {self.folder}: {LOCK} cannot be opened: {error.strerror}") from error
        return file

    def names(self) -> list[str]:
        """All that lies in the folder, whoever put it there."""
        return sorted(path.name for path in self.folder.iterdir())

    def load(self, name: str) -> tuple[Job, bool] | None:
        """A job and whether its folder is ours to change; None where there is no job of that name."""
        if not ID.fullmatch(name):
            return None
        try:
            with self._open(name) as folder:
                job = _JOBS.validate_json(_read(folder, LIST))
                ours = job.inode == os.fstat(folder).st_ino
        except (OSError, ValidationError):
            return None
        return (job, ours) if job.id == name else None

    def make(self, job: Job, uploads: list[bytes]) -> None:
        """A new job's folder. Entry n without a URL is file n of `uploads`. Raises OSError."""
        os.mkdir(job.id, 0o700, dir_fd=self._fd)
        with self._open(job.id) as folder:
            job.inode, job.whole = os.fstat(folder).st_ino, False
            _write(folder, LIST, _JOBS.dump_json(job))
            for number, data in enumerate(uploads):
                _write(folder, f"{number}.source", data)
            job.whole = True
            _write(folder, LIST, _JOBS.dump_json(job))

    def update(self, job: Job, number: int, result: bytes) -> None:
        """Keeps how far a job is, and the file that picture `number` ended with, if any. Raises OSError."""
        with self._open(job.id) as folder:
            if os.fstat(folder).st_ino != job.inode:
                raise FileNotFoundError(job.id)
            if result:
                _write(folder, f"{number}.result", result)
            _write(folder, LIST, _JOBS.dump_json(job))
            _unlink(folder, f"{number}.source")

    def read(self, job: Job, name: str) -> bytes:
        """Raises OSError: there is no such file of ours."""
        with self._open(job.id) as folder:
            return _read(folder, name)

    def size(self, job: Job) -> int:
        """Bytes of a job's files."""
        total = 0
        with contextlib.suppress(OSError), self._open(job.id) as folder:
            for name in job.files:
                with contextlib.suppress(OSError):
                    total += os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
        return total

    def delete(self, job: Job) -> bool:
        """Deletes a job's files, and its folder if nothing else lies there. Whether all is gone."""
        try:
            with self._open(job.id) as folder:
                if os.fstat(folder).st_ino != job.inode:
                    return False
                for name in job.files:
                    _unlink(folder, name)
            os.rmdir(job.id, dir_fd=self._fd)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    @contextmanager
    def _open(self, id: str) -> Iterator[int]:
        folder = os.open(id, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._fd)
        try:
            yield folder
        finally:
            os.close(folder)


def _part(name: str) -> str:
    return f".{name}.part"


def _read(folder: int, name: str) -> bytes:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with open(file, "rb") as stream:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(name)
        return stream.read()


def _write(folder: int, name: str, data: bytes) -> None:
    """Whole or not at all."""
    part = _part(name)
    _unlink(folder, part)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)


def _unlink(folder: int, name: str) -> None:
    """Deletes a plain file; links and folders are none of ours."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
