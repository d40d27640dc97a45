"""Several things in one picture, all of them wanted: laid out flat, or standing side by side on the ground.

The sprites are uint8 [H, W, 4]; answers are the picture float32 [S, S, 3] and alpha float32 [S, S], 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import composite as c
from . import ground
from .composite import F32, U8, Rng


def flat_lay(sprites: Sequence[U8], background: F32, rng: Rng) -> tuple[F32, F32]:
    """Things seen from above, turned every way, one lamp over all of them; they may touch and overlap a little."""
    size = background.shape[0]
    columns = int(np.ceil(np.sqrt(len(sprites))))
    rows = -(-len(sprites) // columns)
    spread, angle = float(rng.uniform(0.75, 1.0)), rng.uniform(0, 2 * np.pi)
    far = rng.uniform(0.0, 0.05) * size
    shift = (float(far * np.cos(angle)), float(far * np.sin(angle)))
    sigma = float(rng.uniform(0.001, 0.005) if rng.random() < 0.4 else rng.uniform(0.008, 0.03)) * size
    strength = float(rng.choice([0, rng.uniform(0.15, 0.75)], p=[0.15, 0.85]))
    picture, clear = background, np.ones((size, size), np.float32)
    tidy = rng.random() < 0.5
    for index, sprite in enumerate(sprites):
        cell = np.array([index % columns + 0.5, index // columns + 0.5]) / (columns, rows)
        center = (0.5 + (cell - 0.5) * spread + rng.normal(0, 0.015 if tidy else 0.05, 2)) * size
        side = float(rng.uniform(0.6, 1.1)) * spread / max(columns, rows)
        layer = c.put(sprite, size, rng, side * size, (float(center[0]), float(center[1])), 4 if tidy else 70)
        picture = ground.drop(picture, layer.alpha, shift, sigma, strength)
        picture, _ = c.over([layer], picture)
        clear = clear * (1 - layer.alpha)
    return picture, (1 - clear).astype(np.float32)


def group(sprites: Sequence[U8], background: F32, foot: float, rng: Rng) -> tuple[F32, F32]:
    """Things that stand side by side, the nearer ones before the others, each with its shadows and reflection.

    Args:
        foot: where the ground is, as a share of the side: the lower ends are about there, the nearer the lower.
    """
    size = background.shape[0]
    picture, clear = background, np.ones((size, size), np.float32)
    places = (np.arange(len(sprites)) + 0.5) / len(sprites)
    tall = float(rng.uniform(0.3, 0.85)) if len(sprites) == 1 else float(rng.uniform(0.4, 1.1)) / len(sprites) ** 0.7
    depths = np.sort(rng.uniform(0, 0.06, len(sprites)))
    for sprite, place, depth in zip(sprites, rng.permutation(places), depths, strict=True):
        side = tall * float(rng.uniform(0.7, 1.2)) * size
        height = side * sprite.shape[0] / max(sprite.shape[:2])
        x = (0.5 + (place - 0.5) * rng.uniform(0.6, 1.0) + rng.normal(0, 0.02)) * size
        center = (float(x), float((foot + depth) * size - height / 2))
        layer = c.put(sprite, size, rng, side, center, 1.5)
        layer = c.match_light(layer, background, rng)
        picture = ground.thrown(picture, layer, rng)
        picture, _ = c.over([layer], picture)
        clear = clear * (1 - layer.alpha)
    return picture, (1 - clear).astype(np.float32)


def paper(size: int, rng: Rng, sprites: Sequence[U8]) -> F32:
    """Plain paper, float32 [S, S, 3]: white as shops have it, any shade of grey, a colour, or much like the things."""
    kind = rng.random()
    if kind < 0.45:
        tone = np.full(3, rng.uniform(0.96, 1.0))
    elif kind < 0.6:
        tone = np.full(3, rng.uniform(0.0, 1.0)) + rng.normal(0, 0.01, 3)
    elif kind < 0.8:  # white on white, black on black
        rgba = sprites[rng.integers(len(sprites))]
        tone = np.average(rgba[..., :3].reshape(-1, 3) / 255.0, axis=0, weights=rgba[..., 3].reshape(-1) + 1.0)
        tone = tone + rng.normal(0, 0.06, 3) * rng.integers(2) + rng.normal(0, 0.08)
    else:
        return c.studio(size, rng)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0, 0.12) * (xs * np.cos(angle) + ys * np.sin(angle))
    if rng.random() < 0.4:  # the corners darker
        light = light - rng.uniform(0.05, 0.35) * (xs**2 + ys**2)
    return np.clip(np.asarray(tone, np.float32) * light[..., None], 0, 1).astype(np.float32)
