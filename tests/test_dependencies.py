"""What is imported is declared: nothing comes along by luck, as a dependency of a dependency."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DISTRIBUTIONS = packages_distributions()
# folder -> extras that its code may count on: what they bring is imported where it is used, or beside a clear message
FOLDERS: dict[str, list[str]] = {
    "autoclassify": ["autoclassify"],
    "hairline": [],
    "cluster": [],
    "configs": [],
    "evaluation": [],
    "pipeline": ["demo", "delta", "iceberg"],
    "serve": [],
    "stages": ["models", "heic", "formats", "poster"],
    "training": ["training"],
    "examples": ["dev"],
    "benchmarks": ["dev", "training", "peers"],
    "docs": ["dev", "training"],
    "tests": ["dev", "training"],
}
ELSEWHERE = ("autogluon_side.py",)  # runs in an environment without Hairline
SIDES = ("benchmarks", "docs", "tests")  # folders whose modules are imported by their own names
OURS = {"hairline", *(path.stem for side in SIDES for path in (ROOT / side).iterdir())}


def plain(name: str) -> str:
    """The name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extras: list[str]) -> set[str]:
    """Distributions that an installation with these extras asks for by name."""
    found: set[str] = set()
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        name, inner = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()  # type: ignore[union-attr]
        found |= declared(inner.split(",")) if name == PROJECT["name"] else {plain(name)}
    return found


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level modules that a file imports anywhere, with the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0], node.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_declared(folder: str) -> None:
    known = declared(FOLDERS[folder])
    files = [
        path for path in (ROOT / folder).rglob("*.py") if not path.parent.is_symlink() and path.name not in ELSEWHERE
    ]
    seen, missing = set(), {}
    for path in files:
        for name, line in imports(path):
            if name in sys.stdlib_module_names or name in OURS:
                continue
            seen.add(name)
            if known.isdisjoint(map(plain, DISTRIBUTIONS.get(name, [name]))):
                missing[name] = f"{path.relative_to(ROOT)}:{line}"
    assert files and seen, folder
    assert missing == {}, f"imported and not declared in pyproject.toml: {missing}"


def test_an_undeclared_import_would_be_found() -> None:
    assert "torch" in declared([]) and "moto" not in declared([]) and "moto" in declared(["dev"])
    assert {"pillow-heif", "onnxruntime", "scikit-image"} <= declared(["dev"])  # by the extras that it names
    assert "dateutil" in DISTRIBUTIONS and "python-dateutil" not in declared(["dev", "training"])
