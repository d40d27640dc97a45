"""Masks made mattes: what a hard mask lost comes back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hairline.stages.imaging.rough import crop_of
from hairline.training.matte import matte_of


@pytest.fixture(scope="module")
def strands() -> tuple[np.ndarray, np.ndarray]:
    """A dark ball with hair on light ground, and its true alpha."""
    side, chance = 384, np.random.default_rng(3)
    large = cv2.circle(np.zeros((2 * side, 2 * side), np.uint8), (side, side), side // 2, 255, -1)
    for angle in chance.uniform(0, 2 * np.pi, 220):
        start, end = (
            (int(side + r * np.cos(angle + t)), int(side + r * np.sin(angle + t)))
            for r, t in ((side * 0.48, 0), (side * chance.uniform(0.56, 0.66), chance.uniform(-0.1, 0.1)))
        )
        cv2.line(large, start, end, 255, 3, cv2.LINE_AA)
    alpha = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    ground = np.full((side, side, 3), 205, np.float32) + chance.normal(0, 3, (side, side, 3)).astype(np.float32)
    subject = np.array([40, 46, 70], np.float32)
    return np.clip(ground + alpha[..., None] * (subject - ground), 0, 255).astype(np.uint8), alpha


@pytest.mark.parametrize("reach", [13, 25])
def test_a_mask_becomes_a_matte(strands: tuple[np.ndarray, np.ndarray], reach: int) -> None:
    rgb, alpha = strands
    mask = (cv2.blur(alpha, (reach, reach)) > 0.5).astype(np.float32)  # without its hair, as a quick hand draws it
    found = matte_of(rgb, mask)
    assert found.dtype == np.float32 and found.shape == alpha.shape and found.min() >= 0 and found.max() <= 1
    assert np.abs(found - alpha).sum() < 0.7 * np.abs(mask - alpha).sum()
    inside = cv2.erode((alpha == 1).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert (found[inside] == 1).all()


def test_a_mask_is_given_with_its_doubt() -> None:
    mask = np.zeros((100, 500), np.float32)
    mask[:, 250:] = 1
    crop = crop_of(mask)
    assert crop.box == (0, 0, 500, 100) and crop.alpha.shape == (64, 320)
    assert crop.uncertainty[:, :145].max() == 0 == crop.uncertainty[:, 175:].max()
    assert crop.uncertainty[:, 152:168].min() >= 76  # 0.3 around the edge
    assert crop_of(mask, np.full_like(mask, 0.1)).uncertainty.max() == 26
