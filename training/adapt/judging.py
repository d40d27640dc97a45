"""Whether new weights are better, on pictures that were kept apart: paired, by group of near duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...evaluation import matte
from ...stages.base import run_stages
from ...stages.item import Item
from ...stages.registry import stage_class
from ..data import U8
from .teaching import FEW, Known
from .work import Tell

FEWEST = 20  # groups of near duplicates below which nothing is judged
LEAST = 0.002  # gain that is worth other weights
HARM = 0.005  # loss on a person's masks from which on weights are refused
SAMPLES = 4000  # of the bootstrap
CONFIDENCE = 0.95  # of the interval, both sides
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """How one matte agrees with the mask of its picture: each 0..1, and 1 is best.

    Attributes:
        iou, boundary: IoU of the whole, and of its rim, see `evaluation/matte.py`.
        edge: 1 - mean absolute error in the transition band.
    """

    iou: float
    boundary: float
    edge: float

    @property
    def agreement(self) -> float:
        """What weights are judged by: the mean of the three."""
        return (self.iou + self.boundary + self.edge) / 3


@dataclass(frozen=True)
class Verdict:
    """What came out for one network.

    Attributes:
        before, after: mean agreement.
        low, high: bounds of the mean difference, see `CONFIDENCE`.
        better: whether the new weights are taken.
        why: in words.
    """

    network: str
    before: float
    after: float
    low: float
    high: float
    better: bool
    why: str


def mattes(known: Sequence[Known], weights: Mapping[str, Path]) -> list[U8]:
    """The mattes of detect, coarse and fine, uint8 [H, W] each.

    Args:
        weights: {stage: file} where it is not what ships.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    stages = []
    for name, options in (("detect", {}), ("coarse", {"min_area": 0, "no_subject": 1}), ("fine", {"min_area": 1e-6})):
        kind = stage_class(name)
        given = {"weights": str(weights[name])} if name in weights else {}
        stages.append(kind(kind.Settings(**options, **given)))
        stages[-1].setup(device)
    found = []
    for each in known:
        rgb = each.photo.rgb
        png = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        item = Item(each.id, each.id, data=bytes(png), width=rgb.shape[1], height=rgb.shape[0])
        run_stages(stages, [item])
        found.append(np.zeros(rgb.shape[:2], np.uint8) if item.alpha is None else item.alpha)
    return found


def figures(found: Sequence[U8], known: Sequence[Known]) -> list[Figures]:
    """How mattes agree with the masks of their pictures."""
    judged = []
    for alpha, each in zip(found, known, strict=True):
        a, truth = alpha.astype(np.float32) / 255, each.photo.alpha.astype(np.float32) / 255
        band = matte.transition_band(truth)
        error = float(np.abs(a - truth)[band].mean()) if band.any() else 0.0
        masks = a >= 0.5, truth >= 0.5
        judged.append(Figures(matte.iou(*masks), matte.boundary_iou(*masks), 1 - error))
    return judged


def compare(
    network: str, before: Sequence[Figures], after: Sequence[Figures], known: Sequence[Known], groups: Sequence[int]
) -> Verdict:
    """Whether the second figures are better than the first, picture by picture.

    The mean difference of agreement must be at least `LEAST`, the lower bound of its bootstrap interval (resampled by
    group, Efron 1979) above 0, and where a person's masks are among the pictures, these must not lose.
    """
    difference = np.array([b.agreement - a.agreement for a, b in zip(before, after, strict=True)])
    low, high = bootstrap(difference, groups)
    means = [float(np.mean([f.agreement for f in some])) for some in (before, after)]
    gain = means[1] - means[0]
    theirs = difference[[each.corrected for each in known]]
    if len(theirs) >= FEW and theirs.mean() < -HARM:
        why = f"worse on the {len(theirs)} corrected pictures kept apart ({theirs.mean():+.4f})"
    elif low <= 0:
        why = f"no gain that chance would not bring, too ({gain:+.4f}, between {low:+.4f} and {high:+.4f})"
    elif gain < LEAST:
        why = f"the gain is too small to be worth it ({gain:+.4f})"
    else:
        why = f"better: {gain:+.4f}, between {low:+.4f} and {high:+.4f}"
    return Verdict(network, means[0], means[1], low, high, why.startswith("better"), why)


def too_few(groups: Sequence[int]) -> str:
    """Why nothing can be judged by pictures of these groups; empty where it can."""
    count = len(set(groups))
    if count >= FEWEST:
        return ""
    return f"only {count} labelled pictures that are no near duplicates are kept apart; {FEWEST} are needed to judge by"


def bootstrap(difference: F64, groups: Sequence[int], seed: int = 0) -> tuple[float, float]:
    """Bounds of the mean of paired differences, float [N], whose pictures come in groups."""
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    sums, counts = np.bincount(numbers, difference), np.bincount(numbers)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(SAMPLES, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def judge(
    known: Sequence[Known], groups: Sequence[int], coarse: Path, fine: Path | None, tell: Tell
) -> tuple[dict[str, Path], list[Verdict], list[U8], list[U8]]:
    """The weights that are better, as {stage: file}, with the verdicts and the mattes before and after."""
    verdicts, taken = [], {}
    tell(f"judged on {len(known)} pictures kept apart")
    first = now = mattes(known, {})
    for network, path in (("coarse", coarse), ("fine", fine)):
        if path is None:
            continue
        tried = mattes(known, {**taken, network: path})
        verdict = compare(network, figures(now, known), figures(tried, known), known, groups)
        tell(f"{network}: {verdict.why}")
        verdicts.append(verdict)
        if verdict.better:
            taken[network], now = path, tried
    return taken, verdicts, first, now


def means(some: Sequence[Figures]) -> dict[str, float]:
    """Mean figures, rounded."""
    names = ("iou", "boundary", "edge", "agreement")
    return {name: round(float(np.mean([getattr(f, name) for f in some])), 4) for name in names} if some else {}


def as_data(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    return [{k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(each).items()} for each in verdicts]
