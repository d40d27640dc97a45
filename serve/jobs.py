"""Jobs: many or large pictures, worked on behind the requests, their state and results in a folder.

    FOLDER/<job id>/job.json          what is wanted, and how far it is: rewritten whole after every picture
    FOLDER/<job id>/<n>.source        an upload that has not been worked on
    FOLDER/<job id>/<n>.result        a finished file

Whatever happens to the process, a job goes on where its file says. A picture that was being worked on is done again.
What else lies in the folder stays as it is. Not for several services on one folder.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import deque
from pathlib import Path

from ..configs.service import Jobs as JobSettings
from .job_files import LOCK, Entry, Job, JobFiles

SWEEP_S = 15.0
STALE_S = 3600.0
NAMED = 5  # foreign files that the log names
log = logging.getLogger(__name__)


class Store:
    """The jobs of a folder. Its methods are quick or run in a thread by themselves; it belongs to one event loop.

    Jobs that are in the folder and were not made there by a service (an earlier version, which left no proof, or a
    copy) are told of, and neither worked on nor deleted.
    """

    def __init__(self, settings: JobSettings) -> None:
        """Reads what there is. Raises HairlineError: the folder cannot be used."""
        self.settings, self.files = settings, JobFiles(Path(settings.folder).expanduser())
        self.jobs: dict[str, Job] = {}
        self.queue: deque[tuple[str, int]] = deque()
        self.more = asyncio.Event()
        self._ours: set[str] = set()
        self._writing = threading.Lock()  # two pictures of one job may end at the same time
        self._scan()
        self._tell_of_others()

    @property
    def open(self) -> int:
        """Jobs that have not ended."""
        return sum(not self.jobs[id].ended for id in self._ours)

    def size(self) -> int:
        """Bytes of all jobs' files."""
        return sum(self.files.size(job) for job in [self.jobs[id] for id in self._ours])

    async def add(self, job: Job, files: list[bytes]) -> None:
        """Keeps a job and its uploads, then queues it. Entry n without a URL is file n of `files`."""
        await asyncio.to_thread(self.files.make, job, files)
        self.jobs[job.id] = job
        self._enqueue(job)

    def find(self, id: str, owner: str) -> Job | None:
        """A job of this owner's."""
        job = self.jobs.get(id)
        return job if job and job.owner == owner and not self._is_over(job) else None

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
        return await asyncio.to_thread(self.files.read, job, f"{number}.source")

    async def result(self, job: Job, number: int) -> bytes:
        return await asyncio.to_thread(self.files.read, job, f"{number}.result")

    async def finish(self, job: Job, number: int, data: bytes) -> None:
        """Notes that an entry, already filled in, has ended; with a file if it is ok. Raises OSError."""
        if all(entry.status != "waiting" for entry in job.entries):
            job.ended = time.time()
        await asyncio.to_thread(self._finish, job, number, data)

    async def sweep(self) -> None:
        """Deletes jobs that ended long ago, again and again."""
        while True:
            for job in [self.jobs[id] for id in self._ours if self._is_over(self.jobs[id])]:
                self._ours.discard(job.id)
                del self.jobs[job.id]
                if not await asyncio.to_thread(self.files.delete, job):
                    log.warning("job %s: its files are deleted; its folder holds others, and stays", job.id)
            await asyncio.sleep(SWEEP_S)
            self._scan()  # a predecessor may have taken jobs in its last seconds

    def _is_over(self, job: Job) -> bool:
        return bool(job.ended) and job.ended < time.time() - self.settings.keep_hours * 3600

    def _enqueue(self, job: Job) -> None:
        self._ours.add(job.id)
        self.queue.extend((job.id, n) for n, entry in enumerate(job.entries) if entry.status == "waiting")
        self.more.set()

    def _scan(self) -> None:
        """Takes in what lies in the folder and is not known yet, the oldest first."""
        found = []
        for name in self.files.names():
            if name not in self.jobs and (loaded := self.files.load(name)):
                job, ours = loaded
                if not ours:
                    self.jobs[name] = job
                elif job.whole:
                    found.append(job)
                elif job.created < time.time() - STALE_S:  # cut off by a kill
                    self.files.delete(job)
        for job in sorted(found, key=lambda job: job.created):
            self.jobs[job.id] = job
            self._enqueue(job)

    def _tell_of_others(self) -> None:
        others = [name for name in self.files.names() if name != LOCK and name not in self._ours]
        if others:
            named = ", ".join(ascii(name) for name in others[:NAMED])
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            log.warning(
                "jobs.folder %s: left alone what this service did not make: %s%s", self.files.folder, named, more
            )

    def _finish(self, job: Job, number: int, data: bytes) -> None:
        with self._writing:
            self.files.update(job, number, data)


def new_id() -> str:
    """128 random bits: a job's address cannot be guessed."""
    return secrets.token_hex(16)


__all__ = ["Entry", "Job", "Store", "new_id"]
