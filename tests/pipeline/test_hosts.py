"""A run on three hosts with addresses of their own, one of which is switched off.

It takes a cluster and two runs, a minute or two; all faults are those of benchmarks/hosts.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def can_make_hosts() -> bool:
    """Whether this user may make network namespaces here."""
    name = f"hairline-test-{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
    if made:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made


@pytest.mark.skipif(not can_make_hosts(), reason="network namespaces are not possible here")
def test_a_host_that_is_switched_off_loses_and_doubles_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/hosts.py"), "--quick", "--number", "9"]
    environ = {name: value for name, value in os.environ.items() if name != "HAIRLINE_S3_ENDPOINT"}
    environ["HAIRLINE_RESULTS"] = str(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, env=environ)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"faults": 1, "lost": 0, "duplicated": 0, "different_files": 0, "as_told": True}
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert "hlh9-" not in left
