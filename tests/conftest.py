"""What all tests share: their fixtures, helpers that processes of ours find too, and which tests run when."""

import os
from pathlib import Path

import pytest
import ray  # noqa: F401  (before any test: some of its settings are read once, and a session of ours has its own)
from hypothesis import HealthCheck, settings

# A busy machine is slow at times; that is no fault of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

HERE = str(Path(__file__).parent)
os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])])  # Ray's workers
os.environ.setdefault("HAIRLINE_ENGINE", "torch")  # the engine that is always there; test_compiled.py tries the other
pytest_plugins = ["shared_fixtures"]


HEAVY_FIXTURES = {"service", "browser", "s3_server"}  # a service, Chromium, an S3 server
HEAVY_FILES = {  # whole runs, services of their own, clusters, the site, training, commands by the dozen
    "api/test_cli.py",
    "autoclassify/test_cli.py",
    "api/test_cutter.py",
    "api/test_ray.py",
    "cluster/test_session.py",
    "docs/test_coming_from_rembg.py",
    "docs/test_site.py",
    "examples/test_examples.py",
    "pipeline/test_cut.py",
    "pipeline/test_demo.py",
    "pipeline/test_elastic.py",
    "pipeline/test_outage.py",
    "pipeline/test_output.py",
    "pipeline/test_run.py",
    "serve/page/test_page_keys.py",
    "serve/test_access.py",
    "serve/test_scale.py",
    "serve/test_starting.py",
    "serve/test_update.py",
    "training/test_ablations.py",
    "training/test_adapt.py",
    "training/test_loop.py",
}


def is_heavy(item: pytest.Item) -> bool:
    """Whether a test needs a Ray session, a service, a browser or an S3 server: `make test-fast` goes without it."""
    fixtures = set(getattr(item, "fixturenames", ()))
    parameters = getattr(item, "callspec", None)
    in_s3 = parameters is not None and any(isinstance(one, str) and one == "s3" for one in parameters.params.values())
    return in_s3 or not fixtures.isdisjoint(HEAVY_FIXTURES) or str(item.path.relative_to(HERE)) in HEAVY_FILES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what is heavy. What is slow runs with `-m slow`, HAIRLINE_SLOW=1, or HAIRLINE_SLOW=<names of files>.

    Of processes that share the tests out, one gets all that need the service, for a second one would cost the others
    half a core; of the rest each gets whole files.
    """
    for item in items:
        shared = "service" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("service" if shared else item.path.relative_to(HERE).as_posix()))
        if item.get_closest_marker("slow") or is_heavy(item):
            item.add_marker(pytest.mark.heavy)
    chosen = os.environ.get("HAIRLINE_SLOW", "").split(",")
    if "1" in chosen or "slow" in config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("slow") and item.path.stem not in chosen:
            item.add_marker(pytest.mark.skip(reason="slow: runs with -m slow, or with HAIRLINE_SLOW=1"))
