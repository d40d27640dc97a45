"""EfficientNet-Lite0 (Tan and Le 2019, Google's mobile variant of 2020) as an encoder.

Its ImageNet weights hold far more of how things look than the few thousand training pictures can teach;
`training/pretrained.py` fetches them. Unlike the original, strided convolutions are padded evenly on both sides: the
grid of each level moves by half a cell, to which fine-tuning adapts.
"""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import ConvBN, Encoder

# blocks, kernel, stride, expansion, channels out
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
STEM = 32
_FIXED = 3  # stages that are not trained
_LEVELS = (0, 1, 2, 4, 6)  # the stages whose outputs are the features at strides 2, 4, 8, 16, 32


class InvertedResidual(nn.Module):
    """Inverted residual block (Sandler et al. 2018): expand, depthwise convolution, project.

    Where input and output have one shape, the input is added.

    Input: float [N, inputs, H, W]. Output: float [N, outputs, H / stride, W / stride].
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.expand = ConvBN(inputs, middle, kernel=1, ceiling=6.0) if expansion > 1 else nn.Identity()
        self.depthwise = ConvBN(middle, middle, kernel, stride, groups=middle, ceiling=6.0)
        self.project = ConvBN(middle, outputs, kernel=1, relu=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class LiteEncoder(Encoder):
    """RGB to features at strides 2, 4, 8, 16 and 32; H and W of the input are multiples of the last.

    The features up to stride 8 and all depthwise kernels stay as they were learned, also in training: edges, colours
    and textures are the same everywhere, and two thirds of a step's time would go there.

    Args:
        levels: 1 to 5; fewer end the network early.
    """

    def __init__(self, levels: int = len(_LEVELS)) -> None:
        super().__init__()
        self.last = _LEVELS[:levels]
        self.widths = tuple(STAGES[i][-1] for i in self.last)
        self.stem = ConvBN(3, STEM, stride=2, ceiling=6.0)
        stages, before = [], STEM
        for count, kernel, stride, expansion, outputs in STAGES[: self.last[-1] + 1]:
            blocks = []
            for index in range(count):
                blocks.append(InvertedResidual(before, outputs, kernel, stride if index == 0 else 1, expansion))
                before = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.fixed = _FIXED
        for part in self._fixed_parts():
            part.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, InvertedResidual):
                module.depthwise[0].requires_grad_(False)

    def _fixed_parts(self) -> list[nn.Module]:
        return [self.stem, *self.stages[: self.fixed]] if self.fixed else []

    def train(self, mode: bool = True) -> LiteEncoder:
        super().train(mode)
        for part in self._fixed_parts():
            part.eval()  # their normalisation keeps its statistics
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.stem(x * 2 - 1)
        features = []
        for index, stage in enumerate(self.stages):
            y = stage(y)
            if index in self.last:
                features.append(y)
        return features
