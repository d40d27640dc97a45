"""(i) The coarse network's two looks against either alone: `near` for where things end, `far` for what is what.

Nothing is trained: the weights in the tree, on the validation photographs, composites and subjects with fine edges.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import cv2
import numpy as np

from ...evaluation import matte
from ...stages.coarse import CONTEXT_SIDE, CoarseStage, predict_alpha
from ...stages.networks.coarse import SIZE, CoarseNet
from .. import validation
from ..parallel import stage
from .run import Figures, Run, Variant, gmacs


@lru_cache(maxsize=1)
def _pictures() -> dict[str, list[validation.Picture]]:
    sets: dict[str, list[validation.Picture]] = defaultdict(list)
    for picture in validation.photographs():
        sets[picture.group].append(picture)
    sets = {name: group for name, group in sets.items() if len(group) > 1}
    sets["composites"] = validation.composites()
    return sets | {kind: [p for p in validation.hairy(12) if p.group == kind] for kind in validation.KINDS}


def _variant(*looks: int) -> Variant:
    def run(run: Run) -> Figures:
        shipped = stage("coarse")
        assert isinstance(shipped, CoarseStage)
        network, device = shipped.networks["general"], shipped.device
        figures = {}
        for name, pictures in _pictures().items():
            # both the same: what is seen is joined with itself
            answers = predict_alpha(network, [p.rgb for p in pictures], device, (looks[0], looks[-1]))
            figures[name] = float(np.mean([_iou(p, alpha) for p, (alpha, _) in zip(pictures, answers, strict=True)]))
        plain = CoarseNet()
        run.cost["gmacs"] = round(sum(gmacs(plain, (1, 3, side, side)) for side in looks), 3)
        return {name: round(value, 4) for name, value in figures.items()}

    return run


def _iou(picture: validation.Picture, alpha: np.ndarray) -> float:
    assert picture.alpha is not None
    found = cv2.resize(alpha, picture.rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return matte.iou(found > 127, picture.alpha > 127)


VARIANTS = {"near": _variant(SIZE), "far": _variant(CONTEXT_SIDE), "both": _variant(SIZE, CONTEXT_SIDE)}
