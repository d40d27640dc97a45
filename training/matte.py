"""Masks to mattes: hair, holes and softness where a mask, hard or soft, only says roughly where the subject is.

The converter that others train for itself (ZIM, Kim et al. 2024; SEMat, Xia et al. 2024) is here the fine network: what
it gets in a run is such a mask, and it has learned from true alpha to make a matte of that.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from ..stages.fine import FineSettings, FineStage
from ..stages.imaging.rough import crop_of
from .data import U8
from .synth.composite import F32


def matte_of(rgb: U8, mask: F32, error: F32 | None = None, weights: str = "builtin") -> F32:
    """The matte of a picture whose mask is known.

    Args:
        rgb: uint8 [H, W, 3].
        mask: float32 [H, W], 0..1; hard or soft.
        error: float32 [H, W], 0..1, the expected absolute error of the mask; None: as of a quick hand, in doubt within
            `REACH` around its edge.
        weights: of the fine network, as a job file names them.

    Returns:
        float32 [H, W], 0..1.
    """
    return _fine(weights).predict_crop(rgb, crop_of(mask, error), "general").alpha


@lru_cache(maxsize=2)
def _fine(weights: str) -> FineStage:
    made = FineStage(FineSettings.model_validate({} if weights == "builtin" else {"weights": weights}))
    made.setup(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return made
