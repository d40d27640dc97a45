"""Storage that is away, or refuses what it gave, is waited for; no row says that it was the picture's fault."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from failing_s3 import Answer, FailingS3, Request
from hairline.pipeline import outage, retry
from hairline.pipeline.fetch import fetch
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.outage import Witnesses
from hairline.pipeline.storage import WORK, Folder, filesystem
from hairline.stages.errors import OutageError, PictureError
from hairline.stages.limits import Limits
from kit import fill, hairline, small_job

DENIED = Answer(403, "AccessDenied", "Access Denied")


class Wire:
    """A way to a server that can be cut: what goes through is broken off, and nobody answers."""

    def __init__(self, target: str) -> None:
        url = urlsplit(target)
        self._target = (url.hostname, url.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut = False
        self.refused = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                if self.cut:
                    self.refused += 1
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._open |= {client, server}
                for a, b in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            self._open.discard(each)

    def break_off(self) -> None:
        self.cut = True
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def wire(s3_server: str) -> Iterator[Wire]:
    made = Wire(s3_server)
    yield made
    made.close()


def upload(folder: Path, target: str, pictures: int) -> None:
    fill(folder, pictures)
    to = Folder(target)
    for path in folder.rglob("*.jpg"):
        to.write(str(path.relative_to(folder)), path.read_bytes())


def job(tmp_path: Path, bucket: str, **changes: object) -> Path:
    path = tmp_path / "job.yaml"
    pools = [{"name": "all", "stages": ["own_stages:Pace", "own_stages:Invert"], "batch": 4, "workers": 2}]
    stages = {"own_stages:Pace": {"fast_s": 0.1}}
    path.write_text(
        yaml.safe_dump(small_job(input=f"{bucket}/in", output=f"{bucket}/out", pools=pools, stages=stages, **changes))
    )
    return path


def first_rows(bucket: str, running: object) -> None:
    while not Folder(f"{bucket}/out").names("results") and not running.done():  # type: ignore[attr-defined]
        time.sleep(0.2)


@pytest.fixture
def proxy(s3_server: str, monkeypatch: pytest.MonkeyPatch, new_connections: Callable[[], None]) -> Iterator[FailingS3]:
    """A way to the S3 server that this process takes."""
    made = FailingS3(s3_server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    monkeypatch.setattr(retry, "BASE_S", 0.002)
    monkeypatch.setattr(retry, "SURE_S", 0.05)
    new_connections()
    yield made
    made.close()


@pytest.fixture
def objects(bucket: str, proxy: FailingS3) -> str:
    """s3://… of a bucket with a/0 to a/3 and b/0 to b/3."""
    for folder in "ab":
        for number in range(4):
            filesystem("s3").pipe_file(f"{bucket[5:]}/{folder}/{number}", b"x")
    return bucket


def refuse(answer: Answer, *ends: str) -> Callable[[Request], Answer | None]:
    return lambda request: answer if request.method == "GET" and request.path.endswith(ends) else None


def test_one_object_that_is_refused_is_its_own_fault(objects: str, proxy: FailingS3) -> None:
    seen = Witnesses()
    assert fetch(f"{objects}/a/0", Limits(), 1, 600.0, seen)[0] == b"x"
    proxy.rule = refuse(DENIED, "a/1")
    with pytest.raises(PictureError) as caught:
        fetch(f"{objects}/a/1", Limits(), 1, 600.0, seen)
    assert caught.value.reason == "permission"
    assert fetch(f"{objects}/a/2", Limits(), 1, 600.0, seen)[0] == b"x"


def test_while_refusals_come_and_go_no_object_is_to_blame(
    objects: str, proxy: FailingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Witnesses([f"{objects}/a/0"])
    proxy.rule = lambda request: DENIED if proxy.failed < 1 else None
    assert fetch(f"{objects}/a/1", Limits(), 1, 600.0, seen)[0] == b"x"
    proxy.rule = refuse(DENIED, "a/2")
    with pytest.raises(OutageError):
        fetch(f"{objects}/a/2", Limits(), 1, 0.5, seen)
    monkeypatch.setattr(outage, "BURST_S", 0.0)
    with pytest.raises(PictureError, match="permission"):
        fetch(f"{objects}/a/2", Limits(), 1, 600.0, seen)


def test_a_bucket_of_which_nothing_was_read_may_be_forbidden_altogether(objects: str, proxy: FailingS3) -> None:
    proxy.rule = lambda request: DENIED
    with pytest.raises(PictureError, match="permission"):
        fetch(f"{objects}/a/1", Limits(), 1, 600.0, Witnesses(["s3://another/c/0"]))


@pytest.mark.parametrize("answer", [DENIED, Answer(404, "NoSuchBucket"), Answer(400, "ExpiredToken")])
@pytest.mark.parametrize("witness", ["a/0", "b/0"])
def test_a_bucket_that_refuses_what_it_gave_is_waited_for(
    objects: str, proxy: FailingS3, answer: Answer, witness: str
) -> None:
    seen = Witnesses([f"{objects}/{witness}"])
    proxy.rule = lambda request: answer if proxy.failed < 20 else None
    with ThreadPoolExecutor(4) as threads:
        came = list(threads.map(lambda i: fetch(f"{objects}/a/{i}", Limits(), 1, 600.0, seen)[0], range(4)))
    assert came == [b"x"] * 4 and proxy.failed == 20
    proxy.rule = lambda request: answer
    with pytest.raises(OutageError, match=rf"^input {objects}/a/1: .*waited for 0\.2 s"):
        fetch(f"{objects}/a/1", Limits(), 1, 0.2, seen)


def test_a_folder_that_is_refused_while_another_is_not(objects: str, proxy: FailingS3) -> None:
    """What could be read there a moment ago says that something has changed; what never could be says nothing."""
    proxy.rule = refuse(DENIED, *(f"a/{number}" for number in range(4)))
    with pytest.raises(PictureError, match="permission"):
        fetch(f"{objects}/a/1", Limits(), 1, 0.2, Witnesses([f"{objects}/b/0"]))
    with pytest.raises(OutageError):
        fetch(f"{objects}/a/1", Limits(), 1, 0.2, Witnesses([f"{objects}/a/0", f"{objects}/b/0"]))


def test_an_output_that_refuses_what_it_took_is_waited_for(bucket: str, proxy: FailingS3) -> None:
    output = Folder(f"{bucket}/out", "r1", 60.0)
    proxy.rule = lambda request: DENIED if proxy.failed < 8 else None
    output.write("negative/a.png", b"1")
    assert output.read("negative/a.png") == b"1" and proxy.failed == 8
    output.patience_s = 0.1
    proxy.rule = lambda request: DENIED
    with pytest.raises(OutageError, match=r"out: cannot be written: Access Denied"), output.writing():
        output.write("negative/b.png", b"1")
    output.patience_s, before = 0.0, proxy.failed
    with pytest.raises(PermissionError):  # outside of runs it is told at once
        output.write("negative/b.png", b"1")
    assert proxy.failed == before + 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [20])
