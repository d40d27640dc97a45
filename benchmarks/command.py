"""What benchmarks that run commands share: `hairline run` as a user types it, and a port for a server."""

from __future__ import annotations

import socket
import sys
from pathlib import Path


def hairline_run(source: Path | str, output: Path | str, *more: str) -> list[str]:
    """`hairline run laptop.yaml` from one place to another, in this Python's environment."""
    command = [sys.executable, "-m", "hairline", "run", "laptop.yaml"]
    return [*command, "--input", str(source), "--output", str(output), *more]


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
