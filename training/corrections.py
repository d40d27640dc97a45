"""`hairline train fine --corrections`: the fine network, learned on from mattes that people corrected.

The recipe is that of `hairline adapt`: parts of the corrected pictures, and their subjects before their own
backgrounds; where `HAIRLINE_DATA` names training pictures, a third of the samples comes from these; what was learned is
mixed with the weights it started from as a tenth of the corrections says. Three tenths are kept apart to judge by.

The corrections come as a folder, as `review/corrections.py` collects them from an output:

    corrections.jsonl    a line for each: {"id", "picture", "matte", "category", "route"}
    pictures/, mattes/   PNGs of one size, upright
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..stages import checkpoints
from ..stages.decode.picture import Picture
from ..stages.errors import HairlineError
from .adapt import judging, learning, sampling
from .adapt.page import write_page
from .adapt.teaching import Known, own_answer
from .adapt.work import Wish, Work, write
from .data import U8, Photo
from .loop import Plan

LIST, PAGE, CARD = "corrections.jsonl", "corrections.html", "card.md"
FEWEST = 6  # corrections below which nothing is learned: one part is learned from, two are not


@dataclass(frozen=True)
class Corrected:
    """One corrected picture. rgb: uint8 [H, W, 3]; alpha: uint8 [H, W], 0..255."""

    id: str
    rgb: U8
    alpha: U8
    category: str
    route: str


def read_corrections(folder: Path, route: str = "") -> list[Corrected]:
    """The corrections in a folder, of one route or of all.

    Raises:
        HairlineError: there are too few of them, or one cannot be read.
    """
    try:
        rows = [json.loads(line) for line in (folder / LIST).read_text("utf-8").splitlines()]
        rows = [row for row in rows if not route or row["route"] == route]
        found = [
            Corrected(
                row["id"],
                cv2.cvtColor(_read(folder / row["picture"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.uint8),
                _read(folder / row["matte"], cv2.IMREAD_GRAYSCALE),
                row["category"],
                row["route"],
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HairlineError(f"corrections {folder}: cannot be read: {error}") from error
    if len(found) < FEWEST:
        of = f" of the route {route}" if route else ""
        raise HairlineError(
            f"{len(found)} corrections{of}: {FEWEST} are needed, to learn from some and judge by others"
        )
    return found


def train(plan: Plan, workers: int, batch: int, folder: Path) -> list[str]:
    """Learns on from `plan.start`, or the weights in the tree; weights, card and page land in `plan.run`.

    Args:
        folder: the corrections.

    Returns:
        What came out, as lines for a person.

    Raises:
        HairlineError: there are too few corrections, or a file is missing.
    """
    corrected = read_corrections(folder, plan.route)
    start = checkpoints.find(str(plan.start) if plan.start else "builtin", "fine-general.safetensors")
    coarse = checkpoints.find("builtin", "coarse-general.safetensors")
    known, groups = _known(corrected)
    asked = {"catalog": f"{len(known)} corrections", "start": start.name}
    work = Work(plan.run, asked, plan.minutes, training={"fine": plan.minutes})
    wish = Wish("", "", plan.run, plan.minutes, batch=batch, workers=workers, threads=plan.threads)
    work.begin()
    learned = learning.learn_fine(known, coarse, wish, work, plan.tell, start, plan.lr)
    if learned is None:
        raise HairlineError("none of the corrections has a subject to learn edges from")
    target = plan.run / "fine.safetensors"
    shutil.copyfile(learned, target)
    apart = [at for at, each in enumerate(known) if each.part == "test"]
    judged, numbers = [known[at] for at in apart], [groups[at] for at in apart]
    before, after = judging.mattes(judged, {"fine": start}), judging.mattes(judged, {"fine": target})
    figures = judging.figures(before, judged), judging.figures(after, judged)
    verdict = judging.compare("fine", *figures, judged, numbers)
    few = judging.too_few(numbers)
    return _finish(work, known, judged, (before, after), figures, verdict, few, target)


def _finish(
    work: Work,
    known: Sequence[Known],
    judged: Sequence[Known],
    mattes: tuple[list[U8], list[U8]],
    figures: tuple[list[judging.Figures], list[judging.Figures]],
    verdict: judging.Verdict,
    few: str,
    target: Path,
) -> list[str]:
    """Writes page and card."""
    lines = f"stages:\n  fine:\n    weights: {target}\n    sha256: {checkpoints.digest(target)}"
    counts = ", ".join(f"{len(learning.part(known, name))} {name}" for name in sampling.PARTS)
    said = f"{few}; these say: {verdict.why}" if few else verdict.why
    headline = "Better weights" if verdict.better and not few else "Not shown to be better"
    facts: dict[str, Any] = {
        "headline": f"Fine, learned on from corrections: {headline[0].lower()}{headline[1:]}",
        "verdict": f"{said[0].upper()}{said[1:]}.",
        "counts": f"{len(known)} corrections: {counts}.",
        "minutes": round(work.seconds / 60, 1),
        "lines": lines,
        "learned": True,
        "verdicts": judging.as_data([verdict]),
    }
    pairs = [list(zip(some, found, strict=True)) for some, found in zip(mattes, figures, strict=True)]
    page = write_page(work, facts, judged, *pairs, name=PAGE)
    changed = {name: (value, judging.means(figures[1])[name]) for name, value in judging.means(figures[0]).items()}
    rows = "\n".join(f"| {name} | {a} | {b} |" for name, (a, b) in changed.items())
    write(work.folder / CARD, CARD_TEXT.format(rows=rows, **facts))
    change = ", ".join(f"{name} {a:.3f} -> {b:.3f}" for name, (a, b) in changed.items())
    return [
        f"{facts['headline']}. {facts['verdict']}",
        f"on {len(judged)} corrections kept apart, before -> after: {change}",
        str(page),
        *(["In the job or service file:", lines] if headline == "Better weights" else []),
    ]


CARD_TEXT = """# Weights of the fine network, learned on from corrections

{headline}. {verdict} {counts} {minutes} minutes.

| on corrections kept apart | before | after |
| --- | --- | --- |
{rows}

They fit the catalog that was corrected. On others they may be worse than those they started from.
"""


def _known(corrected: Sequence[Corrected]) -> tuple[list[Known], list[int]]:
    """The corrections as labelled pictures, near duplicates in one part; and the number of each one's group."""
    cpu = torch.device("cpu")
    look, coarse = sampling.Looker(cpu), sampling.shipped_coarse(cpu)
    seen = {}
    for each in corrected:
        png = cv2.imencode(".png", np.ascontiguousarray(each.rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        seen[each.id] = look(Picture(bytes(png)))
    groups = sampling.near_duplicates(sampling.looks_of(seen)).tolist()
    known = []
    for each, part in zip(corrected, sampling.split(groups), strict=True):
        own, sure = own_answer(coarse, each.rgb, each.alpha)
        photo = Photo(each.rgb, each.alpha, each.category, False)
        known.append(Known(each.id, photo, part, True, own, sure))
    return known, groups


def _read(path: Path, flags: int) -> U8:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f"{path.name} is damaged or gone")
    return image.astype(np.uint8, copy=False)
