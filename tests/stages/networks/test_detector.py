"""Anchors, box arithmetic, suppression and the network's shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hairline.stages.networks.anchors import (
    PER_CELL,
    RATIOS,
    STRIDES,
    anchors,
    decode,
    generalized_iou,
    iou,
    non_maximum_suppression,
)
from hairline.stages.networks.blocks import fold_bn
from hairline.stages.networks.detector import LABELS, PAD, SIDE, Detector, letterbox, select_boxes

torch.set_num_threads(1)  # two threads on a busy core wait for each other


def test_anchors_cover_all_levels_and_ratios() -> None:
    found = anchors(128, 192)
    assert len(found) == PER_CELL * sum((128 // s) * (192 // s) for s in STRIDES)
    size = found[:, 2:] - found[:, :2]
    ratios = np.unique((size[:, 0] / size[:, 1]).numpy().round(3))
    assert len(ratios) == len(RATIOS)
    assert ratios.min() == pytest.approx(1 / 6, abs=1e-3) and ratios.max() == pytest.approx(6, abs=1e-3)
    centers = (found[:, :2] + found[:, 2:]) / 2
    assert centers.amin().item() == pytest.approx(4, abs=1e-3)
    assert centers.amax(0).tolist() == pytest.approx([188, 124], abs=1e-3)
    # row by row: the second cell is to the right of the first
    assert (centers[PER_CELL] - centers[0]).tolist() == pytest.approx([8, 0], abs=1e-3)


def test_output_is_in_the_order_of_the_anchors() -> None:
    """An impulse in one corner must move the scores of anchors near that corner most, on every level."""
    torch.manual_seed(0)
    network = Detector().eval()
    blank = torch.full((1, 3, 128, 192), 0.45)
    marked = blank.clone()
    marked[..., :24, -24:] = 1
    with torch.no_grad():
        change = (network(marked) - network(blank))[0].abs().sum(1)
    placed = anchors(128, 192)
    assert change.shape == (len(placed),)
    start = 0
    for stride in STRIDES[:2]:  # above, everything sees everything
        count = PER_CELL * (128 // stride) * (192 // stride)
        part, centers = (
            change[start : start + count],
            (placed[start : start + count, :2] + placed[start : start + count, 2:]) / 2,
        )
        most = centers[part.argmax()]
        assert most[0] > 130 and most[1] < 62
        start += count


def test_decoding_nothing_gives_the_anchor() -> None:
    placed = anchors(64, 64)
    assert torch.allclose(decode(torch.zeros(len(placed), 4), placed), placed, atol=1e-4)
    moved = decode(torch.tensor([[0.5, -0.25, 0.0, 0.6931472]]), torch.tensor([[0.0, 0.0, 8.0, 4.0]]))
    assert torch.allclose(moved, torch.tensor([[4.0, -3.0, 12.0, 5.0]]))


def test_iou() -> None:
    a, b = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 1, 3, 3])
    assert iou(a, b) == pytest.approx(1 / 7)
    assert generalized_iou(a, b) == pytest.approx(1 / 7 - 2 / 9)
    far = torch.tensor([10.0, 10, 12, 12])
    assert iou(a, far) == 0 and generalized_iou(a, far) < -0.9


@given(st.integers(0, 40), st.integers(0, 10_000), st.floats(0.1, 0.9))
def test_suppression_as_by_brute_force(count: int, seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (count, 2))], 1)
    scores = rng.choice([0.2, 0.5, 0.7, 0.9], count)  # with ties
    kept: list[int] = []
    for i in sorted(range(count), key=lambda i: (-scores[i], i)):
        if all(_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    found = non_maximum_suppression(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
    assert found.tolist() == kept


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0.0) * max(h, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_labels_do_not_suppress_each_other() -> None:
    placed = torch.tensor([[10.0, 10, 60, 60], [12.0, 10, 60, 60], [10.0, 10, 60, 60]])
    answer = torch.full((3, len(LABELS) + 4), -8.0)
    answer[:, len(LABELS) :] = 0
    answer[0, 0], answer[1, 0], answer[2, 1] = 3, 2, 1
    found = select_boxes(answer, placed, 0.5, 0.5)
    assert found.labels.tolist() == [0, 1]
    assert torch.allclose(found.boxes, placed[[0, 2]])
    assert found.scores.tolist() == pytest.approx([torch.sigmoid(torch.tensor(v)).item() for v in (3.0, 1.0)])
    assert len(select_boxes(answer, placed, 0.99, 0.5).boxes) == 0


def test_folding_changes_nothing() -> None:
    torch.manual_seed(1)
    network = Detector()
    network(torch.rand(2, 3, 64, 64))  # statistics that are not the initial ones
    network.eval()
    x = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        before = network(x)
        assert torch.allclose(fold_bn(network)(x), before, atol=1e-4)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (30, 20), (1, 500), (320, 320)])
def test_letterbox(shape: tuple[int, int]) -> None:
    rgb = np.full((*shape, 3), 200, np.uint8)
    square, scale = letterbox(rgb)
    height, width = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    assert square.shape == (SIDE, SIDE, 3) and max(height, width) == SIDE
    assert (square[:height, :width] == 200).all()
    assert (square[height:] == PAD).all() and (square[:, width:] == PAD).all()
