"""Which anchor learns which box, and the detector's loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..stages.networks.anchors import decode, generalized_iou, iou
from ..stages.networks.detector import LABELS

BACKGROUND, IGNORED = -1, -2
MATCHED, UNCLEAR = 0.5, 0.4  # IoU from which an anchor is a box's, and from which it is not background
AT_LEAST = 8  # anchors a box has even where none overlaps it that well


def assign(anchor: Tensor, boxes: Tensor) -> Tensor:
    """For every anchor the index of its box, `BACKGROUND` or `IGNORED`: int64 [A].

    An anchor belongs to the box it overlaps most, from an IoU of 0.5; in between 0.4 and 0.5 it is left
    out. Each box also gets the `AT_LEAST` anchors that overlap it most, so that tiny and very long boxes learn.

    Args:
        anchor: float [A, 4]. boxes: float [n, 4].
    """
    if not len(boxes):
        return torch.full((len(anchor),), BACKGROUND, device=anchor.device)
    overlap = iou(anchor[:, None], boxes[None])
    best, owner = overlap.max(1)
    matched = torch.where(best >= MATCHED, owner, torch.where(best >= UNCLEAR, IGNORED, BACKGROUND))
    values, closest = overlap.topk(min(AT_LEAST, len(anchor)), dim=0)
    for box in range(len(boxes)):
        own = closest[:, box][values[:, box] > 0]
        own = own[owner[own] == box]  # never one that another box needs more
        matched[own] = box
    return matched


def detection_loss(answer: Tensor, anchor: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """Quality focal loss (Li et al. 2020) on the scores and generalised IoU on the boxes.

    The target of a score is the IoU that its box reaches at the moment, and 0 for background.

    Args:
        answer: [N, A, labels + 4], the network's output. anchor: float [A, 4].
        boxes: float [N, n, 4]. labels: int64 [N, n]; -1 fills up.
    """
    answer = answer.float()
    logits, deltas = answer[..., : len(LABELS)], answer[..., len(LABELS) :]
    target = torch.zeros_like(logits)
    counts = torch.ones(logits.shape[:2], device=logits.device)
    distance, quality = [], []
    for i in range(len(answer)):
        real = labels[i] >= 0
        matched = assign(anchor, boxes[i][real])
        counts[i, matched == IGNORED] = 0
        at = (matched >= 0).nonzero()[:, 0]
        truth = boxes[i][real][matched[at]]
        reached = decode(deltas[i, at], anchor[at])
        score = iou(reached.detach(), truth)
        target[i, at, labels[i][real][matched[at]]] = score
        distance.append(1 - generalized_iou(reached, truth))
        quality.append(score + 0.1)  # boxes that are still far off learn too
    focal = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (logits.sigmoid() - target).square()
    weight = torch.cat(quality)
    scores = (focal * counts[..., None]).sum() / target.sum().clamp(min=len(answer))
    return scores + 2 * (torch.cat(distance) * weight).sum() / weight.sum().clamp(min=1)
