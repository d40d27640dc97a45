"""Which pictures are done with settings, weights or a version that count no more, and the first stage to run again.

The ingredients of every fingerprint lie in OUTPUT/settings/<fingerprint>.json, put there before the first row that
bears it. Two sets of ingredients compared tell from which stage on answers may differ. A picture that ended before
that stage (it was filtered, or could not be read) is as it would be now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..configs.fingerprint import Change, first_change
from ..stages.registry import stage_class
from .storage import SETTINGS, Folder

OURS = re.compile(rf"{SETTINGS}/[0-9a-f]{{64}}\.json")
BEFORE_ALL = ("fetch",)  # fails before any stage
NOT_OF_ITS_STAGE = {"crashed_worker", "out_of_memory"}  # which stage it was is not known, or depends on the machine


def save_ingredients(output: Folder, fingerprint: str, ingredients: dict[str, Any]) -> None:
    """Puts the ingredients where later runs find them."""
    name = f"{SETTINGS}/{fingerprint}.json"
    if not output.has(name):
        output.write(name, json.dumps(ingredients, indent=1).encode())


class Outdated:
    """Compares rows with the job as it is now.

    Args:
        ingredients: of the job.
        fingerprint: theirs.
        force: a stage from which on everything is done again, whatever has changed; its name in the job.
    """

    def __init__(self, output: Folder, ingredients: dict[str, Any], fingerprint: str, force: str = "") -> None:
        self._output, self._now, self._force = output, ingredients, force
        self.order = [stage_class(name).name for name in ingredients["stages"]]  # as rows call them
        self._in_job = list(ingredients["stages"])
        self._changes: dict[str, Change | None] = {fingerprint: None}

    def change(self, fingerprint: str) -> Change | None:
        """What differs between rows with this fingerprint and the job; None: nothing."""
        if fingerprint not in self._changes:
            self._changes[fingerprint] = self._compare(fingerprint)
        found, force = self._changes[fingerprint], self._force
        if force and (found is None or self._in_job.index(force) < self._in_job.index(found.stage)):
            return Change(force, f"--from {force}")
        return found

    def first_stage(self, fingerprint: str, status: str, stage: str, reason: str) -> str | None:
        """The first stage to run again for a picture with such a row, by its name in rows; None: it is done.

        Args:
            status, stage, reason: of the row.
        """
        change = self.change(fingerprint)
        if change is None:
            return None
        first = self._in_job.index(change.stage)
        if status != "ok" and reason not in NOT_OF_ITS_STAGE and self._ended(stage) < first:
            return None
        return self.order[first]

    @property
    def keys(self) -> list[str]:
        """What differed in the comparisons so far, each once."""
        changes = [self.change(fingerprint) for fingerprint in self._changes]
        return sorted({change.key for change in changes if change})

    def _ended(self, stage: str) -> int:
        if stage in BEFORE_ALL:
            return -1
        return self.order.index(stage) if stage in self.order else len(self.order)

    def _compare(self, fingerprint: str) -> Change | None:
        try:
            before = json.loads(self._output.read(f"{SETTINGS}/{fingerprint}.json"))
            return first_change(before, self._now)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):  # an older version's, or damaged
            return Change(self._in_job[0], "settings that are not known any more")


def start_of(states: Sequence[str], first: str, order: Sequence[str]) -> str:
    """The stage to start at: of those before which a state is kept, the last that is not after `first`; or nothing."""
    at = {name: number for number, name in enumerate(order)}
    fit = [name for name in states if name in at and at[name] <= at[first]]
    return max(fit, key=at.__getitem__, default="")
