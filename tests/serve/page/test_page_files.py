"""What the page is made of: small files of its own, nothing inline, nothing from elsewhere, words for every reason."""

import re
from pathlib import Path
from typing import get_args

import pytest

from hairline.stages.filter import Reason
from hairline.stages.reasons import MEANINGS

PAGE = Path(__file__).parents[3] / "serve" / "page"
FILES = sorted(path for path in PAGE.iterdir() if path.is_file())
SAMPLES = sorted((PAGE / "samples").iterdir())
# reasons that a picture sent to the service never ends for
ELSEWHERE = {
    "not_found",
    "manifest_row",
    "not_a_file",
    "permission",
    "fetch",
    "invalid_url",
    "refused_url",
    "write",
    "occupied",
    "unknown_category",
    "background",  # what a request says wrongly is answered with 400
    "correction",
}
OURS = {"internal_error", "crashed_worker"}  # told as our mistake


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_small_and_name_no_other_place(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 250 and len(text) < 16_000
    elsewhere = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"']*", text)
    assert [url for url in elsewhere if url != "http://www.w3.org/2000/svg"] == []
    if path.suffix == ".js":
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_nothing_is_inline() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|style=|\son[a-z]+=|javascript:", html)
    assert re.findall(r"<script([^>]*)>(.*?)</script>", html) == [(' type="module" src="/page/app.js"', "")]
    named = set(re.findall(r'(?:src|href)="/page/([^"]+)"', html))
    scripts = {name for path in PAGE.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', path.read_text("utf-8"))}
    samples = {f"samples/{path.name}" for path in SAMPLES}
    assert named | scripts | {"index.html"} == {path.name for path in FILES} | samples
    assert set(re.findall(r'data-sample="/page/([^"]+)"', html)) == samples


def test_every_reason_has_words() -> None:
    known = set(re.findall(r"^  ([a-z_]+): \[", (PAGE / "words.js").read_text("utf-8"), re.MULTILINE))
    assert set(get_args(Reason)) <= known
    assert known == set(MEANINGS) - ELSEWHERE - OURS


def test_samples_are_small() -> None:
    assert len(SAMPLES) >= 3 and sum(path.stat().st_size for path in SAMPLES) < 300_000
