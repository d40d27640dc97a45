"""Doubt follows the colours of what is sure, near the subject, and nothing else moves."""

import numpy as np
import pytest

from hairline.stages.imaging.resolve_by_colour import resolve_by_colour

SIDE = 80


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red square on blue: the picture, what is true, and an alpha that is sure of its upper half only."""
    rgb = np.full((SIDE, SIDE, 3), (40, 60, 180), np.uint8)
    true = np.zeros((SIDE, SIDE), bool)
    true[20:60, 20:60] = True
    rgb[true] = (200, 30, 40)
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    alpha = np.where(true, 250, 4).astype(np.uint8)
    alpha[40:70, 15:65] = 110
    return rgb, true, alpha


def test_doubt_follows_the_colours_of_what_is_sure(scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rgb, true, alpha = scene
    resolved = resolve_by_colour(rgb, alpha) > 127
    assert (resolved != true).mean() < 0.02 < ((alpha > 127) != true).mean()


def test_what_is_sure_stays_and_so_does_doubt_that_no_colour_speaks_for(
    scene: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    rgb, _, alpha = scene
    sure = (alpha > 240) | (alpha < 10)
    assert np.abs(resolve_by_colour(rgb, alpha)[sure].astype(int) - alpha[sure]).max() <= 8
    alpha[:5], alpha[30:35, 30:35] = 0, 255
    assert np.array_equal(resolve_by_colour(rgb, alpha)[:5], alpha[:5]) and resolve_by_colour(rgb, alpha)[32, 32] == 255
    grey = np.full_like(rgb, 128)
    assert np.abs(resolve_by_colour(grey, alpha).astype(int) - alpha).max() <= 1
    rgb[:12] = (30, 200, 60)  # a colour that is sure nowhere
    alpha[:12] = 128
    assert np.abs(resolve_by_colour(rgb, alpha)[2:8].astype(int) - 128).max() <= 8


@pytest.mark.parametrize("level", [0, 128, 255])
def test_without_a_sure_side_nothing_changes(level: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    alpha = np.full((40, 50), level, np.uint8)
    assert np.array_equal(resolve_by_colour(rgb, alpha), alpha)
