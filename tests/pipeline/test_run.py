"""Whole runs on a local Ray, with small stages."""

import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from hairline.cluster.nodes import this_machine
from hairline.cluster.session import Cluster
from hairline.configs.job import load_job
from hairline.pipeline import partitions, pools
from hairline.pipeline.catalog import read_catalog
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.run import run_job
from hairline.pipeline.storage import Folder
from hairline.pipeline.todo import compare
from hairline.stages.errors import HairlineError
from kit import fill, jpeg

SAME = ("uri", "etag", "status", "reason", "stage", "detail", "width", "height", "quality", "confidence", "fingerprint")


@pytest.fixture(scope="module")
def _ray(s3_server: str) -> Iterator[None]:  # the server first: workers get their environment when Ray starts
    with Cluster(this_machine()).session():
        yield


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder with the hash of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(output: Path | str, *columns: str) -> dict[str, dict[str, Any]]:
    table = Ledger(Folder(str(output))).read(["id", *columns])
    return {row["id"]: row for row in table.to_pylist(maps_as_pydicts="strict")}


def run(job: Path, *changes: str, retry: tuple[str, ...] = ()) -> tuple[int, dict[str, Any], str]:
    """Runs a job here; returns the exit code, the run's summary and what was printed."""
    text = io.StringIO()
    loaded = load_job(str(job), changes)
    code = run_job(loaded, retry, Console(file=text, width=100))
    output = Folder(loaded.output)
    return code, json.loads(output.read(output.names("runs")[-1])), text.getvalue()


@pytest.mark.usefixtures("_ray")
def test_a_run_and_its_reruns(job_file: Callable[..., Path], catalog: Path, tmp_path: Path) -> None:
    (catalog / "text.jpg").write_text("hello")
    (catalog / "gone.jpg").symlink_to("/nowhere")
    (catalog / ".hidden").touch()
    Path(os.fsdecode(os.fsencode(catalog) + b"/odd\xff.jpg")).write_bytes(jpeg(5))
    before, job, out = files(catalog), job_file(), tmp_path / "out"

    code, summary, text = run(job)
    assert code == 3
    assert [run(job, f"allow_failed={most}")[0] for most in ("2", "1", "9%", "8.5%")] == [0, 3, 0, 3]  # 2 of 23
    assert summary["counts"] == {
        "ok": {"": 18}, "filtered": {"too_dark": 3}, "failed": {"not_a_picture": 1, "not_found": 1},
    }  # fmt: skip
    assert (summary["done"], summary["pictures"], summary["to_do"]["new"]) == (23, 23, 23)
    assert summary["left_out"] == {"hidden": 1}
    assert summary["throughput"][-1][1] == 23 and len(summary["throughput"]) == 6  # batches of 4
    assert set(summary["stage_seconds"]) == {"fetch", "judge", "invert", "write"}
    assert "23 pictures, 23 to do" in text and "not_a_picture" in text
    found = rows(out, "status", "outputs", "attempts")
    assert len(found) == 23 and found["odd\\xff.jpg"]["status"] == "ok"
    made = {path for row in found.values() for path in row["outputs"].values()}
    assert made == {str(path) for path in (out / "negative").rglob("*") if path.is_file()}
    assert files(catalog) == before
    assert sorted(path.name for path in out.iterdir()) == ["negative", "report", "results", "runs", "settings"]
    first = files(out / "negative")

    code, summary, text = run(job)
    assert (code, summary["done"]) == (3, 0) and "0 to do" in text
    assert summary["counts"]["ok"] == {"": 18}

    fill(catalog, 2, start=100)  # two new, two changed, one of them to what is filtered
    (catalog / "shelf 0" / "p0000.jpg").write_bytes(jpeg(77))
    (catalog / "shelf 1" / "p0001.jpg").write_bytes(jpeg(78, dark=True))
    code, summary, _ = run(job)
    assert summary["to_do"] == {"new": 2, "changed": 2, "outdated": 0, "asked": 0}
    assert summary["done"] == 4 and summary["pictures"] == 25
    second = files(out / "negative")
    assert "shelf 1/p0001.jpg.png" in first and "shelf 1/p0001.jpg.png" not in second
    assert {name for name in second if second[name] != first.get(name)} >= {"shelf 0/p0000.jpg.png"}

    (catalog / "text.jpg").unlink()
    code, summary, _ = run(job, retry=("failed",))
    assert (summary["done"], summary["gone"]) == (1, 1)

    code, summary, _ = run(job, "stages.own_stages:Invert.ext=bmp", "pools.0.batch=7")
    assert summary["done"] == 18 == summary["to_do"]["outdated"]  # those that were filtered before stay
    assert {Path(name).suffix for name in files(out / "negative")} == {".bmp"}


