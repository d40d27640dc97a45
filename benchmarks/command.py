"""What the benchmarks of `hairline run` share: the command, as a user types it."""

from __future__ import annotations

import sys
from pathlib import Path


def hairline_run(source: Path | str, output: Path | str, *more: str) -> list[str]:
    """`hairline run laptop.yaml` from one place to another, in this Python's environment."""
    command = [sys.executable, "-m", "hairline", "run", "laptop.yaml"]
    return [*command, "--input", str(source), "--output", str(output), *more]
