"""What lies in an output and was not made there by a run stays; what was left half-made goes. Without Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hairline.pipeline import presence
from hairline.pipeline.atomic import md5
from hairline.pipeline.compaction import compact
from hairline.pipeline.decisions import Decision, Decisions
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.made import Batch, Entry, clear_dead, leave, torn
from hairline.pipeline.presence import Process, encode, lives, me, others, present
from hairline.pipeline.storage import UNFINISHED, WORK, Folder
from hairline.pipeline.strangers import strangers
from hairline.stages.errors import HairlineError
from worked_output import WorkedOutput


def test_what_a_run_made_is_replaced_and_deleted(output: WorkedOutput) -> None:
    assert output.run("r1", "a b") == {"a": "ok", "b": "ok"}
    first = output.files()
    assert output.old() == {id: {f"negative/{id}.png": md5(first[f"negative/{id}.png"])} for id in "ab"}
    assert output.run("r2", "a", "webp", output.old()) == {"a": "ok"}
    assert set(output.files()) == {"negative/a.webp", "negative/b.png"}
    (output.catalog / "b").unlink()
    assert output.run("r3", "a b", "webp", output.old()) == {"a": "ok", "b": "ok"}
    assert set(output.files()) == {"negative/a.webp", "negative/b.webp"}


def test_somebody_elses_file_stays(output: WorkedOutput) -> None:
    output.folder().write("negative/a.png", b"mine")
    assert output.run("r1", "a b") == {"a": "occupied", "b": "ok"}
    assert output.details["a"].startswith("negative/a.png is there and was not made by a run into this output")
    assert output.files()["negative/a.png"] == b"mine"
    assert output.run("r2", "a", old=output.old()) == {"a": "occupied"}  # also when it is tried again
    output.folder().delete("negative/a.png")
    assert output.run("r3", "a", old=output.old()) == {"a": "ok"}


def test_what_was_retouched_in_place_stays(output: WorkedOutput) -> None:
    output.run("r1", "a b d", old={})
    old = output.old()
    output.folder().write("negative/a.png", b"retouched")
    output.folder().write("negative/b.png", b"retouched, too")
    assert output.run("r2", "a", "png", old) == {"a": "occupied"}
    assert output.run("r2", "b", "webp", old) == {"b": "ok"}  # its old product would only be deleted
    assert output.files()["negative/a.png"] == b"retouched" and output.files()["negative/b.png"] == b"retouched, too"
    assert strangers(output.folder(), Ledger(output.folder()), ["negative"]) == 2


def test_the_same_bytes_lie_there_already(output: WorkedOutput) -> None:
    """They are left, and stay somebody else's: a later run does not replace them, either."""
    output.run("r1", "a")
    output.folder().delete(Ledger(output.folder()).files[0])
    before = output.files()
    assert output.run("r2", "a") == {"a": "ok"}
    assert output.files() == before and output.old() == {"a": {"negative/a.png": ""}}
    assert strangers(output.folder(), Ledger(output.folder()), ["negative"]) == 1
    assert output.run("r3", "a", "webp", output.old()) == {"a": "ok"}
    assert set(output.files()) == {*before, "negative/a.webp"}


def test_rows_of_an_earlier_version_have_no_digests(output: WorkedOutput) -> None:
    output.folder().write("negative/a.png", b"made by an earlier version")
    assert output.run("r1", "a", old={"a": {"negative/a.png": None}}) == {"a": "ok"}
    assert output.files()["negative/a.png"].startswith(b"\x89PNG")


