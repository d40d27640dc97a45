"""Synthesis: alphas are true to their pictures, everything is seeded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hairline.training.fine import worsen
from hairline.training.synth import bodies, strands
from hairline.training.synth import composite as c


def _ball(side: int = 200) -> np.ndarray:
    ys, xs = np.mgrid[0:side, 0:side]
    inside = np.hypot(xs - side / 2, ys - side / 2) < side * 0.45
    return np.dstack([np.full((side, side, 3), (200, 90, 40), np.uint8), (inside * 255).astype(np.uint8)])


def test_compositing_is_exact() -> None:
    rng = np.random.default_rng(0)
    a, b = (c.place(_ball(), 128, rng, area=(0.4, 0.6)) for _ in range(2))
    background = c.studio(128, rng)
    picture, alpha = c.over([a, b], background)
    assert np.allclose(alpha, 1 - (1 - a.alpha) * (1 - b.alpha), atol=1e-6)
    assert np.allclose(picture[alpha == 0], background[alpha == 0])
    assert np.allclose(picture[b.alpha == 1], b.color[b.alpha == 1])


@pytest.mark.parametrize(
    "make", [lambda r: c.place(_ball(), 96, r).alpha, lambda r: c.studio(96, r), lambda r: strands.lattice(96, r).alpha]
)
def test_the_same_seed_gives_the_same_picture(make) -> None:
    first, again, other = (make(np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_hair_adds_thin_partial_alpha_outside_the_body() -> None:
    rng = np.random.default_rng(2)
    body = c.place(_ball(), 256, rng, area=(0.5, 0.5), tilt=0)
    hairy = strands.hair(body, rng)
    assert (hairy.alpha >= body.alpha - 1e-6).all()
    outside = body.alpha == 0
    partial = (hairy.alpha > 0.02) & (hairy.alpha < 0.98) & outside
    assert partial.sum() > 200
    assert hairy.color.min() >= 0 and hairy.color.max() <= 1


def test_a_lattice_is_mostly_edge_and_holes() -> None:
    alphas = [strands.lattice(192, np.random.default_rng(s)).alpha for s in range(8)]
    assert all(a.max() > 0.9 for a in alphas)
    assert np.mean([a.mean() for a in alphas]) < 0.5


def test_the_worsened_alpha_is_worse_but_related() -> None:
    rng = np.random.default_rng(1)
    alpha = c.place(_ball(), 256, rng, area=(0.6, 0.8)).alpha
    for _ in range(10):
        coarse, uncertainty = worsen(alpha, rng)
        assert coarse.shape == uncertainty.shape == alpha.shape
        assert coarse.min() >= 0 and coarse.max() <= 1 and uncertainty.min() >= 0 and uncertainty.max() <= 1
        error = np.abs(coarse - alpha)
        assert 0.0005 < error.mean() < 0.4
        assert uncertainty[error > 0.3].mean() > 2 * uncertainty[error < 0.01].mean()


def test_a_dressed_portrait_holds_head_and_garment() -> None:
    head, garment = _ball(120), _ball(160)
    garment[..., :3] = (10, 200, 30)
    made = bodies.dressed(head, garment, np.random.default_rng(3))
    solid = made[..., 3] > 250
    assert made.dtype == np.uint8 and made.shape[0] >= 120 and made.shape[1] >= 120
    for color in ((200, 90, 40), (10, 200, 30)):
        share = (np.abs(made[..., :3].astype(int) - color).max(-1) < 6)[solid].mean()
        assert share > 0.1, color


def test_patchwork_changes_colours_but_not_alpha() -> None:
    rng = np.random.default_rng(4)
    layer = c.place(_ball(), 128, rng, area=(0.6, 0.6))
    made = [bodies.patchwork(layer, c.studio(128, rng), rng) for _ in range(12)]
    assert all(np.array_equal(each.alpha, layer.alpha) for each in made)
    inside = layer.alpha > 0.9
    changed = [float(np.abs(each.color - layer.color).max(-1)[inside].mean()) for each in made]
    assert np.median(changed) > 0.01 and all(each.color.min() >= 0 and each.color.max() <= 1 for each in made)


def test_what_is_cut_off_reaches_the_lower_edge() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        assert c.place(_ball()[10:-10], 96, rng, tilt=0, cut_off=True).alpha[-1].max() > 0.3


def test_an_assembly_is_one_thing_of_several_parts_within_its_reach() -> None:
    core = _ball(80)
    made = [bodies.assembly(core, 128, np.random.default_rng(seed), (0.5, 0.6)) for seed in range(16)]
    for layer in made:
        assert layer.color.min() >= 0 and layer.color.max() <= 1 and layer.alpha.min() >= 0 and layer.alpha.max() <= 1
        assert 0.02 < layer.alpha.mean() < 0.75
        largest = cv2.connectedComponentsWithStats((layer.alpha > 0.5).astype(np.uint8))[2][1:, cv2.CC_STAT_AREA].max()
        assert largest > 0.4 * (layer.alpha > 0.5).sum()
    shown = [np.abs(each.color - np.array([200, 90, 40]) / 255).max(-1) < 0.03 for each in made]
    assert 6 <= sum(bool((s & (e.alpha > 0.9)).sum() > 100) for s, e in zip(shown, made, strict=True)) < 16
    again = bodies.assembly(core, 128, np.random.default_rng(0), (0.5, 0.6))
    assert np.array_equal(again.alpha, made[0].alpha) and np.array_equal(again.color, made[0].color)
