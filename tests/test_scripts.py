"""The scripts at the top, run with stand-ins for the tools that install and take long."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


class Tools:
    """A copy of the scripts, and a folder of tools that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.top, self.bin, self.log = folder / "tree", folder / "bin", folder / "calls"
        for name in ("Makefile", "pyproject.toml", "scripts/install", ".ci/run"):
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.top / name)
        self.bin.mkdir()
        for name in [
            "bash",
            "cat",
            "cp",
            "dirname",
            "grep",
            "mkdir",
            "mktemp",
            "realpath",
            "rm",
            "tail",
            "tee",
            "touch",
            "uname",
        ]:
            (self.bin / name).symlink_to(str(shutil.which(name)))

    def add(self, name: str, script: str = "", where: Path | None = None) -> None:
        path = (where or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {self.log}\n{script}\n')
        path.chmod(0o755)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": str(self.bin), "HOME": str(self.top), "TMPDIR": str(self.top.parent), **environment}
        return subprocess.run(command, cwd=self.top, env=environ, capture_output=True, text=True, timeout=60)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path)


VENV = 'mkdir -p .venv/bin && cp "$0" .venv/bin/python'  # `python -m venv .venv` of the stand-in


def test_install_takes_the_first_python_that_fits_and_the_extras(tools: Tools) -> None:
    tools.add("python3.12", "exit 1")  # too old, or without venv
    tools.add("python3.13", f'case "$*" in *" venv "*) {VENV};; *urllib*) exit 1;; esac')
    done = tools.run("scripts/install", "demo,onnx")
    assert done.returncode == 0, done.stderr
    made, installed = (next(call for call in tools.calls() if word in call) for word in ("-m venv", "pip install"))
    assert made == "python3.13 -m venv .venv" and installed.endswith("-e .[demo,onnx]")
    assert "extra-index-url" not in installed  # that index did not answer


def test_install_says_which_pythons_it_takes(tools: Tools) -> None:
    done = tools.run("scripts/install", "demo")
    assert (done.returncode, done.stdout) == (2, "") and "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert tools.run("scripts/install").returncode == 1  # without extras


@pytest.mark.parametrize(
    ("lint", "test", "code"), [("", "", 0), ("exit 1", "", 1), ("", "exit 1", 1)], ids=["good", "lint", "tests"]
)
def test_ci_runs_everything_and_ends_with_the_closing_line(tools: Tools, lint: str, test: str, code: int) -> None:
    for name in ("python3", "chromium", "npm"):
        tools.add(name)
    tools.add(
        "make",
        f'case "$1" in lint) {lint or ":"};; test) echo "3 passed in 1.25s"; {test};; esac',
    )
    done = tools.run(".ci/run", HAIRLINE_S3UP="/nowhere")
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[-1] == "3 passed in 1.25s"
    assert [call for call in tools.calls() if call.startswith("make")] == ["make lint", "make test"]
    assert not list(tools.top.parent.glob("tmp.*"))  # its working folder is gone


def test_ci_says_when_pytest_did_not_finish(tools: Tools) -> None:
    for name in ("python3", "chromium", "npm"):
        tools.add(name)
    tools.add("make", 'test "$1" = lint')
    done = tools.run(".ci/run", HAIRLINE_S3UP="/nowhere")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "pytest did not finish"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("test", [".venv/bin/pytest -n 2 --dist loadfile tests"]),
        ("test-fast", ['.venv/bin/pytest -n 2 --dist loadfile -m "not heavy" tests']),
        ("lint", [f".venv/bin/{tool}" for tool in ("ruff check .", "ruff format --check .", "mypy", "lint-imports")]),
        ("docs", [".venv/bin/python docs/make_site.py site"]),
    ],
)
def test_make_installs_once_and_runs_the_tools(target: str, expected: list[str], tools: Tools) -> None:
    for name in ("python3.12", "git"):
        tools.add(name)
    make = shutil.which("make")
    assert make
    done = tools.run(make, "-n", target, PATH=os.pathsep.join([str(tools.bin), "/usr/bin", "/bin"]))
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-len(expected) :] == expected, done.stdout + done.stderr
    assert any("scripts/install dev,training" in line for line in lines)
    (tools.top / ".venv").mkdir()
    (tools.top / ".venv" / "installed-dev").touch()
    done = tools.run(make, "-n", target, PATH=os.pathsep.join([str(tools.bin), "/usr/bin", "/bin"]))
    assert done.stdout.splitlines() == expected
