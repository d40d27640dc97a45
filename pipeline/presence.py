"""Who works in an output, and whether they still live.

Each run and each cut has a folder of its own, OUTPUT/.partial/<run id>/. Its file `unfinished` names the process and
is written again every minute while that lives. A process of this machine is asked of the system; what works
elsewhere (a cluster, another container) counts as dead after an hour without a sign, by the storage's clock, or where
its lease is over (lease.py). In doubt it lives, and nothing of it is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .storage import UNFINISHED, WORK, Folder

BEAT_S = 60.0
DEAD_S = 3600.0
CUT = "cut-"  # begins the run ids of cuts
OURS = re.compile(
    rf"{re.escape(WORK)}/(?:([^/]+)/(?:{UNFINISHED}|made-[0-9a-f]{{32}}\.json|marks-[0-9a-f]{{8}}/[0-9a-f]{{32}}"
    r"|[0-9a-f]{32})|[0-9a-f]{32}|lease)"
)  # what runs and cuts put into WORK; whatever else lies there is somebody's


class Process(NamedTuple):
    """A process anywhere: the boot of its machine, its process namespace, its number there, and when it started."""

    boot: str = ""
    space: str = ""
    pid: int = 0
    started: str = ""


class Other(NamedTuple):
    """Somebody else's folder in WORK. `files`: the names in it. `age`: seconds since the last sign of life."""

    run_id: str
    files: list[str]
    dead: bool
    age: float

    @property
    def is_cut(self) -> bool:
        return self.run_id.startswith(CUT)


def me() -> Process:
    """This process; without /proc an unknown one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return Process(boot, str(Path("/proc/self/ns/pid").readlink()), os.getpid(), _stat(os.getpid())[1])
    except OSError:
        return Process()


def lives(process: Process) -> bool | None:
    """Whether a process lives; None if that cannot be told from here."""
    here = me()
    if not here.boot or (process.boot, process.space) != (here.boot, here.space):
        return None
    try:
        os.kill(process.pid, 0)
        state, started = _stat(process.pid)
    except (ProcessLookupError, FileNotFoundError):
        return False
    except OSError:  # another user's
        return True
    return state not in "ZX" and started == process.started


def _stat(pid: int) -> tuple[str, str]:
    """State and start (ticks since boot) of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]


def encode(process: Process) -> bytes:
    return json.dumps(process).encode()


def decode(text: bytes) -> Process:
    """An unknown process where the text is none."""
    try:
        return Process(*json.loads(text))
    except (ValueError, TypeError):
        return Process()


@contextmanager
def present(output: Folder) -> Iterator[None]:
    """Gives signs of life in the output while the block lasts; `output.work` stays for the caller to clear.

    Raises:
        HairlineError: nothing can be written there.
    """
    sign = encode(me())
    output.mark_unfinished(sign)

    def beat() -> bool:
        if not is_present(output):
            return False
        output.write(f"{output.work}/{UNFINISHED}", sign)
        return True

    with repeated(beat, BEAT_S, "signs of life"):
        yield


@contextmanager
def repeated(action: Callable[[], bool], every_s: float, name: str) -> Iterator[None]:
    """Calls something again and again while the block lasts, in a thread of that name, until it returns False.

    Its errors are passed over: it is for storage, and whoever writes results says what is wrong with that.
    """
    over = threading.Event()

    def loop() -> None:
        while not over.wait(every_s):
            with contextlib.suppress(Exception):
                if not action():
                    return

    thread = threading.Thread(target=loop, daemon=True, name=name)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_present(output: Folder) -> bool:
    """Whether nobody took this run for dead, for want of signs of life, and swept what it was making."""
    return output.has(f"{output.work}/{UNFINISHED}")


def others(output: Folder, makers: Sequence[tuple[str, Process]] = (), alone: bool = False) -> list[Other]:
    """Everybody else who has a folder in WORK, while this one is `present`.

    Args:
        makers: (run id, process) of workers whose lists are still there; a run is dead when all of its processes are.
        alone: whether a lease says that no other run is under way, wherever it may be.
    """
    folders: dict[str, list[str]] = {}
    for name in output.names(WORK):
        if (match := OURS.fullmatch(name)) and match[1] not in (None, output.run_id):
            folders.setdefault(match[1], []).append(name)
    return [
        _other(output, run_id, files, [maker for id, maker in makers if id == run_id], alone)
        for run_id, files in folders.items()
    ]


def _other(output: Folder, run_id: str, files: list[str], makers: list[Process], alone: bool) -> Other:
    sign, now = f"{WORK}/{run_id}/{UNFINISHED}", output.changed(f"{output.work}/{UNFINISHED}")
    try:
        age, driver = now - output.changed(sign), lives(decode(output.read(sign)))
    except FileNotFoundError:  # the first to come and the last to go; a list without it: somebody was sweeping here
        driver = False if makers else None
        try:
            age = now - max(map(output.changed, files))
        except FileNotFoundError:
            age = 0.0
    alive = [driver, *map(lives, makers)]
    certain = all(state is False for state in alive) or (alone and not run_id.startswith(CUT))
    return Other(run_id, files, True not in alive and (certain or age > DEAD_S), age)
