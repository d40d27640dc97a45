"""The service's parts by themselves: its file, batches, admission, the store of jobs, the layers of a result."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from serve_kit import photo

from hairline.configs.service import Jobs, Queue, load_service
from hairline.serve.admission import Admission
from hairline.serve.batcher import Batcher
from hairline.serve.errors import ApiError
from hairline.serve.jobs import Entry, Job, Store, new_id
from hairline.serve.request_item import RequestItem
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.products.layers import Layer, cover, move, shrink, solid


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("prot=80", "did you mean port?"),
        ("queue.request=1", "did you mean requests?"),
        ("pools.0.worker=1", "did you mean workers?"),
        ("stages.fine.max_sid=1", "did you mean max_side?"),
        ("products=[cutot]", "did you mean 'cutout'?"),
        ("products=[{jobs: {product: mask}}]", "another route"),
        ("cors=['*']", "no origin"),
        ("fetch.allow=[nonsense]", "fetch.allow"),
    ],
)
def test_mistakes_in_a_service_file_name_the_right_key(change: str, told: str) -> None:
    with pytest.raises(HairlineError, match=r"--set ") as error:
        load_service("service-laptop.yaml", [change])
    assert told in str(error.value)


def test_mistakes_in_a_file_name_the_line(tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("configs/service-laptop.yaml").read_text()
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("  drain: 60 ", "  drian: 60 "))
    line = next(n for n, words in enumerate(file.read_text().splitlines(), 1) if "drian" in words)
    with pytest.raises(HairlineError, match=rf"mine.yaml:{line}: times.drian: unknown key; did you mean drain"):
        load_service(str(file))


def test_the_gpu_service_reads() -> None:
    service = load_service("service-gpu.yaml")
    assert [pool.name for pool in service.pools] == ["read", "networks", "write"]


def test_the_model_depends_on_what_changes_an_alpha() -> None:
    model = load_service("service-laptop.yaml").model
    assert load_service("service-laptop.yaml", ["port=1", "products=[mask]", "pools.0.batch=4"]).model == model
    assert load_service("service-laptop.yaml", ["stages.fine.sure=0.05"]).model != model


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


def test_admission_counts_requests_and_bytes() -> None:
    admission = Admission(Queue(requests=2, mib=1))
    with admission.arrive() as first, admission.arrive() as second:
        first.enter()
        second.take(1 << 19)
        with pytest.raises(ApiError) as full:
            second.take(1 << 20)
        assert full.value.status == 429 and int(full.value.headers["Retry-After"]) >= 1
        second.enter()
        with pytest.raises(ApiError) as full:
            admission.arrive()
        assert full.value.status == 429
    assert (admission.inside, admission.arriving, admission.bytes) == (0, 0, 0)
    admission.arrive()


def test_slow_uploads_take_no_place_of_the_queue() -> None:
    admission = Admission(Queue(requests=1))
    with admission.arrive(), admission.arrive() as quick:
        quick.enter()
        assert admission.inside == 1


def job(**facts: object) -> Job:
    plain = {"id": new_id(), "owner": "", "product": "cutout", "options": {}, "category": "", "lenient": False}
    return Job(**{**plain, "entries": [Entry(), Entry(url="http://a/")], "created": time.time(), **facts})  # type: ignore[arg-type]


def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        settings = Jobs(folder=str(tmp_path))
        store = Store(settings)
        kept = job()
        await store.add(kept, [photo()])
        found, number = await store.next()
        assert (found, number) == (kept, 0) and await store.source(kept, 0) == photo()
        kept.entries[0].status, kept.entries[0].ext = "ok", "png"
        await store.finish(kept, 0, b"result")
        again = Store(settings)  # as after a kill
        assert again.jobs[kept.id] == kept and again.open == 1
        assert (await again.next())[1] == 1  # what was not done is queued again
        assert await again.result(kept, 0) == b"result"
        again.jobs[kept.id].entries[1].status = "failed"
        await again.finish(again.jobs[kept.id], 1, b"")
        assert again.open == 0 and Store(settings).jobs[kept.id].status == "done"
        assert store.find(kept.id, "somebody else") is None

    asyncio.run(main())


def test_jobs_are_deleted_after_their_time(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(Jobs(folder=str(tmp_path), keep_hours=1))
        old, young = job(ended=time.time() - 4000), job(ended=time.time() - 3000)
        for each in (old, young):
            await store.add(each, [])
        sweeping = asyncio.create_task(store.sweep())
        async with asyncio.timeout(60):
            while len(list(tmp_path.iterdir())) > 1:
                await asyncio.sleep(0.01)
        sweeping.cancel()
        assert set(store.jobs) == {young.id} == {path.name for path in tmp_path.iterdir()}

    asyncio.run(main())


def layer() -> Layer:
    alpha = np.zeros((60, 100), np.uint8)
    alpha[20:40, 10:50] = 255
    rgb = np.zeros((60, 100, 3), np.uint8)
    rgb[..., 1] = 255  # what lies outside of the subject is green, and must not bleed in
    rgb[20:40, 10:50] = (255, 0, 0)
    return Layer(rgb, alpha)


def test_a_smaller_result_keeps_the_subjects_colours() -> None:
    small = shrink(layer(), 0.0015)
    assert small.alpha.shape == (30, 50)
    assert (small.rgb[small.alpha > 0] == (255, 0, 0)).all()


def test_a_moved_subject_lies_where_it_should() -> None:
    assert move(layer(), None, (0, 0)).box == (0, 0, 40, 20)
    assert move(layer(), None, (1, 1)).box == (60, 40, 100, 60)
    assert move(layer(), 1.0, (0.5, 0.5)).box == (0, 5, 100, 55)
    assert move(layer(), 0.5, None).box[2] - move(layer(), 0.5, None).box[0] == 50


def test_half_transparent_regions_become_solid_and_edges_stay() -> None:
    alpha = np.zeros((100, 100), np.uint8)
    alpha[20:80, 20:80] = 128
    alpha[50, :20] = 90  # a hair
    found = solid(alpha)
    assert found[50, 50] == 255 and found[20, 20] == 128 and found[50, 5] == 90 and found[0, 0] == 0


def test_a_background_covers_the_canvas() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 200
    assert (cover(wide, 30, 30) >= 190).mean() > 0.9
