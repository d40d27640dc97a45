"""Of several runs into one output one holds the lease, wherever they are. Without Ray."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from hairline.pipeline import lease
from hairline.pipeline.lease import NAME, Holder, check, held
from hairline.pipeline.presence import Process, me
from hairline.pipeline.storage import WORK, Folder
from hairline.stages.errors import HairlineError
from worked_output import WorkedOutput

ELSEWHERE = Holder("r0", Process("another machine", "pid:[1]", 7, "1"), "node-7", "2026-11-01 10:00:00 UTC")
HOLDS = """
import sys, time
from rich.console import Console
from hairline.pipeline.lease import held
from hairline.pipeline.storage import Folder
with held(Folder({root!r}, "r0"), 0, Console()):
    print("held", flush=True)
    time.sleep(600)
"""


def hold(folder: Folder, wait_s: float = 0.0):  # type: ignore[no-untyped-def]
    return held(folder, wait_s, Console(file=io.StringIO(), width=300))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_of_many_one_gets_it(output: WorkedOutput) -> None:
    together, over = threading.Barrier(6), threading.Barrier(6)
    refused: list[str] = []

    def run(number: int) -> str:
        together.wait()
        try:
            with hold(output.folder(f"r{number}")):
                over.wait(120)
                return f"r{number}"
        except HairlineError as error:
            refused.append(str(error))
            over.wait(120)
            return ""

    with ThreadPoolExecutor(6) as threads:
        (winner,) = filter(None, threads.map(run, range(6)))
    assert len(refused) == 5
    who = f"another run is writing there: {winner} on {socket.gethostname()} (process {os.getpid()}), since "
    assert all(who in line or "another run is writing there; wait" in line for line in refused)
    assert output.folder().names(WORK) == []
    with hold(output.folder("r9")) as waited:  # it has been given back
        assert not waited
        check(output.folder("r9"))


def test_a_run_that_was_killed_is_followed_at_once(output: WorkedOutput) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDS.format(root=output.root)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    with pytest.raises(HairlineError, match=rf"r0 on .* \(process {child.pid}\)"), hold(output.folder("r1")):
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    with hold(output.folder("r2")):
        with pytest.raises(HairlineError, match=r"run r2 on .* took it over"):
            check(output.folder("r0"))
        check(output.folder("r2"))


def test_a_run_elsewhere_is_followed_when_its_lease_has_expired(
    output: WorkedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = output.folder("r1")
    folder.write(NAME, ELSEWHERE.encode())
    with pytest.raises(HairlineError, match=r"r0 on node-7 \(process 7\), since .*, last sign of life \d+ s ago; stop"):
        hold(folder).__enter__()
    assert folder.names(WORK) == [NAME] and folder.read(NAME) == ELSEWHERE.encode()
    monkeypatch.setattr(lease, "EXPIRES_S", 1.0)
    with hold(folder, 120.0) as waited:
        assert waited
        check(folder)
    assert folder.names(WORK) == []


def test_a_damaged_lease_expires_as_well(output: WorkedOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    output.folder().write(NAME, b"{")
    with pytest.raises(HairlineError, match="of an unknown id"):
        hold(output.folder("r1")).__enter__()
    monkeypatch.setattr(lease, "EXPIRES_S", -1.0)
    with hold(output.folder("r1")):
        check(output.folder("r1"))


def test_a_lock_counts_more_than_a_sign_in_another_container(tmp_path: Path) -> None:
    """On one machine, whose lock is ours, a holder that cannot be asked for is over; on another it is not."""
    folder = Folder(str(tmp_path), "r1")
    here = ELSEWHERE._replace(process=me()._replace(space="another", pid=1))
    folder.write(NAME, here.encode())
    with hold(folder):
        check(folder)


def test_a_worker_whose_run_was_followed_writes_nothing_more(output: WorkedOutput) -> None:
    with hold(output.folder("r1")):
        worker, batch = output.worked("r1", "a b")
        worker.spec = dataclasses.replace(worker.spec, leased=True)
        assert worker.finish(batch).counts == {("ok", ""): 2}
        before = output.folder().names("")
        worker, batch = output.worked("r1", "c")
        worker.spec = dataclasses.replace(worker.spec, leased=True)
        output.folder().write(NAME, ELSEWHERE.encode())
        with pytest.raises(HairlineError, match="run r0 on node-7 took it over"):
            worker.finish(batch)
        assert output.folder().names("") == before
        output.folder().delete(NAME)
        with pytest.raises(HairlineError, match="has ended or lost its lease"):
            worker.finish(batch)
        assert output.folder().names("") == [name for name in before if name != NAME]


def test_it_is_renewed_until_it_is_another_s(output: WorkedOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.02)
    folder = output.folder("r1")
    with hold(folder):
        until(lambda: Holder.decode(folder.read(NAME)).renewals > 2)
        check(folder)
        folder.delete(NAME)  # by hand: it comes again
        until(lambda: folder.has(NAME))
        until(lambda: Holder.decode(folder.read(NAME)).renewals > 4)
        thread = next(each for each in threading.enumerate() if each.name == "lease")
        while Holder.decode(folder.read(NAME)).run_id == "r1":  # a renewal may come in between
            folder.write(NAME, ELSEWHERE.encode())
        until(lambda: not thread.is_alive())
    assert folder.read(NAME) == ELSEWHERE.encode()  # it is not ours to give back


def test_a_run_that_may_wait_does(output: WorkedOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "ASK_S", 0.02)
    text = io.StringIO()

    def second() -> bool:
        with held(output.folder("r2"), 120.0, Console(file=text, width=300)) as waited:
            check(output.folder("r2"))
            return waited

    with ThreadPoolExecutor(1) as thread:
        with hold(output.folder("r1")):
            running = thread.submit(second)
            until(lambda: "waiting: " in text.getvalue() or running.done())
        assert running.result()
    assert text.getvalue().count("waiting: ") == 1 and "another run is writing there: r1" in text.getvalue()
