"""Jobs: many or large pictures, worked on behind the requests, their state and results in a folder.

    FOLDER/<job id>/job.json          what is wanted, and how far it is: rewritten whole after every picture
    FOLDER/<job id>/<n>.source        an upload that has not been worked on
    FOLDER/<job id>/<n>.result        a finished file

Whatever happens to the process, a job goes on where its file says. A picture that was being worked on is done again.
Not for several services on one folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..stages.errors import HairlineError
from .service import Jobs as JobSettings

ID = re.compile(r"[0-9a-f]{32}")
SWEEP_S = 15.0
STALE_S = 3600.0


@dataclass
class Entry:
    """One picture of a job. status: waiting, ok, filtered or failed."""

    url: str = ""
    status: str = "waiting"
    reason: str = ""
    detail: str = ""
    ext: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Job:
    """One job.

    Attributes:
        owner: name of the key that it was ordered with, or empty; nobody else is told of it.
        product: name of the product; options: as the request gave them.
        ended: seconds since 1970, or 0.
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

    @property
    def status(self) -> str:
        if self.ended:
            return "done"
        return "running" if any(entry.status != "waiting" for entry in self.entries) else "waiting"


class Store:
    """The jobs of a folder. Its methods are quick or run in a thread by themselves; it belongs to one event loop."""

    def __init__(self, settings: JobSettings) -> None:
        """Reads what there is. Raises HairlineError: the folder cannot be used."""
        self.settings, self.folder = settings, Path(settings.folder).expanduser()
        self.jobs: dict[str, Job] = {}
        self.queue: deque[tuple[str, int]] = deque()
        self.more = asyncio.Event()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._scan()
        except OSError as error:
            raise HairlineError(f"jobs.folder {self.folder}: cannot be used: {error.strerror}") from error

    @property
    def open(self) -> int:
        """Jobs that have not ended."""
        return sum(not job.ended for job in self.jobs.values())

    def size(self) -> int:
        """Bytes of the whole folder."""
        return sum(entry.stat().st_size for path in self.folder.iterdir() if path.is_dir() for entry in path.iterdir())

    async def add(self, job: Job, files: list[bytes]) -> None:
        """Keeps a job and its uploads, then queues it. Entry n without a URL is file n of `files`."""
        await asyncio.to_thread(self._write_new, job, files)
        self.jobs[job.id] = job
        self._enqueue(job)

    def find(self, id: str, owner: str) -> Job | None:
        """A job of this owner's."""
        job = self.jobs.get(id)
        return job if job and job.owner == owner else None

    async def next(self) -> tuple[Job, int]:
        """Waits for a picture to do."""
        while True:
            while self.queue:
                id, number = self.queue.popleft()
                if id in self.jobs:
                    return self.jobs[id], number
            self.more.clear()
            await self.more.wait()

    async def source(self, job: Job, number: int) -> bytes:
        return await asyncio.to_thread((self.folder / job.id / f"{number}.source").read_bytes)

    async def result(self, job: Job, number: int) -> bytes:
        return await asyncio.to_thread((self.folder / job.id / f"{number}.result").read_bytes)

    async def finish(self, job: Job, number: int, data: bytes) -> None:
        """Notes that an entry, already filled in, has ended; with a file if it is ok."""
        if all(entry.status != "waiting" for entry in job.entries):
            job.ended = time.time()
        await asyncio.to_thread(self._finish, job, number, data)

    async def sweep(self) -> None:
        """Deletes jobs that ended long ago, again and again."""
        while True:
            oldest = time.time() - self.settings.keep_hours * 3600
            for job in [job for job in self.jobs.values() if job.ended and job.ended < oldest]:
                del self.jobs[job.id]
                await asyncio.to_thread(shutil.rmtree, self.folder / job.id, ignore_errors=True)
            await asyncio.sleep(SWEEP_S)
            self._scan()  # a predecessor may have taken jobs in its last seconds

    def _enqueue(self, job: Job) -> None:
        self.queue.extend((job.id, n) for n, entry in enumerate(job.entries) if entry.status == "waiting")
        self.more.set()

    def _scan(self) -> None:
        """Takes in what lies in the folder and is not known yet, the oldest first."""
        before = set(self.jobs)
        for path in self.folder.iterdir():
            if ID.fullmatch(path.name) and path.name not in before:
                self._load(path)
        for job in sorted(self.jobs.values(), key=lambda job: job.created):
            if job.id not in before:
                self._enqueue(job)

    def _load(self, path: Path) -> None:
        try:
            found = json.loads((path / "job.json").read_text("utf-8"))
            entries = [Entry(**entry) for entry in found.pop("entries")]
            self.jobs[path.name] = Job(entries=entries, **found)
        except (OSError, ValueError, TypeError, KeyError):  # not whole: being written, or cut off by a kill
            if path.stat().st_mtime < time.time() - STALE_S:
                shutil.rmtree(path, ignore_errors=True)

    def _write_new(self, job: Job, files: list[bytes]) -> None:
        folder = self.folder / job.id
        folder.mkdir(mode=0o700)
        for number, data in enumerate(files):
            (folder / f"{number}.source").write_bytes(data)
        self._write(job)

    def _finish(self, job: Job, number: int, data: bytes) -> None:
        folder = self.folder / job.id
        if data:
            _replace(folder / f"{number}.result", data)
        self._write(job)
        (folder / f"{number}.source").unlink(missing_ok=True)

    def _write(self, job: Job) -> None:
        _replace(self.folder / job.id / "job.json", json.dumps(asdict(job)).encode())


def new_id() -> str:
    """128 random bits: a job's address cannot be guessed."""
    return secrets.token_hex(16)


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
