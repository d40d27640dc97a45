"""What comes next, and what becomes of it: one person, two, and one who comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hairline.pipeline.decisions import Conflict, Decisions
from hairline.pipeline.ledger import write_part
from hairline.pipeline.storage import Folder
from hairline.review import claims
from hairline.review.desk import Desk, check_reason
from hairline.review.index import Filter
from hairline.stages.errors import HairlineError
from review_kit import output

ALL = Filter()


@pytest.fixture
def root(tmp_path: Path) -> str:
    return output(tmp_path).folder.root


def desk(root: str, **options: object) -> Desk:
    return Desk(Folder(root, "cut-test"), **options)  # type: ignore[arg-type]


def ids(found: Desk, who: str = "anna", chosen: Filter = ALL, verdict: str = "accepted") -> list[str]:
    """Decides all that comes, in the order in which it comes."""
    seen = []
    while shown := found.next(chosen, who, who, []):
        id = shown.row["id"]
        found.decide(id, shown.seen, verdict, who, "", id + who, who)  # type: ignore[arg-type]
        seen.append(id)
        assert len(seen) < 50
        if verdict == "skipped" and len(seen) == 6:
            break
    return seen


def test_a_review_goes_on_where_it_was(root: str) -> None:
    first = desk(root)
    for _ in range(2):
        shown = first.next(ALL, "anna", "one", [])
        assert shown
        first.decide(shown.row["id"], shown.seen, "accepted", "anna", "", shown.row["id"], "one")
    again = desk(root)
    assert again.progress(ALL) == {"open": 4, "judged": 2, "skipped": 0, "total": 6}
    assert ids(again) == ["p03.jpg", "p02.jpg", "p01.jpg", "p00.jpg"]
    assert len(Decisions(Folder(root))) == 6


def test_what_is_skipped_comes_back_at_the_end(root: str) -> None:
    found = desk(root)
    shown = found.next(ALL, "anna", "one", [])
    assert shown and shown.row["id"] == "p05.jpg"
    found.decide("p05.jpg", 0, "skipped", "anna", "", "k", "one")
    assert ids(found)[-1] == "p05.jpg"


def test_two_people_get_different_pictures(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk(root), desk(root)  # two servers on one output
    got = [d.next(ALL, who, who, []) for d, who in ((one, "anna"), (two, "ben"), (one, "cora"))]
    assert [shown.row["id"] for shown in got if shown] == ["p05.jpg", "p04.jpg", "p03.jpg"]
    more = one.next(ALL, "anna", "anna", ["p05.jpg"])  # ahead of the one at hand
    assert more and more.row["id"] == "p02.jpg"
    assert one.next(ALL, "anna", "anna", []).row["id"] == "p05.jpg"  # type: ignore[union-attr]  # loaded again
    two.claims.free("p04.jpg", "ben")
    monkeypatch.setattr(claims, "AGAIN_S", -1.0)  # it is looked at again at once
    assert one.next(ALL, "dora", "dora", []).row["id"] == "p04.jpg"  # type: ignore[union-attr]


def test_both_decide_and_the_second_is_told(root: str) -> None:
    one, two = desk(root), desk(root)
    one.decide("p05.jpg", 0, "accepted", "anna", "", "k1", "one")
    with pytest.raises(Conflict, match="anna: accepted"):
        two.decide("p05.jpg", 0, "rejected", "ben", "edge", "k2", "two")
    assert two.decide("p05.jpg", 1, "rejected", "ben", "edge", "k2", "two").number == 2
    assert "p05.jpg" not in ids(one)


def test_who_was_told_is_not_asked_again(root: str) -> None:
    one, two = desk(root), desk(root)
    for id in ("p05.jpg", "p04.jpg"):
        one.decide(id, 0, "accepted", "anna", "", "k1", "one")
    with pytest.raises(Conflict):
        two.decide("p05.jpg", 0, "rejected", "ben", "edge", "k2", "two")
    assert two.next(ALL, "ben", "two", []).row["id"] == "p03.jpg"  # type: ignore[union-attr]
    assert two.progress(ALL)["judged"] == 2


def test_a_lost_answer_hides_no_change_of_mind(root: str) -> None:
    found = desk(root)
    found.decide("p05.jpg", 0, "accepted", "anna", "", "k", "one")
    with pytest.raises(Conflict, match="anna: accepted"):
        found.decide("p05.jpg", 0, "rejected", "anna", "edge", "k", "one")


def test_a_claim_ends_with_its_process_or_its_time(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk(root), desk(root)
    assert one.claims.take("p05.jpg", "anna", "one") is None
    there = two.claims.take("p05.jpg", "ben", "two")
    assert there and there.who == "anna"
    monkeypatch.setattr(claims, "AGAIN_S", -1.0)  # it is looked at again at once
    monkeypatch.setattr(claims, "lives", lambda process: False)
    assert two.claims.take("p05.jpg", "ben", "two") is None
    one.output.write(next(n for n in one.output.names("review/claims")), b"nonsense")
    assert desk(root).claims.take("p05.jpg", "cora", "three") is None


def test_undo_takes_ones_own_back_newest_first(root: str) -> None:
    found = desk(root)
    for number, who in enumerate(("anna", "anna", "ben")):
        found.decide(f"p0{number}.jpg", 0, "accepted", who, "", f"k{number}", "t")
    assert found.undo("anna", "u1").id == "p01.jpg"  # type: ignore[union-attr]
    assert found.undo("anna", "u1").id == "p01.jpg"  # type: ignore[union-attr]  # sent again
    assert found.undo("anna", "u2").id == "p00.jpg"  # type: ignore[union-attr]
    assert found.undo("anna", "u3") is None
    assert found.progress(ALL)["judged"] == 1


def test_a_matte_that_a_later_run_made_is_looked_at_again(root: str) -> None:
    first = desk(root)
    first.decide("p05.jpg", 0, "accepted", "anna", "", "k", "t")
    row = first.index.row(first.index.place("p05.jpg"))
    later = {**row, "run_id": "20270101T120000Z-0000", "etag": "2", "seconds": [], "attempts": 1}
    later |= {name: list(row[name].items()) for name in ("outputs", "digests", "quality")}
    write_part(Folder(root), [later])
    again = desk(root)
    assert again.progress(ALL)["judged"] == 0
    shown = again.next(ALL, "anna", "t", [])
    assert shown and shown.row["id"] == "p05.jpg" and shown.seen == 1


def test_a_sample_is_drawn_once_and_walked_as_drawn(root: str) -> None:
    first = desk(root, sample=4)
    drawn = [first.index.id(place) for place in first.sample.places]  # type: ignore[union-attr]
    assert len(set(drawn)) == 4 and "dark.jpg" not in drawn
    again = desk(root, sample=4)
    assert ids(again) == drawn
    share = again.share()
    assert share and (share.judged, share.good, share.size) == (4, 4, 4)
    assert desk(root, sample=99).share().size == 6  # type: ignore[union-attr]
    with pytest.raises(HairlineError, match="no picture"):
        desk(root, sample=3, chosen=Filter(category="food"))
    name = first.output.names("review/samples")[0]
    first.output.write(name, json.dumps({"ids": 1}).encode())
    with pytest.raises(HairlineError, match="no sample"):
        desk(root, sample=4), desk(root, sample=99)


def test_verdicts_and_reasons_that_there_are_not(root: str) -> None:
    found = desk(root)
    matte, dark = (found.row_of(id) for id in ("p00.jpg", "dark.jpg"))
    assert matte and dark and found.row_of("none") is None
    check_reason(matte, "rejected", "edge")
    check_reason(dark, "rejected", "wrongly_filtered")
    for row, verdict, reason in (
        (matte, "rejected", ""),
        (dark, "rejected", "edge"),
        (matte, "fine", ""),
        (matte, "accepted", "edge"),
    ):
        with pytest.raises(HairlineError, match=r"must be|only what"):
            check_reason(row, verdict, reason)
    told = found.tell(replace(found.show("dark.jpg")))  # type: ignore[type-var]
    assert told["meaning"]["title"] and told["products"] == [] and told["decided"] is None
