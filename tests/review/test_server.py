"""The command: what it refuses, what it says at the end."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from hairline.pipeline.storage import Folder
from hairline.review.desk import Desk
from hairline.review.index import Filter
from hairline.review.server import Asked, review, summary
from hairline.stages.errors import HairlineError
from review_kit import output


def told(asked: Asked, as_json: bool = False) -> str:
    console = Console(file=io.StringIO(), width=200)
    assert summary(asked, as_json, console) == 0
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_summary(tmp_path: Path) -> None:
    root = output(tmp_path).folder.root
    assert "nothing decided yet" in told(Asked(root))
    desk = Desk(Folder(root, "cut-test"), sample=6)
    for number, verdict in enumerate(("accepted", "accepted", "accepted", "rejected", "skipped")):
        desk.decide(f"p0{number}.jpg", 0, verdict, "anna", "edge" if verdict == "rejected" else "", "k", "t")  # type: ignore[arg-type]
    said = told(Asked(root, sample=6))
    assert "3 accepted, 1 rejected, 1 skipped" in said and "edge 1" in said
    assert "3 of 4 judged are good, 75.0% (between 30.1% and 95.4%, Wilson score interval, 95 %)" in said
    found = json.loads(told(Asked(root, sample=6), as_json=True))
    assert found["people"] == {"anna": 5} and found["sample"]["good"] == 3 and found["verdicts"]["accepted"] == 3


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked("nowhere"), "no results"),
        (Asked("OUT", host="0.0.0.0"), "keys add"),
        (Asked("OUT", keys="none.json"), "no such file"),
        (Asked("OUT", port=0, sample=3, chosen=Filter(route="moon")), "no picture"),
    ],
)
def test_what_cannot_start_says_so(asked: Asked, says: str, tmp_path: Path) -> None:
    root = output(tmp_path).folder.root
    given = Asked(**{**vars(asked), "output": root if asked.output == "OUT" else str(tmp_path / asked.output)})
    with pytest.raises(HairlineError, match=says):
        review(given, Console(file=io.StringIO()))
    assert not (tmp_path / "nowhere").exists()
    assert not list(Path(root).glob(".partial/*"))
