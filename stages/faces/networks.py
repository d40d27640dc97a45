"""The two networks that find faces, as Google published them in MediaPipe (Apache-2.0), and their weights.

Both are of one kind of block. What their layers are follows from the published graphs; the weights are those, to the
last bit where they were fp16 already.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoints

FILES = {"face-detect": "face-detect.safetensors", "face-mesh": "face-mesh.safetensors"}
POINTS = 468  # landmarks of the mesh


class Block(nn.Module):
    """BlazeBlock: a depthwise and a pointwise convolution beside a shortcut, which a stride pools and new channels pad.

    Bazarevsky et al. 2019, "BlazeFace". Input: float [N, inputs, H, W]; output: float [N, outputs, H / stride, …].
    """

    def __init__(self, inputs: int, outputs: int, stride: int, act: nn.Module, shortcut: bool = True) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1 if stride == 1 else 0, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.act, self.stride, self.more, self.shortcut = act, stride, outputs - inputs, shortcut

    def forward(self, x: Tensor) -> Tensor:
        body = self.pointwise(self.depthwise(x if self.stride == 1 else F.pad(x, (0, 1, 0, 1))))
        if not self.shortcut:
            return self.act(body)
        if self.stride == 2:
            x = F.max_pool2d(x, 2)
        return self.act(body + F.pad(x, (0, 0, 0, 0, 0, self.more)))


class FaceDetector(nn.Module):
    """BlazeFace for pictures of 256 by 256, MediaPipe's model of the back camera.

    Input: float [N, 3, 256, 256], RGB, -1 to 1. Output: float [N, 896, 16], of each anchor where the middle of the box
    lies from it, its size and six points, pixels; and float [N, 896], logits of a face.
    """

    SIDE = 256

    def __init__(self) -> None:
        super().__init__()
        act = nn.ReLU()
        self.stem = nn.Conv2d(3, 24, 5, 2)
        widths = [(24, 24)] * 15 + [(24, 48)] + [(48, 48)] * 7 + [(48, 96)] + [(96, 96)] * 7
        halved = (7, 15, 23)
        self.blocks = nn.Sequential(*(Block(a, b, 1 + (i in halved), act) for i, (a, b) in enumerate(widths)))
        self.last = Block(96, 96, 2, act, shortcut=False)
        self.scores = nn.ModuleList([nn.Conv2d(96, 2, 1), nn.Conv2d(96, 6, 1)])
        self.places = nn.ModuleList([nn.Conv2d(96, 32, 1), nn.Conv2d(96, 96, 1)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        near = self.blocks(F.relu(self.stem(F.pad(x, (1, 2, 1, 2)))))
        levels = (near, self.last(near))

        def joined(heads: nn.ModuleList, values: int) -> Tensor:
            made = [head(level).permute(0, 2, 3, 1) for head, level in zip(heads, levels, strict=True)]
            return torch.cat([part.reshape(len(x), -1, values) for part in made], 1)

        return joined(self.places, 16), joined(self.scores, 1)[..., 0]


class FaceMesh(nn.Module):
    """Landmarks of a face that fills two thirds of the picture, upright.

    Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs". Input: float
    [N, 3, 192, 192], RGB, 0 to 1. Output: float [N, 468, 3], pixels, z towards the camera negative; and float [N],
    logits of there being a face.
    """

    SIDE = 192

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act = nn.Conv2d(3, 16, 3, 2), nn.PReLU(16)
        widths = [(16, 16, 1)] * 2
        for inputs, outputs in ((16, 32), (32, 64), (64, 128), (128, 128)):
            widths += [(inputs, outputs, 2), (outputs, outputs, 1), (outputs, outputs, 1)]
        self.blocks = nn.Sequential(*(Block(a, b, s, nn.PReLU(b)) for a, b, s in widths))
        self.points = _head(((128, 128, 2), (128, 128, 1), (128, 128, 1)), 3 * POINTS)
        self.flag = _head(((128, 128, 2),), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.blocks(self.act(self.stem(F.pad(x, (0, 1, 0, 1)))))
        return self.points(shared).reshape(len(x), POINTS, 3), self.flag(shared).reshape(len(x))


def _head(blocks: tuple[tuple[int, int, int], ...], outputs: int) -> nn.Sequential:
    body = [Block(a, b, stride, nn.PReLU(b)) for a, b, stride in blocks]
    return nn.Sequential(
        *body, nn.Conv2d(128, 32, 1), nn.PReLU(32), Block(32, 32, 1, nn.PReLU(32)), nn.Conv2d(32, outputs, 3)
    )


@lru_cache(maxsize=1)
def networks() -> tuple[FaceDetector, FaceMesh]:
    """Both with their weights, for this process; on the CPU in fp32, for a face takes little and its place counts.

    Raises:
        HairlineError: a file of weights is missing or damaged.
    """
    detector = checkpoints.load(FaceDetector(), checkpoints.find("builtin", FILES["face-detect"]))
    mesh = checkpoints.load(FaceMesh(), checkpoints.find("builtin", FILES["face-mesh"]))
    return detector.requires_grad_(False), mesh.requires_grad_(False)


def weight_hashes() -> dict[str, str]:
    """Of both, {name: SHA-256 in hex}. Raises HairlineError as `networks`."""
    return {name: checkpoints.digest(checkpoints.find("builtin", file)) for name, file in FILES.items()}
