"""OpenVINO tells nobody that it was imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")
SCRIPT = """
import socket, sys
socket.getaddrinfo = lambda *asked, **_: print(asked)
from hairline.stages.networks.openvino_api import op, ov
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


def test_no_address_is_asked_and_nothing_is_written(tmp_path: Path) -> None:
    quiet = {name: value for name, value in os.environ.items() if name not in ("CI", "HOME")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**quiet, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "[]\n", done.stderr
    assert not list(tmp_path.iterdir())
