"""How right the weights in the tree are, on the fixed pictures of training/validation.py.

    python benchmarks/accuracy.py [--quick] [--only fine ...] [--sheets DIR]

Every figure comes from the stages as a run uses them, with their default settings. `fine` is set beside the coarse
answer enlarged by a guided filter and beside closed-form matting of the same trimap. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from hairline.evaluation import boxes as b
from hairline.evaluation import labels, matte
from hairline.evaluation.judge import label_figures
from hairline.stages.base import Settings, Stage, run_stages
from hairline.stages.coarse import CoarseSettings
from hairline.stages.detect import DetectSettings
from hairline.stages.fine import FineSettings, FineStage
from hairline.stages.guided import upsample
from hairline.stages.item import Crop, Item
from hairline.stages.networks.quality import DEFECTS
from hairline.stages.registry import stage_class
from hairline.training import validation as v

CHAIN = ("filter", "classify", "detect", "coarse", "fine")
PHOTOGRAPHED = ("clothing", "portrait", "animal", "person")  # with enough photographs to speak of
ERRORS = ("sad", "mse", "grad", "conn")
NEVER = CoarseSettings(min_area=0, min_score=0)  # judges no picture to be without a subject
Figures = dict[str, Any]


def stage(name: str, settings: Settings | None = None) -> Stage[Settings]:
    """A stage that is ready, with its default settings unless others are given."""
    made = stage_class(name)(settings or stage_class(name).Settings())
    made.setup(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return made


def masks(pictures: Sequence[v.Picture]) -> dict[str, list[float]]:
    """IoU of the coarse answer on the whole picture, by group."""
    coarse = stage("coarse", NEVER)
    found = defaultdict(list)
    for picture in pictures:
        item = picture.item()
        coarse.process([item])
        alpha = cv2.resize(item.crops[0].alpha, picture.rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        found[picture.group].append(matte.iou(alpha > 127, truth_of(picture) > 127))
    return found


def coarse_figures(quick: bool, sheets: Path | None) -> Figures:
    photographs, made = masks(some(v.photographs(), quick)), masks(v.composites(3 if quick else 12))
    figures: Figures = {f"iou_{name}": mean(photographs[name]) for name in PHOTOGRAPHED}
    figures["iou_photographs"] = mean([x for group in photographs.values() for x in group])
    figures["iou_composites"] = mean([mean(group) for group in made.values()])
    return figures | {"iou_composites_by_category": {name: mean(group) for name, group in made.items()}}


def fine_figures(quick: bool, sheets: Path | None) -> Figures:
    """Fine, guided filter and closed-form matting from the same coarse answers: the network's, and given ones.

    The given ones are the truth made worse, as in training: they show what fine adds where coarse is no worse than
    that. The figures on top are those of the network's, which is what a run gets.
    """
    pictures = v.hairy(2 if quick else 20)
    truths = [truth_of(picture).astype(np.float32) / 255 for picture in pictures]
    kinds = np.array([picture.group for picture in pictures])
    coarse, fine = stage("coarse", NEVER), stage("fine", FineSettings(min_area=1e-6))
    assert isinstance(fine, FineStage)
    figures: Figures = {}
    for source in ("network", "given"):
        crops = [crop_of(picture, coarse if source == "network" else None) for picture in pictures]
        answers = rivals(pictures, crops, fine)
        judged = {how: [matte.evaluate(a, t) for a, t in zip(x, truths, strict=True)] for how, x in answers.items()}
        if source == "network":
            figures |= {
                e: mean([f[e] for f in judged["fine"]], 5) for w in ("", "_band") for e in (f"{x}{w}" for x in ERRORS)
            }
        figures[source] = {
            kind: compared(judged, np.flatnonzero((kinds == kind) | (kind == "all"))) for kind in ("all", *v.KINDS)
        }
        for kind in v.KINDS if sheets else ():
            at = np.flatnonzero(kinds == kind)[:6]
            columns = [[answers[how][k] for k in at] for how in ("guided", "closed_form", "fine")]
            sheet(sheets / f"{source}-{kind}.png", [pictures[k].rgb for k in at], *columns, [truths[k] for k in at])
    return figures


def crop_of(picture: v.Picture, coarse: Stage[Settings] | None) -> Crop:
    """The coarse answer on the whole picture: the network's, or the one that comes with it."""
    if coarse:
        item = picture.item()
        coarse.process([item])
        return item.crops[0]
    assert picture.coarse
    height, width = picture.rgb.shape[:2]
    alpha, unsure = (cv2.resize(x, (160, 160), interpolation=cv2.INTER_AREA) for x in picture.coarse)
    return Crop((0, 0, width, height), alpha.astype(np.uint8), unsure.astype(np.uint8))


