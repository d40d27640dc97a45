"""How much may be inside at the same time. Beyond it a request is turned away at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from ..configs.service import Queue
from ..stages.reasons import MEANINGS
from .errors import ApiError, busy

UPLOADS = 4  # times the slots: requests that are still arriving take no slot, or slow clients would hold them all


class Admission:
    """Counts requests and bytes. Belongs to one event loop."""

    def __init__(self, queue: Queue) -> None:
        self.slots, self.most_bytes = queue.requests, queue.mib << 20
        self.arriving = self.inside = self.bytes = self.sending = 0
        self._ended: deque[float] = deque(maxlen=32)

    def arrive(self, owner: str = "") -> AdmissionSlot:
        """A slot to upload in. owner: identity of the key that asks. Raises ApiError 429: the queue is full."""
        if self.inside >= self.slots or self.arriving >= UPLOADS * self.slots:
            raise busy(f"{self.inside} requests are inside, which is as many as may be", self.wait())
        self.check_leaving()
        return AdmissionSlot(self, owner)

    def check_leaving(self) -> None:
        """Raises ApiError 429: the answers that wait to be taken by their clients hold too many bytes."""
        if self.sending >= self.most_bytes:
            raise busy("the answers that wait to be taken hold all the memory they may", self.wait(), "memory")

    @contextmanager
    def leaving(self, size: int) -> Iterator[None]:
        """Counts the bytes of an answer while its client takes them. There is no telling it no any more: while
        there are too many, nobody new comes in."""
        self.sending += size
        try:
            yield
        finally:
            self.sending -= size

    def wait(self) -> float:
        """Seconds until there may be room: the time between two answers of late, for a quarter of the slots."""
        if len(self._ended) < 2:
            return 1.0
        pace = (self._ended[-1] - self._ended[0]) / (len(self._ended) - 1)
        return min(30.0, max(1.0, pace * self.slots / 4))


class AdmissionSlot:
    """One request from its first byte to its answer, as a context manager.

    Attributes:
        owner: identity of the key that asks, or empty.
        fetched: whether something of it came from a URL; then nothing of that is told but that it is no picture.
    """

    def __init__(self, admission: Admission, owner: str) -> None:
        self.owner, self.fetched = owner, False
        self._of, self._bytes, self._entered = admission, 0, False

    def __enter__(self) -> AdmissionSlot:
        self._of.arriving += 1
        return self

    def take(self, size: int) -> None:
        """Counts bytes that have arrived. Raises ApiError 429: all requests together hold too many."""
        if self._of.bytes + size > self._of.most_bytes:
            raise busy("the uploads inside take all the memory they may", self._of.wait(), "memory")
        self._of.bytes += size
        self._bytes += size

    def enter(self) -> None:
        """From the upload to the queue. Raises ApiError 429: it has filled up meanwhile."""
        if self._of.inside >= self._of.slots:
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


class Room:
    """Pixels that may be worked on at the same time, for it is pixels that take memory, not requests.

    First come, first served: a large picture is not overtaken by small ones for ever.

    Args:
        pixels: of all pictures together.
        processes: that pictures are worked on in. Each may still be busy with a small picture that nobody waits for
            any more; that much is kept aside.
    """

    def __init__(self, pixels: int, processes: int) -> None:
        self.small = pixels // (5 * processes)
        self.pixels, self.taken = pixels - processes * self.small, 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """Pictures that wait for room."""
        return len(self._line)

    async def take(self, pixels: int) -> None:
        """Waits for room; whoever has got it gives it back. Raises ApiError 422: there is never so much."""
        if pixels > self.pixels:
            raise ApiError(
                422,
                "too_many_pixels",
                MEANINGS["too_many_pixels"].title,
                f"picture, background and result have up to {pixels:,} pixels; there is room for {self.pixels:,}",
                reason="too_many_pixels",
            )
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((pixels, mine))
        self._next()
        try:
            await mine
        except asyncio.CancelledError:
            if (pixels, mine) in self._line:
                self._line.remove((pixels, mine))
                self._next()
            else:
                self.give(pixels)
            raise

    def give(self, pixels: int) -> None:
        """Room for those who wait."""
        self.taken -= pixels
        self._next()

    def _next(self) -> None:
        while self._line and self.taken + self._line[0][0] <= self.pixels:
            pixels, first = self._line.popleft()
            self.taken += pixels
            if not first.done():
                first.set_result(None)
