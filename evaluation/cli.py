"""`hairline evaluate [PREDICTED] TRUTH`: figures of mattes, boxes, categories and defects: a table, JSON, or a page.

Imports are light here: the command line reads this module for every command.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..stages.errors import HairlineError

if TYPE_CHECKING:
    from .read import Run

Cut = Callable[[Path, Path], None]  # cuts every picture of a folder out and writes the mattes into another

UNITS = {"sad": "/1000", "grad": "/1000", "conn": "/1000"}
WHOLE = ("iou", "boundary_iou", "max_f", "interior_soft", "holes", "specks")  # of the whole picture alone


def options(command: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    command.add_argument(
        "predicted",
        type=Path,
        nargs="?",
        metavar="PREDICTED",
        help="folder of mattes or cut-outs, table, boxes, or a run's output; not given: --pictures are cut out",
    )
    command.add_argument(
        "truth", type=Path, metavar="TRUTH", help="folder of mattes, table (.csv, .json), COCO file, or a --dataset"
    )
    command.add_argument(
        "--dataset", metavar="NAME", help="TRUTH is a public set as it is handed out: p3m500-np, aim500, am2k, dis-vd"
    )
    command.add_argument("--pictures", type=Path, metavar="DIR", help="the originals, named as the truths")
    command.add_argument("--job", default="laptop.yaml", help="job file that says how they are cut out")
    command.add_argument("--mattes", type=Path, metavar="DIR", help="new folder that keeps what was cut out")
    command.add_argument("--html", type=Path, metavar="FILE", help="a page with the worst mattes first")
    command.add_argument(
        "--trimap", type=Path, metavar="DIR", help="trimaps: neither black nor white is the transition band"
    )
    command.add_argument("--json", action="store_true", help="everything, picture by picture, as JSON")
    command.add_argument(
        "--missing", choices=("error", "empty"), default="error", help="what a truth without a prediction counts as"
    )


def evaluate(given: argparse.Namespace, run: Run, cut: Cut) -> int:
    """Prints the figures. run: as in `compute_metrics`. Raises HairlineError for a user's mistake."""
    with ExitStack() as stack:
        figures = _mattes(given, cut, stack) if _of_mattes(given) else _others(given, run)
        if given.json:
            json.dump(figures, sys.stdout, indent=1)
            print()
        else:
            show(figures)
    return 0


def _of_mattes(given: argparse.Namespace) -> bool:
    return bool(given.dataset) or given.truth.is_dir()


def _others(given: argparse.Namespace, run: Run) -> dict[str, Any]:
    from .metrics import compute_metrics

    for name in ("trimap", "pictures", "mattes", "html"):
        if getattr(given, name):
            raise HairlineError(f"--{name} goes with folders of mattes, and {given.truth} is none")
    if given.predicted is None:
        raise HairlineError(f"give what was predicted and the truth: hairline evaluate PREDICTED {given.truth}")
    return compute_metrics(given.predicted, given.truth, run)


def _mattes(given: argparse.Namespace, cut: Cut, stack: ExitStack) -> dict[str, Any]:
    from . import datasets, metrics
    from .pairs import by_name, match

    truth, pictures, trimap, saliency = given.truth, given.pictures, given.trimap, False
    if given.dataset:
        parts = datasets.find(given.dataset, truth)
        truth, saliency = parts.truth, parts.saliency
        pictures, trimap = pictures or parts.pictures, trimap or parts.trimap
    predicted = given.predicted
    if predicted is None:
        if pictures is None:
            raise HairlineError(f"give mattes to judge, hairline evaluate PREDICTED {truth}, or --pictures to cut out")
        predicted = given.mattes or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hairline-")))
        if predicted.exists() and (not predicted.is_dir() or any(predicted.iterdir())):
            raise HairlineError(f"--mattes {predicted}: give a folder that is not there yet; nothing is replaced")
        cut(pictures, predicted)
    elif given.mattes:
        raise HairlineError("--mattes goes with pictures that are cut out here, and PREDICTED is given")
    pairs = match(predicted, truth, trimap, given.missing == "empty" or given.predicted is None)
    figures = metrics.mattes(pairs)
    if saliency:
        figures["saliency"] = datasets.saliency(pairs)
    if given.html:
        from .page import write_page

        title = f"{given.dataset or truth.name}: {predicted.name if given.predicted else Path(given.job).stem}"
        write_page(given.html, title, figures, pairs, by_name(pictures) if pictures else {})
    return figures


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
        for name, value in figures.get("saliency", {}).items():
            table.add_row(f"{name} (as published)", f"{value:.4f}", "")
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
