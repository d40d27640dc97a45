"""Masks for the chosen pictures: the teacher's, or a person's where there is one; and whether to trust the teacher."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import torch
from torch import nn

from ...evaluation import matte, read
from ...evaluation.pairs import PICTURES
from ...stages.coarse import predict_alpha
from ...stages.errors import HairlineError, PictureError
from .. import data, label
from ..data import U8, Photo
from .sampling import confidence, pixels, shipped_coarse
from .work import Candidate, Tell, Wish, Work

LABEL_SHARE = 0.5  # of the budget that is spent when the teacher has to stop
VOTES = 3  # looks of a teacher at one picture, where the time allows
MOST_DOUBT = 0.5  # of a mask that is learned from
REJECTED = 0.5  # share of the masks from which on a teacher is not learned from
CERTAIN = 0.9  # confidence of our own network from which on a teacher should agree with it …
AGREES = 0.9  # IoU with our own answer from which on a teacher agrees
CONTRADICTS = 0.6  # … and the median IoU below which it contradicts what is certain
FEW = 5  # pictures below which nothing is concluded from them
OURS = "theirs"  # folder of what the teacher says of corrected pictures, beside the masks


@dataclass(frozen=True)
class Known:
    """A labelled picture.

    Attributes:
        id: of the catalog.
        photo: the picture and its mask.
        part: see `sampling.PARTS`.
        corrected: the mask is a person's.
        own: IoU of our network's answer with the mask.
        sure: our network's confidence.
        theirs: of a corrected picture: the teacher's mask, uint8 [H, W].
    """

    id: str
    photo: Photo
    part: str
    corrected: bool
    own: float
    sure: float
    theirs: U8 | None = None

    @property
    def anchored(self) -> bool:
        """Whether our own answer is right already, and to stay."""
        return self.own >= AGREES


def corrections(folder: str) -> dict[str, Path]:
    """The masks below a folder, by their path without its ending. Raises HairlineError: there is no such folder."""
    if not folder:
        return {}
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise HairlineError(f"corrections {folder}: is no folder of masks")
    found = {p.relative_to(root).with_suffix("").as_posix(): p for p in root.rglob("*") if p.suffix.lower() in PICTURES}
    if not found:
        raise HairlineError(f"corrections {folder}: holds no masks")
    return found


def correction_of(id: str, masks: Mapping[str, Path]) -> Path | None:
    """The mask of a picture: named as it, with or without its ending (`a.jpg`: `a.png`, or `a.jpg.png`)."""
    return masks.get(PurePosixPath(id).with_suffix("").as_posix()) or masks.get(id)


def teach(
    chosen: Sequence[tuple[Candidate, str, str]],
    ask: label.Teacher,
    read_bytes: Callable[[Candidate], bytes],
    wish: Wish,
    work: Work,
    tell: Tell,
) -> None:
    """Labels pictures, in their order, until all have masks or the share of the time is over.

    Args:
        chosen: (picture, category, part) each.
    """
    folder = work.inside / "labels"
    labels, rejects = label.read_labels(folder), data.rejects(folder)
    known = {each.source_path for each in labels}
    waiting = [each for each in chosen if each[0].id not in known]
    if not waiting or work.labelled:
        return
    masks = corrections(wish.corrections)
    limit = LABEL_SHARE * work.minutes * 60
    for number, (candidate, category, part) in enumerate(waiting, 1):
        if work.tick("label") > limit:
            tell(f"the time for the teacher is over: {len(labels)} of {len(chosen)} pictures have masks")
            break
        try:
            rgb = pixels(read_bytes(candidate))
        except (PictureError, OSError) as error:
            tell(f"left out: {candidate.id}: {error}")
            continue
        work.looks = work.looks or _looks_for(ask, rgb, len(waiting), limit - work.seconds)
        found = label.votes(rgb, [ask]) if work.looks == VOTES else label.fitted(ask(rgb), rgb)[None]
        mask, weight, doubt = label.combine_votes(found)
        facts = {"category": category, "split": part}
        if corrected := correction_of(candidate.id, masks):
            facts |= {"mask_kind": "corrected", "doubt": 0.0}
            kept = label.keep(folder, rgb, (_resized(corrected, rgb), np.full_like(mask, 255)), candidate.id, **facts)
            (folder / OURS).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / OURS / Path(kept.mask_path).name), mask)
        else:
            facts |= {"mask_kind": f"{data.TEACHER}_{Path(wish.teacher).stem}", "doubt": round(doubt, 4)}
            kept = label.keep(folder, rgb, (mask, weight), candidate.id, **facts)
            if reason := label.verdict(mask, doubt, MOST_DOUBT):
                rejects[kept.path] = reason
        labels.append(kept)
        if not number % 10:
            label.save(folder, labels, rejects)
            work.save()
            tell(f"{len(labels)} of {len(chosen)} pictures have masks")
    label.save(folder, labels, rejects)
    work.labelled = True  # a later call does not go on, however large its budget: the parts are settled
    work.save()


def load(work: Work) -> list[Known]:
    """The labelled pictures but for those that are rejected, with what our own network says of them."""
    folder = work.inside / "labels"
    rejected = data.rejects(folder)
    coarse = shipped_coarse(torch.device("cpu"))
    found = []
    for row in label.read_labels(folder):
        if row.path in rejected:
            continue
        rgb = cv2.cvtColor(_image(folder / row.path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        alpha, weight = (_image(folder / path, cv2.IMREAD_GRAYSCALE) for path in (row.mask_path, row.weight_path))
        corrected = row.mask_kind == "corrected"
        photo = Photo(rgb, alpha, row.category, False, not corrected, row.doubt, row.path, weight)
        own, sure = own_answer(coarse, rgb, alpha)
        theirs = _image(folder / OURS / Path(row.mask_path).name, cv2.IMREAD_GRAYSCALE) if corrected else None
        found.append(Known(row.source_path, photo, row.split, corrected, own, sure, theirs))
    return found


def own_answer(coarse: nn.Module, rgb: U8, alpha: U8) -> tuple[float, float]:
    """What our own coarse network makes of a labelled picture: IoU with the label, and how sure it is, 0..1 each.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], 0..255, the label.
    """
    said, error = predict_alpha(coarse, [rgb], torch.device("cpu"))[0]
    full = cv2.resize(said, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return matte.iou(full > 127, alpha > 127), confidence(said, error)


def objection(known: Sequence[Known], work: Work, trusted: bool) -> str:
    """Why nothing is to be learned from this teacher; empty where there is no reason.

    Judged by a person's masks where there are `FEW` or more, else by its own doubt and by what our network is sure of.
    """
    labels = label.read_labels(work.inside / "labels")
    rejected = data.rejects(work.inside / "labels")
    if labels and len(rejected) > REJECTED * len(labels):
        return f"the teacher finds nothing, or doubts what it finds, in {len(rejected)} of {len(labels)} pictures"
    judged = [each for each in known if each.theirs is not None]
    if len(judged) >= FEW:
        theirs = float(
            np.mean([matte.iou(e.theirs > 127, e.photo.alpha > 127) for e in judged if e.theirs is not None])
        )
        ours = float(np.mean([each.own for each in judged]))
        return (
            f"on the {len(judged)} corrected pictures the teacher (IoU {theirs:.3f}) is no better than what there is "
            f"({ours:.3f})"
            if theirs <= ours
            else ""
        )
    certain = [each.own for each in known if each.sure >= CERTAIN and not each.corrected]
    if len(certain) >= FEW and float(np.median(certain)) < CONTRADICTS and not trusted:
        return (
            f"the teacher contradicts what is certain: on the {len(certain)} pictures that the shipped weights are "
            f"surest of, the median IoU with it is {np.median(certain):.2f}. Look at them on the page; if the teacher "
            "is right, say --trust-teacher"
        )
    return ""


def _looks_for(ask: label.Teacher, rgb: U8, pictures: int, seconds: float) -> int:
    """How often the teacher can look at each picture in the time that is left for it."""
    started = time.monotonic()
    ask(rgb)
    return VOTES if (time.monotonic() - started) * VOTES * pictures <= seconds else 1


def _resized(path: Path, rgb: U8) -> U8:
    """A person's mask at its picture's size. Raises HairlineError: it has other proportions."""
    mask = read.matte(path)
    (height, width), (rows, columns) = rgb.shape[:2], mask.shape
    if abs(columns / rows * height / width - 1) > 0.02:
        raise HairlineError(f"{path} is {columns}x{rows} pixels large, other proportions than its picture has")
    return label.to8(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32))


def _image(path: Path, flags: int) -> U8:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise HairlineError(f"{path} cannot be read; remove its row from labels.csv, or the whole folder")
    return image.astype(np.uint8, copy=False)
