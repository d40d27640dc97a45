"""Cleaning and searching, measured on labelled pictures: wrong labels put in by hand, arms of equal numbers of trials.

    HAIRLINE_DATA=… python benchmarks/autoclassify.py --out bench-out --each 120

Heads on cached features are cheap, so each figure is that of several seeds. `categories` are far apart, sorts of
`clothing` are not. Flips are drawn evenly over the other classes, or, structured, between the two classes that heads
confuse most. Every draw has the number of its seed, so that a second call finds the same.

What is kept in --out: the prepared data sets and `curves.csv`, the precision and recall of found label errors at every
rank, for each data set, way of flipping, detector and seed; `--plot` draws them. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from record import record
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve

from hairline.autoclassify.charts import draw
from hairline.autoclassify.clean import SURE, detect
from hairline.autoclassify.heads import Recipe, fit, out_of_fold, predict
from hairline.autoclassify.prepare import Prepared, prepare
from hairline.autoclassify.space import HIDDEN, LEVELS, HeadSpace
from hairline.autoclassify.trial import recipe_of
from hairline.cluster.session import Cluster

SHARE = 0.1  # of the training labels, flipped
RECALLS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # that the table shows
KINDS = ("categories", "clothing")
WAYS = {False: "uniform", True: "structured"}
Point = tuple[str, str, str, int, float, float]  # data, flips, detector, seed, recall, precision
DETECTORS = ("out_of_fold", "margin", "both")


def manifest(data: Path, path: Path, kind: str, each: int) -> Path:
    """A manifest of foregrounds: `categories` by their category, `clothing` by the sort of garment."""
    found: dict[str, list[str]] = defaultdict(list)
    with open(data / "labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            top, _, rest = row["path"].partition("/")
            if top != "foregrounds":
                continue
            category = rest.split("/")[0]
            if kind == "categories":
                found[category].append(row["path"])
            elif category == "clothing" and row["source_path"].count("/") >= 2:
                found[row["source_path"].split("/")[-2]].append(row["path"])
    rng = np.random.default_rng(0)
    lines = [
        f"{data / paths[place]},{label}"
        for label, paths in sorted(found.items())
        if len(paths) >= 40
        for place in rng.permutation(len(paths))[:each].tolist()
    ]
    path.write_text("uri,label\n" + "\n".join(lines) + "\n")
    return path


def flipped(targets: np.ndarray, classes: int, pair: tuple[int, int] | None, rng: np.random.Generator) -> np.ndarray:
    """The labels with a share of them wrong: over all classes, or between a pair of them (of these twice the share)."""
    given = targets.copy()
    if pair is None:
        wrong = rng.permutation(len(targets))[: round(SHARE * len(targets))]
        given[wrong] = (targets[wrong] + rng.integers(1, classes, len(wrong))) % classes
        return given
    either = rng.permutation(np.nonzero(np.isin(targets, pair))[0])
    wrong = either[: round(2 * SHARE * len(either))]
    given[wrong] = np.where(targets[wrong] == pair[0], pair[1], pair[0])
    return given


def found_of(chosen: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    hit = int((chosen & wrong).sum())
    return {"recall": round(hit / max(wrong.sum(), 1), 3), "precision": round(hit / max(chosen.sum(), 1), 3)}


def suspicion(given: np.ndarray, found: np.ndarray, margin: np.ndarray) -> dict[str, np.ndarray]:
    """How suspect each label is, [N], by each detector: the order of the review page, the margin in training, and the
    lesser of both ranks, which a label has only where both detectors say so."""
    rows = np.arange(len(given))
    alone = {"out_of_fold": found.max(1) - found[rows, given], "margin": -margin}
    # The page shows first where another class leads; below that the order is that of the given label's probability.
    alone["out_of_fold"] = np.where(alone["out_of_fold"] > 0, alone["out_of_fold"], -found[rows, given])
    return {**alone, "both": np.minimum(*(rankdata(each) for each in alone.values()))}


def curve_of(wrong: np.ndarray, suspect: np.ndarray) -> dict[str, Any]:
    """Precision and recall at every rank, from the most suspect label on, their average precision, and the best
    precision from each of `RECALLS` on."""
    precision, recall, _ = precision_recall_curve(wrong, suspect)
    return {
        "average_precision": round(float(average_precision_score(wrong, suspect)), 4),
        "precision_at": {str(least): round(float(precision[recall >= least].max()), 3) for least in RECALLS},
        "curve": [
            (round(float(r), 4), round(float(p), 4)) for r, p in zip(recall[-2::-1], precision[-2::-1], strict=True)
        ],
    }


def take_curves(kind: str, figures: dict[str, Any]) -> list[Point]:
    """Takes the curves out of the figures of a data set."""
    return [
        (kind, way, detector, seed, *point)
        for way in WAYS.values()
        for seed, found in enumerate(figures[way])
        for detector in DETECTORS
        for point in found["errors"][detector].pop("curve")
    ]


def plot(points: list[Point], figures: dict[str, Any], path: Path) -> None:
    """The curves of `both`, a line for each seed; where the tool decides (dots) and what it shows (rings). SVG."""
    lines: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    for kind, way, detector, seed, *at in points:
        if detector == "both":
            lines[kind, way, seed].append((at[0], at[1]))
    colours = {("categories", "uniform"): "#2563eb", ("categories", "structured"): "#60a5fa"}
    colours |= {("clothing", "uniform"): "#c2410c", ("clothing", "structured"): "#fb923c"}

    def into(axes: Any) -> None:
        for (kind, way, seed), line in lines.items():
            colour, found = colours[kind, way], figures[kind][way][seed]
            label = f"{kind}, {'by chance' if way == 'uniform' else way}" if seed == 0 else None
            axes.plot(*zip(*line, strict=True), color=colour, lw=1.3, alpha=0.75, label=label)
            for name, fill in (("first_round", colour), ("shown", "white")):
                at = found[name]
                axes.plot(at["recall"], at["precision"], "o", ms=5, mfc=fill, mec=colour, zorder=3)
        axes.set(xlabel="share of the wrong labels found", ylabel="share of what is found that is wrong")
        axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
        axes.legend(frameon=False, loc="lower left")

    path.write_text(draw(into, 6.6, 4.2) + "\n", "utf-8")


class Bench:
    """One prepared data set with its features."""

    def __init__(self, prepared: Prepared) -> None:
        self.classes = len(prepared.labels)
        self.x, self.y, self.groups = prepared.features("imagenet"), prepared.targets, prepared.column("group")
        parts = prepared.column("split")
        self.train, self.val, self.test = (np.nonzero(parts == part)[0] for part in ("train", "val", "test"))
        found = out_of_fold(self.x[self.train], self.y[self.train], self.groups[self.train], self.classes, Recipe())[0]
        self.clean_oof = float((found.argmax(1) == self.y[self.train]).mean())
        table = np.zeros((self.classes, self.classes))
        np.add.at(table, (self.y[self.train], found.argmax(1)), 1)
        np.fill_diagonal(table, 0)
        a, b = np.unravel_index(int((table + table.T).argmax()), table.shape)
        self.pair = (int(a), int(b))

    def accuracy(self, rows: np.ndarray, targets: np.ndarray, recipe: Recipe, on: np.ndarray, seed: int) -> float:
        head, _ = fit(self.x[rows].astype(np.float32), targets, self.classes, recipe, seed=seed)
        return float((predict(head, self.x[on], False).argmax(1) == self.y[on]).mean())

    def cleaning(self, seed: int, structured: bool, rounds: int) -> dict[str, Any]:
        """Flips, detects, relabels or drops as the tool does, and trains on what that leaves; of one round the curves
        alone."""
        rng, true = np.random.default_rng(seed), self.y[self.train]
        given = flipped(true, self.classes, self.pair if structured else None, rng)
        wrong, labels, used = given != true, given.copy(), np.ones(len(true), bool)
        answer: dict[str, Any] = {}
        ever = np.zeros(len(true), bool)
        for number in range(1, rounds + 1):
            rows = np.nonzero(used)[0]
            where = self.train[rows]
            found, margin = out_of_fold(self.x[where], labels[rows], self.groups[where], self.classes, Recipe())
            shown, decided = detect(labels[rows], found, margin)
            decided &= found.argmax(1) != labels[rows]
            if number == 1:
                answer["oof_against_true"] = round(float((found.argmax(1) == true[rows]).mean()), 3)
                answer["shown"] = found_of(shown, wrong[rows])
                answer["first_round"] = found_of(decided, wrong[rows])
                suspects = suspicion(given, found, margin)
                answer["errors"] = {name: curve_of(wrong, suspects[name]) for name in DETECTORS}
            if rounds == 1:
                return answer
            ever[rows[decided]] = True
            sure = decided & (found.max(1) >= SURE)
            labels[rows[sure]] = found.argmax(1)[sure]
            used[rows[decided & ~sure]] = False
        answer["both_rounds"] = found_of(ever, wrong)
        for name, rows, targets in (
            ("clean", np.ones(len(true), bool), true),
            ("flipped", np.ones(len(true), bool), given),
            ("cleaned", used, labels),
        ):
            scores = [self.accuracy(self.train[rows], targets[rows], Recipe(), self.test, s) for s in range(3)]
            answer[f"test_{name}"] = round(float(np.mean(scores)), 4)
        return answer

    def arms(self, seed: int, trials: int) -> dict[str, float]:
        """Test accuracy of the head that is best on the validation part, after equal numbers of trials."""
        space = HeadSpace(("imagenet",), LEVELS[::-1], HIDDEN)
        samplers = {
            "tpe": optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8),
            "random": optuna.samplers.RandomSampler(seed=seed),
        }
        answer = {}
        for name in ("tpe", "random", "fixed"):
            best: tuple[float, Recipe, int] | None = None
            study = optuna.create_study(direction="maximize", sampler=samplers.get(name))
            for number in range(trials):
                recipe = Recipe()
                if name != "fixed":
                    trial = study.ask()
                    recipe = recipe_of({**space(trial), **trial.params})
                start = seed * 1000 + number
                score = self.accuracy(self.train, self.y[self.train], recipe, self.val, start)
                if name != "fixed":
                    study.tell(trial, score)
                if best is None or score > best[0]:
                    best = (score, recipe, start)
            assert best
            answer[name] = round(self.accuracy(self.train, self.y[self.train], best[1], self.test, best[2]), 4)
        return answer


def main() -> None:
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--out", type=Path, default=Path("bench-autoclassify"))
    command.add_argument("--each", type=int, default=120, help="pictures of each class, at most")
    command.add_argument("--seeds", type=int, default=3)
    command.add_argument("--trials", type=int, default=16, help="of each arm")
    command.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    command.add_argument("--curves", action="store_true", help="of the found label errors alone: a tenth of the time")
    command.add_argument("--plot", type=Path, metavar="FILE", help="the curves of the found label errors, as SVG")
    options = command.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data = Path(os.environ["HAIRLINE_DATA"])
    figures: dict[str, Any] = {}
    points: list[Point] = []
    for kind in options.kinds:
        out = options.out.absolute() / kind
        out.mkdir(parents=True, exist_ok=True)
        listed = manifest(data, out / "labels.csv", kind, options.each)
        started = time.monotonic()
        with Cluster.of_environment().session():
            prepared = prepare(str(listed), out, [], ["imagenet"], lambda line: None)
        bench = Bench(prepared)
        found: dict[str, Any] = {
            "pictures": len(bench.y),
            "prepared_s": round(time.monotonic() - started, 1),
            "oof_clean": round(bench.clean_oof, 3),
            "pair": [prepared.labels[number] for number in bench.pair],
        }
        for structured in WAYS:
            rows = [bench.cleaning(seed, structured, 1 if options.curves else 2) for seed in range(options.seeds)]
            found[WAYS[structured]] = rows
        if not options.curves:
            found["arms"] = [bench.arms(seed, options.trials) for seed in range(options.seeds)]
        points += take_curves(kind, found)
        figures[kind] = found
        print(kind, json.dumps(found, indent=1), flush=True)
    with open(options.out / "curves.csv", "w", newline="") as file:
        csv.writer(file).writerows([("data", "flips", "detector", "seed", "recall", "precision"), *points])
    if options.plot:
        plot(points, figures, options.plot)
    record({"each": options.each, **figures})


if __name__ == "__main__":
    main()
