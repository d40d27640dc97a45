"""Who has which picture before them, so that two people do not look at the same one.

A courtesy: what keeps decisions apart is their number (`pipeline/decisions.py`). A claim is a small file, created where
there is none, that counts for `LASTS_S` after its holder has renewed it, or until the process that took it is dead.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from ..pipeline.atomic import md5
from ..pipeline.decisions import CLAIMS, mark
from ..pipeline.presence import Process, lives, me
from ..pipeline.storage import Folder

LASTS_S = 180.0  # by the clocks of the machines, which may differ by less than that
AGAIN_S = 5.0  # after which another's claim is looked at again


@dataclass(frozen=True)
class Claim:
    """One person's hold on a picture. `tab`: the window that shows it; `until`: seconds since 1970."""

    who: str
    tab: str
    until: float
    process: Process

    def encode(self) -> bytes:
        return json.dumps([self.who, self.tab, self.until, list(self.process)]).encode()

    @classmethod
    def decode(cls, text: bytes) -> Claim:
        """One that is over where the text is none."""
        try:
            who, tab, until, process = json.loads(text)
            return cls(str(who), str(tab), float(until), Process(*process))
        except (ValueError, TypeError):
            return cls("", "", 0.0, Process())

    @property
    def over(self) -> bool:
        return self.until < time.time() or lives(self.process) is False


class Claims:
    """The claims of this process and, as far as it has met them, of others. For several threads."""

    def __init__(self, output: Folder) -> None:
        self._output, self._lock = output, Lock()
        self._mine: dict[str, Claim] = {}  # id -> claim
        self._met: dict[str, tuple[float, Claim]] = {}  # id -> when it was looked at, whose it is

    def take(self, id: str, who: str, tab: str) -> Claim | None:
        """Claims a picture, or renews the claim. Returns who has it where somebody else does."""
        with self._lock:
            ours = self._mine.get(id)
            if ours and not ours.over and ours.tab != tab:
                return ours
            seen, other = self._met.get(id, (0.0, None))
            if other and not other.over and seen > time.monotonic() - AGAIN_S:
                return other
            claim = Claim(who, tab, time.time() + LASTS_S, me())
            name, data = _name(id), claim.encode()
            if not self._output.create(name, data):
                found = self._take_over(name, data, tab)
                if found:
                    self._met[id] = time.monotonic(), found
                    return found
            self._met.pop(id, None)
            self._mine[id] = claim
            return None

    def free(self, id: str, tab: str) -> None:
        """Gives a picture back, if this window has it."""
        with self._lock:
            ours = self._mine.get(id)
            if ours and ours.tab == tab:
                del self._mine[id]
                self._output.delete(_name(id))

    def held(self, tab: str) -> list[str]:
        """The pictures that a window has."""
        return [id for id, claim in list(self._mine.items()) if claim.tab == tab and not claim.over]

    def others(self, tab: str) -> list[str]:
        """Pictures that are known to be before somebody else."""
        now = [(id, claim) for id, claim in list(self._mine.items()) if claim.tab != tab]
        recent = time.monotonic() - AGAIN_S
        now += [(id, claim) for id, (seen, claim) in list(self._met.items()) if seen > recent]
        return [id for id, claim in now if not claim.over]

    def free_all(self) -> None:
        """Gives back all that this process has."""
        for id, claim in list(self._mine.items()):
            with suppress(Exception):  # they end by themselves
                self.free(id, claim.tab)

    def _take_over(self, name: str, data: bytes, tab: str) -> Claim | None:
        """Takes a claim that is over, or this window's own; gives it otherwise."""
        try:
            text = self._output.read(name)
        except FileNotFoundError:  # it has just been given back
            return None if self._output.create(name, data) else Claim("somebody", "", time.time() + AGAIN_S, Process())
        there = Claim.decode(text)
        if not there.over and there.tab != tab:
            return there
        found = self._output.look(name, {md5(text)})
        if found and found.digest == md5(text) and self._output.swap(name, data, found):
            return None
        return Claim("somebody", "", time.time() + AGAIN_S, Process())


def _name(id: str) -> str:
    return f"{CLAIMS}/{mark(id)}.json"
