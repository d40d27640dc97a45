"""A one-stage anchor detector for subjects and decoration.

Every level of the pyramid (strides 8 to 64) is fused with its two neighbours only, the finer one
down-sampled and the coarser one up-sampled, and predicts by a head of its own: small text and frame-filling
subjects then need no features in common. Scores are trained as the expected IoU of their box (quality
focal loss, Li et al. 2020), so one score ranks both how certain and how well placed a box is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .anchors import PER_CELL, RATIOS, decode, non_maximum_suppression
from .blocks import ConvBN
from .lite import LiteEncoder

LABELS = ("subject", "text", "logo")
SIDE = 384  # of the square that pictures are letterboxed into
PAD = 128  # grey of its empty part: 0 after the encoder's normalisation
_WIDTHS = (64, 64, 80, 80)  # channels of the fused levels
_TOP = 128  # channels at strides 32 and 64
_CANDIDATES = 200  # best boxes that enter the suppression


class LevelFusion(nn.Module):
    """One level of the pyramid fused with the next finer level and, where there is one, with the next coarser level.

    Input: maps of the finer level [N, finer, 2H, 2W], its own [N, own, H, W] and the coarser level [N, coarser, H/2,
    W/2]. Output: float [N, outputs, H, W].
    """

    def __init__(self, finer: int, own: int, coarser: int, outputs: int) -> None:
        super().__init__()
        self.finer = ConvBN(finer, outputs, kernel=1, relu=False)
        self.own = ConvBN(own, outputs, kernel=1, relu=False)
        self.coarser = ConvBN(coarser, outputs, kernel=1, relu=False) if coarser else None
        self.merge = ConvBN(outputs, outputs)

    def forward(self, finer: Tensor, own: Tensor, coarser: Tensor | None) -> Tensor:
        x = self.own(own) + self.finer(F.max_pool2d(finer, 2))
        if self.coarser is not None and coarser is not None:
            x = x + F.interpolate(self.coarser(coarser), size=own.shape[-2:], mode="nearest")
        return self.merge(F.relu(x))


class Head(nn.Module):
    """One level's own prediction: [N, cells * PER_CELL, labels + 4]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBN(channels, channels), ConvBN(channels, channels))
        self.out = nn.Conv2d(channels, PER_CELL * (len(LABELS) + 4), 1)
        nn.init.normal_(self.out.weight, std=0.01)
        bias = torch.zeros(PER_CELL, len(LABELS) + 4)
        bias[:, : len(LABELS)] = -math.log(99)  # nearly all anchors are background: start at 1%
        self.out.bias = nn.Parameter(bias.flatten())

    def forward(self, x: Tensor) -> Tensor:
        y = self.out(self.body(x))
        return y.permute(0, 2, 3, 1).reshape(len(y), -1, len(LABELS) + 4)


class Detector(nn.Module):
    """RGB to scores and boxes of every anchor.

    Input: float [N, 3, H, W], 0..1, H and W multiples of 64. Output: float [N, A, labels + 4], logits of
    the labels and the deltas that `anchors.decode` reads, A in the order of `anchors.anchors`.
    """

    ratios: tuple[float, ...] = RATIOS

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LiteEncoder(4)
        _, c4, c8, c16 = self.encoder.widths
        self.tops = nn.ModuleList([ConvBN(c16, _TOP, stride=2), ConvBN(_TOP, _TOP, stride=2)])
        self.fuse = nn.ModuleList(
            LevelFusion(finer, own, coarser, width)
            for finer, own, coarser, width in zip(
                (c4, c8, c16, _TOP), (c8, c16, _TOP, _TOP), (c16, _TOP, _TOP, 0), _WIDTHS, strict=True
            )
        )
        self.heads = nn.ModuleList(Head(width) for width in _WIDTHS)

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor | None] = list(self.encoder(x)[1:])
        for top in self.tops:
            maps.append(top(maps[-1]))
        maps.append(None)
        levels = [
            head(fuse(maps[i], maps[i + 1], maps[i + 2]))
            for i, (fuse, head) in enumerate(zip(self.fuse, self.heads, strict=True))
        ]
        return torch.cat(levels, 1)


@dataclass
class Detections:
    """What was found in one picture, best first.

    Attributes:
        boxes: float [n, 4], corners in pixels of the network's input.
        scores: float [n], 0..1.
        labels: int64 [n], indices into `LABELS`.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def select_boxes(output: Tensor, anchor: Tensor, min_score: float, nms_iou: float) -> Detections:
    """The boxes in the network's output for one picture, best first. Those of different labels may overlap.

    Args:
        output: float [A, labels + 4], see `Detector`.
        anchor: float [A, 4], see `anchors.anchors`.
        min_score: least score, 0..1.
        nms_iou: see `anchors.non_maximum_suppression`.
    """
    scores, labels = output[:, : len(LABELS)].float().sigmoid().max(1)
    best = scores.topk(min(_CANDIDATES, len(scores))).indices
    best = best[scores[best] >= min_score]
    boxes = decode(output[best, len(LABELS) :].float(), anchor[best])
    scores, labels = scores[best], labels[best]
    apart = labels[:, None].float() * 1e5  # far enough that boxes of different labels never meet
    kept = non_maximum_suppression(boxes + apart, scores, nms_iou)
    return Detections(boxes[kept], scores[kept], labels[kept])


def letterbox(rgb: NDArray[np.uint8], side: int = SIDE) -> tuple[NDArray[np.uint8], float]:
    """A picture, uint8 [H, W, 3], in the upper left of a grey square, uint8 [side, side, 3], and its scale there."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.full((side, side, 3), PAD, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(
        rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return square, scale
