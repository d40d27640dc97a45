"""What designs stand on: flat paper, gradients, stripes, dots, rays, split planes and tinted photographs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import U8, Rng
from .lettering import Color


@dataclass(frozen=True)
class Palette:
    """The few colours of one design."""

    paper: Color
    second: Color
    accent: Color
    dark: Color
    light: Color


def palette(rng: Rng) -> Palette:
    """Colours that go together: one hue for the paper, its neighbour, and a strong accent far from it."""
    hue = rng.random()
    pale = rng.random() < 0.6
    saturation, value = (
        (rng.uniform(0, 0.3), rng.uniform(0.85, 1)) if pale else (rng.uniform(0.3, 0.95), rng.uniform(0.15, 0.9))
    )
    step = float(rng.choice((0.0, 0.04, 0.1, 0.5)))
    opposite = hue + float(rng.choice((0.33, 0.5, 0.42, 0.05)))
    return Palette(
        paper=_rgb(hue, saturation, value),
        second=_rgb(
            hue + step, min(1, saturation + rng.uniform(-0.1, 0.25)), np.clip(value + rng.uniform(-0.25, 0.1), 0, 1)
        ),
        accent=_rgb(opposite, rng.uniform(0.6, 1), rng.uniform(0.5, 1)),
        dark=_rgb(hue, rng.uniform(0, 0.5), rng.uniform(0.03, 0.3)),
        light=_rgb(hue, rng.uniform(0, 0.12), rng.uniform(0.93, 1)),
    )


def backdrop(rng: Rng, width: int, height: int, colors: Palette, photo: U8 | None) -> U8:
    """A backdrop, uint8 [height, width, 3]; a photograph, where there is one, is used as often as not tinted."""
    if photo is not None:
        return _photo(rng, width, height, colors, photo)
    kind = rng.random()
    if kind < 0.14:
        return np.full((height, width, 3), 255 if rng.random() < 0.7 else 245, np.uint8)
    if kind < 0.34:
        return np.full((height, width, 3), colors.paper, np.uint8)
    angle = rng.uniform(0, 2 * np.pi)
    xs = np.linspace(-1, 1, width, dtype=np.float32)[None]
    ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * (height / width)
    along = xs * np.float32(np.cos(angle)) + ys * np.float32(np.sin(angle))
    if kind < 0.54:
        share = np.clip(along * 0.5 + 0.5, 0, 1)
    elif kind < 0.66:
        share = np.clip(np.hypot(xs - rng.uniform(-0.5, 0.5), ys - rng.uniform(-0.3, 0.3)), 0, 1)
    elif kind < 0.74:
        share = (np.sin(along * rng.uniform(6, 60)) > rng.uniform(-0.7, 0.7)).astype(np.float32)
    elif kind < 0.8:
        rays = int(rng.integers(6, 24))
        share = (np.sin(np.arctan2(ys, xs) * rays) > 0).astype(np.float32)
    elif kind < 0.86:
        pitch = rng.uniform(8, 30)
        share = (np.cos(xs * width / pitch) * np.cos(ys * width / pitch) > rng.uniform(0.4, 0.8)).astype(np.float32)
    elif kind < 0.96:
        share = (along > rng.uniform(-0.5, 0.5)).astype(np.float32)
    else:
        share = np.clip(
            cv2.resize(rng.random((3, 4), np.float32), (width, height), interpolation=cv2.INTER_CUBIC), 0, 1
        )
    a, b = np.array(colors.paper, np.float32), np.array(colors.second, np.float32)
    if kind < 0.86 and kind >= 0.66:  # patterns are mostly faint
        b = a + (b - a) * rng.uniform(0.15, 1)
    return (a + np.broadcast_to(share, (height, width))[..., None] * (b - a) + 0.5).astype(np.uint8)


def _photo(rng: Rng, width: int, height: int, colors: Palette, photo: U8) -> U8:
    rows, columns = photo.shape[:2]
    scale = max(width / columns, height / rows) * rng.uniform(1, 1.6)
    w, h = min(columns, max(1, int(width / scale))), min(rows, max(1, int(height / scale)))
    x, y = int(rng.integers(0, columns - w + 1)), int(rng.integers(0, rows - h + 1))
    cut = cv2.resize(
        photo[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    if rng.random() < 0.4:
        cut = cv2.GaussianBlur(cut, (0, 0), rng.uniform(0.5, 6))
    if rng.random() < 0.5:
        tint = np.array(colors.paper if rng.random() < 0.5 else colors.dark, np.float32)
        share = rng.uniform(0.15, 0.75)
        cut = cut * (1 - share) + tint * share
    return cut.astype(np.uint8, copy=False)


def _rgb(hue: float, saturation: float, value: float) -> Color:
    saturation, value = float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1))
    i, f = divmod(hue % 1 * 6, 1)
    p, q, t = value * (1 - saturation), value * (1 - saturation * f), value * (1 - saturation * (1 - f))
    r, g, b = ((value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value), (value, p, q))[int(i)]
    return int(r * 255), int(g * 255), int(b * 255)
