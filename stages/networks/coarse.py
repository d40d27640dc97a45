"""The coarse network: which pixels belong to the subject, at low resolution, and how uncertain that is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvBN, Encoder, PyramidPooling, UpBlock
from .lite import LiteEncoder

SIZE = 320  # side of the square input at inference, pixels


class CoarseNet(nn.Module):
    """An encoder, a pyramid-pooling context (Zhao et al. 2017) and a light decoder up to stride 2.

    Input: float [N, 3, H, W], RGB 0..1. Output: logits float [N, 2, H/2, W/2]; channel 0: alpha,
    channel 1: the expected absolute error of channel 0's sigmoid, both after a sigmoid in 0..1.

    Args:
        encoder: gives maps at strides 2 to 32; the default is a LiteEncoder.
        outputs: channels of the decoder at strides 2, 4, 8 and 16.
    """

    def __init__(self, encoder: Encoder | None = None, outputs: tuple[int, ...] = (24, 48, 96, 128)) -> None:
        super().__init__()
        self.encoder: Encoder = encoder or LiteEncoder()
        widths = self.encoder.widths
        self.context = PyramidPooling(widths[-1])
        self.ups = nn.ModuleList(
            UpBlock(inputs, skip, out)
            for inputs, skip, out in zip((*outputs[1:], widths[-1]), widths[:-1], outputs, strict=True)
        )
        answer = nn.Conv2d(outputs[0], 2, 3, padding=1)
        answer.bias = nn.Parameter(torch.full((2,), -1.5))  # most pixels are background
        self.head = nn.Sequential(ConvBN(outputs[0], outputs[0]), answer)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        y = self.context(features[-1])
        for up, skip in zip(reversed(self.ups), reversed(features[:-1]), strict=True):
            y = up(y, skip)
        return self.head(y)
