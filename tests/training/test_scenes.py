"""Drawn things, grounds and scenes: their alpha is true to their pictures, and what they throw is none of theirs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hairline.training import coarse_samples
from hairline.training.synth import composite as c
from hairline.training.synth import devices, ground, scenes, solids

BLUE = np.full((60, 90, 3), (10, 40, 230), np.uint8)


def blue(rng: np.random.Generator) -> np.ndarray:
    return BLUE


def block(width: int = 40, height: int = 60) -> np.ndarray:
    return np.dstack([np.full((height, width, 3), (200, 60, 40), np.uint8), np.full((height, width), 255, np.uint8)])


@pytest.mark.parametrize("kind", devices.KINDS, ids=lambda kind: kind.__name__)
def test_things_are_sprites_of_one_piece_and_fixed_by_their_seed(kind) -> None:
    for seed in range(6):
        made, again = (kind(np.random.default_rng(seed), blue) for _ in range(2))
        assert np.array_equal(made, again)
        assert made.dtype == np.uint8 and made.ndim == 3 and made.shape[2] == 4
        assert max(made.shape[:2]) > 100 and (made[..., 3] == 255).mean() > 0.2
        solid = (made[..., 3] > 127).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.98 * solid.sum()


def test_a_screen_shows_the_picture_it_is_given() -> None:
    shares = []
    for seed in range(12):
        made = devices.monitor(np.random.default_rng(seed), blue).astype(int)
        shares.append(((made[..., 2] - made[..., 0] > 80) & (made[..., 3] > 0)).mean())
    assert sum(share > 0.25 for share in shares) >= 4  # the others are off, or plain


def test_a_slab_lies_where_perspective_puts_it() -> None:
    scene = solids.Scene(200, np.random.default_rng(0), yaw=0, pitch=0, reach=1.0, distance=1000.0)
    front = np.zeros((10, 10, 3), np.uint8)
    front[:, :5] = (250, 0, 0)
    scene.slab(solids.upright(), (1.0, 0.5, 0.001), 0.0, (90, 90, 90), front)
    made = scene.sprite()
    # half the sprite's side is 1.15: a slab of 1 by 0.5 takes 87 by 43 pixels
    assert made.shape[0] == pytest.approx(200 / 2.3 * 0.5, abs=2)
    assert made.shape[1] == pytest.approx(200 / 2.3, abs=2)
    middle = made[made.shape[0] // 2].astype(int)
    assert middle[20, 0] > 100 and middle[-20, 0] < 20  # its picture is not mirrored
    behind = solids.Scene(200, np.random.default_rng(0), yaw=180, pitch=0, distance=1000.0)
    assert behind.faces(solids.upright()) is False and scene.faces(solids.upright()) is True


def test_shadows_and_reflections_darken_the_ground_only_where_the_thing_is_not() -> None:
    rng = np.random.default_rng(3)
    background = np.full((128, 128, 3), 0.9, np.float32)
    for _ in range(20):
        layer = c.put(block(), 128, rng, 50, (64, 60), 0)
        thrown = ground.thrown(background, layer, rng)
        assert thrown.shape == background.shape and thrown.dtype == np.float32
        assert thrown.min() >= 0 and thrown.max() <= 0.9 + 1e-5
    hard = ground.drop(background, layer.alpha, (12.0, 0.0), 0.5, 0.5)
    beside = (np.roll(layer.alpha, 12, 1) > 0.99) & (layer.alpha < 0.01)
    assert hard[beside].mean() == pytest.approx(0.45, abs=0.02)
    assert hard[:, :20].min() == pytest.approx(0.9)


def test_a_reflection_is_the_thing_upside_down() -> None:
    sprite = block(40, 40)
    sprite[:20, :, :3] = (0, 0, 255)
    rng = np.random.default_rng(5)
    layer = c.put(sprite, 128, rng, 40, (64, 44), 0)
    found = ground.reflection(np.full((128, 128, 3), 0.5, np.float32), layer, rng)
    below = found[66:72, 64] - 0.5  # next to the foot: the thing's lower, red part
    assert below[:, 0].mean() > 0.01 and below[:, 2].mean() < 0


def test_flat_lays_and_groups_hold_every_thing_and_no_shadow() -> None:
    rng = np.random.default_rng(7)
    for _ in range(8):
        sprites = [block(*rng.integers(20, 60, 2)) for _ in range(int(rng.integers(2, 9)))]
        below = np.full((160, 160, 3), (0.2, 0.8, 0.3), np.float32)
        picture, alpha = scenes.flat_lay(sprites, below, rng)
        red = picture[..., 0] > picture[..., 1]
        assert alpha.dtype == np.float32 and alpha.min() >= 0 and alpha.max() <= 1
        assert ((alpha > 0.9) == red)[(alpha > 0.9) | (alpha < 0.1)].mean() > 0.99
        picture, alpha = scenes.group(sprites[:3], below, 0.8, rng)
        assert (alpha > 0.5).any() and picture.shape == (160, 160, 3)
        assert np.flatnonzero((alpha > 0.5).any(1)).max() >= 0.7 * 160  # they stand where the ground is


def test_a_room_has_its_line_between_wall_and_floor() -> None:
    tile = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((20, 20)))[..., None].repeat(3, 2)
    for seed in range(5):
        room, line = ground.room(96, np.random.default_rng(seed), [(tile * 255).astype(np.uint8)])
        assert room.shape == (96, 96, 3) and room.dtype == np.float32 and 0.15 <= line <= 0.75
        assert room.min() >= 0 and room.max() <= 1


def test_wide_pictures_keep_alpha_and_picture_together() -> None:
    rng = np.random.default_rng(1)
    picture = np.zeros((140, 140, 3), np.float32)
    alpha = np.zeros((140, 140), np.float32)
    alpha[50:90, 30:60] = 1
    picture[..., 0] = alpha
    for _ in range(10):
        wide, matte, trust = coarse_samples.stretched((picture, alpha, np.ones_like(alpha)), 100, rng)
        assert wide.shape == (100, 100, 3) and np.allclose(wide[..., 0], matte) and trust.min() == 1
        assert matte.max() > 0.5  # some of the subject is in it
