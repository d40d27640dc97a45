"""The one chart of the report that is more than bars: pictures per second over time, as an SVG path."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

WIDTH, HEIGHT = 470, 150  # of the plot, in SVG units
BINS = 90


class Rates(NamedTuple):
    """Throughput over time, ready to draw.

    Attributes:
        line, area: SVG path data within `WIDTH` x `HEIGHT`.
        mean_y: y of the mean rate.
        mean, top: pictures/s, the mean over the whole time and the upper end of the axis.
        ticks: (x, seconds) of the marks on the time axis.
    """

    line: str
    area: str
    mean_y: float
    mean: float
    top: float
    ticks: list[tuple[float, float]]
    width: int = WIDTH
    height: int = HEIGHT


def rates(points: Sequence[Sequence[float]]) -> Rates | None:
    """Throughput from points of (seconds since the start, pictures done so far); None for fewer than two.

    The time from the start to the first point counts as well, so that start-up shows.
    """
    ordered = sorted((float(s), float(d)) for s, d in points)
    if len(ordered) < 2 or ordered[-1][0] <= ordered[0][0]:
        return None
    if ordered[0][0] > 0:
        ordered.insert(0, (0.0, 0.0))
    (first, base), (last, done) = ordered[0], ordered[-1]
    span = last - first
    edges = [first + span * i / BINS for i in range(BINS + 1)] if len(ordered) > BINS else [s for s, _ in ordered]
    totals = np.interp(edges, [s for s, _ in ordered], [d for _, d in ordered]).tolist()
    speeds = [
        (a, b, (y - x) / (b - a)) for (a, b), (x, y) in zip(pairwise(edges), pairwise(totals), strict=True) if b > a
    ]
    top = _round_up(max(speed for _, _, speed in speeds))
    steps = []
    for a, b, speed in speeds:
        y = HEIGHT * (1 - speed / top)
        steps.append(f"{WIDTH * (a - first) / span:.1f} {y:.1f}L{WIDTH * (b - first) / span:.1f} {y:.1f}")
    line = "M" + "L".join(steps)
    mean = (done - base) / span
    step = _round_up(span / 6)
    ticks = [(WIDTH * i * step / span, first + i * step) for i in range(int(span / step) + 1)]
    return Rates(line, f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z", HEIGHT * (1 - mean / top), mean, top, ticks)


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{int(value)}") - 1 if value >= 1 else -len(f"{int(1 / value)}"))
    return next(power * m for m in (1, 2, 5, 10, 20, 50, 100) if power * m >= value)
