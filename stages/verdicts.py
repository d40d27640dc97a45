"""Whether a finished file keeps the rules that it was made for: pass, fail or unknown, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

Answer = Literal["pass", "fail", "unknown"]


@dataclass
class Check:
    """One rule, measured."""

    name: Annotated[str, Field(description="the rule")]
    value: Annotated[str | float, Field(description="what was measured; a number, or a word")]
    bound: Annotated[str, Field(description="what it may be")]
    verdict: Annotated[Answer, Field(description="pass, fail, or unknown where the file does not tell")]


@dataclass
class Verdict:
    """What became of all rules of a preset for one file."""

    product: Annotated[str, Field(description="the product that was judged, by its name in the job")]
    preset: Annotated[str, Field(description="whose rules")]
    verdict: Annotated[Answer, Field(description="fail if one check failed, else unknown if one is, else pass")]
    checks: Annotated[list[Check], Field(description="rule by rule")] = field(default_factory=list)


def judged(product: str, preset: str, checks: list[Check]) -> Verdict:
    """All checks of one file as one verdict."""
    answers = {check.verdict for check in checks}
    answer: Answer = "fail" if "fail" in answers else "unknown" if "unknown" in answers else "pass"
    return Verdict(product, preset, answer, checks)


def between(name: str, value: float | None, low: float | None, high: float | None, unit: str = "") -> Check:
    """A number that must lie between two bounds, both inclusive, either of which may be None.

    Args:
        value: None: it could not be measured.
    """
    tail = f" {unit}" if unit else ""
    if low is not None and high is not None:
        bound = f"{low:,g}{tail}" if low == high else f"{low:,g} to {high:,g}{tail}"
    else:
        bound = f"at least {low:,g}{tail}" if low is not None else f"at most {high or 0:,g}{tail}"
    if value is None:
        return Check(name, "", bound, "unknown")
    inside = (low is None or value >= low) and (high is None or value <= high)
    return Check(name, round(float(value), 4), bound, "pass" if inside else "fail")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> Check:
    """A word that must be one of some."""
    return Check(name, value, ", ".join(allowed), "pass" if value in allowed else "fail")
