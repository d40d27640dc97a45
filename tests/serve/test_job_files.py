"""The jobs' folder: the service touches what it made, and nothing else, whatever lies there."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path

import pytest

from hairline.configs.service import Jobs
from hairline.serve.job_files import JobFiles
from hairline.serve.jobs import Store, new_id
from hairline.stages.errors import HairlineError
from job_folders import foreign, job, old_json, tree


def sweep(store: Store, until: float = 0.3) -> None:
    async def main() -> None:
        task = asyncio.create_task(store.sweep())
        await asyncio.sleep(until)
        task.cancel()

    asyncio.run(main())


def test_a_folder_of_somebody_elses_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, outside = tmp_path / "jobs", tmp_path / "outside"
    folder.mkdir()
    foreign(folder, outside)
    before = tree(tmp_path)
    with caplog.at_level(logging.WARNING):
        os.close(JobFiles(folder).lock())
        store = Store(Jobs(folder=str(folder), keep_hours=0.0001))
    sweep(store)
    assert tree(tmp_path) == before
    assert store.jobs == {} and store.size() == 0
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "left alone" in told[0] and "'0.result'" in told[0]
    assert "\n" not in told[0] and "\x1b" not in told[0]


def test_jobs_of_its_own_go_and_what_others_put_there_stays(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "jobs"
        store = Store(Jobs(folder=str(folder), keep_hours=1))
        plain, mixed = job(ended=time.time() - 4000), job(ended=time.time() - 4000)
        for each in (plain, mixed):
            await store.add(each, [b"one", b"two"])
        target = tmp_path / "target"
        target.write_text("t")
        (folder / mixed.id / "notes.txt").write_text("mine")
        (folder / mixed.id / "2.result").write_text("mine: the job has two pictures")
        (folder / mixed.id / "0.result").symlink_to(target)
        sweeping = asyncio.create_task(store.sweep())
        await asyncio.sleep(0.3)
        sweeping.cancel()
        assert [path.name for path in folder.iterdir()] == [mixed.id]
        assert {path.name for path in (folder / mixed.id).iterdir()} == {"notes.txt", "2.result", "0.result"}
        assert target.read_text() == "t"

    asyncio.run(main())


def test_links_are_not_followed(tmp_path: Path) -> None:
    async def main() -> None:
        folder, secret = tmp_path / "jobs", tmp_path / "secret"
        secret.write_bytes(b"secret")
        store = Store(Jobs(folder=str(folder)))
        made = job()
        await store.add(made, [b"one", b"two"])
        for name in ("0.result", "0.source"):
            (folder / made.id / name).unlink(missing_ok=True)
            (folder / made.id / name).symlink_to(secret)
        for read in (store.result, store.source):
            with pytest.raises(OSError):
                await read(made, 0)
        (folder / made.id / ".1.result.part").symlink_to(secret)
        with pytest.raises(OSError):
            await store.finish(made, 1, b"overwritten")
        assert secret.read_bytes() == b"secret"
        moved = tmp_path / "moved"
        (folder / made.id).rename(moved)
        (folder / made.id).symlink_to(moved)
        before = tree(moved)
        with pytest.raises(OSError):
            await store.finish(made, 0, b"new")
        assert not store.files.delete(made) and tree(moved) == before

    asyncio.run(main())


def test_a_copy_is_told_of_and_neither_worked_on_nor_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "jobs"
        made = job(ended=0.0)
        await Store(Jobs(folder=str(folder))).add(made, [b"one", b"two"])
        shutil.copytree(folder / made.id, tmp_path / "copy")
        (folder / made.id).rename(tmp_path / "original")
        (tmp_path / "copy").rename(folder / made.id)  # as after a restored backup
        before = tree(folder)
        again = Store(Jobs(folder=str(folder), keep_hours=1e-9))
        assert again.find(made.id, "") == made and not again.queue and again.open == 0
        assert not again.files.delete(again.jobs[made.id])
        assert tree(folder) == before

    asyncio.run(main())


def test_jobs_of_an_earlier_version_are_told_of(tmp_path: Path) -> None:
    async def main() -> None:
        id = new_id()
        (tmp_path / id).mkdir()
        (tmp_path / id / "job.json").write_text(old_json(id, owner="alice", ended=time.time()))
        (tmp_path / id / "0.result").write_bytes(b"PNG")
        store = Store(Jobs(folder=str(tmp_path)))
        found = store.find(id, "alice")
        assert found and await store.result(found, 0) == b"PNG" and store.find(id, "") is None

    asyncio.run(main())


def test_a_job_that_was_cut_off_goes_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(Jobs(folder=str(tmp_path)))
    young, old = job(), job(created=time.time() - 4000)

    def dies(folder: int, name: str, data: bytes) -> None:
        if name.endswith(".source"):
            raise KeyboardInterrupt
        real(folder, name, data)

    from hairline.serve import job_files

    real = job_files._write
    monkeypatch.setattr(job_files, "_write", dies)
    for each in (young, old):
        with pytest.raises(KeyboardInterrupt):
            store.files.make(each, [b"one", b"two"])
    assert Store(Jobs(folder=str(tmp_path))).jobs == {}
    assert [path.name for path in tmp_path.iterdir()] == [young.id]


def test_a_lock_that_leads_elsewhere_is_not_opened(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "lock").symlink_to(target)
    with pytest.raises(HairlineError, match="lock cannot be opened"):
        JobFiles(tmp_path / "jobs").lock()
    assert not target.exists()
