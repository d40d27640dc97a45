from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hairline.pipeline.ledger import SCHEMA, Ledger
from hairline.pipeline.partitions import Share
from hairline.pipeline.storage import Folder
from ledger_rows import item, write


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
        "category_score", "boxes", "route", "confidence", "verdicts", "outputs", "digests", "kept", "seconds",
        "attempts", "fingerprint", "run_id",
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


def test_a_batch_of_several_partitions_is_written_as_several_files(folder: Folder) -> None:
    items = [item(f"{i:02d}") for i in range(20)]
    for _ in range(2):
        write(folder, "r1", *items, partitions=4)
    names = folder.names("results")
    assert len(names) == 4 and len({name.split("-")[2] for name in names}) == 1
    ledger = Ledger(folder)
    assert ledger.partitions == 4 and len(ledger.read(["id"])) == 20
    parts = [ledger.of_share(Share(number, 4)) for number in range(4)]
    assert [part.files for part in parts] == [[name] for name in names]
    found = sorted(id for part in parts for id in part.read(["id"])["id"].to_pylist())
    assert found == [each.id for each in items]
    halves = [ledger.of_share(Share(number, 2)) for number in range(2)]
    assert [part.files for part in halves] == [names[:2], names[2:]]
    eighths = [ledger.of_share(Share(number, 8)).read(["id"]) for number in range(8)]
    assert sum(map(len, eighths)) == 20


def test_few_rows_are_found_by_their_partition_and_row_group(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hairline.pipeline.ledger.GROUP", 5)
    write(folder, "r1", *(item(f"{i:03d}") for i in range(200)), partitions=4)
    ids = pa.array(["150", "007", "nothing"])
    assert Ledger(folder).read(["id"], ids=ids)["id"].to_pylist() == ["007", "150"]
    read: list[int] = []
    whole = pa.parquet.ParquetFile.read_row_groups

    def counted(self: pa.parquet.ParquetFile, groups: list[int], columns: list[str]) -> pa.Table:
        read.append(len(groups))
        return whole(self, groups, columns)

    monkeypatch.setattr(pa.parquet.ParquetFile, "read_row_groups", counted)
    assert len(Ledger(folder).read(["id"], ids=ids)) == 2
    assert len(read) <= 3 and sum(read) <= 3
