"""Decisions: one file each, numbered, so that nobody's is lost or doubled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hairline.pipeline.decisions import (
    MADE,
    TABLE,
    Conflict,
    Decision,
    Decisions,
    corrected_products,
    name_of,
    standing,
)
from hairline.pipeline.storage import Folder
from hairline.stages.errors import HairlineError


def decision(number: int = 1, verdict: str = "accepted", id: str = "a.jpg", **given: object) -> Decision:
    return replace(Decision(id, number, verdict, "anna", "2026-01-01", key="k"), **given)  # type: ignore[arg-type]


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "out")
    return str(request.getfixturevalue("bucket"))


def test_the_second_with_a_number_is_told_of_the_first(place: str) -> None:
    first, second = Decisions(Folder(place, "cut-1")), Decisions(Folder(place, "cut-2"))
    made = first.add(decision())
    assert first.add(decision()) == made  # the same try again
    with pytest.raises(Conflict) as conflict:
        second.add(decision(verdict="rejected", key="other", who="ben"))
    assert conflict.value.there == made
    assert second.standing("a.jpg").top == made
    second.add(decision(2, "rejected", key="other", who="ben", reason="edge"))
    assert [each.verdict for each in Decisions(Folder(place)).of("a.jpg")] == ["accepted", "rejected"]
    assert first.refresh() == [] and first.refresh(now=True) == ["a.jpg"]


def test_of_many_at_once_one_gets_a_number(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path), "cut-1")
    people = [Decisions(folder) for _ in range(8)]

    def add(n: int) -> int:
        try:
            people[n].add(decision(who=f"p{n}", key=f"k{n}"))
        except Conflict:
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(add, range(8))) == 1
    assert len(Decisions(folder)) == 1


def test_what_holds_is_a_stack() -> None:
    corrected = decision(2, "corrected", matte="m")
    made = [decision(1, "rejected"), corrected, decision(3, "accepted")]
    assert standing([]) == (held := standing([])) and held.newest == 0 and held.top is None
    assert standing(made).top == made[2] and standing(made).corrected == corrected
    undone = [*made, decision(4, "undone"), decision(5, "undone")]
    assert standing(undone).top == made[0] and standing(undone).corrected is None and standing(undone).newest == 5
    assert standing([*undone, decision(6, "undone"), decision(7, "undone")]).top is None


def test_the_table_spares_reading_the_files_and_is_only_a_copy(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    first = Decisions(folder)
    for n in range(3):
        first.add(decision(id=f"{n}"))
    first.write_table()
    lines = folder.read(TABLE).splitlines()
    assert [Decision.decode(line).id for line in lines] == ["0", "1", "2"]
    gone = folder.names(MADE)[0]
    folder.delete(gone)
    assert len(Decisions(folder)) == 2  # what counts are the files
    folder.write(TABLE, b"{}\n")
    again = Decisions(folder)
    assert len(again) == 2
    again.write_table()
    assert len(folder.read(TABLE).splitlines()) == 2


def test_a_damaged_decision_is_named(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    name = f"{MADE}/{'0' * 32}-00001.json"
    for text in (b"{", b"[]", decision().encode()):  # the last: of another picture than its name says
        folder.write(name, text)
        with pytest.raises(HairlineError, match=r"00001\.json: damaged"):
            Decisions(folder)
    folder.delete(name)
    folder.write(f"{MADE}/notes.txt", b"mine")
    assert len(Decisions(folder)) == 0


def test_products_of_corrections_are_known(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert corrected_products(folder) == {}
    made = Decisions(folder)
    folder.write(f"review/mattes/{'0' * 32}-{'1' * 32}.png", b"")
    made.add(decision(1, "corrected", products={"cutout/a.png": "d1"}))
    made.add(decision(2, "undone", products={"cutout/a.png": "d0"}))
    assert corrected_products(folder) == {"cutout/a.png": {"d0", "d1"}}


@pytest.mark.parametrize(
    "given",
    [
        {"number": 3},  # nobody has seen a second one
        {"number": 1, "matte": "review/mattes/../../../a.png"},
        {"number": 1, "products": {"../../a.png": "0"}},
        {"number": 1, "products": {"/etc/passwd": "0"}},
    ],
)
def test_what_no_review_writes(tmp_path: Path, given: dict[str, object]) -> None:
    folder = Folder(str(tmp_path))
    odd = decision(**given)  # type: ignore[arg-type]
    if odd.number > 1:
        with pytest.raises(HairlineError, match="newest is 0"):
            Decisions(folder).add(odd)
        assert folder.names(MADE) == []
    else:  # an output that somebody has sent
        folder.write(name_of(odd), odd.encode())
        with pytest.raises(HairlineError, match="move it away"):
            Decisions(folder)
