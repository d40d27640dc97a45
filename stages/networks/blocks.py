"""The convolutional blocks that the networks share: convolutions with batch normalisation, and what is made of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class ConvBN(nn.Sequential):
    """Convolution, batch normalisation and, where `relu`, ReLU, capped at `ceiling` where one is given."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        relu: bool = True,
        groups: int = 1,
        ceiling: float | None = None,
    ) -> None:
        above = nn.Hardtanh(0.0, ceiling, inplace=True) if ceiling else nn.ReLU(inplace=True)
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            above if relu else nn.Identity(),
        )


class Residual(nn.Module):
    """Basic residual block (He et al. 2016); with a stride, its shortcut is an average pool.

    Input: float [N, inputs, H, W]. Output: float [N, outputs, H / stride, W / stride].
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBN(inputs, outputs, stride=stride), ConvBN(outputs, outputs, relu=False))
        self.pool = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
        self.shortcut = ConvBN(inputs, outputs, kernel=1, relu=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(self.pool(x)))


class PyramidPooling(nn.Module):
    """Adds context of the whole picture to every position: average pools of 1, 2 and 4 cells a side.

    Zhao et al. 2017, "Pyramid Scene Parsing Network". Input and output: float [N, channels, H, W].
    """

    def __init__(self, channels: int, cells: tuple[int, ...] = (1, 2, 4)) -> None:
        super().__init__()
        self.cells = cells
        part = channels // 4
        self.parts = nn.ModuleList(nn.Conv2d(channels, part, 1) for _ in cells)
        self.merge = ConvBN(channels + part * len(cells), channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        pooled = [
            F.interpolate(F.relu(part(F.adaptive_avg_pool2d(x, n))), size, mode="bilinear", align_corners=False)
            for part, n in zip(self.parts, self.cells, strict=True)
        ]
        return self.merge(torch.cat([x, *pooled], 1))


class Encoder(nn.Module):
    """RGB, float [N, 3, H, W], 0..1, to features at strides 2, 4, 8 …: a list with a map for each of `widths`."""

    widths: tuple[int, ...]


class UpBlock(nn.Module):
    """One step of a decoder: enlarges twofold, adds the encoder's map of that size, and convolves.

    Input: float [N, inputs, H, W] and the map [N, skip, 2H, 2W]. Output: float [N, outputs, 2H, 2W].
    """

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ConvBN(inputs, outputs, kernel=1)
        self.skip = ConvBN(skip, outputs, kernel=1)
        self.conv = ConvBN(outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        # bilinear, then a convolution: no checkerboard as transposed convolutions leave it
        x = F.interpolate(self.reduce(x), size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.conv(x + self.skip(skip))


def fold_bn(module: nn.Module) -> nn.Module:
    """Folds every batch normalisation into the convolution before it, in place; for inference only."""
    for child in module.children():
        if isinstance(child, ConvBN) and isinstance(child[0], nn.Conv2d) and isinstance(child[1], nn.BatchNorm2d):
            conv, bn = child[0], child[1]
            assert bn.running_mean is not None and bn.running_var is not None
            with torch.no_grad():  # in place: a copy of each module takes longer than all that is computed
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
                )
            child[1] = nn.Identity()
        else:
            fold_bn(child)
    return module
