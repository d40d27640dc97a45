"""(j) What the fine network's loss asks of details: L1 on gradients, or on the levels of a Laplacian pyramid.

Both go on from the weights in the tree.
"""

from __future__ import annotations

from functools import lru_cache, partial

from .. import fine
from .routes import LR, start
from .run import Figures, Run, Variant


@lru_cache(maxsize=1)
def _validation() -> fine.Validation:
    return fine.Validation()


def _variant(detail: fine.Detail) -> Variant:
    def run(run: Run) -> Figures:
        of = partial(fine.loss, detail=detail)
        return run.learn(start, fine.Sampler("train"), of, _validation(), "score", lr=LR)[1]

    return run


VARIANTS = {"gradients": _variant(fine.gradients), "laplacian": _variant(fine.laplacian)}
