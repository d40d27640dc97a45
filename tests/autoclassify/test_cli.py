"""The whole way, from drawn pictures to a classifier that cuts, in one command and by steps; and what is refused."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hairline.autoclassify import examine
from hairline.autoclassify.ledger import Ledger
from hairline.cli import main
from hairline.cluster.nodes import Node
from hairline.cluster.session import Cluster
from labelled import drawn, labelled, write

QUICK = ("--minutes", "60", "--trials", "3", "--concurrent", "1")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["autoclassify", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("hairline: ")
    return error


def test_the_whole_way_and_the_classifier_in_a_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "PART", 8)  # as many processes as cores
    pictures, out = labelled(tmp_path / "in"), tmp_path / "out"
    rng = np.random.default_rng(9)
    (pictures / "plain" / "broken.png").write_bytes(b"no picture")
    shutil.copy(pictures / "discs" / "001.png", pictures / "discs" / "copy.png")
    shutil.copy(pictures / "discs" / "002.png", pictures / "stripes" / "conflict.png")
    command = ["autoclassify", str(pictures), "-o", str(out), *QUICK, "--rounds", "1", "--tuned-trials", "0"]
    assert main([*command, "--encoders", "builtin"]) == 0
    said = capsys.readouterr().out
    assert f"{out}/model" in said and "test pictures" in said
    card = (out / "prepare" / "card.md").read_text()
    assert "| unreadable | 1 |" in card and "| a copy of another file | 2 |" in card
    assert "| one file with two labels | 1 |" in card and "broken.png not_a_picture" in card
    trials = json.loads((out / "rounds" / "001" / "trials.json").read_text())
    assert len(trials) == 3 and trials[0]["score"] == max(row["score"] for row in trials) > 0.5
    for page in (out / "report.html", out / "rounds" / "001" / "review.html"):
        text = page.read_text()
        assert not re.search(r'(src|href)="(?!#|data:)', text) and "default-src 'none'" in text
    assert "Classifier of 3 classes" in (out / "model" / "README.md").read_text()

    model = json.loads((out / "model" / "labels.json").read_text())
    assert model == ["discs", "plain", "stripes"]
    write(tmp_path / "new.png", drawn(1, rng, 128))
    settings = [f"stages.classify.weights={out}/model", "stages.filter.weights=none", "stages.filter.reject=[]"]
    changes = [word for setting in settings for word in ("--set", setting)]
    assert main(["cut", str(tmp_path / "new.png"), "-o", str(tmp_path / "cut"), *changes]) in (0, 3)

    uri = str(pictures / "discs" / "003.png")
    decisions = tmp_path / "decisions.json"
    decisions.write_text(json.dumps({"round": 1, "decisions": [{"uri": uri, "action": "relabel", "label": "plain"}]}))
    assert main(["autoclassify", "clean", str(out), "--decisions", str(decisions)]) == 0
    assert main(["autoclassify", "clean", str(out), "--decisions", str(decisions)]) == 0
    assert "1 new decisions" in capsys.readouterr().out
    made = [each for each in Ledger(out).all() if each.by == "person"]
    assert [(each.uri, each.label) for each in made] == [(uri, "plain")]
    assert main(["autoclassify", "undo", str(out), made[0].id]) == 0
    assert uri not in Ledger(out).in_force()
    assert "holds what was made of" in refused(capsys, "prepare", str(tmp_path), "-o", str(out))


@pytest.fixture
def session() -> Iterator[None]:
    """One Ray for all commands of a test."""
    with Cluster(Node(2)).session():
        yield


@pytest.mark.slow
def test_what_cannot_be_used_is_said_in_one_line(
    session: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    for label in "ab":
        for number in range(4):
            write(folder / label / f"{number}.png", drawn(0, np.random.default_rng(1)))  # all alike, under two labels
    given = ("-o", str(tmp_path / "out"), "--encoders", "builtin")
    assert "the class 'a' has 0 different readable pictures" in refused(capsys, "prepare", str(folder), *given)
    for number in range(4, 16):
        (folder / "a" / f"{number}.png").write_bytes((folder / "a" / "0.png").read_bytes())
    assert "19 of 20 pictures are copies of others" in refused(capsys, "prepare", str(folder), *given)


def test_what_is_wrong_is_said_in_one_line(session: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for number in range(4):
            (folder / label / f"{number}.png").write_bytes(b"no picture")
    given = ("-o", str(tmp_path / "out"), "--encoders", "builtin")
    assert "none of 8 pictures can be read" in refused(capsys, "prepare", str(folder), *given)
    assert "the classes are a, b" in refused(capsys, "prepare", str(folder), *given, "--ordered", "a,b,c")
    assert "xyz is none of imagenet, builtin" in refused(capsys, "prepare", str(folder), "-o", "o", "--encoders", "xyz")
    assert "nothing is prepared there" in refused(capsys, "search", str(tmp_path / "empty"))
    assert "no number above 0" in refused(capsys, "search", str(tmp_path / "out"), "--minutes", "0")
