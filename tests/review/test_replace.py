"""Corrected mattes: products made again, the run's own kept, and back again."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hairline.pipeline.decisions import ORIGINALS, UNFINISHED, Conflict
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.storage import Folder
from hairline.pipeline.strangers import strangers
from hairline.review.desk import Desk
from hairline.stages.errors import HairlineError, PictureError
from review_kit import other_matte, output

ID, FILES = "p03.jpg", ("cutout/p03.jpg.png", "mask/p03.jpg.png")


class Killed(BaseException):
    pass


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Folder(output(tmp_path).folder.root, "cut-test"))


def alpha(desk: Desk, name: str = FILES[0]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(desk.output.read(name))).getchannel("A" if "cutout" in name else 0))


def files(desk: Desk) -> list[bytes]:
    return [desk.output.read(name) for name in FILES]


def correct(desk: Desk, left: int = 0, seen: int = 0, key: str = "k") -> Any:
    return desk.correct(ID, seen, "anna", key, "t", other_matte(left))


def test_products_are_made_again_and_the_originals_stay(desk: Desk) -> None:
    before, source = files(desk), Path(desk.row_of(ID)["uri"]).read_bytes()  # type: ignore[index]
    made, left = correct(desk)
    assert left == [] and sorted(made.products) == sorted(FILES)
    for name in FILES:
        assert (alpha(desk, name) == other_matte()).all()
    assert [desk.output.read(f"{ORIGINALS}/{name}") for name in FILES] == before
    assert Path(desk.row_of(ID)["uri"]).read_bytes() == source  # type: ignore[index]
    assert desk.output.names(UNFINISHED) == [] and desk.progress(desk.chosen)["judged"] == 1
    again, _ = correct(desk, left=9, seen=1, key="k2")
    assert (alpha(desk) == other_matte(9)).all() and again.number == 2
    assert [
        desk.output.read(f"{ORIGINALS}/{name}") for name in FILES
    ] == before  # the run's, not the first correction's
    assert strangers(desk.output, Ledger(desk.output), []) == 1  # the settings, whose name here is none of a run's


def test_undo_goes_back_step_by_step_byte_for_byte(desk: Desk) -> None:
    before = files(desk)
    correct(desk)
    first = files(desk)
    correct(desk, left=9, seen=1, key="k2")
    desk.undo("anna", "u1")
    assert files(desk) == first
    desk.undo("anna", "u2")
    assert files(desk) == before and desk.progress(desk.chosen)["judged"] == 0
    assert desk.undo("anna", "u3") is None


def test_a_kill_before_the_decision_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(desk)
    monkeypatch.setattr(desk.decisions, "add", lambda decision: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        correct(desk)
    again = Desk(desk.output)
    assert again.products.finish() == [] and files(desk) == before and len(again.decisions) == 0


def test_a_kill_after_the_decision_is_made_good(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(desk)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(desk.products, "_put", killed)
    with pytest.raises(Killed):
        correct(desk)
    assert files(desk) == before
    again = Desk(desk.output)
    assert again.products.finish() == [(ID, "")] and again.products.finish() == []
    assert (alpha(desk) == other_matte()).all()
    monkeypatch.setattr(again.products, "_put", killed)
    with pytest.raises(Killed):
        again.undo("anna", "u")
    last = Desk(desk.output)
    assert last.products.finish() == [(ID, "")] and files(desk) == before


def test_what_did_not_work_is_made_good_by_the_same_try(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(desk)

    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    for action, after in ((correct, None), (lambda it: it.undo("anna", "u"), before)):
        with monkeypatch.context() as patch:
            patch.setattr(Folder, "swap", full)
            with pytest.raises(HairlineError, match="No space left"):
                action(desk)
        assert desk.output.names(UNFINISHED)
        action(desk)
        assert files(desk) == after if after else (alpha(desk) == other_matte()).all()
        assert desk.output.names(UNFINISHED) == []
    assert len(desk.decisions) == 2


def test_a_kill_is_made_good_though_somebody_has_decided_since(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(desk.products, "_put", lambda *_: (_ for _ in ()).throw(Killed()))
        correct(desk)
    Desk(Folder(desk.output.root, "cut-other")).decide(ID, 1, "accepted", "ben", "", "k2", "t2")
    source = Path(desk.row_of(ID)["uri"])  # type: ignore[index]
    away = source.rename(source.with_name("away"))
    ((id, why),) = Desk(desk.output).products.finish()
    assert id == ID and source.name in why  # said, and the review begins
    away.rename(source)
    assert Desk(desk.output).products.finish() == [(ID, "")] and (alpha(desk) == other_matte()).all()


def test_who_comes_second_replaces_nothing(desk: Desk) -> None:
    other = Desk(Folder(desk.output.root, "cut-other"))
    correct(desk)
    assert correct(desk)[0].number == 1  # the same try, sent again
    with pytest.raises(Conflict):  # not the same
        correct(desk, left=9)
    with pytest.raises(Conflict):
        other.correct(ID, 0, "ben", "k2", "t2", other_matte(9))
    assert (alpha(desk) == other_matte()).all()
    assert Desk(desk.output).products.finish() == [] and (alpha(desk) == other_matte()).all()


def test_what_somebody_changed_is_not_replaced(desk: Desk) -> None:
    desk.output.write(FILES[0], b"retouched")
    with pytest.raises(HairlineError, match="changed by somebody"):
        correct(desk)
    assert desk.output.read(FILES[0]) == b"retouched" and len(desk.decisions) == 0


def test_what_cannot_be_made_again_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match="80x60"):
        desk.correct(ID, 0, "anna", "k", "t", np.zeros((6, 8), np.uint8))
    with pytest.raises(PictureError, match="nothing of the picture"):
        desk.correct(ID, 0, "anna", "k", "t", np.zeros((60, 80), np.uint8))
    desk.output.delete("settings/f.json")
    with pytest.raises(HairlineError, match="run the job again"):
        Desk(desk.output).correct(ID, 0, "anna", "k", "t", other_matte())
    assert len(Desk(desk.output).decisions) == 0


def test_in_s3(bucket: str) -> None:
    desk = Desk(Folder(output(bucket, 4).folder.root, "cut-test"))
    before = files(desk)
    shown = desk.next(desk.chosen, "anna", "t", [])
    assert shown and shown.row["id"] == ID
    other = Desk(Folder(desk.output.root, "cut-other"))
    assert other.next(desk.chosen, "ben", "t2", []).row["id"] == "p02.jpg"  # type: ignore[union-attr]
    correct(desk)
    with pytest.raises(Conflict):
        other.decide(ID, 0, "accepted", "ben", "", "k2", "t2")
    assert (alpha(desk) == other_matte()).all()
    assert [desk.output.read(f"{ORIGINALS}/{name}") for name in FILES] == before
    desk.undo("anna", "u")
    assert files(desk) == before and Desk(desk.output).progress(desk.chosen)["judged"] == 0
