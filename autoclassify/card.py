"""The cards: what a data set holds, and what a classifier is, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from ..stages.networks.exported import Form

SHOWN = 20  # examples of one kind
LIMITS = """## Limits
It knows the pictures above and no others. The test part comes from the same source: figures on pictures of another
season or camera will be lower. Labels of the test part are the data set's, unless a person corrected them. The encoder
starts from EfficientNet-Lite0's ImageNet weights (Apache-2.0), or from the built-in classifier, whose card names its
data."""


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


def model_card(
    dataset: str,
    form: Form,
    row: dict[str, Any],
    found: dict[str, Any],
    history: Sequence[dict[str, Any]],
    version: str,
) -> str:
    """What a classifier is: form, data, how it came about, figures on the test part, limits.

    Args:
        dataset: where its pictures are.
        form: of the network.
        row: the trial, see `search`.
        found: figures, see `export.figures`.
        history: the rounds.
        version: of Hairline.
    """
    shown = ("pictures", "accuracy", "macro_f1", "kappa", "calibration_error", "sure", "accuracy_where_sure")
    lines = [(name.replace("_", " "), found[name]) for name in shown if found.get(name) is not None]
    kind = "ordered classes, from the worst" if form.ordered else "classes"
    choices = {name: round(value, 5) if isinstance(value, float) else value for name, value in row["config"].items()}
    how = "; the encoder learned along" if row["config"].get("tuned") else "; the encoder stayed as it was"
    rounds = [
        (each["round"], each["score"], each.get("relabelled", 0), each.get("dropped", 0), each.get("note", ""))
        for each in history
    ]
    return (
        "\n\n".join(
            [
                f"# Classifier of {len(form.labels)} {kind}\n\n{', '.join(form.labels)}",
                f"Made by `hairline autoclassify` {version} from {dataset}. Input: {form.size} pixels a side; "
                f"{row['parameters']:,} parameters; {row['milliseconds']:g} ms a picture where it was searched{how}.",
                "## Figures on the test part\n" + table_of(("figure", "value"), lines),
                "## Rounds\n" + table_of(("round", "held-out score", "relabelled", "dropped", "note"), rounds),
                "## Chosen\n" + table_of(("setting", "value"), choices.items()),
                "## Use\n`classify.weights: <this folder>`"
                + ("; or `filter.quality_weights: <this folder>` for grades." if form.ordered else ".")
                + " Probabilities are calibrated by a temperature on the validation part; below a class's threshold, "
                "or where a picture is unlike those learned from, the answer is `unsure`.",
                LIMITS,
            ]
        )
        + "\n"
    )
