"""How right the weights in the tree are, on the fixed pictures of training/validation.py.

    python benchmarks/accuracy.py [--quick] [--only fine ...] [--sheets DIR] [--weights coarse=other.safetensors ...]

Every figure comes from the stages as a run uses them, with their default settings. `fine` is set beside the coarse
answer enlarged by a guided filter and beside closed-form matting of the same trimap. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from contact import sheet
from group_lists import believed
from record import record

from hairline.evaluation import boxes as b
from hairline.evaluation import labels, matte
from hairline.evaluation.metrics import label_figures
from hairline.stages.base import Settings, Stage, run_stages
from hairline.stages.fine import FineStage
from hairline.stages.imaging.guided import upsample
from hairline.stages.imaging.rough import crop_of as mask_as_crop
from hairline.stages.item import CoarseCrop, Item
from hairline.stages.networks.quality import CLASSES, DEFECTS
from hairline.training import validation as v
from hairline.training.parallel import parallel_map, pool, stage

WEIGHTS = "HAIRLINE_BENCHMARK_WEIGHTS"  # {stage: path} for the processes that ask the stages
SEEN = ("iou", "boundary_iou", "interior_soft", "holes", "specks")
CHAIN = ("filter", "classify", "detect", "coarse", "fine")
PHOTOGRAPHED = ("clothing", "portrait", "animal", "person")  # with enough photographs to speak of
ERRORS = ("sad", "mse", "grad", "conn")
Figures = dict[str, Any]
T = TypeVar("T")


def coarse() -> Stage[Settings]:
    """The coarse stage, which judges no picture to be without a subject."""
    return stage("coarse", min_area=0, no_subject=1, **other("coarse"))


def fine() -> FineStage:
    """The fine stage, likewise."""
    made = stage("fine", min_area=1e-6, **other("fine"))
    assert isinstance(made, FineStage)
    return made


def other(name: str) -> dict[str, str]:
    """The setting of a stage that is judged with other weights than those in the tree."""
    path = json.loads(os.environ.get(WEIGHTS, "{}")).get(name)
    return {"weights": path} if path else {}


def facts(picture: v.Picture, name: str, **options: float | str) -> Item:
    """What a stage finds out about a picture, without its pixels."""
    item = picture.item()
    stage(name, **options).process([item])
    item.release()
    return item


def mask_iou(picture: v.Picture) -> float:
    """IoU of the coarse answer on the whole picture."""
    alpha = cv2.resize(crop_of(picture, "network").alpha, picture.rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return matte.iou(alpha > 127, truth_of(picture) > 127)


def coarse_figures(quick: bool, sheets: Path | None) -> Figures:
    photographs, made = (
        grouped(x, parallel_map(mask_iou, x)) for x in (some(v.photographs(), quick), v.composites(3 if quick else 12))
    )
    figures: Figures = {f"iou_{name}": mean(photographs[name]) for name in PHOTOGRAPHED}
    figures["iou_photographs"] = mean([x for group in photographs.values() for x in group])
    figures["iou_composites"] = mean([mean(group) for group in made.values()])
    return figures | {"iou_composites_by_category": {name: mean(group) for name, group in made.items()}}


def fine_figures(quick: bool, sheets: Path | None) -> Figures:
    """Fine, guided filter and closed-form matting from the same coarse answers: the network's, given ones, hard masks.

    The given ones are the truth made worse, as in training: what fine adds where coarse is no worse than that. A hard
    mask is where the mean of 9 x 9 pixels is above one half. The figures on top are the network's, which a run gets.
    """
    pictures = v.hairy(1 if quick else 12)
    truths = [truth_of(picture).astype(np.float32) / 255 for picture in pictures]
    kinds = np.array([picture.group for picture in pictures])
    figures: Figures = {}
    for source in ("network", "given", "mask"):
        answers = parallel_map(partial(rivals, source=source), pictures)
        judged = [
            {how: matte.evaluate(alpha, truth) for how, alpha in answer.items()}
            for answer, truth in zip(answers, truths, strict=True)
        ]
        if source == "network":
            figures |= {name: mean([j["fine"][name] for j in judged], 5) for e in ERRORS for name in (e, f"{e}_band")}
        figures[source] = {
            kind: compared([judged[k] for k in np.flatnonzero((kinds == kind) | (kind == "all"))])
            for kind in ("all", *v.KINDS)
        }
        for kind in v.KINDS if sheets else ():
            at = np.flatnonzero(kinds == kind)[:6]
            rows = [(pictures[k].rgb, *answers[k].values(), truths[k]) for k in at]
            sheet(sheets / f"{source}-{kind}.png", rows)
    return figures


def seen_figures(quick: bool, sheets: Path | None) -> Figures:
    """What people see first, by kind of picture: mattes of detect, coarse and fine, as a run makes them."""
    figures: Figures = {}
    for pictures in (some(v.by_teacher(), quick), v.goods(3 if quick else 24), believed(8 if quick else 1)):
        mattes = parallel_map(matted, pictures)
        truths = (truth_of(picture).astype(np.float32) / 255 for picture in pictures)
        judged = [matte.evaluate(alpha, truth) for alpha, truth in zip(mattes, truths, strict=True)]
        for name, group in grouped(pictures, judged).items():
            figures[name] = {"pictures": len(group)} | {key: mean([one[key] for one in group]) for key in SEEN}
        for name, rows in grouped(pictures, list(zip(pictures, mattes, strict=True))).items() if sheets else ():
            lines = [(p.rgb, truth_of(p) / 255.0, alpha) for p, alpha in rows[:24]]
            sheet(sheets / f"seen-{name}.png", [tuple(square(x) for x in line) for line in lines])
    return figures


def matted(picture: v.Picture) -> np.ndarray:
    """The matte of a picture, float32 [H, W], 0..1, whether or not a run would end it earlier."""
    item = picture.item()
    run_stages([stage("detect"), coarse(), fine()], [item])
    alpha = np.zeros(picture.rgb.shape[:2], np.uint8) if item.alpha is None else item.alpha
    return alpha.astype(np.float32) / 255


def square(image: np.ndarray, side: int = 256) -> np.ndarray:
    """The picture in the middle of a square, so that those of any shape go below each other."""
    small = cv2.resize(image, None, fx=side / max(image.shape[:2]), fy=side / max(image.shape[:2]))[:side, :side]
    below, right = side - small.shape[0], side - small.shape[1]
    return cv2.copyMakeBorder(
        small, below // 2, below - below // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT
    )


def crop_of(picture: v.Picture, source: str) -> CoarseCrop:
    """The coarse answer on the whole picture: the network's, the given one, or a hard mask."""
    if source == "network":
        item = picture.item()
        coarse().process([item])
        return item.crops[0]
    if source == "mask":
        return mask_as_crop((cv2.blur(truth_of(picture), (9, 9)) > 127).astype(np.float32))
    assert picture.coarse
    height, width = picture.rgb.shape[:2]
    alpha, uncertainty = (cv2.resize(x, (160, 160), interpolation=cv2.INTER_AREA) for x in picture.coarse)
    return CoarseCrop((0, 0, width, height), alpha.astype(np.uint8), uncertainty.astype(np.uint8))


