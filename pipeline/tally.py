"""Counting while a run lasts, and the summary that it leaves in `runs/<run id>.json`."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import secrets
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .storage import Folder

if TYPE_CHECKING:
    from .worker import Summary

RUNS = "runs"
RUN = re.compile(rf"{RUNS}/\d{{8}}T[^/]+Z-[0-9a-f]{{4}}\.json")  # what else lies there is not ours
POINTS = 400  # of the throughput curve
LIBRARIES = ("ray", "torch", "opencv-python-headless", "numpy", "pillow", "pyarrow")


def new_run_id() -> str:
    """A name that sorts by time (UTC, to the millisecond), such as 20261122T123430.125Z-3f9a."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"


class Tally:
    """What has come out so far.

    Attributes:
        counts: (status, reason) -> pictures done in this run.
        seconds, passed: stage -> busy seconds, pictures that were in it.
        retries: reads of sources that were made again.
        curve: [seconds since the start, pictures done], one point per batch, of many batches every other.
    """

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.seconds: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.retries = 0
        self.peaks: dict[int, float] = {}
        self.curve: list[tuple[float, int]] = []
        self.started = time.monotonic()
        self.start = datetime.now(UTC)

    def add(self, summary: Summary) -> None:
        self.counts.update(summary.counts)
        self.seconds.update(summary.seconds)
        self.passed.update(summary.passed)
        self.retries += summary.retries
        self.peaks[summary.pid] = max(summary.peak_mib, self.peaks.get(summary.pid, 0.0))
        self.done += sum(summary.counts.values())
        self.curve.append((round(self.elapsed, 3), self.done))
        if len(self.curve) > 20 * POINTS:
            self.curve = self.curve[::2]

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @property
    def statuses(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (status, _), number in self.counts.items():
            found[status] += number
        return found

    def steady(self) -> float | None:
        """Pictures per second between the first tenth of the batches and the last: start-up and the tail left out."""
        if len(self.curve) < 4:
            return None
        first, last = self.curve[max(0, len(self.curve) // 10)], self.curve[-1 - len(self.curve) // 20]
        return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else None

    def recent(self) -> float | None:
        """Pictures per second lately, for the time that is left; None while that is guesswork."""
        window = [point for point in self.curve[-64:] if point[0] > self.elapsed - 120] or self.curve[-2:]
        span = window[-1][0] - window[0][0] if window else 0.0
        return (window[-1][1] - window[0][1]) / span if span > 3 else None


def by_status(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """{status: {reason: pictures}}, the reason of `ok` being empty."""
    found: dict[str, dict[str, int]] = {}
    for (status, reason), number in sorted(counts.items()):
        found.setdefault(status, {})[reason] = number
    return found


def summary(tally: Tally, run_id: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The run as plain data: `facts` (what the caller knows) and what was counted here."""
    steps = max(1, len(tally.curve) // POINTS)
    curve = tally.curve[::steps] + tally.curve[-1:] if steps > 1 else tally.curve
    steady = tally.steady()
    return {
        "run_id": run_id,
        "start": tally.start.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": round(tally.elapsed, 3),
        "done": tally.done,
        "done_by_status": by_status(tally.counts),
        "pictures_per_s_cold": round(tally.done / tally.elapsed, 4) if tally.done else None,
        "pictures_per_s_steady": round(steady, 4) if steady else None,
        "stage_seconds": {stage: round(spent, 3) for stage, spent in tally.seconds.items()},
        "throughput": [list(point) for point in curve],
        "peak_mib": {
            "driver": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "workers": sorted((round(peak) for peak in tally.peaks.values()), reverse=True),
        },
        "versions": versions(),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
        **facts,
    }


def write_summary(output: Folder, run: dict[str, Any]) -> None:
    text = json.dumps(run, indent=1, ensure_ascii=False)
    output.write(f"{RUNS}/{run['run_id']}.json", text.encode("utf-8", "backslashreplace"))


def last_summary(output: Folder) -> dict[str, Any] | None:
    """The newest run's summary that says how fast pictures were done."""
    for name in reversed([name for name in output.names(RUNS) if RUN.fullmatch(name)]):
        run: dict[str, Any] = json.loads(output.read(name))
        if run.get("pictures_per_s_cold"):
            return run
    return None


def versions() -> dict[str, str]:
    from .. import __version__

    found = {"hairline": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
