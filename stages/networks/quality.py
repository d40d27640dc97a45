"""The quality network: how strong each defect of a picture is, in ordered classes.

Severities have an order but no unit, so they are neither regressed nor treated as unrelated classes: the network
gives one score per defect and learned, ordered thresholds on it, that is P(severity >= k) for each k (CORAL:
Cao, Mirjalili and Raschka, "Rank consistent ordinal regression", 2020).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..imaging.signals import NAMES
from .blocks import ConvBN
from .lite import LiteEncoder

SIZE = 256  # side of the square input, pixels; the picture is stretched to it
DEFECTS = ("exposure_dark", "exposure_over", "blur", "occlusion", "low_information")
SEVERITIES = 5  # 0 none, 1 noticed when compared, 2 plain, 3 spoils the picture, 4 little is left
LAYOUT_CELLS = 4  # cells a side of the grid of local features: where something lies tells whether it covers the subject
LAYOUT_CHANNELS = 24  # features of each cell
CLASSES = ("good", "usable", "poor", "bad")


class CoralHead(nn.Module):
    """Scores to cumulative logits: a score minus thresholds that rise by construction.

    Input: float [N, scores]. Output: float [N, scores, steps]; sigmoid of step k is P(rank > k), falling in k.
    """

    def __init__(self, scores: int, steps: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(scores, 1))
        self.gaps = nn.Parameter(torch.full((scores, steps - 1), 1.0))

    def forward(self, score: Tensor) -> Tensor:
        rise = torch.cat([torch.zeros_like(self.first), F.softplus(self.gaps).cumsum(1)], 1)
        return score[..., None] - (self.first + rise)


class QualityNet(nn.Module):
    """Features of the encoder at two scales, and of each part of the picture, joined with the classical signals.

    The small input cannot show a slight blur or clipped pixels; the signals, measured on a larger one, do.

    Input: image float [N, 3, SIZE, SIZE], RGB 0..1; signals float [N, len(NAMES)], in the order of `signals.NAMES`.
    Output: cumulative logits float32: defects [N, len(DEFECTS), SEVERITIES - 1]: sigmoid is P(severity > k);
    classes [N, len(CLASSES) - 1]: sigmoid is P(worse than class k).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LiteEncoder(4)  # defects are local: up to stride 16
        widths = self.encoder.widths
        self.register_buffer("mean", torch.zeros(len(NAMES)))  # of the signals over the training pictures
        self.register_buffer("deviation", torch.ones(len(NAMES)))
        self.signals = nn.Sequential(nn.Linear(len(NAMES), 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.layout = nn.Sequential(ConvBN(widths[-1], LAYOUT_CHANNELS, kernel=1))
        pooled = 2 * widths[-1] + widths[-3] + LAYOUT_CHANNELS * LAYOUT_CELLS**2
        self.join = nn.Sequential(nn.Linear(pooled + 64, 128), nn.ReLU(), nn.Dropout(0.2))
        self.score = nn.Linear(128, len(DEFECTS) + 1)
        self.defects = CoralHead(len(DEFECTS), SEVERITIES - 1)
        self.classes = CoralHead(1, len(CLASSES) - 1)

    def forward(self, image: Tensor, signals: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.pool(image), signals)

    def pool(self, image: Tensor) -> Tensor:
        """The costly half, for the accelerator: float [N, 3, SIZE, SIZE] to float [N, P]."""
        features = self.encoder(image)
        last, middle = features[-1], features[-3]
        parts = F.adaptive_avg_pool2d(self.layout(last), LAYOUT_CELLS).flatten(1)
        return torch.cat([last.mean((2, 3)), last.amax((2, 3)), middle.mean((2, 3)), parts], 1)

    def head(self, pooled: Tensor, signals: Tensor) -> tuple[Tensor, Tensor]:
        """The cheap half, best in float32, for signals span decades that bf16 does not resolve.

        Args:
            pooled: float [N, P], from `pool`.
            signals: float [N, len(NAMES)].

        Returns:
            The network's output.
        """
        normal = ((signals - self.mean) / self.deviation).clamp(-4, 4)
        score = self.score(self.join(torch.cat([pooled, self.signals(normal)], 1))).float()
        return self.defects(score[:, :-1]), self.classes(score[:, -1:])[:, 0]
