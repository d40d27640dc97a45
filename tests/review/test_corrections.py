"""What people corrected, as training takes it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from hairline.commands.adapt import _masks
from hairline.pipeline.storage import Folder
from hairline.review.corrections import collect, is_output, write_mattes
from hairline.review.desk import Desk
from hairline.stages.errors import HairlineError
from review_kit import other_matte, output


@pytest.fixture
def root(tmp_path: Path) -> str:
    """With three corrections, of which one was undone, and one whose source is gone."""
    found = Desk(Folder(output(tmp_path).folder.root, "cut-test"))
    for number in range(4):
        found.correct(f"p0{number}.jpg", 0, "anna", f"k{number}", "t", other_matte(number))
    found.undo("anna", "u")
    found.decide("p05.jpg", 0, "accepted", "anna", "", "k", "t")
    Path(found.row_of("p00.jpg")["uri"]).unlink()  # type: ignore[index]
    return found.output.root


def test_pictures_with_their_mattes(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collect(root, tmp_path / "made")
    rows = [json.loads(line) for line in (tmp_path / "made" / "corrections.jsonl").read_text().splitlines()]
    assert [(row["id"], row["category"], row["route"]) for row in rows] == [
        ("p01.jpg", "portrait", "general"),
        ("p02.jpg", "animal", "general"),
    ]
    assert "left out: p00.jpg" in capsys.readouterr().out
    for number, row in enumerate(rows, 1):
        matte = cv2.imread(str(tmp_path / "made" / row["matte"]), cv2.IMREAD_GRAYSCALE)
        assert (matte == other_matte(number)).all()
        assert cv2.imread(str(tmp_path / "made" / row["picture"])).shape == (60, 80, 3)


def test_mattes_alone_are_named_as_their_pictures(root: str, tmp_path: Path) -> None:
    write_mattes(root, tmp_path / "masks")
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [f"p0{n}.jpg.png" for n in range(3)]
    assert _masks(root, tmp_path) == (str(tmp_path / "corrected"), True)  # as adapt takes them
    assert len(list((tmp_path / "corrected").iterdir())) == 3 and _masks("", tmp_path) == ("", False)
    assert is_output(root) and is_output("s3://bucket/out") and not is_output(str(tmp_path / "masks"))


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    root = output(tmp_path).folder.root
    for call in (collect, write_mattes):
        with pytest.raises(HairlineError, match="nothing was corrected"):
            call(root, tmp_path / "made")
        with pytest.raises(HairlineError, match="nothing was corrected"):
            _masks(root, tmp_path)  # an output that nobody has reviewed is no folder of masks
        with pytest.raises(HairlineError, match="no results"):
            call(str(tmp_path), tmp_path / "made")
