"""What benchmarks that run commands share: `hairline run` as a user types it, its end, and a port for a server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 60  # for a command that is told to end, which puts away its Ray session


def hairline_run(source: Path | str, output: Path | str, *more: str) -> list[str]:
    """`hairline run laptop.yaml` from one place to another, in this Python's environment."""
    command = [sys.executable, "-m", "hairline", "run", "laptop.yaml"]
    return [*command, "--input", str(source), "--output", str(output), *more]


def finished(command: list[str], environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. Where this process is stopped before, so is the command, with all that it started.

    Args:
        environ: variables of the environment that are set for it.
    """
    exits_when_stopped()
    given = {**os.environ, **(environ or {})}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=given, start_new_session=True)
    try:
        out, errors = process.communicate()
    finally:
        end(process)
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a command that leads a session of its own, first by asking, and whatever is left of that session."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def exits_when_stopped() -> None:
    """SIGTERM ends this process like Ctrl-C does: what it has begun is put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
