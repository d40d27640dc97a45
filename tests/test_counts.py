"""What a picture costs does not grow unseen: benchmarks/counts.py against the figures that were committed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "counts.py"


@pytest.fixture(scope="module")
def counts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("counts", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_figure_has_grown(counts: ModuleType) -> None:
    now = counts.count()
    assert all({"mflops", "decodes", "encodes", "bytes_between_pools"} <= figures.keys() for figures in now.values())
    assert len(now) >= 3
    hint = "if that is meant, run `python benchmarks/counts.py --write` and commit the figures"
    assert counts.grown(now, json.loads(counts.BASELINE.read_text())) == [], hint


def test_growth_would_be_found(counts: ModuleType) -> None:
    before = {"cat": {"mflops": 100.0, "decodes": 3}}
    assert counts.grown({"cat": {"mflops": 104.0, "decodes": 3}}, before) == []
    assert counts.grown({"cat": {"mflops": 106.0, "decodes": 4}}, before) == [
        "cat: mflops 100.0 -> 106.0",
        "cat: decodes 3 -> 4",
    ]
    assert counts.grown({"dog": {"decodes": 1}}, before) == ["dog: decodes 0 -> 1"]
