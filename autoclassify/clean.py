"""Suspected label errors, by two detectors, and what becomes of them without a person.

The first is confident learning on out-of-fold probabilities (Northcutt, Jiang and Chuang, JAIR 2021; cleanlab), the
second the margin of the given label in training, averaged over the epochs. Only what both say is decided on by the
tool, and of the training pictures alone: labels that are held out are a person's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.labels import kappa
from . import files
from .heads import Recipe, out_of_fold
from .ledger import BY_PERSON, BY_TOOL, Ledger, decide
from .prepare import Prepared

SURE = 0.8  # probability from which on a suspect gets the suggested label instead of being dropped
SUSPECTS, FIGURES = "suspects.json", "clean.json"  # of a round that was cleaned
SHOWN = 400  # suspects on one page; the most certain ones


@dataclass(frozen=True)
class State:
    """The labels as they stand: numbers [N], and which pictures are learned from, bool [N]."""

    targets: NDArray[np.int64]
    used: NDArray[np.bool_]


def state(prepared: Prepared, before: int = 0) -> State:
    """What the ledger makes of the given labels. before: as in `Ledger.in_force`."""
    targets = prepared.targets.copy()
    used = np.ones(len(targets), bool)
    number = {label: i for i, label in enumerate(prepared.labels)}
    decisions = Ledger(prepared.output).in_force(before)
    for row, uri in enumerate(prepared.table["uri"].to_pylist() if decisions else []):
        decision = decisions.get(uri)
        if decision is None:
            continue
        used[row] = decision.action != "drop"
        if decision.action == "relabel" and decision.label in number:
            targets[row] = number[decision.label]
    return State(targets, used)


def score(predicted: NDArray, true: NDArray, classes: int, ordered: bool) -> float:
    """What searches maximise: accuracy, 0..1; of ordered classes kappa with quadratic weights, up to 1."""
    return kappa(predicted, true, classes) if ordered else float((predicted == true).mean())


def detect(
    targets: NDArray[np.int64], found: NDArray[np.float32], margin: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which labels are suspected, bool [N] twice: by either way of looking (to be shown), by both detectors (decided).

    Args:
        targets: given labels.
        found: out-of-fold probabilities [N, C].
        margin: in-sample margins [N].
    """
    from cleanlab.filter import find_label_issues

    kinds = {"labels": targets, "pred_probs": found, "n_jobs": 1}
    first = (
        find_label_issues(**kinds, filter_by="both") if len(np.unique(targets)) > 1 else np.zeros(len(targets), bool)
    )
    shown = (found.argmax(1) != targets) | first
    # Heads with more features than pictures learn wrong labels, too: not the sign of a margin tells them, but its rank.
    second = margin <= np.quantile(margin, shown.mean())
    return shown, first & second


def clean(prepared: Prepared, round_: int, start: str, recipe: Recipe, automatic: bool = True) -> dict[str, Any]:
    """Looks for suspects, writes their list, and puts what both detectors say into the ledger.

    Args:
        round_: number, from 1; a round that is in the ledger already is not decided on again.
        start: the encoder whose features are looked at.
        recipe: of the heads.
        automatic: whether the tool decides anything.

    Returns:
        Figures: `suspects`, `decided`, `relabelled`, `dropped`, and `agreement`, the out-of-fold accuracy.
    """
    ledger, now = Ledger(prepared.output), state(prepared, round_)
    parts = prepared.column("split")
    rows = np.nonzero((parts != "test") & now.used)[0]
    targets = now.targets[rows]
    found, margin = out_of_fold(
        prepared.features(start)[rows], targets, prepared.column("group")[rows], len(prepared.labels), recipe,
        prepared.ordered,
    )  # fmt: skip
    shown, decided = detect(targets, found, margin)
    uris = prepared.table["uri"].to_pylist()
    given = prepared.table["label"].to_pylist()
    settled = {uri for uri, each in ledger.in_force().items() if each.by == BY_PERSON}
    suggested, confidence = found.argmax(1), found.max(1)
    suspects, decisions = [], []
    order = np.argsort(found[np.arange(len(rows)), targets] - confidence)
    for at in order[shown[order]].tolist():
        row, label = int(rows[at]), prepared.labels[suggested[at]]
        if uris[row] in settled:
            continue
        both = bool(decided[at] and suggested[at] != targets[at])
        suspects.append(
            {
                "row": row, "uri": uris[row], "given": given[row], "now": prepared.labels[targets[at]], "label": label,
                "confidence": round(float(confidence[at]), 4), "margin": round(float(margin[at]), 4), "both": both,
                "split": parts[row],
            }
        )  # fmt: skip
        if both and parts[row] == "train":
            sure = bool(confidence[at] >= SURE)
            action, new = ("relabel", label) if sure else ("drop", "")
            decisions.append(decide(uris[row], action, given[row], new, BY_TOOL, round_, float(confidence[at])))
    folder = round_folder(prepared.output, round_)
    files.write_json(folder / SUSPECTS, suspects)
    if automatic:
        ledger.add(f"round-{round_:03}-{BY_TOOL}", decisions)
    else:
        decisions = []
    figures = {
        "suspects": len(suspects),
        "decided": len(decisions),
        "relabelled": sum(each.action == "relabel" for each in decisions),
        "dropped": sum(each.action == "drop" for each in decisions),
        "agreement": round(float((suggested == targets).mean()), 4),
    }
    files.write_json(folder / FIGURES, figures)
    return figures


def round_folder(output: Path, round_: int) -> Path:
    return output / "rounds" / f"{round_:03}"