def rivals(picture: v.Picture, source: str) -> dict[str, np.ndarray]:
    """The mattes of the guided filter, of closed-form matting and of fine: float32 [H, W], 0..1."""
    crop, size = crop_of(picture, source), picture.rgb.shape[1::-1]
    small = crop.alpha.astype(np.float32) / 255
    guided = upsample(small, picture.rgb)
    band = cv2.resize(fine()._band(crop), size, interpolation=cv2.INTER_LINEAR) > 0
    sure = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR) > 0.5
    solved = closed_form(picture.rgb, np.where(band, 0.5, sure).astype(np.float64), guided)
    item = picture.item()
    item.crops = [crop]
    fine().process([item])
    alpha = item.alpha if item.alpha is not None else np.zeros(picture.rgb.shape[:2], np.uint8)
    return {"guided": guided, "closed_form": solved, "fine": alpha.astype(np.float32) / 255}


def closed_form(rgb: np.ndarray, trimap: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Closed-form matting (Levin, Lischinski, Weiss 2008) by PyMatting: float32 [H, W], 0..1.

    `otherwise` stands in where the trimap does not show both sides, from which nothing can be solved.
    """
    from pymatting import estimate_alpha_cf

    if not ((trimap == 0).any() and (trimap == 1).any()):
        return otherwise
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # it tells its retries
        return np.clip(estimate_alpha_cf(rgb / 255.0, trimap), 0, 1).astype(np.float32)


def compared(judged: list[dict[str, dict[str, float]]]) -> Figures:
    """Fine's error in the transition band, and how far it is below the others'."""
    sad = {how: mean([each[how]["sad_band"] for each in judged], 5) for how in judged[0]}
    return {"sad_band": sad["fine"]} | {
        f"below_{how}": round(1 - sad["fine"] / sad[how], 4) for how in ("guided", "closed_form")
    }


def detect_figures(quick: bool, sheets: Path | None) -> Figures:
    designs, long = v.designs(24 if quick else 240), v.long_designs(5 if quick else 40)
    found = parallel_map(partial(facts, name="detect", min_score=0.02), designs)
    figures: Figures = {}
    for name in ("subject", "decoration"):
        answers = [answer(*pair, name) for pair in zip(designs, found, strict=True)]
        figures[f"ap50_{name}"] = round(b.average_precision(answers), 4)
        figures[f"ap_{name}"] = round(b.mean_average_precision(answers), 4)
        if name == "subject":
            figures["recall_by_size"] = rounded(b.recall_by_size(answers))
    used = parallel_map(partial(facts, name="detect"), long)  # at the score from which a run takes a box
    answers = [answer(*pair, "subject") for pair in zip(long, used, strict=True)]
    return figures | {"recall_by_ratio": rounded(b.recall_by_ratio(answers))}


def answer(picture: v.Picture, item: Item, label: str) -> b.Answer:
    """Boxes of one label; text and logos are one, decoration."""
    mine = [box for box in item.boxes if (box.label == "subject") == (label == "subject")]
    truth = [box[:4] for box in picture.boxes if (box[4] == "subject") == (label == "subject")]
    found = np.array([[box.x0, box.y0, box.x1, box.y1] for box in mine], float).reshape(-1, 4)
    return b.Answer(found, np.array([box.score for box in mine]), np.array(truth, float).reshape(-1, 4))


def quality_figures(quick: bool, sheets: Path | None) -> Figures:
    look = partial(facts, name="filter", quality_weights=other("quality").get("weights", ""))
    pictures = v.spoiled(60 if quick else 500)
    judged = parallel_map(look, pictures)
    auc = {}
    for defect in DEFECTS:
        known = [k for k, p in enumerate(pictures) if p.severities[defect] >= 0 and defect in judged[k].quality]
        severity = np.array([pictures[k].severities[defect] for k in known])
        auc[defect] = round(labels.auc(np.array([judged[k].quality[defect] for k in known]), severity >= 2), 4)
    classes = label_figures([overall(item) for item in judged], [p.severities["class"] for p in pictures])
    alarms = {}
    for name, correct in (("white", v.on_white(20 if quick else 200)), ("photographs", some(v.photographs(), quick))):
        alarms[name] = mean([item.reason not in ("", "too_small") for item in parallel_map(look, correct)])
    return {"auc": auc, "false_alarms": alarms, **{k: classes[k] for k in ("accuracy", "macro_f1", "kappa")}}


def overall(item: Item) -> int:
    """The overall class, 0 (good) to 3 (bad); where weights of grades are judged, the median of these."""
    grades = [item.quality[f"grade_{name}"] for name in CLASSES if f"grade_{name}" in item.quality]
    return int((np.cumsum(grades) < 0.5).sum()) if grades else int(item.quality["class"])


def classify_figures(quick: bool, sheets: Path | None) -> Figures:
    ask = partial(facts, name="classify", **other("classify"))
    pictures = v.of_category(*((4, 3) if quick else (40, 24)))
    items = parallel_map(ask, pictures)
    figures: Figures = {}
    for name, made in (("", None), ("_photographs", False), ("_composites", True)):
        at = [k for k, p in enumerate(pictures) if made is None or p.made == made]
        scores = np.array([items[k].category_score for k in at])
        found = label_figures([items[k].category for k in at], [pictures[k].group for k in at], scores)
        figures |= {f"{key}{name}": found[key] for key in ("macro_f1", "accuracy", "ece")}
    unknown = parallel_map(ask, v.of_no_category(12 if quick else 48))
    return figures | {"unknown_on_general_route": mean([item.route == "general" for item in unknown])}


def no_subject_figures(quick: bool, sheets: Path | None) -> Figures:
    """The whole chain over empty and other pictures, and on composites its confidence against the real error."""
    sets = {
        "empty": some(v.backgrounds(), quick),
        "photographs": some(v.photographs(), quick),
        "composites": v.composites(1 if quick else 9, seed=31),
    }
    figures: Figures = {}
    for name, pictures in sets.items():
        found = parallel_map(chained, pictures)
        figures[name] = mean([reason == "no_subject" for reason, *_ in found])
        figures[f"{name}_other_reasons"] = mean([reason not in ("", "no_subject") for reason, *_ in found])
    sure, wrong = np.array([(sure, wrong) for _, sure, wrong in found if sure is not None]).T
    figures["expected_error_median"] = mean([np.median(1 - sure)])
    figures["real_error_median"] = mean([np.median(wrong)])
    return figures | {"confidence_spearman": round(labels.spearman(1 - sure, wrong), 4)}


def chained(picture: v.Picture) -> tuple[str, float | None, float]:
    """Why the chain ended a picture, if it did; else its confidence and real error, both against the subject's area."""
    item = picture.item()
    run_stages([stage(name, **other(name)) for name in CHAIN], [item])
    if item.ended or item.alpha is None or picture.alpha is None:
        return item.reason, None, 0.0
    truth = picture.alpha / 255.0
    return "", item.confidence, float(np.abs(item.alpha / 255.0 - truth).sum() / max(truth.sum(), 1))


def truth_of(picture: v.Picture) -> np.ndarray:
    assert picture.alpha is not None
    return picture.alpha


def some(pictures: list[v.Picture], quick: bool) -> list[v.Picture]:
    return pictures[::8] if quick else pictures


def grouped(pictures: Sequence[v.Picture], values: Iterable[T]) -> dict[str, list[T]]:
    found = defaultdict(list)
    for picture, value in zip(pictures, values, strict=True):
        found[picture.group].append(value)
    return found


def mean(values: Sequence[float], digits: int = 4) -> float:
    return round(float(np.mean(values)), digits) if len(values) else float("nan")


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


SECTIONS: dict[str, Callable[[bool, Path | None], Figures]] = {
    "coarse": coarse_figures,
    "fine": fine_figures,
    "seen": seen_figures,
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
    told = "others, of coarse, fine, classify; of quality: grades, whose median is the overall class"
    parser.add_argument("--weights", nargs="+", default=[], metavar="STAGE=PATH", help=told)
    args = parser.parse_args()
    os.environ[WEIGHTS] = json.dumps(dict(given.split("=", 1) for given in args.weights))
    result: Figures = {}
    for name in args.only:
        started = time.perf_counter()
        result[name] = SECTIONS[name](args.quick, args.sheets)
        print(f"{name} ({time.perf_counter() - started:.0f} s): {json.dumps(result[name])}", flush=True)
    if "no_subject" in result:
        result["confidence_spearman"] = result["no_subject"].pop("confidence_spearman")
    pool().shutdown()
    return record(result)


if __name__ == "__main__":
    sys.exit(main())
