"""An output on this machine, and one in S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from worked_output import WorkedOutput


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> WorkedOutput:
    root = str(tmp_path / "out") if request.param == "local" else f"{request.getfixturevalue('bucket')}/out"
    return WorkedOutput(root, str(tmp_path / "in"))
