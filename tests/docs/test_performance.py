"""The measured tables of docs/performance.md are those of benchmarks/results; what benchmarks record can be drawn."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    return module(ROOT / "docs" / "make_performance.py")


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    record = module(ROOT / "benchmarks" / "record.py")
    monkeypatch.setenv("HAIRLINE_RESULTS", str(tmp_path))
    monkeypatch.setattr(
        sys, "argv", ["/somewhere/benchmarks/offline.py", "--pictures", "8", "--model", "/home/me/a.onnx"]
    )
    rates = record.spread([2.0, 4.0, 3.0])
    ratio = record.ratios([2.0, 4.0], [1.0, 1.0])
    figures = {"pictures": 1000, "pictures_per_s": rates, "bare_pictures_per_s": rates, "ratio_to_bare": ratio}
    assert record.record({**figures, "cold_s": 7.5, "peak_mib": 2048}) == 0
    return json.loads((tmp_path / "offline.json").read_text())


def test_the_page_shows_the_committed_results(pages: ModuleType) -> None:
    found = {path.stem: json.loads(path.read_text()) for path in pages.RESULTS.glob("*.json")}
    text = pages.PAGE.read_text("utf-8")
    assert pages.page(text, found) == text, "run python docs/make_performance.py"
    assert {match["name"] for match in pages.BLOCK.finditer(text)} == set(pages.TABLES)
    for name in pages.PLOTS:
        drawn = (pages.IMAGES / f"performance-{name}.svg").is_file()
        assert drawn == bool(pages.results(name, found)), f"{name}: run python docs/make_performance.py"


def test_a_record_says_where_and_how_it_was_measured(recorded: Any) -> None:
    assert recorded["command"] == "python benchmarks/offline.py --pictures 8 --model a.onnx"
    assert recorded["figures"]["pictures_per_s"] == {"median": 3.0, "least": 2.0, "most": 4.0, "runs": 3}
    assert recorded["figures"]["ratio_to_bare"]["median"] == 3.0
    assert recorded["machine"]["cores"] >= 1 and recorded["machine"]["memory_gib"] > 0
    assert recorded["versions"]["torch"] and recorded["commit"] is not None


def test_a_block_is_made_anew_and_the_rest_stays(pages: ModuleType, recorded: Any) -> None:
    text = (
        "Before.\n\n<!-- measured: offline -->\nOld.\n<!-- end -->\n\n<!-- measured: start -->\nKept.\n<!-- end -->\n"
    )
    made = pages.page(text, {"offline": recorded})
    assert "Old." not in made and "| `hairline run` | 3.00 (2.00–4.00) |" in made
    assert made.startswith("Before.\n\n<!-- measured: offline -->\n") and made.endswith("Kept.\n<!-- end -->\n")
    assert pages.page(made, {"offline": recorded}) == made


def test_plots_are_drawn_the_same_each_time(pages: ModuleType, tmp_path: Path) -> None:
    steps = {"decode": 5.0, "fine: network": 40.0}
    of = [{"figures": {"engine": engine, "steps_ms": steps}} for engine in ("torch", "openvino")]
    for name in ("a.svg", "b.svg"):
        pages.draw_limit(of, tmp_path / name)
    assert "core-milliseconds" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
