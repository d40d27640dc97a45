"""What README.md and the pages show runs as it stands: their curl and Python lines, against a real service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from serve_kit import Server, photo

TOP = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"  # in the text; the tests' service is elsewhere
FENCE = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def calls(name: str) -> list[tuple[str, str]]:
    """(language, text) of every block that calls the service; of a shell block, its lines for curl."""
    found = []
    for language, text in FENCE.findall((TOP / name).read_text("utf-8")):
        if language == "sh":
            text = "\n".join(line for line in text.splitlines() if not line.startswith(("hairline ", "make ")))
        if ADDRESS in text:
            found.append((language, text))
    return found


BLOCKS = [pytest.param(*block, id=f"{name}-{n}") for name in ("README.md", "docs/index.md", "docs/service.md")
          for n, block in enumerate(calls(name))]  # fmt: skip


def test_there_are_such_blocks() -> None:
    languages = [block.values[0] for block in BLOCKS]
    assert languages.count("sh") >= 4 and languages.count("python") >= 2


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_a_block_runs_as_it_stands(language: str, text: str, service: Server, tmp_path: Path) -> None:
    for name in ("cat.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo("chelsea", 320, 240))
    text = text.replace(ADDRESS, service.url)
    if language == "sh":  # an answer that is an error makes curl fail, and with it the block
        command = ["bash", "-euo", "pipefail", "-c", f'curl() {{ command curl --fail "$@"; }}\n{text}']
    else:
        command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    named = set(re.findall(r"(?:-o |open\()\"?([a-z-]+\.(?:png|webp|jpg))", text))
    for name in named:
        with Image.open(tmp_path / name) as image:
            image.load()
