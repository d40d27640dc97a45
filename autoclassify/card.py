"""The cards: what a data set holds, and what a classifier is, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

SHOWN = 20  # examples of one kind


def table_of(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def data_card(dataset: str, labels: Sequence[str], table: pa.Table, figures: dict[str, Any]) -> str:
    """What a prepared data set holds.

    Args:
        dataset: where it is.
        labels: the classes in their order.
        table, figures: see `prepare`.
    """
    rows = table.select(["uri", "label", "dropped", "why", "split", "issues"]).to_pylist()
    counts = Counter((row["label"], row["split"]) for row in rows if not row["dropped"])
    issues = Counter(issue for row in rows for issue in row["issues"])
    parts = [
        f"# Data card\n\n{dataset}: {figures['listed']:,} pictures, {sum(counts.values()):,} of them usable.",
        "## Classes\n"
        + table_of(
            ("class", "train", "val", "test"),
            ([label, *(counts[label, part] for part in ("train", "val", "test"))] for label in labels),
        ),
        "## Left out\n"
        + table_of(
            ("why", "pictures"),
            (
                ("unreadable", figures["unreadable"]),
                ("a copy of another file", figures["copies"]),
                ("one file with two labels", figures["two labels"]),
                ("a near duplicate is held out (leakage)", figures["leaks"]),
            ),
        ),
        f"## Near duplicates\n{figures['near']} pictures in {figures['near groups']} groups; "
        f"{figures['across']} groups have pictures of different classes. A group is never torn apart by the split.",
        "## Quality issues\n" + table_of(("issue", "pictures"), sorted(issues.items()) or [("none", 0)]),
    ]
    for why in ("unreadable", "two labels", "copy", "leak"):
        some = [row for row in rows if row["dropped"] == why][:SHOWN]
        if some:
            lines = "\n".join(f"- {row['uri']} {row['why']}".rstrip() for row in some)
            parts.append(f"## Examples: {why}\n{lines}")
    return "\n\n".join(parts) + "\n"
