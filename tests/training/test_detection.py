"""Which anchor learns what, the loss, the figures, and the samples of the detector's recipe."""

from __future__ import annotations

import numpy as np
import torch

from hairline.stages.networks.anchors import anchors, iou
from hairline.stages.networks.detector import LABELS, SIDE
from hairline.training.assign import BACKGROUND, IGNORED, MATCHED, UNCLEAR, assign, detection_loss
from hairline.training.detect import MAX_BOXES, MAX_RATIO, crop, pack, stretch


def test_every_box_is_learned_even_tiny_and_long_ones() -> None:
    placed = anchors(320, 320)
    boxes = torch.tensor([[100.0, 100, 104, 104], [10, 20, 310, 60], [200, 10, 225, 160], [0, 0, 320, 320]])
    matched = assign(placed, boxes)
    overlap = iou(placed[:, None], boxes[None])
    for box in range(len(boxes)):
        own = overlap[matched == box, box]
        assert len(own) >= 1
        assert own.max() == overlap[:, box].max()
    best = overlap.max(1).values
    assert (matched[best >= MATCHED] >= 0).all()
    assert (matched[best < UNCLEAR - 1e-6] != IGNORED).all()
    assert (best[matched == IGNORED] < MATCHED).all() and (best[matched == IGNORED] >= UNCLEAR).all()


def test_an_anchor_belongs_to_the_box_it_overlaps_most() -> None:
    placed = anchors(128, 128)
    boxes = torch.tensor([[20.0, 20, 70, 70], [24, 22, 76, 72]])
    matched = assign(placed, boxes)
    owner = iou(placed[:, None], boxes[None]).argmax(1)
    owned = matched >= 0
    assert set(matched[owned].tolist()) == {0, 1} and (matched == owner)[owned].all()


def test_without_boxes_all_is_background() -> None:
    assert (assign(anchors(64, 64), torch.zeros(0, 4)) == BACKGROUND).all()


def test_the_right_answer_costs_less_than_any_other() -> None:
    placed = anchors(64, 64)
    boxes, labels = torch.tensor([[[8.0, 8, 40, 40], [0, 0, 0, 0]]]), torch.tensor([[1, -1]])
    matched = assign(placed, boxes[0, :1])
    size = placed[:, 2:] - placed[:, :2]
    center = (placed[:, :2] + placed[:, 2:]) / 2
    answer = torch.full((1, len(placed), len(LABELS) + 4), -9.0)
    answer[0, :, len(LABELS) :] = torch.cat([(24 - center) / size, (32 / size).log()], 1)
    answer[0, matched >= 0, 1] = 9
    best = detection_loss(answer, placed, boxes, labels)
    assert best < 0.01
    for spoil in (0, 2):
        other = answer.clone()
        other[0, matched >= 0, 1], other[0, matched >= 0, spoil] = -9, 9
        assert detection_loss(other, placed, boxes, labels) > best + 0.5
    shifted = answer.clone()
    shifted[0, :, len(LABELS)] += 0.5
    assert detection_loss(shifted, placed, boxes, labels) > best + 0.1
    empty = detection_loss(answer, placed, boxes, torch.full((1, 2), -1))
    assert torch.isfinite(empty) and empty > best


def test_samples_have_boxes_where_the_picture_has_them() -> None:
    rng, seen = np.random.default_rng(3), 0
    for _ in range(20):
        rgb, mask = np.full((200, 300, 3), 40, np.uint8), np.zeros((200, 300), bool)
        rgb[60:140, 90:210], mask[60:140, 90:210] = 220, True
        sample = pack(crop(rgb, [mask], rng, 0.7), SIDE, rng)
        assert sample["image"].shape == (3, SIDE, SIDE) and sample["boxes"].shape == (MAX_BOXES, 4)
        real = sample["labels"] >= 0
        if real.any():
            seen += 1
            x0, y0, x1, y1 = sample["boxes"][0].round().astype(int)
            bright = sample["image"].mean(0) > 130
            assert bright[y0:y1, x0:x1].mean() > 0.85
            bright[y0:y1, x0:x1] = False
            assert bright.mean() < 0.03
    assert seen >= 10


def test_stretched_products_have_every_shape_and_keep_their_area() -> None:
    rgba, rng = np.full((90, 60, 4), 255, np.uint8), np.random.default_rng(4)
    shapes = np.array([stretch(rgba, rng).shape[:2] for _ in range(200)])
    ratio = shapes[:, 1] / shapes[:, 0]
    assert ratio.min() > 0.9 / MAX_RATIO and ratio.max() < 1.1 * MAX_RATIO
    assert min((ratio < 0.3).mean(), (ratio > 3.3).mean()) > 0.1
    assert np.allclose(shapes.prod(1), 90 * 60, rtol=0.1)
