"""What things stand on and what they throw on it: floors and walls, shadows hard and soft, reflections.

None of that is the subject. Pictures are float32 [S, S, 3], 0..1, as in `composite.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import composite as c
from .composite import F32, U8, Layer, Rng


def room(size: int, rng: Rng, textures: Sequence[U8]) -> tuple[F32, float]:
    """A floor before a wall, and the height of the line between, as a share of the side.

    The floor is a texture in perspective, or plain; the wall another, plain, or a photograph out of focus.
    """
    horizon = float(rng.uniform(0.15, 0.75))
    wall = c.studio(size, rng)
    if rng.random() < 0.6:
        wall = c.cover(textures[rng.integers(len(textures))], size, rng)
        wall = cv2.GaussianBlur(wall, (0, 0), rng.uniform(0.5, 6) * size / 256)
    floor = c.studio(size, rng)
    if rng.random() < 0.75:
        floor = c.cover(textures[rng.integers(len(textures))], size, rng)
    narrow = float(rng.uniform(0.5, 0.95)) * size / 2  # of the far edge, which the camera sees smaller
    line = horizon * size
    near = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    seen = np.array([[size / 2 - 2 * size + narrow, line], [size / 2 + 2 * size - narrow, line],
                     [size * 3, size], [-size * 2, size]], np.float32)  # fmt: skip
    floor = cv2.warpPerspective(floor, cv2.getPerspectiveTransform(near, seen), (size, size),
                                borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    ys = np.arange(size, dtype=np.float32)[:, None, None]
    soft = float(rng.choice([0.7, 2, 0.15 * size]))  # a sharp edge, or paper that curves up
    share = np.clip((ys - line) / soft + 0.5, 0, 1)
    scene = wall * (1 - share) + floor * share
    return c.relight(scene.astype(np.float32), rng, 0.6), horizon


def thrown(background: F32, layer: Layer, rng: Rng) -> F32:
    """What stands on the ground, as it touches it: shadows that are cast on it, at its foot, and its reflection."""
    out = background
    if rng.random() < 0.35:
        out = reflection(out, layer, rng)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.25, 0.6, 0.15]))):
        out = cast(out, layer.alpha, rng)
    if rng.random() < 0.75:
        out = contact(out, layer.alpha, rng)
    return out


def cast(background: F32, alpha: F32, rng: Rng) -> F32:
    """A shadow on the ground from a lamp or the sun, towards the viewer or away, as often hard as soft."""
    size = alpha.shape[0]
    foot, lean = _foot(alpha), float(rng.normal(0, 0.8))
    squash = float(rng.uniform(0.15, 0.9)) * (-1 if rng.random() < 0.4 else 1)
    warp = np.array([[1, -lean * abs(squash), lean * abs(squash) * foot], [0, squash, foot * (1 - squash)]], np.float32)
    shade = cv2.warpAffine(alpha, warp, (size, size))
    shade = _blurred(shade, rng.uniform(0.001, 0.006) * size if rng.random() < 0.5 else rng.uniform(0.01, 0.05) * size)
    return _darkened(background, shade, rng)


def drop(background: F32, alpha: F32, shift: tuple[float, float], sigma: float, strength: float) -> F32:
    """The shadow of what lies flat: its own form, shifted by so many pixels; strength 0..1."""
    warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    shade = _blurred(cv2.warpAffine(alpha, warp, alpha.shape[::-1]), sigma)
    return (background * (1 - strength * shade)[..., None]).astype(np.float32)


def contact(background: F32, alpha: F32, rng: Rng) -> F32:
    """The dark and narrow shadow where a thing touches the ground."""
    size = alpha.shape[0]
    foot = _foot(alpha)
    low = np.clip((np.arange(size, dtype=np.float32) - foot) / (0.12 * size) + 1, 0, 1)[:, None]
    warp = np.array([[1, 0, rng.normal(0, 0.008) * size], [0, 1, rng.uniform(0.004, 0.03) * size]], np.float32)
    shade = _blurred(cv2.warpAffine(alpha * low, warp, (size, size)), rng.uniform(0.004, 0.025) * size)
    return _darkened(background, shade, rng, (0.3, 0.9))


def reflection(background: F32, layer: Layer, rng: Rng) -> F32:
    """The thing upside down below its foot, fading, as on a polished table."""
    size = layer.alpha.shape[0]
    foot = _foot(layer.alpha)
    warp = np.array([[1, 0, 0], [0, -1, 2 * foot + rng.uniform(0, 0.01) * size]], np.float32)
    alpha = cv2.warpAffine(layer.alpha, warp, (size, size))
    color = cv2.warpAffine(layer.color, warp, (size, size), borderMode=cv2.BORDER_REPLICATE)
    depth = np.clip(np.arange(size, dtype=np.float32) - foot, 0, None)[:, None]
    share = alpha * float(rng.uniform(0.12, 0.55)) * np.exp(-depth / (rng.uniform(0.05, 0.4) * size))
    if rng.random() < 0.5:
        color = cv2.GaussianBlur(color, (0, 0), rng.uniform(0.003, 0.02) * size)
        share = cv2.GaussianBlur(share, (0, 0), rng.uniform(0.003, 0.01) * size)
    return (color * share[..., None] + background * (1 - share[..., None])).astype(np.float32)


def _foot(alpha: F32) -> float:
    rows = np.flatnonzero(alpha.max(1) > 0.3)
    return float(rows[-1] + 1) if len(rows) else float(alpha.shape[0])


def _blurred(shade: F32, sigma: float) -> F32:
    return cv2.GaussianBlur(shade, (0, 0), max(0.3, float(sigma))).astype(np.float32)


def _darkened(background: F32, shade: F32, rng: Rng, strength: tuple[float, float] = (0.2, 0.8)) -> F32:
    tint = 1 - rng.uniform(*strength) * np.clip(1 + rng.normal(0, 0.06, 3), 0, 1.1)
    return (background * (1 - shade[..., None] * (1 - np.clip(tint, 0, 1)))).astype(np.float32)