def test_an_outage_is_waited_for(bucket: str, wire: Wire, tmp_path: Path, seconds: float) -> None:
    upload(tmp_path / "in", f"{bucket}/in", 120)
    file = job(tmp_path, bucket)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(hairline, "run", file, AWS_ENDPOINT_URL=wire.url)
        first_rows(bucket, running)
        wire.break_off()
        time.sleep(seconds)
        wire.cut = False
        done = running.result()
    assert wire.refused > 3, "nothing was under way while it was cut"
    assert done.returncode == 0, done.stderr
    rows = Ledger(Folder(f"{bucket}/out")).read(["id", "status", "reason"]).to_pylist()
    assert len(rows) == 120 and {(row["status"], row["reason"]) for row in rows} == {("ok", "")}
    assert len(Folder(f"{bucket}/out").names("negative")) == 120


@pytest.mark.slow
def test_an_outage_that_lasts_ends_the_run_with_its_cause(bucket: str, wire: Wire, tmp_path: Path) -> None:
    upload(tmp_path / "in", f"{bucket}/in", 120)
    file = job(tmp_path, bucket, patience_s=5)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(hairline, "run", file, AWS_ENDPOINT_URL=wire.url)
        first_rows(bucket, running)
        wire.break_off()
        done = running.result()
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("hairline: aborted: ") and "s3://" in line and "run the same command again" in line
    assert "Traceback" not in done.stderr
    rows = Ledger(Folder(f"{bucket}/out")).read(["id", "status"]).to_pylist()
    assert 0 < len(rows) < 120 and {row["status"] for row in rows} == {"ok"}
    assert hairline("run", file).returncode == 0  # the rest is done when it is back
    assert len(Ledger(Folder(f"{bucket}/out")).read(["id"])) == 120


@pytest.mark.slow
def test_an_outage_before_anything_is_done_is_no_mistake_of_the_user(bucket: str, wire: Wire, tmp_path: Path) -> None:
    upload(tmp_path / "in", f"{bucket}/in", 40)
    file = job(tmp_path, bucket, patience_s=5)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(
            hairline, "run", file, "--set", "stages.own_stages:Pace.fast_s=3", AWS_ENDPOINT_URL=wire.url
        )
        while not any("/marks-" in name for name in Folder(f"{bucket}/out").names(WORK)) and not running.done():
            time.sleep(0.2)
        wire.break_off()
        done = running.result()
    assert done.returncode == 1, done.stderr
    assert "aborted: " in done.stderr and "after 0 of 40 pictures" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_burst_of_refusals_leaves_no_failed_row(bucket: str, s3_server: str, tmp_path: Path, share: float) -> None:
    """Of the inputs that are asked for in ten seconds all, or a third, are refused; one always is."""
    upload(tmp_path / "in", f"{bucket}/in", 60)
    file, draw = job(tmp_path, bucket), random.Random(0)
    proxy = FailingS3(s3_server)
    until = 0.0

    def rule(request: Request) -> Answer | None:
        nonlocal until
        if request.method != "GET" or "/in/" not in request.path:
            return None
        if len(proxy.asked) > 100 and not until:
            until = time.monotonic() + 10
        burst = time.monotonic() < until and draw.random() < share
        return DENIED if burst or request.path.endswith("p0030.jpg") else None

    proxy.rule = rule
    done = hairline("run", file, AWS_ENDPOINT_URL=proxy.url)
    assert proxy.failed > 10 and done.returncode == 3, done.stderr
    rows = Ledger(Folder(f"{bucket}/out")).read(["id", "status", "reason"]).to_pylist()
    assert len(rows) == 60
    assert [(row["id"], row["reason"]) for row in rows if row["status"] != "ok"] == [
        ("shelf 0/p0030.jpg", "permission")
    ]
    proxy.close()