def rivals(pictures: list[v.Picture], crops: list[Crop], fine: FineStage) -> dict[str, list[np.ndarray]]:
    """The mattes of fine, of the guided filter and of closed-form matting: float32 [H, W], 0..1."""
    answers: dict[str, list[np.ndarray]] = {"fine": [], "guided": []}
    trimaps = []
    for picture, crop in zip(pictures, crops, strict=True):
        small, size = crop.alpha.astype(np.float32) / 255, picture.rgb.shape[1::-1]
        answers["guided"].append(upsample(small, picture.rgb))
        band = cv2.resize(fine._band(crop), size, interpolation=cv2.INTER_LINEAR) > 0
        sure = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR) > 0.5
        trimaps.append(np.where(band, 0.5, sure).astype(np.float64))
        item = picture.item()
        item.crops = [crop]
        fine.process([item])
        alpha = item.alpha if item.alpha is not None else np.zeros(picture.rgb.shape[:2], np.uint8)
        answers["fine"].append(alpha.astype(np.float32) / 255)
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        asked = ([picture.rgb for picture in pictures], trimaps, answers["guided"])
        answers["closed_form"] = list(processes.map(closed_form, *asked))
    return answers


def closed_form(rgb: np.ndarray, trimap: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Closed-form matting (Levin, Lischinski, Weiss 2008) by PyMatting: float32 [H, W], 0..1.

    `otherwise` stands in where the trimap does not show both sides, from which nothing can be solved.
    """
    from pymatting import estimate_alpha_cf

    if not ((trimap == 0).any() and (trimap == 1).any()):
        return otherwise
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # it tells its retries
        return np.clip(estimate_alpha_cf(rgb / 255.0, trimap), 0, 1).astype(np.float32)


def compared(judged: dict[str, list[dict[str, float]]], at: np.ndarray) -> Figures:
    """Fine's error in the transition band, and how far it is below the others'."""
    sad = {how: mean([each[k]["sad_band"] for k in at], 5) for how, each in judged.items()}
    return {"sad_band": sad["fine"]} | {
        f"below_{how}": round(1 - sad["fine"] / sad[how], 4) for how in ("guided", "closed_form")
    }


def detect_figures(quick: bool, sheets: Path | None) -> Figures:
    every, used = stage("detect", DetectSettings(min_score=0.02)), stage("detect")
    figures: Figures = {}
    answers = {"subject": [], "decoration": []}
    for picture in v.designs(24 if quick else 240):
        for name in answers:
            answers[name].append(answer(every, picture, name))
    for name, found in answers.items():
        figures[f"ap50_{name}"] = round(b.average_precision(found), 4)
        figures[f"ap_{name}"] = round(b.mean_average_precision(found), 4)
    long = [answer(used, picture, "subject") for picture in v.long_designs(5 if quick else 40)]
    figures["recall_by_ratio"] = rounded(b.recall_by_ratio(long))
    figures["recall_by_size"] = rounded(b.recall_by_size(answers["subject"]))
    return figures


def answer(detect: Stage[Settings], picture: v.Picture, label: str) -> b.Answer:
    """The stage's boxes of one label; text and logos are one, decoration."""
    item = picture.item()
    detect.process([item])
    mine = [box for box in item.boxes if (box.label == "subject") == (label == "subject")]
    truth = [box[:4] for box in picture.boxes if (box[4] == "subject") == (label == "subject")]
    found = np.array([[box.x0, box.y0, box.x1, box.y1] for box in mine], float).reshape(-1, 4)
    return b.Answer(found, np.array([box.score for box in mine]), np.array(truth, float).reshape(-1, 4))


def quality_figures(quick: bool, sheets: Path | None) -> Figures:
    look = stage("filter")
    pictures = v.spoiled(60 if quick else 500)
    judged = [judged_item(look, picture) for picture in pictures]
    auc = {}
    for defect in DEFECTS:
        known = [k for k, p in enumerate(pictures) if p.severities[defect] >= 0 and defect in judged[k].quality]
        severity = np.array([pictures[k].severities[defect] for k in known])
        auc[defect] = round(labels.auc(np.array([judged[k].quality[defect] for k in known]), severity >= 2), 4)
    given = [item.quality["class"] for item in judged]
    classes = label_figures(given, [p.severities["class"] for p in pictures])
    alarms = {}
    for name, correct in (("white", v.on_white(20 if quick else 200)), ("photographs", some(v.photographs(), quick))):
        ended = [judged_item(look, picture).reason not in ("", "too_small") for picture in correct]
        alarms[name] = mean([float(x) for x in ended])
    return {"auc": auc, "false_alarms": alarms, **{k: classes[k] for k in ("accuracy", "macro_f1", "kappa")}}


def judged_item(look: Stage[Settings], picture: v.Picture) -> Item:
    item = picture.item()
    look.process([item])
    return item


def classify_figures(quick: bool, sheets: Path | None) -> Figures:
    ask = stage("classify")
    pictures = v.of_category(*((4, 3) if quick else (40, 24)))
    items = [judged_item(ask, picture) for picture in pictures]
    figures: Figures = {}
    for name, made in (("", None), ("_photographs", False), ("_composites", True)):
        at = [k for k, p in enumerate(pictures) if made is None or p.made == made]
        scores = np.array([items[k].category_score for k in at])
        found = label_figures([items[k].category for k in at], [pictures[k].group for k in at], scores)
        figures |= {f"{key}{name}": found[key] for key in ("macro_f1", "accuracy", "ece")}
    unknown = [judged_item(ask, picture).route == "general" for picture in v.of_no_category(12 if quick else 48)]
    return figures | {"unknown_on_general_route": mean([float(x) for x in unknown])}


def no_subject_figures(quick: bool, sheets: Path | None) -> Figures:
    """The whole chain over empty and other pictures, and on composites its confidence against the real error."""
    chain = [stage(name) for name in CHAIN]
    sets = {
        "empty": some(v.backgrounds(), quick),
        "photographs": some(v.photographs(), quick),
        "composites": v.composites(1 if quick else 10, seed=31),
    }
    figures: Figures = {}
    sure, wrong = [], []
    for name, pictures in sets.items():
        ended = []
        for picture in pictures:
            item = picture.item()
            run_stages(chain, [item])
            ended.append(item.reason)
            if name == "composites" and item.alpha is not None and item.confidence is not None:
                sure.append(item.confidence)
                truth = truth_of(picture) / 255.0
                wrong.append(np.abs(item.alpha / 255.0 - truth).sum() / max(truth.sum(), 1))
        figures[name] = mean([float(reason == "no_subject") for reason in ended])
        figures[f"{name}_other_reasons"] = mean([float(reason not in ("", "no_subject")) for reason in ended])
    return figures | {"confidence_spearman": round(labels.spearman(1 - np.array(sure), np.array(wrong)), 4)}


def truth_of(picture: v.Picture) -> np.ndarray:
    assert picture.alpha is not None
    return picture.alpha


def some(pictures: list[v.Picture], quick: bool) -> list[v.Picture]:
    return pictures[::8] if quick else pictures


def mean(values: Sequence[float], digits: int = 4) -> float:
    return round(float(np.mean(values)), digits) if len(values) else float("nan")


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def sheet(path: Path, pictures: list[np.ndarray], *columns: list[np.ndarray]) -> None:
    """Rows of a picture and mattes, side by side."""
    rows = []
    for k, rgb in enumerate(pictures):
        greys = [np.repeat((column[k] * 255).astype(np.uint8)[..., None], 3, 2) for column in columns]
        rows.append(cv2.resize(np.hstack([rgb, *greys]), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


SECTIONS: dict[str, Callable[[bool, Path | None], Figures]] = {
    "coarse": coarse_figures,
    "fine": fine_figures,
    "detect": detect_figures,
    "quality": quality_figures,
    "classify": classify_figures,
    "no_subject": no_subject_figures,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="an eighth of the pictures: to see that it works")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="some of the figures")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="pictures and mattes side by side, as PNG")
    args = parser.parse_args()
    result: Figures = {}
    for name in args.only:
        started = time.perf_counter()
        result[name] = SECTIONS[name](args.quick, args.sheets)
        print(f"{name} ({time.perf_counter() - started:.0f} s): {json.dumps(result[name])}", flush=True)
    if "no_subject" in result:
        result["confidence_spearman"] = result["no_subject"].pop("confidence_spearman")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
