"""Batches that form by themselves: what has come while the last batch ran goes together. Nobody waits for more.

Serve's own batching waits for a batch to fill, sets large pictures back behind later ones, and refuses one that
is larger than a batch; hence these lines.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .request_item import BatchRecord, RequestItem

Waiting = tuple[RequestItem, "asyncio.Future[None]", float]


class Batcher:
    """Feeds works to a function in a thread of its own, one batch at a time.

    Args:
        run: fills in a batch of works, in place; it must not raise for a single bad picture.
        most: works of one batch; and `pixels` of them together, though one alone may have more.
    """

    def __init__(self, name: str, run: Callable[[Sequence[RequestItem]], None], most: int, pixels: int) -> None:
        self.name, self._run, self._most, self._pixels = name, run, most, pixels
        self._waiting: deque[Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._feeding: asyncio.Task[None] | None = None
        self.began: float | None = None  # time.monotonic() of the batch that runs
        self.finished = 0.0  # time.monotonic() of the last batch that went well

    async def do(self, work: RequestItem) -> RequestItem:
        """The work, done. Cancelled: it is taken out, or marked as dropped when its batch is running."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (work, future, time.monotonic())
        self._waiting.append(entry)
        if self._feeding is None or self._feeding.done():
            self._feeding = asyncio.create_task(self._feed())
        try:
            await future
        except asyncio.CancelledError:
            work.item.dropped = True
            if entry in self._waiting:
                self._waiting.remove(entry)
            raise
        return work

    async def call(self, function: Callable[[], object]) -> None:
        """Runs something else in the thread, between two batches."""
        await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _feed(self) -> None:
        while self._waiting:
            batch = self._next()
            works = [work for work, _, _ in batch]
            now, pixels = time.monotonic(), sum(work.pixels for work in works)
            for work, _, since in batch:
                work.batches.append(BatchRecord(self.name, len(works), pixels, now - since))
            error: Exception | None = None
            self.began = now
            try:
                await self.call(partial(self._run, works))
                self.finished = time.monotonic()
            except Exception as caught:
                error = caught
            self.began = None
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(error) if error else future.set_result(None)

    def _next(self) -> list[Waiting]:
        batch: list[Waiting] = []
        pixels = 0
        while self._waiting and len(batch) < self._most:
            pixels += self._waiting[0][0].pixels
            if batch and pixels > self._pixels:
                break
            batch.append(self._waiting.popleft())
        return batch
