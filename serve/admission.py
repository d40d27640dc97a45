"""How much may be inside at the same time. Beyond it a request is turned away at once."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from .errors import busy
from .service import Queue

UPLOADS = 4  # times the places: requests that are still arriving take no place, or slow clients would hold them all


class Admission:
    """Counts requests and bytes. Belongs to one event loop."""

    def __init__(self, queue: Queue) -> None:
        self.places, self.most_bytes = queue.requests, queue.mib << 20
        self.arriving = self.inside = self.bytes = 0
        self._ended: deque[float] = deque(maxlen=32)

    def arrive(self) -> Visit:
        """A place to upload to. Raises ApiError 429: the queue is full."""
        if self.inside >= self.places or self.arriving >= UPLOADS * self.places:
            raise busy(f"{self.inside} requests are inside, which is as many as may be", self.wait())
        return Visit(self)

    def wait(self) -> float:
        """Seconds until there may be room: the time between two answers of late, for a quarter of the places."""
        if len(self._ended) < 2:
            return 1.0
        pace = (self._ended[-1] - self._ended[0]) / (len(self._ended) - 1)
        return min(30.0, max(1.0, pace * self.places / 4))


class Visit:
    """One request from its first byte to its answer, as a context manager."""

    def __init__(self, admission: Admission) -> None:
        self._of, self._bytes, self._entered = admission, 0, False

    def __enter__(self) -> Visit:
        self._of.arriving += 1
        return self

    def take(self, size: int) -> None:
        """Counts bytes that have arrived. Raises ApiError 429: all requests together hold too many."""
        if self._of.bytes + size > self._of.most_bytes:
            raise busy("the uploads inside take all the memory they may", self._of.wait())
        self._of.bytes += size
        self._bytes += size

    def enter(self) -> None:
        """From the upload to the queue. Raises ApiError 429: it has filled up meanwhile."""
        if self._of.inside >= self._of.places:
            raise busy(f"{self._of.inside} requests are inside, which is as many as may be", self._of.wait())
        self._of.arriving -= 1
        self._of.inside += 1
        self._entered = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of.bytes -= self._bytes
        if self._entered:
            self._of.inside -= 1
            self._of._ended.append(time.monotonic())
        else:
            self._of.arriving -= 1
