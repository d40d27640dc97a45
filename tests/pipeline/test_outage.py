"""Storage that is away for a while is waited for; no row says that it was the picture's fault."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from hairline.pipeline.ledger import Ledger
from hairline.pipeline.retry import ATTEMPTS, with_retries
from hairline.pipeline.storage import Folder
from kit import fill, hairline, jpeg, small_job

pytestmark = pytest.mark.slow


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


def test_one_object_that_cannot_be_had_is_not_waited_for() -> None:
    tries = 0

    def read() -> None:
        nonlocal tries
        tries += 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        with_retries(read, 600.0, probe=lambda: jpeg(0))
    assert tries == ATTEMPTS
