"""The lease on an output: of several runs into it only one works at a time, wherever they are.

The file `.partial/lease` names its holder. It is created where none is (in S3 by `If-None-Match`), and replaced only
as it was read (`If-Match`), so that of two who take it one gets it. The holder writes it again every `RENEW_S`; it is
taken over once its holder is known to be dead, or has not done so for `EXPIRES_S` by the clock of the storage. The run
id in it is the fencing token (Kleppmann, "How to do distributed locking", 2016): a worker compares it with its own
before it writes products and rows, and stops when it is another's. In a local output there is a lock besides, which
ends with the process that holds it.

A lease is of runs; cuts take none, for they write nothing that a run does (made.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ..stages.errors import HairlineError
from .atomic import md5, what_is_wrong
from .made import leave
from .presence import Process, lives, me, present, repeated
from .storage import UNFINISHED, WORK, Folder

NAME = f"{WORK}/lease"
RENEW_S, EXPIRES_S = 15.0, 120.0
ASK_S = 2.0  # between two looks of a run that waits


class Holder(NamedTuple):
    """Who holds a lease: a run, its process and host, since when (UTC), and how often it has been renewed."""

    run_id: str
    process: Process
    host: str
    since: str
    renewals: int = 0

    def encode(self) -> bytes:
        return json.dumps(self._asdict()).encode()

    @classmethod
    def decode(cls, text: bytes) -> Holder:
        """An unknown holder where the text is none."""
        try:
            found = cls(**json.loads(text))
            return found._replace(process=Process(*found.process))
        except (ValueError, TypeError):
            return cls("of an unknown id", Process(), "an unknown host", "an unknown time")


@contextmanager
def held(output: Folder, wait_s: float, console: Console) -> Iterator[bool]:
    """Holds the lease for as long as the block lasts, and gives signs of life. Gives whether it had to wait for it.

    Args:
        output: of the run that is to hold it; its folder in WORK is cleared at the end.
        wait_s: how long another run is waited for, seconds.

    Raises:
        HairlineError: another run holds it, or nothing can be written there.
    """
    output = Folder(output.root, output.run_id)  # without patience: the end must not wait for storage that is away
    lease = _Lease(output)
    with ExitStack() as stack:
        until, waited = time.monotonic() + wait_s, False
        if output.local:
            folder = stack.enter_context(_opened(output))
            while (locked := _locked(folder)) is False:
                waited = _wait(lease.other(), until, waited, console)
            lease.locked = bool(locked)
        stack.callback(leave, output)
        stack.enter_context(present(output))
        while other := lease.take():
            waited = _wait(other, until, waited, console)
        stack.enter_context(lease.renewed())
        yield waited


def check(output: Folder) -> None:
    """Raises HairlineError when the run that `output` is of does not hold the lease any more."""
    try:
        holder = Holder.decode(output.read(NAME))
    except FileNotFoundError:
        raise HairlineError(
            f"output {output.root}: run {output.run_id} has ended or lost its lease there ({NAME} is gone)"
        ) from None
    if holder.run_id != output.run_id:
        raise HairlineError(
            f"output {output.root}: run {holder.run_id} on {holder.host} took it over at {holder.since}, for this one "
            f"had given no sign of life for {EXPIRES_S:g} s"
        )


def _wait(other: str, until: float, waited: bool, console: Console) -> bool:
    """Waits a little. Raises HairlineError: there is no time left."""
    if time.monotonic() >= until:
        raise HairlineError(other)
    if not waited:
        console.print(f"waiting: {other.partition('; ')[0]}", soft_wrap=True, highlight=False)
    time.sleep(ASK_S)
    return True


class _Lease:
    """The lease as one run sees it."""

    def __init__(self, output: Folder) -> None:
        self._output = output
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        self._me = Holder(output.run_id, me(), socket.gethostname(), now)
        self.locked = False  # whether a lock says that nobody else of this machine holds it

    def take(self) -> str:
        """Tries to take it, while this run is `present`; says who holds it otherwise."""
        output, mine = self._output, self._me.encode()
        with output.writing():
            while True:
                if output.create(NAME, mine) and self._confirm(mine):
                    return ""
                try:
                    data = output.read(NAME)
                    found, age = output.look(NAME, {md5(data)}), self._age()
                except FileNotFoundError:  # it has just been given back
                    continue
                if found is None or found.digest != md5(data):
                    continue
                holder = Holder.decode(data)
                if age <= EXPIRES_S and not self._is_over(holder):
                    return self._told(holder, age)
                if output.swap(NAME, mine, found) and self._confirm(mine):
                    return ""

    def other(self) -> str:
        """Who holds it, where a lock says that somebody does."""
        try:
            holder = Holder.decode(self._output.read(NAME))
        except OSError:  # it is about to write it, or is of an earlier version
            return f"output {self._output.root}: another run is writing there; wait for it or stop it"
        return self._told(holder, None)

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renews the lease while the block lasts, then gives it back."""
        try:
            with repeated(self._renew, RENEW_S, "lease"):
                yield
        finally:
            with suppress(Exception):  # it expires by itself
                if Holder.decode(self._output.read(NAME)).run_id == self._output.run_id:
                    self._output.delete(NAME)

    def _renew(self) -> bool:
        """Whether it is still ours; if not, the workers, and this process at the end, find out by `check`."""
        again = self._me._replace(renewals=self._me.renewals + 1)
        ours = {md5(self._me.encode()), md5(again.encode())}  # the second where the answer to an earlier try was lost
        there = self._output.look(NAME, ours)
        if there is None:  # cleared away by hand
            self._output.create(NAME, again.encode())
        elif there.digest in ours:
            self._output.swap(NAME, again.encode(), there)
        if not self._confirm(again.encode()):
            return not self._output.has(NAME)  # cleared away just now: the next renewal puts it there again
        self._me = again
        return True

    def _confirm(self, text: bytes) -> bool:
        """Whether what lies there now is ours: not every storage knows conditions."""
        found = self._output.look(NAME, {md5(text)})
        return found is not None and found.digest == md5(text)

    def _age(self) -> float:
        """Seconds since the last sign of its holder, by the storage's clock: that of our own sign, just given."""
        sign = f"{self._output.work}/{UNFINISHED}"
        self._output.write(sign, self._output.read(sign))
        return self._output.changed(sign) - self._output.changed(NAME)

    def _is_over(self, holder: Holder) -> bool:
        """Whether the holder is dead: the system says so, or a lock that it would hold on this very machine is ours."""
        same = bool(self._me.process.boot) and holder.process.boot == self._me.process.boot
        return lives(holder.process) is False or (self.locked and same)

    def _told(self, holder: Holder, age: float | None) -> str:
        sign = f", last sign of life {max(0.0, age):.0f} s ago" if age is not None else ""
        return (
            f"output {self._output.root}: another run is writing there: {holder.run_id} on {holder.host} (process "
            f"{holder.process.pid or 'unknown'}), since {holder.since}{sign}; stop it, wait for it (--set "
            f"lease_wait_s=600 does), or choose another output. One that has died is taken over after {EXPIRES_S:g} s"
        )


@contextmanager
def _opened(output: Folder) -> Iterator[int]:
    try:
        Path(output.root).mkdir(parents=True, exist_ok=True)
        folder = os.open(output.root, os.O_RDONLY)
    except OSError as error:
        raise HairlineError(f"output {output.root}: cannot be written: {what_is_wrong(error)}") from error
    try:
        yield folder
    finally:
        os.close(folder)


def _locked(folder: int) -> bool | None:
    """Locks a folder until it is closed. False: another has; None: a file system without locks."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
