"""Partitions by a hash of the id: every row in one, ids unique across all, little in memory, nothing left behind."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hairline.pipeline import partitions as partitions_module
from hairline.pipeline.catalog import Catalog, read_catalog
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.partitions import MOST, Share, Spill, hashes, partitions_for, share_of, shares, spread
from hairline.pipeline.storage import Folder
from hairline.stages.errors import HairlineError
from kit import small_disk
from ledger_rows import item, write


def ids(catalog: Catalog) -> list[str]:
    """Of all partitions; each of them has only its own ids, sorted."""
    found = []
    for share in shares(catalog.partitions):
        some = catalog.read(share)["id"]
        assert share.of_hashes(hashes(some)).all() and some.to_pylist() == sorted(some.to_pylist())
        found += some.to_pylist()
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions_module, "ROWS", 4)


def test_the_hash_is_that_of_every_version() -> None:
    """Ledgers are read by later versions: another hash would lose what is done."""
    assert hashes(pa.array(["", "a", "shelf 1/ä.jpg"])).tolist() == [0, 3904355907, 1014979381]
    assert [partitions_for(n) for n in (0, 1, 100_000, 100_001, 10_000_000, 10**9)] == [1, 1, 1, 2, 128, 1024]
    assert share_of("results/all-00007-of-00128.parquet") == (7, 128) and share_of("results/all-00001.parquet") == (
        0,
        1,
    )


def test_shares_lie_apart_or_in_one_another() -> None:
    assert Share(1, 2).meets(Share(3, 4)) and Share(3, 4).meets(Share(1, 2)) and not Share(0, 2).meets(Share(3, 4))
    assert all(Share().meets(share) for share in shares(8))
    found = hashes(pa.array([f"{i}" for i in range(1000)]))
    for of in (2, 8, MOST):
        assert (np.sum([share.of_hashes(found) for share in shares(of)], axis=0) == 1).all()


@pytest.mark.parametrize("in_memory", [10, 100_000])
def test_a_spilled_table_comes_back_share_by_share(in_memory: int) -> None:
    names = [f"picture {i}" for i in range(2000)]
    spill = Spill(pa.schema([("id", pa.string()), ("n", pa.int64())]), in_memory)
    for start in range(0, 2000, 150):
        some = names[start : start + 150]
        spill.add(pa.table({"id": some, "n": range(start, start + len(some))}))
    assert spill.total == 2000
    for of in (1, 4, MOST):
        parts = [spill.read(share) for share in shares(of)]
        assert all(share.of_hashes(hashes(part["id"])).all() for share, part in zip(shares(of), parts, strict=True))
        rows = {row["id"]: row["n"] for part in parts for row in part.to_pylist()}
        assert rows == {name: n for n, name in enumerate(names)} and sum(map(len, parts)) == 2000


@pytest.mark.usefixtures("small")
def test_the_temporary_folder_goes_with_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "m.csv").write_text("id,uri\n" + "".join(f"{i},https://b/{i}\n" for i in range(50)))
    catalog = read_catalog(str(tmp_path / "m.csv"), "out")
    assert catalog.partitions == 16 and sorted(ids(catalog)) == sorted(f"{i}" for i in range(50))
    assert list((tmp_path / "scratch").iterdir())
    del catalog
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.usefixtures("small")
def test_one_id_twice_in_a_manifest(tmp_path: Path) -> None:
    rows = [f"{i},https://b/{i}" for i in range(50)]
    (tmp_path / "m.csv").write_text("\n".join(["id,uri", *rows, "17,https://b/again"]))
    with pytest.raises(HairlineError, match="row 52: the id 17 stands in row 19 already"):
        read_catalog(str(tmp_path / "m.csv"), "out")


@pytest.mark.usefixtures("small")
def test_wrong_rows_that_are_called_after_their_row_find_their_partition(tmp_path: Path) -> None:
    rows = [f"{i},https://b/{i}" for i in range(40)]
    wrong = ["7,too,many", ",no id", "row 44,is taken", ",no id", "row 45~,is taken, too"]
    (tmp_path / "m.csv").write_text("\n".join(["id,uri", *rows, *wrong, "row 45,https://b/x"]))
    catalog = read_catalog(str(tmp_path / "m.csv"), "out")
    found = {row["id"]: row["problem"].partition(":")[0] for row in catalog.table.to_pylist() if row["problem"]}
    assert found == {"row 42": "row 42", "row 43": "row 43", "row 45~": "row 45", "row 46": "row 46"}
    assert sorted(ids(catalog)) == sorted([*(f"{i}" for i in range(40)), "row 44", "row 45", *found])


@pytest.mark.usefixtures("small")
def test_names_that_look_the_same_stay_apart_across_partitions(tmp_path: Path) -> None:
    base = tmp_path / "in"
    base.mkdir()
    for n in range(30):
        Path(os.fsdecode(os.fsencode(base) + b"/%d\xff.jpg" % n)).write_bytes(b"1")
        (base / f"{n}\\xff.jpg").write_bytes(b"2")
    found = ids(read_catalog(str(base), str(tmp_path / "out")))
    assert len(found) == len(set(found)) == 60
    assert {id.partition("~")[0] for id in found} == {f"{n}\\xff.jpg" for n in range(30)}


def test_no_room_for_what_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk("40k") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        spill = Spill(pa.schema([("id", pa.string())]), 10)
        with pytest.raises(
            HairlineError, match=rf"temporary folder {disk}: cannot be written: .*; set TMPDIR to a folder"
        ):
            spill.add(pa.table({"id": [f"{i}" for i in range(1000)]}))


def test_a_kill_between_the_files_of_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Done again, the batch writes the same files: every row once."""
    folder, items = Folder(str(tmp_path / "out"), "r1"), [item(f"{i}") for i in range(20)]
    real, left = folder.write, [2]

    def until_it_dies(name: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(name, data)

    monkeypatch.setattr(folder, "write", until_it_dies)
    with pytest.raises(KeyboardInterrupt):
        write(folder, "r1", *items, partitions=4)
    monkeypatch.undo()
    assert len(folder.names("results")) == 2 and 0 < len(Ledger(folder).read(["id"])) < 20
    write(folder, "r1", *items, partitions=4)
    assert len(folder.names("results")) == 4 and len(Ledger(folder).read(["id"])) == 20


def test_work_is_spread_in_order_and_its_errors_come_through() -> None:
    assert list(spread(lambda a, b: a * b, ((n, 2) for n in range(50)))) == [2 * n for n in range(50)]

    def fails(n: int) -> int:
        if n == 3:
            raise HairlineError("three")
        return n

    with pytest.raises(HairlineError, match="three"):
        list(spread(fails, ((n,) for n in range(9))))
