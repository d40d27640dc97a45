"""(e) Ordered classes (learned thresholds on a score, CORAL) against regression of the severity, for quality."""

from __future__ import annotations

from functools import lru_cache

import torch.nn.functional as F
from torch import Tensor, nn

from ...stages.networks.quality import CLASSES, SEVERITIES, QualityNet
from .. import pretrained, quality
from ..loop import Batch
from ..replay import Replay
from .run import Figures, Loss, Run, gmacs

STEEP = 4.0  # how fast a probability goes from 0 to 1 around the middle between two severities


class Steps(nn.Module):
    """A regressed severity in the form of cumulative logits: it is above k when it rounds to more than k.

    Input: float [N, scores]. Output: float [N, scores, steps].
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, score: Tensor) -> Tensor:
        middles = score.new_tensor([k + 0.5 for k in range(self.steps)])
        return (score[..., None] - middles) * STEEP


class Regression(QualityNet):
    """The quality network, its scores being the severities themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.defects, self.classes = Steps(SEVERITIES - 1), Steps(len(CLASSES) - 1)


def regression_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Squared error of every known severity, and of the overall class."""
    defects, classes = model(batch["image"].float() / 255, batch["signals"])
    severity, overall = (steps[..., 0] / STEEP + 0.5 for steps in (defects, classes))
    known = (batch["severity"] >= 0).float()
    each = (severity - batch["severity"]).square() * known
    return each.sum() / known.sum() + 0.5 * F.mse_loss(overall, batch["overall"].float())


@lru_cache(maxsize=1)
def validation() -> quality.Validation:
    return quality.Validation()


def learn(run: Run, network: type[QualityNet], loss: Loss = quality.loss) -> tuple[nn.Module, Figures]:
    """The quality recipe with another network or loss."""
    make = Replay(quality.Sampler("train"), fresh=0.35)

    def start() -> nn.Module:
        return quality.with_signals(pretrained.load_imagenet(network()), make)

    model, figures = run.learn(start, make, loss, validation(), "auc")
    run.cost["gmacs"] = gmacs(model, (1, 3, quality.SIZE, quality.SIZE), (1, model.mean.shape[0]))
    return model, figures


VARIANTS = {
    "ordered": lambda run: learn(run, QualityNet)[1],
    "regression": lambda run: learn(run, Regression, regression_loss)[1],
}
