"""What is to do, partition by partition."""

from collections import Counter
from pathlib import Path

import pytest

from hairline.pipeline import partitions as partitions_module
from hairline.pipeline.catalog import Catalog, read_catalog
from hairline.pipeline.compaction import compact
from hairline.pipeline.feed import Feed
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.storage import Folder
from hairline.pipeline.todo import Todo, compare
from ledger_rows import item, write


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "out"), "r0")


@pytest.fixture(params=[1, 8], ids=["one partition", "eight partitions"])
def partitions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Catalogs of sixteen pictures have as many."""
    if request.param > 1:
        monkeypatch.setattr(partitions_module, "ROWS", 2)
        monkeypatch.setattr("hairline.pipeline.ledger.ROWS_PER_FILE", 2)
    return int(request.param)


def catalog(path: Path, etags: dict[str, str]) -> Catalog:
    manifest = path / "m.csv"
    manifest.write_text(
        "id,uri,etag\n" + "".join(f"{id},https://example.org/{id},{etag}\n" for id, etag in etags.items())
    )
    return read_catalog(str(manifest), "out")


def first_stage(fingerprint: str, status: str, stage: str, reason: str) -> str | None:
    assert status in ("ok", "filtered", "failed")
    return None if fingerprint == "f" else "fine"


def ids(todo: Todo) -> list[str]:
    return sorted(id for share in todo.shares for id in todo.read(share)["id"].to_pylist())


def test_what_is_to_do(folder: Folder, tmp_path: Path, partitions: int) -> None:
    write(folder, "r1", item("same"), item("changed"), item("filtered", "filtered"), partitions=partitions)
    write(folder, "r1", item("failed", "failed"))
    write(folder, "r1", item("outdated"), item("gone"), print_of="old")
    names = ["changed", "failed", "filtered", "new", "outdated", "same", *(f"new {i}" for i in range(10))]
    listed = catalog(tmp_path, {id: "e2" if id == "changed" else "e1" for id in names})
    assert listed.partitions == partitions

    def plan(*retry: str) -> Todo:
        return compare(listed, Ledger(folder), first_stage, retry)

    new = ["new", *(f"new {i}" for i in range(10))]
    todo = plan()
    assert ids(todo) == sorted(["changed", "outdated", *new])
    assert len(todo) == 13 and todo.partitions == partitions and todo.gone == 1
    assert todo.why._asdict() == {"new": 11, "changed": 1, "outdated": 1, "asked": 0}
    assert todo.settled == {("ok", ""): 1, ("failed", "too_dark"): 1, ("filtered", "too_dark"): 1}
    rows = [row for share in todo.shares for row in todo.read(share).to_pylist()]
    assert {row["id"] for row in rows if row["first"]} == {"outdated"} and todo.starts == {"fine": 1}
    assert {row["first"] for row in rows} == {"", "fine"} and todo.fingerprints == ["f", "old"]
    assert ids(plan("failed")) == sorted(["changed", "failed", "outdated", *new])
    assert ids(plan("failed", "filtered", "ok")) == sorted(names)
    assert ids(plan("too_dark")) == sorted(["changed", "failed", "filtered", "outdated", *new])
    assert ids(plan("fetch")) == ids(plan())
    assert plan("failed", "filtered", "ok").why.asked == 3
    torn = compare(listed, Ledger(folder), first_stage, torn={"same": "r2", "filtered": "r0", "nobody": "r2"})
    assert ids(torn) == sorted(["changed", "outdated", "same", *new]) and torn.gone == 1


def test_an_empty_folder_knows_nothing(folder: Folder, tmp_path: Path) -> None:
    todo = compare(catalog(tmp_path, {"a": "e"}), Ledger(folder), first_stage)
    assert len(todo) == 1 and todo.why.new == 1 and todo.settled == {} and todo.gone == 0


def test_a_small_catalog_and_a_large_ledger(folder: Folder, tmp_path: Path) -> None:
    write(folder, "r1", *(item(f"{i}") for i in range(40)), partitions=8)
    compact(Ledger(folder), "r1", 8)
    todo = compare(catalog(tmp_path, {"3": "e1", "4": "e2", "x": ""}), Ledger(folder), first_stage)
    assert (todo.partitions, ids(todo), todo.gone) == (8, ["4", "x"], 38)


def test_an_older_ledger_and_a_large_catalog(folder: Folder, tmp_path: Path, partitions: int) -> None:
    write(folder, "r1", *(item(f"{i}") for i in range(40)))
    compact(Ledger(folder), "r1")
    todo = compare(catalog(tmp_path, {f"{i}": "e1" for i in range(30, 46)}), Ledger(folder), first_stage)
    assert (todo.partitions, ids(todo), todo.gone) == (partitions, ["40", "41", "42", "43", "44", "45"], 30)


def test_batches_have_every_picture_once_and_what_was_made_of_it(
    folder: Folder, tmp_path: Path, partitions: int
) -> None:
    write(folder, "r1", *(item(f"{i}", etag="old") for i in range(4)), partitions=partitions)
    todo = compare(catalog(tmp_path, {f"{i}": "e1" for i in range(16)}), Ledger(folder), first_stage)
    feed = Feed(todo, 3, 1, folder)
    batches = list(feed)
    assert sorted(task.source.id for batch in batches for task in batch) == sorted(f"{i}" for i in range(16))
    assert all(0 < len(batch) <= 3 for batch in batches)
    old = {task.source.id: dict(task.old) for batch in batches for task in batch if task.old}
    assert old == {f"{i}": {f"cutout/{i}.png": None} for i in range(4)}
    assert list(feed) == batches
    by_share = [batch for share in todo.shares for batch in feed.of_share(share)]
    assert by_share == batches


def test_towards_the_end_batches_are_smaller(folder: Folder, tmp_path: Path) -> None:
    todo = compare(catalog(tmp_path, {f"{i:03d}": "" for i in range(100)}), Ledger(folder), first_stage)
    sizes = [len(batch) for batch in Feed(todo, 16, 2, folder)]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == 100
    assert Counter(sizes).most_common()[0][0] == 4 and sizes[0] == 13