@pytest.mark.usefixtures("_ray")
def test_from_and_to_s3(job_file: Callable[..., Path], catalog: Path, tmp_path: Path, bucket: str) -> None:
    (catalog / "text.jpg").write_text("hello")
    inside = Folder(f"{bucket}/in")
    for name in files(catalog):
        inside.write(name, (catalog / name).read_bytes())
    code, summary, _ = run(job_file(), f"input={bucket}/in", f"output={bucket}/out")
    assert code == 3 and summary["done"] == 21
    assert run(job_file(), f"input={bucket}/in", f"output={bucket}/out")[1]["done"] == 0
    run(job_file())
    output = Folder(f"{bucket}/out")
    made = {name: hashlib.sha256(output.read(name)).hexdigest() for name in output.names("negative")}
    assert made == {f"negative/{name}": digest for name, digest in files(tmp_path / "out" / "negative").items()}
    columns = [name for name in SAME if name not in ("uri", "etag")]
    assert rows(f"{bucket}/out", *columns) == rows(tmp_path / "out", *columns)
    assert {name.split("/")[0] for name in output.names("")} == {"negative", "report", "results", "runs", "settings"}


@pytest.mark.usefixtures("_ray")
def test_a_catalog_in_partitions(
    job_file: Callable[..., Path], catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same products and rows as of one partition; batches are made while the run lasts."""
    job, out, whole = job_file(), tmp_path / "out", tmp_path / "whole"
    run(job, f"output={whole}")
    monkeypatch.setattr(partitions, "ROWS", 4)
    monkeypatch.setattr("hairline.pipeline.ledger.ROWS_PER_FILE", 4)
    monkeypatch.setattr(pools, "MOST_AT_ONCE", 1)
    code, summary, text = run(job)
    assert (code, summary["done"], summary["pictures"]) == (0, 20, 20) and "20 pictures, 20 to do" in text
    assert summary["throughput"][-1][1] == 20 and len(summary["throughput"]) >= 8
    assert files(out / "negative") == files(whole / "negative") and rows(out, *SAME) == rows(whole, *SAME)
    names = [path.name for path in (out / "results").iterdir()]
    assert 5 < len(names) <= 8 and all(name.startswith("all-") and name.endswith("-of-00008.parquet") for name in names)

    before = {path: path.stat().st_mtime_ns for path in (out / "results").iterdir()}
    changed = catalog / "shelf 0" / "p0000.jpg"
    changed.write_bytes(jpeg(77))
    first = files(out / "negative")
    assert run(job)[1]["to_do"] == {"new": 0, "changed": 1, "outdated": 0, "asked": 0}
    assert sum(path.stat().st_mtime_ns != before[path] for path in before) == 1  # one partition is rewritten
    assert {name for name, digest in files(out / "negative").items() if digest != first[name]} == {
        "shelf 0/p0000.jpg.png"
    }
    # an older layout moves; what earlier runs made is known in each partition
    assert run(job, f"output={whole}", "stages.own_stages:Invert.ext=bmp")[1]["done"] == 17
    assert {Path(name).suffix for name in files(whole / "negative")} == {".bmp"}
    assert len(list((whole / "results").iterdir())) == len(names)

    # on a cluster Ray's tasks compare and merge
    parts = [
        compare(read_catalog(str(catalog), str(out)), Ledger(Folder(str(out))), lambda *row: "fine", remote=each)
        for each in (True, False)
    ]
    assert parts[0].why == parts[1].why == (0, 0, 20, 0) and parts[0].starts == parts[1].starts == {"fine": 20}

    def fails(number: int) -> int:
        raise HairlineError(f"no {number}")

    with pytest.raises(HairlineError, match=r"^no 1$"):
        list(partitions.spread(fails, [(1,), (2,)], remote=True))


@pytest.mark.usefixtures("_ray")
def test_workers_that_die(job_file: Callable[..., Path], catalog: Path, tmp_path: Path) -> None:
    """One is killed from outside, and one picture kills each that touches it; compared with one quiet pool."""
    pools = [
        {"name": "judge", "stages": ["own_stages:Judge"], "cpus": 0.5, "workers": 2, "batch": 3},
        {"name": "make", "stages": ["own_stages:Invert"], "cpus": 0.5, "workers": [1, 2], "batch": 5},
    ]
    run(job_file(), "pools.0.batch=16", f"output={tmp_path / 'one'}")
    (catalog / "killer.jpg").write_bytes(jpeg(1) + b"crash!")
    job = job_file(pools=pools, stages={"own_stages:Judge": {"pause_s": 0.1}})
    killed: list[int] = []

    def kill_one() -> None:
        partial = tmp_path / "out" / ".partial"
        while not list(partial.glob("*/marks*/*")):  # a batch is in the stages
            time.sleep(0.05)
        workers = [p for p in psutil.Process().children(recursive=True) if "MapWorker" in p.name()]
        killed.append(workers[0].pid)
        workers[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    code, summary, _ = run(job)
    killer.join()
    assert killed and code == 3 and summary["done"] == 21
    assert summary["counts"]["failed"] == {"crashed_worker": 1}
    columns = [name for name in SAME if name != "fingerprint"]
    found = rows(tmp_path / "out", *columns)
    assert found.pop("killer.jpg")["reason"] == "crashed_worker"
    assert found == rows(tmp_path / "one", *columns)
    assert files(tmp_path / "out" / "negative") == files(tmp_path / "one" / "negative")


@pytest.mark.usefixtures("_ray")
@pytest.mark.parametrize(
    ("mistake", "message"), [("true", "^weights do not fit$"), ("false", "cannot go on: .*out of luck")]
)
def test_a_worker_that_cannot_start(job_file: Callable[..., Path], mistake: str, message: str) -> None:
    job = job_file(pools=[{"name": "all", "stages": ["own_stages:Broken"]}])
    with pytest.raises(HairlineError, match=message):
        run(job, f"stages.own_stages:Broken.mistake={mistake}")


def start(job: Path, *arguments: str) -> subprocess.Popen[str]:
    code = "import sys; from hairline.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", str(job), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_and_interrupted_and_run_again(job_file: Callable[..., Path], tmp_path: Path) -> None:
    out, slow = tmp_path / "out", {"own_stages:Judge": {"pause_s": 0.3}}
    pool = {"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "batch": 2}
    job = job_file(stages=slow, pools=[pool])

    def parts() -> int:
        return len(list((out / "results").glob("*.parquet"))) if (out / "results").exists() else 0

    for how in (signal.SIGKILL, signal.SIGTERM):
        # one process after the other's batch, so that none of the two runs is through before it is stopped
        before, process = parts(), start(job, "--set", "pools.0.workers=1")
        while process.poll() is None and parts() == before:
            time.sleep(0.02)
        children = [p for p in psutil.Process(process.pid).children(recursive=True) if "MapWorker" in p.name()]
        process.send_signal(how)
        _, error = process.communicate(timeout=60)
        if how == signal.SIGTERM:
            assert process.returncode == 1
            assert "interrupted" in error and "same command again" in error and "Traceback" not in error
        _, alive = psutil.wait_procs(children, timeout=30)
        assert children and not alive  # nobody goes on writing
        assert 0 < parts() < 10
    theirs = out / "negative" / "shelf 0" / "p9999.jpg.png"
    theirs.write_bytes(b"no run made this")
    code, summary, text = run(job)
    assert code == 0 and 0 < summary["done"] < 20
    assert theirs.read_bytes() == b"no run made this"
    assert f"1 file in {out} was not made by runs into it and stays as it is" in text
    theirs.unlink()
    code, summary, _ = run(job, f"output={tmp_path / 'whole'}")
    assert len(summary["peak_mib"]["workers"]) == min(this_machine().cpus, 5)  # all of them worked
    assert files(out / "negative") == files(tmp_path / "whole" / "negative")
    assert sorted(path.name for path in out.iterdir()) == ["negative", "report", "results", "runs", "settings"]
    assert [path.name for path in (out / "results").iterdir()] == ["all-00000.parquet"]
    assert rows(out, *SAME) == rows(tmp_path / "whole", *SAME)


def test_two_runs_into_one_output(job_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    other = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(HairlineError, match="another run is writing there"):
        run(job_file())
    os.close(other)
