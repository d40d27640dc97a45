"""The subject classifier: what kind of subject a picture shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .lite import LiteEncoder

SIZE = 224  # side of the square input, pixels; the picture is stretched to it
CATEGORIES = (
    "portrait", "person", "animal", "product", "product_hollow", "clothing", "food", "vehicle", "cartoon", "scene",
)  # fmt: skip


class ClassifierNet(nn.Module):
    """Encoder, average pool, one linear layer; a temperature calibrates the probabilities.

    Input: float [N, 3, SIZE, SIZE], RGB 0..1. Output: float32 logits [N, len(CATEGORIES)], already divided by the
    temperature, so that their softmax is calibrated.
    """

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LiteEncoder()
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(self.encoder.widths[-1], len(CATEGORIES))
        self.register_buffer("temperature", torch.ones(()))  # fitted on the validation pictures

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.encoder(x)[-1].mean((2, 3))
        return self.head(self.drop(pooled)).float() / self.temperature
