"""The fine network: late fusion of a foreground and a background branch at full resolution.

After Zhang et al. 2019, "A Late Fusion CNN for Digital Matting": one branch estimates how much foreground a
pixel holds (F), the other how much background (B); where both are certain they agree, and where only one
is, the blend beta follows that one. alpha = beta F + (1 - beta)(1 - B).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from .blocks import ConvBN, Residual, UpBlock

WIDTHS = (32, 64, 96, 128)  # channels at strides 2, 4, 8, 16


class FineOutput(NamedTuple):
    """The network's outputs: float [N, 1, H, W] each, 0..1; alpha is the fusion of the other three."""

    foreground: Tensor
    background: Tensor
    blend: Tensor
    alpha: Tensor


class Branch(nn.Module):
    """A decoder of the features at strides 2 to 16, see `FineNet.encode`, to float [N, outputs[0], H/2, W/2].

    Args:
        outputs: its channels at strides 2, 4 and 8.
    """

    def __init__(self, outputs: tuple[int, int, int] = (32, 48, 64)) -> None:
        super().__init__()
        self.ups = nn.ModuleList(
            UpBlock(inputs, skip, out)
            for inputs, skip, out in zip((*outputs[1:], WIDTHS[-1]), WIDTHS[:-1], outputs, strict=True)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        y = features[-1]
        for up, skip in zip(reversed(self.ups), reversed(features[:-1]), strict=True):
            y = up(y, skip)
        return y


class FineNet(nn.Module):
    """Late fusion of a foreground and a background branch.

    Input: float [N, 5, H, W]: RGB, coarse alpha and its expected error, all 0..1; H, W multiples of 16. Output: a
    `FineOutput` of the same H and W.

    No convolution runs at stride 1: space is folded into channels on the way in and out (pixel shuffle),
    which keeps every pixel's information at a quarter of the memory traffic.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBN(5 * 4, WIDTHS[0])
        self.stages = nn.ModuleList(
            [
                Residual(WIDTHS[0], WIDTHS[0]),
                nn.Sequential(Residual(WIDTHS[0], WIDTHS[1], stride=2)),
                nn.Sequential(Residual(WIDTHS[1], WIDTHS[2], stride=2), Residual(WIDTHS[2], WIDTHS[2])),
                nn.Sequential(Residual(WIDTHS[2], WIDTHS[3], stride=2), Residual(WIDTHS[3], WIDTHS[3])),
            ]
        )
        self.foreground, self.background = Branch(), Branch()
        self.foreground_head = nn.Conv2d(32, 4, 3, padding=1)
        self.background_head = nn.Conv2d(32, 4, 3, padding=1)
        self.blend_head = nn.Conv2d(64, 4, 3, padding=1)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8 and 16, with the channels in `WIDTHS`."""
        y = self.stem(nnf.pixel_unshuffle((x - 0.45) * 3.0, 2))
        features = []
        for stage in self.stages:
            y = stage(y)
            features.append(y)
        return features

    def forward(self, x: Tensor) -> FineOutput:
        features = self.encode(x)
        f, b = self.foreground(features), self.background(features)
        # fp32 from here on: bf16 has 8 bits, an alpha needs them all
        answers = nnf.pixel_shuffle(self._heads(torch.cat([f, b], 1)).float(), 2).sigmoid()
        foreground, background, blend = answers[:, :1], answers[:, 1:2], answers[:, 2:]
        return FineOutput(foreground, background, blend, blend * foreground + (1 - blend) * (1 - background))

    def maps(self, x: Tensor) -> Tensor:
        """Alpha, 0..1, and by how much the branches differ, F + B - 1, -1..1: float32 [N, 2, H, W]."""
        found = self(x)
        return torch.cat([found.alpha, found.foreground + found.background - 1], 1)

    def _heads(self, both: Tensor) -> Tensor:
        """All three heads as one convolution: four outputs at a time would leave the vector units half empty."""
        f, b, blend = self.foreground_head, self.background_head, self.blend_head
        weight = torch.cat(
            [nnf.pad(f.weight, (0, 0, 0, 0, 0, 32)), nnf.pad(b.weight, (0, 0, 0, 0, 32, 0)), blend.weight]
        )
        return nnf.conv2d(both, weight, torch.cat([h.bias for h in (f, b, blend)]), padding=1)  # type: ignore[misc]
