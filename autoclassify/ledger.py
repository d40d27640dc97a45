"""The ledger: each decision about a label is a row, none comes twice, and each can be undone.

One file for each batch of decisions, named by where it comes from and written whole: who decides the same again after a
crash writes the same file. Nothing in it is ever changed; undoing adds rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..stages.errors import HairlineError
from . import files

FOLDER = "ledger"
Action = Literal["relabel", "drop", "keep"]
BY_TOOL, BY_PERSON = "tool", "person"


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        id: names it; the same decision of the same round has the same one.
        uri: the picture.
        action: relabel, drop (the picture is not learned from) or keep (the given label is right).
        given: the label in the data set.
        label: the label from now on; empty where it is dropped.
        by: the tool or a person.
        round: in which it fell, from 1.
        confidence: of the label, 0..1.
    """

    id: str
    uri: str
    action: Action
    given: str
    label: str
    by: str
    round: int
    confidence: float


def decide(uri: str, action: Action, given: str, label: str, by: str, round_: int, confidence: float) -> Decision:
    """A decision with its id."""
    text = "\0".join((uri, action, label, by, str(round_)))
    return Decision(hashlib.sha256(text.encode()).hexdigest()[:12], uri, action, given, label, by, round_, confidence)


class Ledger:
    """The decisions of one OUT."""

    def __init__(self, output: Path) -> None:
        self.folder = output / FOLDER

    def add(self, name: str, decisions: Sequence[Decision]) -> None:
        """Adds a batch; one of the same name that is there already is left as it is."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            files.write_json(path, [asdict(each) for each in decisions])

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.json").exists()

    def all(self) -> list[Decision]:
        """All decisions, round by round, the tool's before a person's; a decision that comes twice counts once."""
        found: dict[str, Decision] = {}
        for path in sorted(self.folder.glob("round-*.json")):
            for row in files.read_json(path):
                try:
                    found.setdefault(row["id"], Decision(**row))
                except (TypeError, KeyError) as error:
                    raise HairlineError(f"{path}: is no file of decisions: {error}") from error
        return sorted(found.values(), key=lambda each: (each.round, each.by == BY_PERSON))

    def undone(self) -> set[str]:
        """Ids of decisions that do not count any more."""
        return {id_ for path in self.folder.glob("undo-*.json") for id_ in files.read_json(path)}

    def undo(self, ids: Iterable[str]) -> int:
        """Makes decisions not count any more; how many did until now. Raises HairlineError: there is no such one."""
        there, gone = {each.id for each in self.all()}, self.undone()
        wanted = set(ids)
        for id_ in sorted(wanted - there):
            raise HairlineError(f"ledger {self.folder}: has no decision {id_}")
        new = sorted(wanted - gone)
        if new:
            files.write_json(self.folder / f"undo-{len(list(self.folder.glob('undo-*.json'))) + 1:04}.json", new)
        return len(new)

    def in_force(self, before: int = 0) -> dict[str, Decision]:
        """What counts now: {uri: decision}; the latest one, and a person's always before the tool's.

        Args:
            before: a round from which on the tool's decisions are left aside; 0: none.
        """
        gone: set[str] = self.undone()
        found: dict[str, Decision] = {}
        for each in self.all():
            if before and each.by != BY_PERSON and each.round >= before:
                continue
            earlier = found.get(each.uri)
            if each.id not in gone and not (earlier and earlier.by == BY_PERSON and each.by != BY_PERSON):
                found[each.uri] = each
        return found
