"""The tests lie where what they test lies, and every one of them checks something."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent
PRODUCT = ("autoclassify", "cluster", "configs", "evaluation", "pipeline", "review", "serve", "stages", "training")
OTHERS = {"api": "hairline", "docs": "docs", "examples": "examples"}  # a folder of tests -> what it tests
CHECKS = ("raises", "warns", "expect", "fail", "check", "read_or_refuse")  # calls that fail a test
FILES = sorted(HERE.rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_file_of_tests_lies_where_what_it_tests_does(path: Path) -> None:
    folder = path.parent.relative_to(HERE)
    if folder == Path():
        return  # rules of the whole tree
    top = folder.parts[0]
    assert top in PRODUCT or top in OTHERS, f"tests/{folder} mirrors no folder"
    assert (ROOT / OTHERS.get(top, top)).joinpath(*folder.parts[1:]).is_dir(), f"tests/{folder}: there is no {folder}"


def test_every_folder_of_the_product_has_tests() -> None:
    for name in PRODUCT:
        assert list((HERE / name).rglob("test_*.py")), f"{name}/ has no tests"


def test_helpers_lie_in_tests_itself() -> None:
    strays = {path for path in HERE.rglob("*.py") if not path.name.startswith("test_") and path.name != "conftest.py"}
    assert {path.parent for path in strays} == {HERE}


def test_helpers_are_imported_by_their_names() -> None:
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                name = (node.module or "").split(".")[0]
                assert name != "tests" and not name.startswith("test_"), f"{path}:{node.lineno}: {node.module}"


def can_fail(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CHECKS:
                return True
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_every_test_can_fail(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert can_fail(node), f"{path}:{node.lineno}: {node.name} checks nothing"
