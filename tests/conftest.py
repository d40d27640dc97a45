"""What all tests share: their fixtures, helpers that processes of ours find too, and which tests run when."""

import os
from pathlib import Path

import pytest
import ray  # noqa: F401  (before any test: some of its settings are read once, and a session of ours has its own)

HERE = str(Path(__file__).parent)
os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])])  # Ray's workers
pytest_plugins = ["fixtures"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked slow install from package indexes; they run with `-m slow`, or with HAIRLINE_SLOW=1."""
    if os.environ.get("HAIRLINE_SLOW") == "1" or "slow" in config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with -m slow, or with HAIRLINE_SLOW=1"))
