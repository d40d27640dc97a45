"""From files to figures: mattes in folders, detections, and tables of labels and severities."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..stages.errors import HairlineError
from . import boxes as b
from . import labels, matte, read
from .pairs import Pair, listed

Figures = dict[str, Any]
PRESENT = 2  # severity from which a defect counts as there
SCORES = ("{}_score", "score")  # columns that may hold the probability of a predicted label


def compute_metrics(predicted: Path, truth: Path, run: read.Run) -> Figures:
    """Figures of whatever the truth is: a COCO file (boxes), else a table (labels, severities).

    Args:
        run: reads the rows of an output folder, see `pipeline.outcome.rows_of_run`.

    Raises:
        HairlineError: something cannot be read or does not belong together.
    """
    for path in (predicted, truth):
        if not path.exists():
            raise HairlineError(f"{path} does not exist")
    if read.is_coco(truth):
        return detections(read.found_boxes(predicted, truth, run), read.true_boxes(truth))
    return tables(read.table(predicted, run), read.table(truth, run))


def mattes(pairs: list[Pair]) -> Figures:
    """`mean` figures over the pictures and those of `each`."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(threads.map(_one, pairs))
    each = {pair.name: figures for pair, figures in zip(pairs, found, strict=True)}
    mean = {name: round(float(np.mean([f[name] for f in found])), matte.DIGITS) for name in found[0]}
    missing = sum(pair.predicted is None for pair in pairs)
    return {"kind": "mattes", "pictures": len(pairs), "missing": missing, "mean": mean, "each": each}


def detections(found: read.Boxes, truth: read.Boxes) -> Figures:
    """AP50, AP and recall of every label, and their means over the labels."""
    if strange := set(found) - set(truth):
        raise HairlineError(f"{len(strange)} pictures with detections are not in the truth: {listed(strange)}")
    if not (names := sorted({box["label"] for boxes in truth.values() for box in boxes})):
        raise HairlineError("the truth holds no boxes")
    each = {}
    for label in names:
        answers = [_answer(found.get(picture, []), true, label) for picture, true in truth.items()]
        each[label] = {
            "boxes": sum(len(a.truth) for a in answers),
            "ap50": round(b.average_precision(answers), 4),
            "ap": round(b.mean_average_precision(answers), 4),
            "recall_by_size": _rounded(b.recall_by_size(answers)),
            "recall_by_ratio": _rounded(b.recall_by_ratio(answers)),
        }
    mean = {name: round(float(np.mean([figures[name] for figures in each.values()])), 4) for name in ("ap50", "ap")}
    return {"kind": "boxes", "pictures": len(truth), "mean": mean, "each": each}


def tables(found: read.Table, truth: read.Table) -> Figures:
    """Figures of every column of the truth.

    A column of words, and `class`, is a label: accuracy, macro-F1, kappa (with quadratic weights where the labels are
    numbers) and, where the predictions bring its probability (`<column>_score` or `score`), the calibration error. A
    column of other numbers is a severity: AUC of the predicted number against severities from 2 on (from 1 on where
    there is none above 1). Empty cells of the truth are left out.
    """
    if lost := set(truth) - set(found):
        raise HairlineError(f"{len(lost)} of {len(truth)} rows of the truth have no prediction: {listed(lost)}")
    columns = list(dict.fromkeys(c for row in truth.values() for c in row if not c.endswith("score")))
    each = {}
    for column in columns:
        known = [key for key, row in truth.items() if row.get(column) not in (None, "")]
        if not known:
            continue
        if absent := [key for key in known if column not in found[key]]:
            raise HairlineError(f"the predictions have no column {column!r} for {listed(absent)}")
        true, given = [truth[key][column] for key in known], [found[key][column] for key in known]
        if column != "class" and _numbers(true):
            each[column] = _severity(column, given, true)
        else:
            scores = next((s for s in (n.format(column) for n in SCORES) if all(s in found[k] for k in known)), None)
            each[column] = label_figures(
                given, true, _floats(scores, [found[k][scores] for k in known]) if scores else None
            )
    if not each:
        raise HairlineError("the truth has no columns to judge")
    return {"kind": "labels", "pictures": len(truth), "each": each}


def label_figures(given: Iterable[Any], true: Iterable[Any], scores: np.ndarray | None = None) -> dict[str, float]:
    """Figures of labels of any kind, and their calibration error where their probabilities are given."""
    given, true = list(given), list(true)
    numeric = _numbers(true) and _numbers(given)
    if numeric:  # steps keep their size where a class does not occur
        steps = np.array([float(v) for v in (*given, *true)])
        numbers = np.rint(steps - steps.min()).astype(np.int64)
    else:
        numbers = np.unique([str(v) for v in (*given, *true)], return_inverse=True)[1]
    p, t = numbers[: len(given)], numbers[len(given) :]
    count = int(numbers.max()) + 1
    figures = {
        "rows": float(len(t)),
        "accuracy": float((p == t).mean()),
        "macro_f1": labels.macro_f1(p, t, count),
        "kappa": labels.kappa(p, t, count, quadratic=numeric),
    }
    if scores is not None:
        figures["ece"] = labels.calibration_error(scores, p == t)
    return _rounded(figures)


def _severity(column: str, given: list[Any], true: list[Any]) -> dict[str, float]:
    severity = _floats(column, true)
    positive = severity >= (PRESENT if severity.max() > 1 else 1)
    figures = {"rows": float(len(severity)), "positive": float(positive.sum())}
    return _rounded(figures | {"auc": labels.auc(_floats(column, given), positive)})


def _one(pair: Pair) -> dict[str, float]:
    truth = read.matte(pair.truth)
    predicted = read.matte(pair.predicted) if pair.predicted else np.zeros_like(truth)
    band = None
    if pair.trimap:
        image = cv2.imread(str(pair.trimap), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise HairlineError(f"{pair.trimap} is no picture that can be read")
        band = (image > 0) & (image < 255)
    for other, path in ((predicted, pair.predicted), (band, pair.trimap)):
        if other is not None and other.shape != truth.shape:
            sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (other, truth)]
            raise HairlineError(f"{path} is {sizes[0]} pixels large, but the truth {pair.truth} is {sizes[1]}")
    return matte.evaluate(predicted, truth, band)


def _answer(found: list[dict[str, Any]], truth: list[dict[str, Any]], label: str) -> b.Answer:
    corners = ("x0", "y0", "x1", "y1")
    mine, true = ([box for box in boxes if box["label"] == label] for boxes in (found, truth))
    first, second = (
        np.array([[box[c] for c in corners] for box in boxes], float).reshape(-1, 4) for boxes in (mine, true)
    )
    return b.Answer(first, np.array([box["score"] for box in mine], float), second)


def _numbers(values: Iterable[Any]) -> bool:
    try:
        return all(np.isfinite(float(v)) for v in values)
    except (TypeError, ValueError):
        return False


def _floats(column: str, values: list[Any]) -> np.ndarray:
    if not _numbers(values):
        raise HairlineError(f"the predictions of {column!r} are not all numbers")
    return np.array([float(v) for v in values])


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
