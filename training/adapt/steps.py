"""From a catalog to weights, step by step; each keeps what it made, so that the same command goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ...stages import checkpoints, models
from ...stages.errors import HairlineError
from .. import label
from . import judging, learning, sampling, teaching
from .page import write_page
from .teaching import Known, correction_of
from .work import Candidate, Tell, Wish, Work, write

CARD = "card.md"


def adapt(
    wish: Wish, work: Work, candidates: Sequence[Candidate], read: Callable[[Candidate], bytes], tell: Tell
) -> tuple[bool, list[str]]:
    """Makes weights for a catalog, or finds out that there are no better ones.

    Args:
        work: what earlier calls left, see `Work.open`.
        candidates: pictures of the catalog in the order in which they are looked at, those with corrections first.
        read: gives the bytes of one; raises PictureError or OSError.
        tell: is given a line now and then.

    Returns:
        Whether there are better weights, and what came out, as lines for a person.

    Raises:
        HairlineError: a user's mistake, such as a teacher that does not run.
    """
    if not work.verdict:
        if wish.threads:
            torch.set_num_threads(wish.threads)
        cv2.setNumThreads(0)  # its thread pool does not survive the fork of the processes that make samples
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        ask = label.teacher(wish.teacher, device, wish.threads or torch.get_num_threads())  # before anything is kept
        work.save()
        work.begin()
        _work(wish, work, candidates, ask, read, tell)
    return bool(work.verdict["lines"]), _lines(work)


def _work(
    wish: Wish,
    work: Work,
    candidates: Sequence[Candidate],
    ask: label.Teacher,
    read: Callable[[Candidate], bytes],
    tell: Tell,
) -> None:
    masks = teaching.corrections(wish.corrections)
    looks = sampling.look(candidates, read, work, wish.pictures * sampling.CANDIDATES, tell)
    if not len(looks.ids):
        raise HairlineError(f"catalog {wish.catalog}: none of its pictures can be read")
    groups = sampling.near_duplicates(looks)
    wanted = [id for id in looks.ids.tolist() if correction_of(id, masks)]
    rows = sampling.choose(looks, groups, wish.pictures, wanted)
    parts = sampling.split(groups[rows].tolist())
    by_id = {each.id: each for each in candidates}
    chosen = [
        (by_id[id], str(category), part)
        for id, category, part in zip(looks.ids[rows].tolist(), looks.category[rows], parts, strict=True)
        if id in by_id  # one that has left the catalog since an earlier call looked at it
    ]
    teaching.teach(chosen, ask, read, wish, work, tell)
    known = teaching.load(work)
    work.tick("label")
    group_of = dict(zip(looks.ids.tolist(), groups.tolist(), strict=True))
    apart = learning.part(known, "test")
    numbers = [group_of[each.id] for each in apart]
    refusal = teaching.objection(known, work, wish.trust_teacher) or judging.too_few(numbers)
    if not refusal and not learning.part(known, "train"):
        refusal = "there is no picture left to learn from"
    counts = ", ".join(f"{len(learning.part(known, name))} {name}" for name in sampling.PARTS)
    facts: dict[str, Any] = {"counts": f"{len(looks.ids)} pictures looked at, {len(known)} with masks: {counts}."}
    if refusal:
        tell(refusal)
        before = judging.mattes(apart, {})
        work.tick("judge")
        _finish(wish, work, facts | {"verdict": f"{refusal[:1].upper()}{refusal[1:]}."}, apart, before, before, {}, [])
        return
    learning.plan(work)
    coarse = learning.learn_coarse(known, wish, work, tell)
    fine = learning.learn_fine(known, coarse, wish, work, tell)
    taken, verdicts, before, after = judging.judge(apart, numbers, coarse, fine, tell)
    work.tick("judge")
    said = "; ".join(f"{each.network}: {each.why}" for each in verdicts) + "."
    _finish(wish, work, facts | {"verdict": said, "learned": True}, apart, before, after, taken, verdicts)


def _finish(
    wish: Wish,
    work: Work,
    facts: dict[str, Any],
    apart: Sequence[Known],
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    taken: dict[str, Path],
    verdicts: Sequence[judging.Verdict],
) -> None:
    """Writes the weights that are better, their card, the page and the verdict."""
    lines = []
    for name in ("coarse.safetensors", "fine.safetensors", CARD):  # of an earlier verdict, with less time
        if (old := work.folder / name).is_file():
            old.replace(work.inside / f"earlier-{name}")
    for network, path in taken.items():
        target = work.folder / path.name
        part = target.with_suffix(".part")
        shutil.copyfile(path, part)
        part.replace(target)
        lines.append(f"  {network}:\n    weights: {target}\n    sha256: {checkpoints.digest(target)}")
    facts["lines"] = "stages:\n" + "\n".join(lines) if lines else ""
    facts["headline"] = f"Better weights: {' and '.join(taken)}" if taken else "No weights are better than the shipped"
    facts["minutes"] = round(work.seconds / 60, 1)
    facts["verdicts"] = judging.as_data(verdicts)
    if wish.teacher in models.catalogue():
        teacher = models.known(wish.teacher)
        facts["licence"] = f"The teacher {wish.teacher}: weights {teacher.weights}; {teacher.note}."
    figures = [judging.figures(some, apart) for some in (before, after)]
    pairs = [list(zip(some, found, strict=True)) for some, found in zip((before, after), figures, strict=True)]
    facts["page"] = str(write_page(work, facts, apart, *pairs))
    facts["before"], facts["after"] = (judging.means(found) for found in figures)
    if taken:
        write(work.folder / CARD, _card(work, facts))
    work.verdict = facts
    work.save()


def _card(work: Work, facts: dict[str, Any]) -> str:
    """What the weights are, as Markdown."""
    rows = "\n".join(f"| {k} | {v} | {facts['after'][k]} |" for k, v in facts["before"].items())
    return f"""# Weights for one catalog

Learned on from Hairline's by `hairline adapt {work.asked["catalog"]} --teacher {work.asked["teacher"]}`
in {facts["minutes"]} minutes. {facts["counts"]} {facts["verdict"]}
{facts.get("licence", "")}

| on pictures kept apart | before | after |
| --- | --- | --- |
{rows}

They fit this catalog. On others they may be worse than the shipped ones.
"""


def _lines(work: Work) -> list[str]:
    facts = work.verdict
    lines = [f"{facts['headline']}. {facts['verdict']}"]
    if facts.get("learned"):
        change = [f"{k} {v:.3f} -> {facts['after'][k]:.3f}" for k, v in facts["before"].items()]
        lines.append(f"on the pictures kept apart, before -> after: {', '.join(change)}")
    lines.append(str(facts["page"]))
    if facts["lines"]:
        lines += ["In the job or service file:", facts["lines"]]
    return lines
