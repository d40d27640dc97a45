"""The share of good mattes, and what chance leaves open."""

from __future__ import annotations

import pytest

from hairline.pipeline.decisions import Decision, Standing
from hairline.review.figures import is_good, is_judged, share_of, wilson


def held(verdict: str, corrected: bool = False) -> Standing:
    made = Decision("a", 1, verdict, "anna", "")  # type: ignore[arg-type]
    return Standing(1, made, made if corrected else None)


@pytest.mark.parametrize(  # after R's binom::binom.confint(method="wilson")
    ("good", "judged", "low", "high"),
    [
        (9, 10, 0.5958, 0.9821),
        (10, 20, 0.2993, 0.7007),
        (190, 200, 0.9104, 0.9726),
        (0, 10, 0, 0.2775),
        (5, 5, 0.5655, 1),
    ],
)
def test_bounds(good: int, judged: int, low: float, high: float) -> None:
    assert wilson(good, judged) == pytest.approx((low, high), abs=1e-4)


def test_nothing_judged_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
    found = share_of(3, [Standing(), held("skipped")])
    assert (found.judged, found.share) == (0, None) and "none of them judged" in str(found)


def test_what_had_to_be_corrected_was_not_good() -> None:
    standings = [
        held("accepted"),
        held("accepted", corrected=True),
        held("rejected"),
        held("corrected", True),
        Standing(),
    ]
    assert [is_good(each) for each in standings] == [True, False, False, False, False]
    assert [is_judged(each) for each in standings] == [True, True, True, True, False]
    found = share_of(9, standings)
    assert (found.size, found.judged, found.good, found.share) == (9, 4, 1, 0.25)
    assert "1 of 4 judged are good, 25.0%" in str(found) and "Wilson" in str(found)
