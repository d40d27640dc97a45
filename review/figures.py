"""How good the mattes of a sample are, with the interval that chance leaves open."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..pipeline.decisions import Standing

Z = 1.959964  # of the normal distribution: 95 % lie between -Z and Z
HOW = "Wilson score interval, 95 %"


@dataclass(frozen=True)
class Share:
    """What came of a sample.

    Attributes:
        size: pictures drawn.
        judged: of these, how many were accepted, rejected or corrected.
        good: how many were accepted as the run made them.
        share: good of those judged, 0..1; None before the first.
        low, high: bounds of the share among all pictures that the sample was drawn from.
    """

    size: int
    judged: int
    good: int
    share: float | None
    low: float
    high: float

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "how": HOW}

    def __str__(self) -> str:
        if self.share is None:
            return f"sample of {self.size:,}: none of them judged yet"
        return (
            f"sample of {self.size:,}: {self.good:,} of {self.judged:,} judged are good, {self.share:.1%} "
            f"(between {self.low:.1%} and {self.high:.1%}, {HOW})"
        )


def wilson(good: int, judged: int) -> tuple[float, float]:
    """Bounds of a share, 0..1, after E. B. Wilson, "Probable inference", JASA 1927; (0, 1) where nothing was judged.

    It takes the pictures as drawn from very many; of a small catalog of which most were looked at, it is too wide.
    """
    if not judged:
        return 0.0, 1.0
    share, square = good / judged, Z * Z
    middle = (share + square / (2 * judged)) / (1 + square / judged)
    half = Z / (1 + square / judged) * math.sqrt(share * (1 - share) / judged + square / (4 * judged * judged))
    low = 0.0 if good == 0 else max(0.0, middle - half)
    return low, 1.0 if good == judged else min(1.0, middle + half)


def share_of(size: int, standings: Iterable[Standing]) -> Share:
    """The share of good mattes among those of a sample that were judged; `standings`: of its pictures."""
    judged = good = 0
    for each in standings:
        if is_judged(each):
            judged += 1
            good += is_good(each)
    low, high = wilson(good, judged)
    return Share(size, judged, good, good / judged if judged else None, low, high)


def is_judged(standing: Standing) -> bool:
    """Whether somebody said what the matte is; to skip it says nothing."""
    return standing.corrected is not None or (standing.top is not None and standing.top.verdict != "skipped")


def is_good(standing: Standing) -> bool:
    """Whether the run's own matte was accepted; one that had to be corrected was not good."""
    return standing.corrected is None and standing.top is not None and standing.top.verdict == "accepted"
