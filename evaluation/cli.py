"""`hairline evaluate PREDICTED TRUTH`: figures of mattes, boxes, categories and defects, as a table or JSON.

Imports are light here: the command line reads this module for every command.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .read import Run

UNITS = {"sad": "/1000", "grad": "/1000", "conn": "/1000"}
WHOLE = ("iou", "boundary_iou", "max_f", "interior_soft", "holes", "specks")  # of the whole picture alone


def options(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.add_argument(
        "predicted",
        type=Path,
        metavar="PREDICTED",
        help="folder of mattes or cut-outs, table, boxes, or a run's output",
    )
    command.add_argument("truth", type=Path, metavar="TRUTH", help="folder of mattes, table (.csv, .json) or COCO file")
    command.add_argument(
        "--trimap", type=Path, metavar="DIR", help="trimaps: neither black nor white is the transition band"
    )
    command.add_argument("--json", action="store_true", help="everything, picture by picture, as JSON")
    command.add_argument(
        "--missing", choices=("error", "empty"), default="error", help="what a truth without a prediction counts as"
    )


def evaluate(given: argparse.Namespace, run: Run) -> int:
    """Prints the figures. run: as in `compute_metrics`. Raises HairlineError for a user's mistake."""
    from .metrics import compute_metrics

    figures = compute_metrics(given.predicted, given.truth, run, given.trimap, given.missing == "empty")
    if given.json:
        json.dump(figures, sys.stdout, indent=1)
        print()
    else:
        show(figures)
    return 0


def show(figures: dict[str, Any]) -> None:
    """A table for people: means of mattes, or one line for every label or column."""
    from rich.console import Console
    from rich.table import Table

    if figures["kind"] == "mattes":
        table = Table("figure", "whole picture", "transition band", title=f"{figures['pictures']} mattes, mean")
        mean = figures["mean"]
        for name in ("sad", "mse", "mae", "grad", "conn"):
            table.add_row(name + UNITS.get(name, ""), f"{mean[name]:.5g}", f"{mean[f'{name}_band']:.5g}")
        for name in WHOLE:
            table.add_row(name, f"{mean[name]:.4f}", "")
    else:
        each = {name: _flat(row) for name, row in figures["each"].items()}
        columns = list(dict.fromkeys(column for row in each.values() for column in row))
        title = f"{figures['pictures']} pictures" + (", recall at IoU 0.5" if figures["kind"] == "boxes" else "")
        table = Table("figure", *each, title=title)
        for column in columns:
            table.add_row(column, *(f"{row[column]:.4g}" if column in row else "" for row in each.values()))
    Console(file=sys.stdout).print(table)


def _flat(row: dict[str, float | dict[str, float]]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name.replace('_by_size', '').replace('_by_ratio', '')} {part}": v for part, v in value.items()}
        else:
            flat[name] = value
    return flat