def test_folders_and_links_in_the_way(tmp_path: Path) -> None:
    output = WorkedOutput(str(tmp_path / "out"), str(tmp_path / "in"))
    (tmp_path / "out/negative/a.png").mkdir(parents=True)
    (tmp_path / "out/negative/b.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "out/negative/c").write_bytes(b"a file, not a folder")
    assert output.run("r1", "a b c/x e") == {"a": "occupied", "b": "occupied", "c/x": "occupied", "e": "ok"}
    assert (tmp_path / "out/negative/a.png").is_dir() and not (tmp_path / "nothing").exists()
    assert (tmp_path / "out/negative/c").read_bytes() == b"a file, not a folder"


def test_a_batch_done_again_knows_its_own(output: WorkedOutput) -> None:
    """As Ray does it after a worker's death: before and after the rows were written."""
    worker, batch = output.worked("r1", "a b")
    with pytest.raises(KeyboardInterrupt), worker.written(batch):
        raise KeyboardInterrupt
    assert output.run("r1", "a b") == {"a": "ok", "b": "ok"}
    assert output.run("r1", "a b") == {"a": "ok", "b": "ok"}
    assert all(digest for old in output.old().values() for digest in old.values())


def test_a_kill_leaves_what_the_next_run_takes_or_sweeps(output: WorkedOutput) -> None:
    output.killed("a b c")
    assert torn(output.folder()) == dict.fromkeys("abc", "r1")
    assert set(output.files()) > {"negative/a.png", "negative/b.png", "negative/c.png"}
    output.folder().write("negative/mine.png", b"mine")
    output.folder().write("negative/c.png", b"retouched after the kill")
    folder = output.folder("r2")
    with present(folder):
        assert clear_dead(folder, cuts_only=True) == []  # at a run's beginning the lists stay: it needs them
        assert output.run("r2", "a") == {"a": "ok"}
        assert clear_dead(folder, also="r2") == []
    leave(folder)
    files = output.files()
    assert set(files) == {"negative/a.png", "negative/c.png", "negative/mine.png"}
    assert output.old()["a"] == {"negative/a.png": md5(files["negative/a.png"])}
    assert files["negative/c.png"] == b"retouched after the kill"


def test_a_kill_while_products_were_replaced(output: WorkedOutput) -> None:
    """The old row does not hold any more: its pictures are done again, whatever the settings are then."""
    output.run("r0", "a b")
    before, old = output.files(), output.old()
    output.killed("a b", ext="webp", old=old)
    assert "negative/a.png" not in output.files()
    assert set(torn(output.folder())) == {"a", "b"}
    folder = output.folder("r2")
    with present(folder):
        assert output.run("r2", "a b", "png", old) == {"a": "ok", "b": "ok"}
        clear_dead(folder, also="r2")
    leave(folder)
    assert output.files() == before and torn(folder) == {}


def test_who_lives_is_left_alone(output: WorkedOutput) -> None:
    alive = output.folder("r1")
    with present(alive):
        worker, batch = output.worked("r1", "a")
        with worker.written(batch):
            before = output.files()
            folder = output.folder("r2")
            with present(folder):
                (other,) = clear_dead(folder, also="r2")
            assert (other.run_id, other.dead) == ("r1", False) and other.age < 60
            leave(folder)
            assert output.files() == before


def test_a_process_elsewhere_counts_as_dead_after_an_hour(
    output: WorkedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Process("another machine", "pid:[1]", 7, "1")
    monkeypatch.setattr("hairline.pipeline.made.me", lambda: elsewhere)
    output.folder("r1").mark_unfinished(encode(elsewhere))
    worker, batch = output.worked("r1", "a")
    folder = output.folder("r2")
    with present(folder):
        with pytest.raises(KeyboardInterrupt), worker.written(batch):
            assert [other.run_id for other in clear_dead(folder)] == ["r1"]
            assert "negative/a.png" in output.files()
            raise KeyboardInterrupt
        assert others(folder, alone=True)[0].dead  # a lock on the output would say so
        own = Batch(worker.output, ["a"])
        own.begin([Entry("a", "negative/a.png", "0")])
        own.check()
        monkeypatch.setattr(presence, "DEAD_S", -1.0)
        assert clear_dead(folder) == []
        with pytest.raises(HairlineError, match="took this one for dead"):  # should it live after all
            own.check()
    leave(folder)
    assert output.files() == {}


def test_processes() -> None:
    assert lives(me()) is True
    child = subprocess.Popen(
        [sys.executable, "-c", "import hairline.pipeline.presence as p; print(*p.me())"], stdout=-1
    )
    text = child.stdout.readline().decode().split()  # type: ignore[union-attr]
    child.wait()
    died = Process(text[0], text[1], int(text[2]), text[3])
    assert died.pid == child.pid and lives(died) is False
    assert lives(me()._replace(started="1")) is False  # its number has been given to another
    assert lives(me()._replace(boot="another")) is None
    assert lives(Process()) is None


def test_files_that_are_no_results(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    output = WorkedOutput(str(tmp_path / "out"), str(tmp_path / "in"))
    output.run("r1", "a")
    mine = tmp_path / "out/results/my own.parquet"
    pq.write_table(pa.table({"x": [1]}), mine)
    compact(Ledger(output.folder()), "r1")
    assert output.folder().names("results") == ["results/all-00000.parquet", "results/my own.parquet"]
    assert pq.read_table(mine).to_pylist() == [{"x": 1}]
    pq.write_table(pa.table({"x": [1]}), tmp_path / "out/results/all-00001.parquet")
    with pytest.raises(HairlineError, match=r"all-00001\.parquet: not a results file"):
        Ledger(output.folder()).read(["id"])


def test_results_without_digests_are_read(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    output = WorkedOutput(str(tmp_path / "out"), str(tmp_path / "in"))
    output.run("r1", "a")
    (path,) = (tmp_path / "out/results").iterdir()
    pq.write_table(pq.read_table(path).drop_columns(["digests"]), path)
    assert output.old() == {"a": {"negative/a.png": None}}
    compact(Ledger(output.folder()), "r2")
    assert output.old() == {"a": {"negative/a.png": None}}


def test_creating_and_swapping(output: WorkedOutput) -> None:
    folder = output.folder("r1")
    assert folder.create("a/b.png", b"1") and not folder.create("a/b.png", b"2")
    assert folder.read("a/b.png") == b"1" and folder.look("nothing") is None
    found = folder.look("a/b.png", {md5(b"1")})
    assert found and found.digest == md5(b"1")
    assert folder.look("a/b.png", {"another"}) == found
    assert folder.swap("a/b.png", b"2", found) and folder.read("a/b.png") == b"2"
    assert not folder.swap("a/b.png", b"3", found) and folder.read("a/b.png") == b"2"
    assert folder.names(WORK) == []


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    folder = Folder(str(tmp_path), "r1")
    assert folder.create("a", b"1") and not folder.create("a", b"2")
    assert (tmp_path / "a").read_bytes() == b"1" and folder.names(WORK) == []


def test_an_etag_that_is_no_md5(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys of its own (SSE-KMS) S3 gives other ETags: the bytes are compared."""
    from hairline.pipeline import storage

    output = WorkedOutput(f"{bucket}/out", "")
    output.folder().write("a", b"1")
    monkeypatch.setattr(storage, "s3_etag", lambda files, path: "0" * 32 + "-1")
    found = output.folder().look("a", {md5(b"1")})
    assert found and (found.digest, found.etag) == (md5(b"1"), "0" * 32 + "-1")


def test_signs_of_life_go_with_the_run(output: WorkedOutput) -> None:
    folder = output.folder("r1")
    with present(folder):
        assert folder.names(WORK) == [f"{WORK}/r1/{UNFINISHED}"]
        assert Process(*json.loads(folder.read(f"{WORK}/r1/{UNFINISHED}"))) == me()
    leave(folder)
    assert folder.names("") == []


def test_what_a_person_corrected_stays_and_its_picture_is_ok(output: WorkedOutput) -> None:
    output.run("r1", "a b", old={})
    old, folder = output.old(), output.folder("cut-review")
    folder.write("negative/a.png", b"corrected")
    folder.write(f"review/mattes/{'0' * 32}-{'1' * 32}.png", b"")
    made = Decision("a", 1, "corrected", "anna", "", products={"negative/a.png": md5(b"corrected")})
    Decisions(folder).add(made)
    (output.catalog / "a").unlink()  # another picture by that name, and so another product
    assert output.run("r2", "a", "png", old) == {"a": "ok"}
    assert output.run("r3", "a", "png", output.old()) == {"a": "ok"}
    assert output.files()["negative/a.png"] == b"corrected"
    assert strangers(output.folder(), Ledger(output.folder()), ["negative"]) == 0
    folder.write("negative/a.png", b"retouched after that")
    assert output.run("r4", "a", "png", output.old()) == {"a": "occupied"}
