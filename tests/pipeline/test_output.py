"""Whole runs into outputs that hold other things, that others write into, or that cannot be written. Those that are
killed, or that run at the same time, have a process of their own."""

import contextlib
import io
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hairline.cli import main
from hairline.cluster.nodes import this_machine
from hairline.cluster.session import Cluster
from hairline.pipeline import lease
from hairline.pipeline.cut import cut
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.storage import WORK, Folder
from kit import hairline, jpeg, small_disk

SMALL = ["pools.0.stages=['own_stages:Judge','own_stages:Invert']"]
COMMAND = "import sys; from hairline.cli import main; sys.exit(main())"
POOL = {"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "batch": 2, "workers": 1}


@pytest.fixture(scope="module", autouse=True)
def _ray(s3_server: str) -> Iterator[None]:  # the server first: workers get their environment when Ray starts
    with Cluster(this_machine()).session():
        yield


def run(*arguments: object) -> tuple[int, str, str]:
    """`hairline run` in this process and its Ray: the exit code, and what went to standard output and error."""
    said, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(error):
        code = main(["run", *map(str, arguments)])
    return code, said.getvalue(), error.getvalue()


def start(*arguments: object) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cut_into(source: Path, output: str) -> str:
    text = io.StringIO()
    assert cut([str(source)], output, ["negative"], SMALL, Console(file=text, width=200)) == 0, text.getvalue()
    return text.getvalue()


def made(folder: Folder) -> dict[str, bytes]:
    return {name: folder.read(name) for name in folder.names("negative")}


def rows(folder: Folder) -> list[dict[str, object]]:
    return Ledger(folder).read(["id", "status", "reason"]).to_pylist()


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "out") if request.param == "local" else f"{request.getfixturevalue('bucket')}/out"


def test_a_cut_then_a_killed_run_then_a_run(
    job_file: Callable[..., Path], catalog: Path, tmp_path: Path, output: str
) -> None:
    """What the cut made, and a file of the user's, stay; the pictures are all there once, with the same bytes."""
    job = job_file(pools=[POOL], stages={"own_stages:Judge": {"pause_s": 0.3}})
    folder, plain = Folder(output), Folder(str(tmp_path / "plain"))
    (tmp_path / "other.jpg").write_bytes(jpeg(99))
    cut_into(tmp_path / "other.jpg", output)
    folder.write("negative/retouched.png", b"by hand")
    before = made(folder)
    assert set(before) == {"negative/other.jpg.png", "negative/retouched.png"}

    killed = start("run", job, "--output", output)
    deadline = time.monotonic() + 200
    while not folder.names("results") and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    assert 0 < len(rows(folder)) < 20
    code, said, error = run(job, "--output", output)
    assert code == 0, error
    assert f"2 files in {folder.root} were not made by runs into it and stay as they are" in said
    assert run(job, "--output", plain.root)[0] == 0
    assert made(folder) == made(plain) | before
    assert rows(folder) == rows(plain) and len(rows(folder)) == 20
    # a rerun with other products takes its own away, and nothing else
    code, _, error = run(job, "--output", output, "--set", "stages.own_stages:Invert.ext=bmp")
    assert code == 0, error
    assert {name for name in made(folder) if name.endswith(".png")} == set(before)
    assert {name: made(folder)[name] for name in before} == before


@pytest.mark.slow
def test_two_runs_and_a_cut_at_once_in_s3(
    job_file: Callable[..., Path], catalog: Path, tmp_path: Path, bucket: str
) -> None:
    """One works, one waits for it, one is refused; and nobody touches what the cut is making."""
    job = job_file(pools=[POOL], stages={"own_stages:Judge": {"pause_s": 0.5}})
    folder, plain = Folder(f"{bucket}/out"), Folder(str(tmp_path / "plain"))
    first = start("run", job, "--output", folder.root)
    deadline = time.monotonic() + 200
    while not folder.has(lease.NAME) and time.monotonic() < deadline:
        time.sleep(0.05)
    holder = lease.Holder.decode(folder.read(lease.NAME))
    waiting = start("run", job, "--output", folder.root, "--set", "lease_wait_s=250")
    code, said, error = run(job, "--output", folder.root)
    assert (code, said) == (2, "")
    assert f"another run is writing there: {holder.run_id} on {socket.gethostname()} (process {first.pid})" in error
    while not folder.names("results") and time.monotonic() < deadline:
        time.sleep(0.05)
    (tmp_path / "other.jpg").write_bytes(jpeg(99))
    cut_into(tmp_path / "other.jpg", folder.root)
    for each, done in ((first, "20 pictures done"), (waiting, "0 pictures done")):
        said, error = each.communicate(timeout=250)
        assert (each.returncode, error) == (0, "") and done in said, said + error
    assert f"waiting: output {folder.root}: another run is writing there: {holder.run_id}" in said
    assert run(job, "--output", plain.root)[0] == 0
    others = {"negative/other.jpg.png"}
    assert {name: data for name, data in made(folder).items() if name not in others} == made(plain)
    assert others < set(made(folder))
    assert rows(folder) == rows(plain)
    assert folder.names(WORK) == [] and folder.names("results") == ["results/all-00000.parquet"]


@pytest.mark.parametrize(("size", "code"), [pytest.param("40k", 2, marks=pytest.mark.slow), ("1m", 1)])
def test_a_full_disk(job_file: Callable[..., Path], catalog: Path, size: str, code: int) -> None:
    """Before the first batch, and in the middle: one line; with more space the same command does the rest."""
    for number in range(20, 40):
        (catalog / f"large {number}.jpg").write_bytes(jpeg(number, 300, 200))
    with small_disk(size) as disk:
        job = job_file(pools=[POOL])
        done = hairline("run", job, "--output", disk / "out")
        why = f"output {disk}/out: cannot be written: No space left on device"
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith(f"hairline: aborted: {why} after " if code == 1 else f"hairline: {why}\n")
        assert done.stderr.count("\n") == 1
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        ended, _, error = run(job, "--output", disk / "out")
        assert ended == 0, error
        assert len(rows(Folder(f"{disk}/out"))) == 40
        assert len(made(Folder(f"{disk}/out"))) == sum(row["status"] == "ok" for row in rows(Folder(f"{disk}/out")))
        assert not (disk / "out" / WORK).exists()


def test_a_read_only_output(job_file: Callable[..., Path]) -> None:
    with small_disk("1m") as disk:
        (disk / "out").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        expected = f"hairline: output {disk}/out: cannot be written: Read-only file system\n"
        assert run(job_file(), "--output", disk / "out") == (2, "", expected)
