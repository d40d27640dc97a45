"""The store of jobs: what a restart keeps, and what goes after its time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from hairline.configs.service import Jobs
from hairline.serve.jobs import Entry, Job, Store, new_id
from serve_kit import photo


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
