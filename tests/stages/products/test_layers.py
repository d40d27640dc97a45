"""Layers of a composition: sizes, places, solid regions and backgrounds."""

from __future__ import annotations

import numpy as np

from hairline.stages.products.layers import Layer, cover, move, shrink, solid


def layer() -> Layer:
    alpha = np.zeros((60, 100), np.uint8)
    alpha[20:40, 10:50] = 255
    rgb = np.zeros((60, 100, 3), np.uint8)
    rgb[..., 1] = 255  # what lies outside of the subject is green, and must not bleed in
    rgb[20:40, 10:50] = (255, 0, 0)
    return Layer(rgb, alpha)


def test_a_smaller_result_keeps_the_subjects_colours() -> None:
    small = shrink(layer(), 0.0015)
    assert small.alpha.shape == (30, 50)
    assert (small.rgb[small.alpha > 0] == (255, 0, 0)).all()


def test_a_moved_subject_lies_where_it_should() -> None:
    assert move(layer(), None, (0, 0)).box == (0, 0, 40, 20)
    assert move(layer(), None, (1, 1)).box == (60, 40, 100, 60)
    assert move(layer(), 1.0, (0.5, 0.5)).box == (0, 5, 100, 55)
    assert move(layer(), 0.5, None).box[2] - move(layer(), 0.5, None).box[0] == 50


def test_half_transparent_regions_become_solid_and_edges_stay() -> None:
    alpha = np.zeros((100, 100), np.uint8)
    alpha[20:80, 20:80] = 128
    alpha[50, :20] = 90  # a hair
    found = solid(alpha)
    assert found[50, 50] == 255 and found[20, 20] == 128 and found[50, 5] == 90 and found[0, 0] == 0


def test_a_background_covers_the_canvas() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 200
    assert (cover(wide, 30, 30) >= 190).mean() > 0.9
