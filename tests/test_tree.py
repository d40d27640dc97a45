"""Rules of the whole tree: what imports what, how long a module gets, what weights come along."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "autoclassify",
    "stages",
    "pipeline",
    "serve",
    "review",
    "training",
    "evaluation",
    "configs",
    "benchmarks",
    "cluster",
    "docs",
    "tests",
)
MODULES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
WEIGHTS = ROOT / "stages" / "weights"

IMPORT_ALL = """
import importlib, pkgutil, sys, hairline.stages as top
names = [m.name for m in pkgutil.walk_packages(top.__path__, "hairline.stages.")]
for name in names:
    importlib.import_module(name)
assert len(names) > 10, names
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "ray")
assert not loaded, f"hairline.stages imports ray: {loaded[:5]}"
"""


def test_stages_never_import_ray() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_modules_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert not {name: length for name, length in lengths.items() if length > 350}
    product = [length for name, length in lengths.items() if length and not name.startswith(("tests", "benchmarks"))]
    assert median(product) < 150


def test_weights_are_small_and_described() -> None:
    files = sorted(WEIGHTS.glob("*.safetensors"))
    assert sum(path.stat().st_size for path in files) < 23 << 20
    index = json.loads((WEIGHTS / "index.json").read_text())
    for path in files:
        assert path.name in index, f"{path.name} has no hash in index.json"
        card = path.with_suffix(".md")
        assert card.is_file() and len(card.read_text("utf-8")) > 400, f"{path.name} has no model card"
    assert files and set(index) == {path.name for path in files}


def test_every_folder_with_modules_is_packaged() -> None:
    from setuptools import find_packages

    how = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]["find"]
    packages = set(find_packages(str(ROOT), include=how["include"]))
    for folder in ("autoclassify", "stages", "pipeline", "review", "training", "evaluation", "configs"):
        for path in (ROOT / folder).rglob("*.py"):
            name = "hairline." + ".".join(path.parent.relative_to(ROOT).parts)
            assert name in packages, f"{path} is in no package: an __init__.py is missing"
