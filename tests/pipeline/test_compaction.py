"""Merging: what is touched is rewritten, the rest stays; a kill at any step loses nothing."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.pipeline.compaction import compact
from hairline.pipeline.ledger import SCHEMA, Ledger, encode
from hairline.pipeline.partitions import Share, hashes, share_of
from hairline.pipeline.storage import Folder
from ledger_rows import item, write


def scattered(folder: Folder, partitions: int = 1) -> None:
    """25 pictures in old files, some of them done again in two later runs."""
    for start in range(0, 25, 5):
        write(folder, "r1", *(item(f"{i:02d}") for i in range(start, start + 5)), partitions=partitions)
    compact(Ledger(folder), "r1", partitions)
    write(folder, "r2", *(item(f"{i:02d}", "filtered") for i in (3, 4, 17)), partitions=partitions)
    write(folder, "r3", *(item(f"{i:02d}", "failed") for i in (4, 24, 30)), partitions=partitions)


def lasting(partitions: int) -> list[str]:
    return [f"results/all{Share(number, partitions).suffix or '-00000'}.parquet" for number in range(partitions)]


@pytest.mark.parametrize("partitions", [1, 4])
def test_compaction_sorts_and_drops_what_is_outdated(tmp_path: Path, partitions: int) -> None:
    folder = Folder(str(tmp_path / "out"), "r0")
    scattered(folder, partitions)
    before = Ledger(folder).read(SCHEMA.names)
    compact(Ledger(folder), "r3", partitions)
    assert folder.names("results") == lasting(partitions)
    tables = [pq.read_table(folder.uri(name)) for name in folder.names("results")]
    for name, table in zip(folder.names("results"), tables, strict=True):
        assert table.schema.equals(SCHEMA) and table.equals(table.sort_by("id")) and len(table)
        assert share_of(name).of_hashes(hashes(table["id"])).all()
    assert pa.concat_tables(tables).sort_by("id").equals(before) and len(before) == 26


def test_only_touched_partitions_are_rewritten(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"), "r0")
    scattered(folder, 8)
    compact(Ledger(folder), "r3", 8)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    write(folder, "r4", item("07", "failed"), partitions=8)
    compact(Ledger(folder), "r4", 8)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    assert before.keys() == after.keys()
    assert sum(before[path] != after[path] for path in before) == 1
    assert Ledger(folder).read(["status"], ids=pa.array(["07"])).to_pylist() == [{"status": "failed"}]


def test_an_older_ledger_is_read_and_moves_into_partitions_when_it_is_touched(tmp_path: Path) -> None:
    """Earlier versions had slices in order of id, whatever their hash."""
    folder = Folder(str(tmp_path / "out"), "r0")
    write(folder, "r1", *(item(f"{i:02d}") for i in range(30)))
    rows = Ledger(folder).read(SCHEMA.names)
    folder.delete(folder.names("results")[0])
    for number in range(3):
        folder.write(f"results/all-{number:05d}.parquet", encode(rows.slice(10 * number, 10)))
    old = folder.names("results")
    ledger = Ledger(folder)
    assert ledger.partitions == 4  # by the number of files, each of which may have 100,000 rows
    for split in (None, ledger.split(["status"], 4)):
        parts = [ledger.of_share(Share(number, 4), split).read(["id", "status"]) for number in range(4)]
        assert pa.concat_tables(parts).sort_by("id").equals(rows.select(["id", "status"]))
        assert all(0 < len(part) < 30 for part in parts)
    compact(ledger, "r2", 4)
    assert folder.names("results") == old  # nothing new
    write(folder, "r2", item("30"), partitions=4)
    compact(Ledger(folder), "r2", 4)
    assert folder.names("results") == lasting(4)
    assert Ledger(folder).read(["id"])["id"].to_pylist() == [f"{i:02d}" for i in range(31)]
    write(folder, "r3", item("05", "failed"), partitions=8)  # the catalog has grown: that partition is halved
    compact(Ledger(folder), "r3", 8)
    names = folder.names("results")
    assert sorted(share_of(name).of for name in names) == [4, 4, 4, 8, 8]
    assert len(Ledger(folder).read(["id"])) == 31


@pytest.mark.parametrize(("before", "after"), [(1, 1), (4, 4), (1, 2)])
def test_compaction_survives_a_kill_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    """Fails at the first, second, … change of the folder; what is left always reads the same, and goes on."""

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
            compact(Ledger(folder), f"r4-{steps}", after)
        except Killed:
            return False
        return True

    whole = Folder(str(tmp_path / "whole"), "r0")
    scattered(whole, before)
    wanted = Ledger(whole).read([name for name in SCHEMA.names if name != "outputs"])
    for steps in range(100):
        folder = Folder(str(tmp_path / str(steps)), "r0")
        scattered(folder, before)
        finished = attempt(tmp_path / str(steps), steps)
        assert Ledger(folder).read(wanted.column_names).equals(wanted), steps
        for again in (1, 3, 99):  # killed twice more, then left alone
            attempt(tmp_path / str(steps), again)
            assert Ledger(folder).read(wanted.column_names).equals(wanted), (steps, again)
        assert folder.names("results") == lasting(after)
        if finished:
            assert steps > 3
            return
    raise AssertionError("never finished")


def test_in_s3(bucket: str) -> None:
    folder = Folder(f"{bucket}/out", "r0")
    scattered(folder, 2)
    compact(Ledger(folder), "r3", 2)
    assert folder.names("results") == lasting(2)
    assert len(Ledger(folder).read(["id"])) == 26


def test_nothing_to_merge(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"), "r0")
    compact(Ledger(folder), "r1")
    assert folder.names("results") == []
