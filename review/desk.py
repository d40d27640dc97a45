"""What lies before the reviewers: which picture comes next, what they decided, how far they are. Knows no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pipeline.decisions import Decision, Decisions, Standing, Verdict
from ..pipeline.outcome import Row, load_outcome
from ..pipeline.storage import Folder
from ..stages.errors import HairlineError
from ..stages.item import U8
from ..stages.limits import Limits
from ..stages.reasons import meaning
from .claims import Claims
from .figures import Share, share_of
from .index import Filter, Index
from .pictures import file_name
from .replace import Products
from .sample import Sample, draw

OPEN, JUDGED, SKIPPED = 0, 1, 2
REASONS = {  # why a matte is rejected: code -> for a person
    "missing_part": "A part is missing",
    "background_left": "Background is left",
    "edge": "The edge is wrong",
    "fringe": "A fringe of the old ground",
    "wrong_subject": "The wrong subject",
    "other": "Something else",
}
WANTED = {"wrongly_filtered": "It should have been cut out"}  # of a picture that has no matte
TRIES = 50  # pictures that others have before them, and that are passed over at a time


@dataclass(frozen=True)
class Shown:
    """A picture before a reviewer. `seen`: the number of the newest decision on it, which theirs comes after."""

    place: int
    row: Row
    standing: Standing

    @property
    def seen(self) -> int:
        return self.standing.newest


class Desk:
    """One output under review.

    Args:
        output: `cut_output` of it, so that what this process leaves half-written is swept.
        sample: how many pictures are drawn at random; 0: all are walked.
        chosen: which, of the sample, or at the beginning.

    Raises:
        HairlineError: there are no results, or the output cannot be read or written.
    """

    def __init__(self, output: Folder, sample: int = 0, chosen: Filter | None = None) -> None:
        self.output, self.chosen = output, chosen or Filter()
        outcome = load_outcome(output.root)
        self.name, self.index = outcome.name, Index(outcome)
        self.decisions, self.claims = Decisions(output), Claims(output)
        self.products = Products(output, self.decisions, self.row_of)
        self._lock = Lock()
        self._states = np.zeros(len(self.index), np.uint8)
        self._note([id for id, _ in self.decisions.pictures()])
        self.sample: Sample | None = draw(output, self.index, sample, self.chosen) if sample else None

    def row_of(self, id: str) -> Row | None:
        """A picture's row; None where the ledger has none."""
        place = self.index.place(id)
        return self.index.row(place) if place >= 0 else None

    def limits(self, row: Row) -> Limits:
        return self.products.limits(row)

    def next(self, chosen: Filter, who: str, tab: str, without: list[str]) -> Shown | None:
        """The next picture for a window, claimed for it: undecided ones first, then those that were skipped.

        Args:
            without: ids that the window has already.

        Returns:
            None where nothing is left, or others have all that is.
        """
        self._note(self.decisions.refresh())
        order, mask = self._order(chosen)
        passed = self._mask([*without, *self.claims.others(tab)])
        for state in (OPEN, SKIPPED):
            places = order[(mask & (self._states == state) & ~passed)[order]]
            for place in places[:TRIES].tolist():
                id = self.index.id(place)
                if self.claims.take(id, who, tab) is None:
                    return self.show(id)
        return None

    def show(self, id: str) -> Shown | None:
        """A picture as it stands; None where there is none of that id."""
        place = self.index.place(id)
        if place < 0:
            return None
        return Shown(place, self.index.row(place), self.decisions.standing(id))

    def decide(self, id: str, seen: int, verdict: Verdict, who: str, reason: str, key: str, tab: str) -> Decision:
        """Puts down what somebody decided of a picture that was at decision number `seen`.

        Raises:
            Conflict: somebody else has decided since.
            HairlineError: nothing can be written.
        """
        made = self.decisions.add(self.decision(id, seen, verdict, who, reason, key))
        self._settled(id, tab)
        return made

    def correct(self, id: str, seen: int, who: str, key: str, tab: str, alpha: U8) -> tuple[Decision, list[str]]:
        """Puts a correction down and replaces the products; see `Products.correct`."""
        made, left = self.products.correct(self.decision(id, seen, "corrected", who, "", key), alpha)
        self._settled(id, tab)
        return made, left

    def undo(self, who: str, key: str) -> Decision | None:
        """Undoes the newest decision of a person on which nobody else has decided since; None where there is none.

        Asked twice with one key, it undoes one.

        Raises:
            Conflict: somebody else has decided this very moment.
        """
        self._note(self.decisions.refresh(now=True))
        every = (made for id, _ in self.decisions.pictures() for made in self.decisions.of(id))
        if again := next((made for made in every if made.verdict == "undone" and made.key == key), None):
            self.products.again(again)
            return again
        theirs = [
            (standing.top.when, id, standing)
            for id, standing in self.decisions.pictures()
            if standing.top and standing.top.who == who and self.decisions.of(id)[-1].who == who
        ]
        if not theirs:
            return None
        _, id, standing = max(theirs, key=lambda each: each[:2])
        made = self.products.undo(self.decision(id, standing.newest, "undone", who, "", key))
        self._note([id])
        return made

    def decision(self, id: str, seen: int, verdict: Verdict, who: str, reason: str, key: str) -> Decision:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        place = self.index.place(id)
        run_id = self.index.run_id(place) if place >= 0 else ""
        return Decision(id, seen + 1, verdict, who, now, reason, run_id, key)

    def progress(self, chosen: Filter) -> dict[str, Any]:
        """How many pictures a filter lets through, and how far they are decided."""
        order, mask = self._order(chosen)
        states = np.bincount(self._states[order][mask[order]], minlength=3).tolist()
        told: dict[str, Any] = dict(zip(("open", "judged", "skipped"), states, strict=True)) | {"total": sum(states)}
        if share := self.share():
            told["sample"] = share.plain()
        return told

    def share(self) -> Share | None:
        """How good the sample is; None where none was drawn."""
        if self.sample is None:
            return None
        places = self.sample.places.tolist()
        return share_of(len(places), map(self._holding, places))

    def counts(self) -> dict[str, dict[str, int]]:
        """What there is to filter by, with the number of pictures: {reason, route, category: {value: number}}."""
        return self.index.counts(np.ones(len(self.index), bool))

    def tell(self, shown: Shown) -> dict[str, Any]:
        """A picture as plain data, for the page."""
        row, held = shown.row, self._holding(shown.place)
        told = {name: row[name] for name in ("id", "status", "reason", "detail", "width", "height", "route", "stage")}
        told |= {"category": row["category"], "category_score": row["category_score"], "seen": shown.seen}
        told["error"] = None if row["confidence"] is None else round(1 - row["confidence"], 4)
        told["subjects"] = [box for box in row["boxes"] if box["label"] == "subject"]
        told["meaning"] = meaning(row["reason"])._asdict() if row["reason"] else None
        told["products"] = [{"name": name, "file": file_name(row, name)} for name in row["outputs"]]
        told["version"] = (shown.standing.corrected.matte if shown.standing.corrected else row["run_id"])[-20:]
        top = held.top
        told["decided"] = {"verdict": top.verdict, "who": top.who, "reason": top.reason} if top else None
        told["corrected"] = shown.standing.corrected is not None
        return told

    def _holding(self, place: int) -> Standing:
        """How a picture stands, but for decisions on a matte that a later run has made anew; corrections hold."""
        found = self.decisions.standing(self.index.id(place))
        if found.top and found.corrected is None and found.top.run_id != self.index.run_id(place):
            return Standing(found.newest)
        return found

    def _order(self, chosen: Filter) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if self.sample is not None:
            return self.sample.places, self._ones
        return self._all, self.index.wanted(chosen)

    @property
    def _all(self) -> NDArray[np.int64]:
        return np.arange(len(self.index))

    @property
    def _ones(self) -> NDArray[np.bool_]:
        return np.ones(len(self.index), bool)

    def _mask(self, ids: list[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.index), bool)
        places = self.index.places(ids) if ids else np.empty(0, np.int64)
        mask[places[places >= 0]] = True
        return mask

    def _settled(self, id: str, tab: str) -> None:
        self._note([id])
        self.claims.free(id, tab)

    def _note(self, ids: list[str]) -> None:
        """Takes in how some pictures stand by now."""
        if not ids:
            return
        places = self.index.places(ids)
        with self._lock:
            for place in places[places >= 0].tolist():
                held = self._holding(place)
                skipped = held.top is not None and held.top.verdict == "skipped" and held.corrected is None
                self._states[place] = SKIPPED if skipped else JUDGED if held.top else OPEN


def check_reason(row: Row, verdict: str, reason: str) -> None:
    """Raises HairlineError: a verdict or a reason that a picture cannot have."""
    if verdict not in ("accepted", "rejected", "skipped"):
        raise HairlineError(f"verdict {verdict!r}: must be accepted, rejected or skipped")
    known = REASONS if row["status"] == "ok" else WANTED
    if verdict == "rejected" and reason not in known:
        raise HairlineError(f"reason {reason!r}: must be one of {', '.join(known)}")
    if verdict != "rejected" and reason:
        raise HairlineError(f"reason {reason!r}: only what is rejected has one")
