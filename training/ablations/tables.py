"""Markdown tables of the results, one for each idea: mean over the seeds, and their spread."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ...stages.errors import HairlineError
from .run import load_results


def tables(runs: Path) -> str:
    """All tables. Raises HairlineError when nothing was run yet."""
    by_idea: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in load_results(runs):
        by_idea[result["idea"]].append(result)
    if not by_idea:
        raise HairlineError(f"there are no results in {runs}; run an ablation first")
    return "\n".join(f"### {idea}\n\n{_table(results)}" for idea, results in by_idea.items())


def _table(results: list[dict[str, Any]]) -> str:
    by_variant: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        by_variant[result["variant"]].append(result)
    names = list(dict.fromkeys(n for r in results for n in (*r["figures"], *r["cost"])))
    rows = ["| | " + " | ".join(by_variant) + " |", "| --- |" + " --- |" * len(by_variant)]
    minutes = (_span([r["minutes"] for r in group]) for group in by_variant.values())
    rows.append("| minutes | " + " | ".join(minutes) + " |")
    for name in names:
        cells = []
        for group in by_variant.values():
            values = [both[name] for r in group if name in (both := r["figures"] | r["cost"])]
            cells.append(_span(values) if values else "")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _span(values: list[float]) -> str:
    """Mean, and with several seeds ± half the range."""
    mean = f"{np.mean(values):.4g}"
    return mean if len(values) < 2 or np.ptp(values) == 0 else f"{mean} ± {np.ptp(values) / 2:.2g}"
