"""How many requests a process sends to a storage at the same time: as many as it bears.

Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, "Analysis of the increase and decrease
algorithms for congestion avoidance in computer networks", 1989): each round of successes allows one more request at a
time, and "slow down" halves them. Each process finds its own share; nothing is agreed upon between them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 64  # requests at a time; more than a worker's threads, so that nobody waits before the storage asks for it


class Turn:
    """One request that is under way."""

    def __init__(self, throttle: Throttle, number: int) -> None:
        self._throttle, self._number = throttle, number

    def slow_down(self) -> None:
        """The storage turned this request off because there are too many."""
        self._throttle._halve(self._number)


class Throttle:
    """How many requests go at the same time.

    Attributes:
        allowed: how many may, at least 1 and at most `MOST`.
    """

    def __init__(self) -> None:
        self.allowed = float(MOST)
        self._busy = self._peak = self._number = self._halved = 0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Waits until one more request may go; the block is the request. One that raises brings no increase."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy < int(self.allowed))
            self._busy += 1
            self._peak = max(self._peak, self._busy)
            self._number += 1
            turn = Turn(self, self._number)
        try:
            yield turn
            with self._changed:
                self.allowed = min(MOST, self.allowed + 1 / self.allowed)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _halve(self, number: int) -> None:
        with self._changed:
            if number <= self._halved:  # it was on its way when another was turned off: one "slow down" for both
                return
            self.allowed = max(1.0, min(self.allowed, self._peak) / 2)
            self._halved, self._peak = self._number, self._busy


THROTTLE = Throttle()  # of this process's requests to object storages
