"""A worker in this process: everything that a run does but Ray."""

import dataclasses
import os
from pathlib import Path

import pytest

from hairline.cluster.stage_runner import PoolSpec
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.marks import DEATHS_ALONE, DEATHS_TOGETHER, Marks
from hairline.pipeline.source import Source, local_source
from hairline.pipeline.storage import WORK, Folder
from hairline.pipeline.worker import Task, Worker, WorkerSpec
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.limits import Limits
from kit import jpeg
from own_stages import InvertSettings, JudgeSettings


def spec(output: Path, **changes: object) -> WorkerSpec:
    stages = (("own_stages:Judge", JudgeSettings()), ("own_stages:Invert", InvertSettings()))
    pool = dataclasses.replace(PoolSpec("all", stages, 1, 0, 8), **changes)  # type: ignore[arg-type]
    return WorkerSpec(pool, Limits(), str(output), fingerprint="f", run_id="r1")


def sources(folder: Path, **files: bytes) -> list[Task]:
    folder.mkdir(exist_ok=True)
    tasks = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        tasks.append(Task(local_source(f"x/{name}", str(folder / name))))
    return tasks


def run(worker: Worker, tasks: list[Task]) -> dict[str, dict[str, object]]:
    batch = worker.start(tasks)
    worker.work(batch)
    worker.finish(batch)
    table = Ledger(worker.output).read(["id", "status", "reason", "stage", "outputs", "attempts", "seconds"])
    return {row["id"]: row for row in table.to_pylist(maps_as_pydicts="strict")}


def test_a_batch_with_every_ending(tmp_path: Path) -> None:
    tasks = sources(tmp_path / "in", ok=jpeg(1), dark=jpeg(2, dark=True), text=b"hello", raising=jpeg(3) + b"raise!")
    tasks.append(Task(Source("x/none", str(tmp_path / "none"))))
    tasks.append(Task(Source("../up", str(tmp_path / "in" / "ok"))))
    worker = Worker(spec(tmp_path / "out"))
    rows = run(worker, tasks)
    endings = {id: (row["status"], row["reason"], row["stage"]) for id, row in rows.items()}
    assert endings == {
        "x/ok": ("ok", "", ""),
        "x/dark": ("filtered", "too_dark", "judge"),
        "x/text": ("failed", "not_a_picture", "judge"),
        "x/raising": ("failed", "internal_error", "judge"),
        "x/none": ("failed", "not_found", "fetch"),
        "../up": ("ok", "", ""),
    }
    assert rows["x/ok"]["outputs"] == {"negative": str(tmp_path / "out/negative/x/ok.png")}
    assert worker.output.names("negative") == ["negative/%2E%2E/up.png", "negative/x/ok.png"]
    assert set(rows["x/ok"]["seconds"]) == {"fetch", "judge", "invert", "write"}  # type: ignore[call-overload]
    assert worker.output.names(WORK) == []


def test_the_summary(tmp_path: Path) -> None:
    worker = Worker(spec(tmp_path / "out"))
    batch = worker.start(sources(tmp_path / "in", a=jpeg(1), b=jpeg(2), dark=jpeg(3, dark=True)))
    worker.work(batch)
    summary = worker.finish(batch)
    assert summary.counts == {("ok", ""): 2, ("filtered", "too_dark"): 1}
    assert summary.pid == os.getpid() and summary.peak_mib > 50
    assert summary.seconds["judge"] > 0


def test_products_that_are_none_any_more_are_deleted(tmp_path: Path) -> None:
    worker = Worker(spec(tmp_path / "out"))
    (task,) = sources(tmp_path / "in", a=jpeg(1))
    run(worker, [task])
    for name in ("negative/x/a.webp", "mask/x/a.png"):
        worker.output.write(name, b"from an earlier run")
    old = ("negative/x/a.png", "negative/x/a.webp", "mask/x/a.png", "mask/never/made.png")
    run(worker, [Task(task.source, dict.fromkeys(old))])
    assert worker.output.names("") == ["negative/x/a.png", *worker.output.names("results")]
    (tmp_path / "in" / "a").write_bytes(jpeg(1, dark=True))
    assert run(worker, [Task(task.source, {"negative/x/a.png": None})])["x/a"]["status"] == "filtered"
    assert worker.output.names("negative") == []


def test_one_pool_after_another(tmp_path: Path) -> None:
    import pickle

    first = Worker(spec(tmp_path / "out", stages=(("own_stages:Judge", JudgeSettings()),), is_last=False))
    last = Worker(spec(tmp_path / "out", stages=(("own_stages:Invert", InvertSettings()),), is_first=False, name="b"))
    batch = first.start(sources(tmp_path / "in", a=jpeg(1), dark=jpeg(2, dark=True)))
    first.work(batch)
    travelling = pickle.dumps(batch)
    assert len(travelling) < 4 * len(jpeg(1)) + 4000  # encoded bytes, no decoded pixels
    batch = pickle.loads(travelling)
    last.work(batch)
    assert last.finish(batch).counts == {("ok", ""): 1, ("filtered", "too_dark"): 1}


def test_a_full_disk_stops_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(spec(tmp_path / "out"))
    batch = worker.start(sources(tmp_path / "in", a=jpeg(1)))
    worker.work(batch)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(HairlineError, match=r"cannot be written.*No space left"):
        worker.finish(batch)


class Died(BaseException):
    pass


def test_a_picture_that_kills_its_process_is_found(tmp_path: Path) -> None:
    """Marks of a batch in which one picture kills; every death is a new process with the same marks."""
    import threading

    folder = Folder(str(tmp_path), "r1")
    deaths = 0
    while True:
        items = [Item(id, id, attempts=1) for id in "abcd"]
        worked: list[str] = []

        def work(some: list[Item], worked: list[str] = worked) -> None:
            for item in some:
                if item.id == "c" and not item.ended:
                    raise Died
                worked.append(item.id)

        try:
            Marks(folder, "r1", "all").guard(items, work, threading.Lock(), "filter")
            break
        except Died:
            deaths += 1
    assert deaths == DEATHS_TOGETHER + DEATHS_ALONE
    assert [(item.id, item.status, item.reason) for item in items if item.ended] == [("c", "failed", "crashed_worker")]
    assert worked == ["a", "b", "d"]
    assert {item.attempts for item in items} == {1 + deaths}
    assert folder.names(WORK) == []
