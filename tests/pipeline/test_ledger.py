import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.pipeline import ledger as ledger_module
from hairline.pipeline.ledger import SCHEMA, Ledger, row, what_to_do, write_part
from hairline.pipeline.storage import Folder
from hairline.stages.item import Box, Item


def item(id: str, status: str = "ok", etag: str = "e1") -> Item:
    done = Item(id, f"/in/{id}", etag=etag, width=640, height=480, category="animal", confidence=0.5, attempts=1)
    done.status = status  # type: ignore[assignment]
    done.reason = "" if status == "ok" else "too_dark"
    done.boxes = [Box(1, 2, 3, 4, "subject", 0.9)]
    done.quality, done.seconds = {"grey": 0.25}, {"filter": 0.5}
    return done


def write(folder: Folder, run: str, *items: Item, print_of: str = "f") -> None:
    outputs = {
        each.id: {"cutout": folder.uri(f"cutout/{each.id}.png")} if each.status == "ok" else {} for each in items
    }
    write_part(folder, [row(each, outputs[each.id], print_of, run) for each in items])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "out"), "r0")


def rows(folder: Folder, *columns: str) -> list[dict[str, object]]:
    return Ledger(folder).read(columns).to_pylist()


def test_a_row_keeps_everything(folder: Folder) -> None:
    write(folder, "r1", item("a/b.jpg"))
    (found,) = Ledger(folder).read(SCHEMA.names).to_pylist(maps_as_pydicts="strict")
    assert found["boxes"] == [
        {"x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0, "label": "subject", "score": pytest.approx(0.9)}
    ]
    assert found["quality"] == {"grey": 0.25} and found["seconds"] == {"filter": 0.5}
    assert found["outputs"] == {"cutout": folder.uri("cutout/a/b.jpg.png")}
    assert (found["status"], found["width"], found["run_id"], found["fingerprint"]) == ("ok", 640, "r1", "f")
    assert set(found) == {
        "id", "uri", "etag", "status", "reason", "stage", "detail", "width", "height", "quality", "category",
        "category_score", "boxes", "route", "confidence", "outputs", "digests", "kept", "seconds", "attempts",
        "fingerprint", "run_id",
    }  # fmt: skip
    assert folder.names("results")[0].startswith("results/part-r1-")


def test_an_undecodable_name_in_a_message(folder: Folder) -> None:
    broken = item("a", "failed")
    broken.detail = "No such file: 'x\udcff.jpg'"
    write(folder, "r1", broken)
    assert rows(folder, "detail") == [{"detail": "No such file: 'x\\udcff.jpg'"}]


def test_a_repeated_batch_overwrites_itself(folder: Folder) -> None:
    for _ in range(2):
        write(folder, "r1", item("a"), item("b"))
    assert len(folder.names("results")) == 1


def test_the_newest_run_counts(folder: Folder) -> None:
    write(folder, "r2", item("a", "filtered"))
    write(folder, "r1", item("a"), item("b"))
    write(folder, "r3", item("b", "failed"))
    assert rows(folder, "id", "status") == [{"id": "a", "status": "filtered"}, {"id": "b", "status": "failed"}]
    assert Ledger(folder).read(["status"], ids=pa.array(["b", "x"])).to_pylist() == [{"status": "failed"}]


def scattered(folder: Folder) -> None:
    """25 pictures in old files, some of them done again in two later runs."""
    for start in range(0, 25, 5):
        write(folder, "r1", *(item(f"{i:02d}") for i in range(start, start + 5)))
    Ledger(folder).compact("r1")
    write(folder, "r2", *(item(f"{i:02d}", "filtered") for i in (3, 4, 17)))
    write(folder, "r3", *(item(f"{i:02d}", "failed") for i in (4, 24, 30)))


def test_compaction_sorts_and_drops_what_is_outdated(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "ROWS_PER_FILE", 7)
    scattered(folder)
    before = Ledger(folder).read(SCHEMA.names)
    Ledger(folder).compact("r3")
    assert folder.names("results") == [f"results/all-0000{i}.parquet" for i in range(4)]
    tables = [pq.read_table(folder.uri(name)) for name in folder.names("results")]
    assert [len(table) for table in tables] == [7, 7, 7, 5]
    assert pa.concat_tables(tables).equals(before)
    assert all(table.schema.equals(SCHEMA) for table in tables)


def test_compaction_survives_a_kill_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails at the first, second, … change of the folder; what is left always reads the same, and goes on."""
    monkeypatch.setattr(ledger_module, "ROWS_PER_FILE", 7)

    class Killed(Exception):
        pass

    @dataclasses.dataclass
    class Mortal:
        left: int

        def strike(self) -> None:
            if self.left == 0:
                raise Killed
            self.left -= 1

    def attempt(root: Path, steps: int) -> bool:
        folder, mortal = Folder(str(root), "x"), Mortal(steps)
        for name in ("write", "delete", "rename"):
            action = getattr(folder, name)

            def step(*arguments: object, action=action) -> None:  # type: ignore[no-untyped-def]
                mortal.strike()
                action(*arguments)

            monkeypatch.setattr(folder, name, step)
        try:
            Ledger(folder).compact(f"r4-{steps}")
        except Killed:
            return False
        return True

    whole = Folder(str(tmp_path / "whole"))
    scattered(whole)
    wanted = Ledger(whole).read([name for name in SCHEMA.names if name != "outputs"])
    for steps in range(100):
        folder = Folder(str(tmp_path / str(steps)))
        scattered(folder)
        finished = attempt(tmp_path / str(steps), steps)
        assert Ledger(folder).read(wanted.column_names).equals(wanted), steps
        for again in (1, 3, 99):  # killed twice more, then left alone
            attempt(tmp_path / str(steps), again)
            assert Ledger(folder).read(wanted.column_names).equals(wanted), (steps, again)
        assert folder.names("results") == [f"results/all-0000{i}.parquet" for i in range(4)]
        if finished:
            assert steps > 10
            return
    raise AssertionError("never finished")


def first_stage(fingerprint: str, status: str, stage: str, reason: str) -> str | None:
    assert status in ("ok", "filtered", "failed")
    return None if fingerprint == "f" else "fine"


def test_what_is_to_do(folder: Folder) -> None:
    write(folder, "r1", item("same"), item("changed"), item("filtered", "filtered"), item("failed", "failed"))
    write(folder, "r1", item("outdated"), item("gone"), print_of="old")
    ids = ["changed", "failed", "filtered", "new", "outdated", "same"]
    catalog = pa.table({"id": ids, "etag": ["e2" if id == "changed" else "e1" for id in ids]})

    def plan(*retry: str) -> tuple[list[str], dict[str, int], list[str]]:
        todo, why, done = what_to_do(catalog, Ledger(folder), first_stage, retry)
        starts = dict(zip(todo["id"].to_pylist(), todo["first"].to_pylist(), strict=True))
        assert starts == dict.fromkeys(starts, "") | {"outdated": "fine"}
        return todo["id"].to_pylist(), why._asdict(), done["id"].to_pylist()

    todo, why, done = plan()
    assert todo == ["changed", "new", "outdated"]
    assert why == {"new": 1, "changed": 1, "outdated": 1, "asked": 0}
    assert done == ["failed", "filtered", "same"]
    assert plan("failed")[0] == ["changed", "failed", "new", "outdated"]
    assert plan("failed", "filtered", "ok")[0] == ids
    assert plan("too_dark")[0] == ["changed", "failed", "filtered", "new", "outdated"]
    assert plan("fetch")[0] == plan()[0]
    assert plan("failed", "filtered", "ok")[1]["asked"] == 3


def test_an_empty_folder_knows_nothing(folder: Folder) -> None:
    todo, why, done = what_to_do(pa.table({"id": ["a"], "etag": [""]}), Ledger(folder), first_stage)
    assert len(todo) == 1 and why.new == 1 and len(done) == 0
    Ledger(folder).compact("r1")
    assert folder.names("results") == []


def test_in_s3(bucket: str) -> None:
    folder = Folder(f"{bucket}/out", "r0")
    scattered(folder)
    Ledger(folder).compact("r3")
    assert folder.names("results") == ["results/all-00000.parquet"]
    assert len(rows(folder, "id")) == 26
