"""What all tests share: helpers that processes of ours find too, and which tests run only when they are asked for."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import ray  # noqa: F401  (before any test: some of its settings are read once, and a session of ours has its own)
import yaml
from hypothesis import HealthCheck, settings

# A busy machine is slow at times; that is no fault of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])])  # Ray's workers


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    from kit import fill

    folder = tmp_path / "in"
    fill(folder, 20)
    return folder


@pytest.fixture
def job_file(tmp_path: Path, catalog: Path) -> Callable[..., Path]:
    """Writes a job file over `catalog` into `out`; keyword arguments replace its keys."""

    def write(**changes: object) -> Path:
        from kit import small_job

        job = small_job(input=str(catalog), output=str(tmp_path / "out"), **changes)
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(job, sort_keys=False))
        return path

    return write


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked slow install from package indexes; they run with `-m slow`, or with HAIRLINE_SLOW=1."""
    if os.environ.get("HAIRLINE_SLOW") == "1" or "slow" in config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with -m slow, or with HAIRLINE_SLOW=1"))
