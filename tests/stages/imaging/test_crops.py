"""Properties of the crops that subjects share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hairline.stages.imaging.crops import CropSettings, crops_for, grow_cut_off, overview_wins
from hairline.stages.item import Box, CoarseCrop

WIDTH, HEIGHT = 640, 480


@st.composite
def boxes(draw: st.DrawFn) -> list[Box]:
    found = []
    for _ in range(draw(st.integers(0, 14))):
        x0, y0 = draw(st.floats(-50, WIDTH - 2)), draw(st.floats(-50, HEIGHT - 2))
        w, h = draw(st.floats(1, WIDTH)), draw(st.floats(1, HEIGHT))
        found.append(Box(x0, y0, x0 + w, y0 + h, "subject", draw(st.floats(0, 1))))
    return found


settings = st.builds(
    CropSettings,
    expand=st.floats(0, 1),
    max_subjects=st.integers(1, 14),
    whole_picture_share=st.floats(0.1, 1),
    merge_overlap=st.floats(0, 1),
)


@given(boxes(), settings)
def test_crops_hold_their_boxes_and_keep_apart(found: list[Box], options: CropSettings) -> None:
    crops = crops_for(found, WIDTH, HEIGHT, options)
    assert 1 <= len(crops) <= max(1, min(len(found), options.max_subjects))
    for x0, y0, x1, y1 in crops:
        assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT
        area = (x1 - x0) * (y1 - y0)
        assert area < options.whole_picture_share * WIDTH * HEIGHT or area == WIDTH * HEIGHT
    for box in sorted(found, key=lambda b: -b.score)[: options.max_subjects]:
        x0, y0, x1, y1 = max(box.x0, 0), max(box.y0, 0), min(box.x1, WIDTH), min(box.y1, HEIGHT)
        if x1 > x0 and y1 > y0 and sum(b.score == box.score for b in found) == 1:
            assert any(c[0] <= x0 and c[1] <= y0 and c[2] >= x1 and c[3] >= y1 for c in crops)
    for i, a in enumerate(crops):
        for b in crops[i + 1 :]:
            shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
            smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
            assert shared <= options.merge_overlap * smaller


@given(boxes(), settings, st.randoms())
def test_order_does_not_matter(found: list[Box], options: CropSettings, random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert crops_for(found, WIDTH, HEIGHT, options) == crops_for(shuffled, WIDTH, HEIGHT, options)


def test_nothing_detected_takes_the_whole_picture() -> None:
    assert crops_for([], 100, 50, CropSettings()) == [(0, 0, 100, 50)]


def test_a_box_is_widened_by_a_fifth() -> None:
    assert crops_for([Box(200, 100, 300, 200, "subject", 0.9)], WIDTH, HEIGHT, CropSettings()) == [(190, 90, 310, 210)]


def test_large_subject_takes_the_whole_picture_and_what_stands_before_it() -> None:
    large, small = Box(20, 20, 600, 470, "subject", 0.9), Box(100, 100, 150, 150, "subject", 0.8)
    assert crops_for([large, small], WIDTH, HEIGHT, CropSettings()) == [(0, 0, WIDTH, HEIGHT)]


def test_overlapping_subjects_share_a_crop() -> None:
    a, b = Box(100, 100, 200, 200, "subject", 0.9), Box(120, 110, 210, 205, "subject", 0.8)
    far = Box(500, 300, 560, 360, "subject", 0.7)
    crops = crops_for([a, b, far], WIDTH, HEIGHT, CropSettings())
    assert len(crops) == 2 and crops[0][0] <= 100 and crops[0][2] >= 210


def test_a_crop_grows_where_it_cuts_through_the_subject() -> None:
    crop = (200, 100, 300, 200)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[10:50, 20:50] = 255
    assert grow_cut_off([crop], [alpha], WIDTH, HEIGHT, CropSettings()) == [crop]
    alpha[10:, 10:60] = 255  # runs out at the bottom
    assert grow_cut_off([crop], [alpha], WIDTH, HEIGHT, CropSettings()) == [(200, 100, 300, 260)]
    alpha[:, :] = 255
    assert grow_cut_off([crop], [alpha], WIDTH, HEIGHT, CropSettings()) == [(140, 40, 360, 260)]
    assert grow_cut_off([crop], [alpha], WIDTH, HEIGHT, CropSettings(), last=True) == [(0, 0, WIDTH, HEIGHT)]
    corner = (0, 0, 100, 100)  # the picture's own edge is no cut
    assert grow_cut_off([corner], [alpha], 100, 100, CropSettings()) == [corner]


@given(boxes(), settings, st.integers(0, 1000))
def test_growing_keeps_what_was_seen(found: list[Box], options: CropSettings, seed: int) -> None:
    crops = crops_for(found, WIDTH, HEIGHT, options)
    rng = np.random.default_rng(seed)
    alphas = [rng.integers(0, 255, (16, 16)).astype(np.uint8) for _ in crops]
    larger = grow_cut_off(crops, alphas, WIDTH, HEIGHT, options)
    for a in crops:
        assert any(b[0] <= a[0] and b[1] <= a[1] and b[2] >= a[2] and b[3] >= a[3] for b in larger)


def test_a_sure_mask_of_the_whole_picture_wins_over_a_part_of_it() -> None:
    body = np.zeros((48, 64), np.uint8)
    body[4:44, 20:40] = 250
    head = CoarseCrop((190, 30, 410, 150), np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8))
    head.alpha[:, :4] = head.alpha[:, -4:] = 0

    def wins(alpha: np.ndarray, part: CoarseCrop = head) -> bool:
        whole = CoarseCrop((0, 0, WIDTH, HEIGHT), alpha.astype(np.uint8), np.zeros_like(body))
        return overview_wins([part], whole, CropSettings())

    assert wins(body)
    assert not wins(body * 0.7)  # unsure
    assert not wins(np.roll(body, 24, 1))  # something else
    assert not wins(np.where(np.arange(48)[:, None] < 16, body, 0))  # no more than the crop shows
    assert not wins(np.zeros_like(body))
