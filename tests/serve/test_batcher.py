"""Batches: what goes together, what is left out, and what an error ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from hairline.serve.batcher import Batcher
from hairline.serve.request_item import RequestItem
from hairline.stages.item import Item


def work(pixels: int = 10_000) -> RequestItem:
    return RequestItem(Item("a", "", width=100, height=pixels // 100))


def test_batches_take_what_has_come_and_stop_at_the_pixels() -> None:
    seen: list[int] = []

    def run(pictures: Sequence[RequestItem]) -> None:
        seen.append(len(pictures))
        time.sleep(0.05)

    async def main() -> None:
        batcher = Batcher("a", run, 3, 50_000)
        small = [asyncio.create_task(batcher.do(work())) for _ in range(5)]
        large = [asyncio.create_task(batcher.do(work(n))) for n in (30_000, 30_000, 90_000)]
        done = await asyncio.gather(*small, *large)
        assert all(w.batches[0].pictures in (1, 2, 3) for w in done)

    asyncio.run(main())
    assert seen == [3, 3, 1, 1]  # three; two small and a large one; a large one; one over the limit, alone


def test_a_cancelled_work_is_not_done_and_the_others_are() -> None:
    seen: list[RequestItem] = []

    running, go = threading.Event(), threading.Event()

    def run(pictures: Sequence[RequestItem]) -> None:
        running.set()
        assert go.wait(60)
        seen.extend(pictures)

    async def main() -> None:
        batcher = Batcher("a", run, 1, 50_000)
        first, second, third = (work() for _ in range(3))
        tasks = [asyncio.create_task(batcher.do(w)) for w in (first, second, third)]
        assert await asyncio.to_thread(running.wait, 60)
        tasks[0].cancel()  # running: marked
        tasks[1].cancel()  # waiting: taken out
        await asyncio.sleep(0)  # they are told
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert first.item.dropped and second.item.dropped and not third.item.dropped
        assert seen == [first, third]

    asyncio.run(main())


def test_a_batch_that_raises_tells_all_and_the_next_goes_on() -> None:
    def run(pictures: Sequence[RequestItem]) -> None:
        if pictures[0].item.id == "bad":
            raise MemoryError

    async def main() -> None:
        batcher = Batcher("a", run, 1, 50_000)
        bad = work()
        bad.item.id = "bad"
        with pytest.raises(MemoryError):
            await batcher.do(bad)
        await batcher.do(work())

    asyncio.run(main())
