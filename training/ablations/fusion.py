"""(a) Late fusion of a foreground and a background decoder against a single alpha decoder of equal cost.

Both begin with the encoder of the weights in the tree and fresh decoders: from scratch, some minutes tell nothing yet.
That encoder was trained under the fusion, which can only favour it.
"""

from __future__ import annotations

from functools import lru_cache

import torch.nn.functional as nnf
from torch import Tensor, nn

from ...stages.networks.fine import Branch, FineNet, FineOutput
from .. import fine
from .routes import start
from .run import Figures, Run, Variant, gmacs

SINGLE = (51, 68, 88)  # decoder channels at strides 2, 4, 8: what both branches of the fusion cost together


class SingleDecoder(FineNet):
    """The fine network's encoder with one, wider decoder that says alpha itself."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("foreground", "background", "foreground_head", "background_head", "blend_head"):
            delattr(self, name)
        self.decoder = Branch(SINGLE)
        self.head = nn.Conv2d(SINGLE[0], 4, 3, padding=1)

    def forward(self, x: Tensor) -> FineOutput:
        y = self.decoder(self.encode(x))
        alpha = nnf.pixel_shuffle(self.head(y).float(), 2).sigmoid()
        # the loss on F and B then is a loss on alpha: the same terms with the same weights
        return FineOutput(alpha, 1 - alpha, alpha.new_full(alpha.shape, 0.5), alpha)


@lru_cache(maxsize=1)
def _validation() -> fine.Validation:
    return fine.Validation()


def _begin(network: type[FineNet]) -> FineNet:
    """The network with the encoder of the weights in the tree; its decoders are fresh."""
    made, shipped = network(), start()
    made.stem, made.stages = shipped.stem, shipped.stages
    return made


def _variant(network: type[FineNet]) -> Variant:
    def run(run: Run) -> Figures:
        model, figures = run.learn(lambda: _begin(network), fine.Sampler("train"), fine.loss, _validation(), "score")
        run.cost["gmacs"] = gmacs(model, (1, 5, 256, 256))
        return figures

    return run


VARIANTS = {"fusion": _variant(FineNet), "single": _variant(SingleDecoder)}
