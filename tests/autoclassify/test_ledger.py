"""The ledger: no decision twice, a person before the tool, and everything can be undone."""

from pathlib import Path

import pytest

from hairline.autoclassify.ledger import BY_PERSON, BY_TOOL, Ledger, decide
from hairline.stages.errors import HairlineError


def test_a_batch_that_is_written_again_changes_nothing(tmp_path: Path) -> None:
    ledger, one = Ledger(tmp_path), decide("a.jpg", "relabel", "x", "y", BY_TOOL, 1, 0.9)
    ledger.add("round-001-tool", [one])
    ledger.add("round-001-tool", [one, decide("b.jpg", "drop", "x", "", BY_TOOL, 1, 0.6)])
    assert ledger.all() == [one] and ledger.has("round-001-tool")


def test_the_same_decision_in_two_files_counts_once(tmp_path: Path) -> None:
    ledger, one = Ledger(tmp_path), decide("a.jpg", "drop", "x", "", BY_PERSON, 1, 1.0)
    ledger.add("round-001-person-1", [one])
    ledger.add("round-001-person-2", [one])
    assert ledger.all() == [one]


def test_the_latest_counts_and_a_person_before_the_tool(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.add(
        "round-002-tool", [decide("a", "drop", "x", "", BY_TOOL, 2, 0.9), decide("b", "drop", "x", "", BY_TOOL, 2, 0.9)]
    )
    ledger.add("round-001-tool", [decide("b", "relabel", "x", "y", BY_TOOL, 1, 0.9)])
    ledger.add("round-001-person-1", [decide("a", "keep", "x", "", BY_PERSON, 1, 1.0)])
    assert {uri: each.action for uri, each in ledger.in_force().items()} == {"a": "keep", "b": "drop"}
    assert {uri: each.action for uri, each in ledger.in_force(before=2).items()} == {"a": "keep", "b": "relabel"}


def test_undoing_adds_and_never_deletes(tmp_path: Path) -> None:
    ledger, one = Ledger(tmp_path), decide("a", "drop", "x", "", BY_TOOL, 1, 0.9)
    ledger.add("round-001-tool", [one])
    before = (tmp_path / "ledger" / "round-001-tool.json").read_bytes()
    assert ledger.undo([one.id]) == 1 and ledger.in_force() == {}
    assert ledger.undo([one.id]) == 0
    assert (tmp_path / "ledger" / "round-001-tool.json").read_bytes() == before
    with pytest.raises(HairlineError, match="has no decision 123"):
        ledger.undo(["123"])
