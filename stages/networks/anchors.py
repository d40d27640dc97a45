"""Anchors and box arithmetic for the detector: plain tensors, no network.

Boxes are float tensors [..., 4] of corners (x0, y0, x1, y1) in pixels; anchors the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

STRIDES = (8, 16, 32, 64)
RATIOS = (1 / 6, 1 / 3, 1 / 1.7, 1.0, 1.7, 3.0, 6.0)  # width / height
SCALES = (2.5, 3.6)  # square root of the area, in strides
PER_CELL = len(RATIOS) * len(SCALES)
_LARGEST_STEP = 4.0  # of a box's logarithmic size against its anchor's


def anchors(height: int, width: int, ratios: tuple[float, ...] = RATIOS) -> Tensor:
    """All anchors of a picture whose sides are multiples of 64, pixels: float [A, 4], level by level, row by row."""
    ratio = torch.tensor(ratios).repeat_interleave(len(SCALES)).sqrt()
    scale = torch.tensor(SCALES).repeat(len(ratios))
    sizes = torch.stack([scale * ratio, scale / ratio], 1)  # [anchors of a cell, 2], in strides
    levels = []
    for stride in STRIDES:
        ys = (torch.arange(height // stride) + 0.5) * stride
        xs = (torch.arange(width // stride) + 0.5) * stride
        centers = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1)[:, :, None]
        half = (sizes * stride / 2).expand(len(ys), len(xs), -1, -1)
        levels.append(torch.cat([centers - half, centers + half], -1).reshape(-1, 4))
    return torch.cat(levels)


def decode(deltas: Tensor, anchor: Tensor) -> Tensor:
    """Boxes [..., 4] from deltas [..., 4] that the network gives for anchors [..., 4].

    The deltas are shifts of the centre, in anchor sizes, and logarithms of the ratio of sizes.
    """
    size = anchor[..., 2:] - anchor[..., :2]
    center = (anchor[..., :2] + anchor[..., 2:]) / 2 + deltas[..., :2] * size
    half = size * deltas[..., 2:].clamp(-_LARGEST_STEP, _LARGEST_STEP).exp() / 2
    return torch.cat([center - half, center + half], -1)


def area(boxes: Tensor) -> Tensor:
    """Areas of boxes [..., 4], [...]; 0 for those turned inside out."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes [..., 4] that broadcast, [...], 0..1."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    return shared / (area(a) + area(b) - shared).clamp(min=1e-6)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU less the empty share of the hull (Rezatofighi et al. 2019), -1..1: it has a slope for boxes far apart."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = (area(a) + area(b) - shared).clamp(min=1e-6)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1).clamp(min=1e-6)
    return shared / union - (hull - union) / hull


def non_maximum_suppression(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Greedy non-maximum suppression: indices, int64 [k], of the boxes that are kept, best first.

    A box is dropped when its IoU with a better one that is kept is above `threshold`. Equal scores keep their order.

    Args:
        boxes: float [n, 4].
        scores: float [n].
    """
    order = torch.sort(scores, descending=True, stable=True).indices
    sorted_boxes = boxes[order]
    overlap = iou(sorted_boxes[:, None], sorted_boxes[None]) > threshold
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~overlap[i, i + 1 :]
    return order[alive]
