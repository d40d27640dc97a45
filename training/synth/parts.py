"""The parts of a design on its canvas: products with shadows, text, logos, prices, badges and ornaments.

Each is fitted into a rectangle; those that are stacked in a column return where they end.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import lettering, marks
from .backdrop import Palette
from .canvas import U8, Canvas, Rect, Rng, resize
from .lettering import Color


def put(canvas: Canvas, sprite: U8, room: Rect, rng: Rng, foot: float = 0.5) -> Rect:
    """Fits a product into a rectangle, with or without a shadow; `foot` 1 stands it on the lower edge."""
    factor = min(room.width / sprite.shape[1], room.height / sprite.shape[0])
    fitted = resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor)
    height, width = fitted.shape[:2]
    x, y = room.x0 + (room.width - width) / 2, room.y0 + (room.height - height) * foot
    _shadow(canvas, fitted, x, y, rng)
    canvas.paste(fitted, x, y, "subject")
    return Rect(x, y, x + width, y + height)


def _shadow(canvas: Canvas, sprite: U8, x: float, y: float, rng: Rng) -> None:
    kind = rng.random()
    height, width = sprite.shape[:2]
    if kind < 0.25:  # below its foot
        flat = max(3, int(height * rng.uniform(0.04, 0.12)))
        mask = np.zeros((flat * 3, width + 2 * flat), np.uint8)
        cv2.ellipse(mask, (mask.shape[1] // 2, mask.shape[0] // 2), (int(width * 0.45), flat // 2), 0, 0, 360, 255, -1)
        canvas.shade(_blur(mask, flat / 2.5), x - flat, y + height - flat * 1.5, rng.uniform(0.3, 0.8))
    elif kind < 0.5:  # behind it
        blur = max(1.0, min(height, width) * rng.uniform(0.015, 0.06))
        margin = int(blur * 3)
        mask = cv2.copyMakeBorder(sprite[..., 3], margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        dx, dy = rng.normal(0, blur), abs(rng.normal(0, 1.5 * blur))
        canvas.shade(
            _blur(mask.astype(np.uint8, copy=False), blur), x - margin + dx, y - margin + dy, rng.uniform(0.2, 0.6)
        )
    elif kind < 0.58:  # mirrored on a polished table
        depth = max(2, int(height * rng.uniform(0.15, 0.4)))
        mirror = sprite[::-1][:depth].copy()
        mirror[..., 3] = mirror[..., 3] * np.linspace(0.45, 0, depth)[:, None]
        mirror[..., 3] = np.minimum(mirror[..., 3], 95)
        canvas.paste(mirror, x, y + height)


def readable(canvas: Canvas, rect: Rect, colors: Palette, rng: Rng) -> Color:
    """A colour of the palette that stands out at this place."""
    below = canvas.luminance(rect)
    choices = [
        colors.accent,
        colors.dark if below > 0.5 else colors.light,
        (0, 0, 0) if below > 0.5 else (255, 255, 255),
    ]
    good = [c for c in choices if abs(c[1] / 255 - below) > 0.25] or choices[1:]
    return good[rng.integers(len(good))]


def text(
    canvas: Canvas, room: Rect, colors: Palette, rng: Rng, lines: int, words: int, align: float, share: float = 0.5
) -> float:
    """A paragraph at the top of a rectangle, its lines at most `share` of the page high; returns where it ends."""
    if room.width < 12 or room.height < 6:
        return room.y0
    upright = room.height > 3 * room.width and rng.random() < 0.6
    lying = Rect(0, 0, room.height, room.width) if upright else room
    mask = lettering.paragraph(rng, lying, lines, words, align, share * min(canvas.width, canvas.height))
    if mask is None:
        return room.y0
    if upright:
        mask = np.ascontiguousarray(np.rot90(mask, 1 if rng.random() < 0.5 else 3))
    sprite = lettering.styled(rng, mask, readable(canvas, room, colors, rng), colors.accent)
    factor = min(1.0, room.width / sprite.shape[1], 1.3 * room.height / sprite.shape[0])
    if factor < 1:  # its plate or tilt made it larger than the room
        sprite = resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor)
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "text")
    return room.y0 + float(sprite.shape[0])


def logo(canvas: Canvas, room: Rect, colors: Palette, rng: Rng, align: float = 0.5) -> float:
    """A logo at the top of a rectangle; returns where it ends."""
    sprite = marks.logo(rng, room, readable(canvas, room, colors, rng), readable(canvas, room, colors, rng))
    if sprite is None:
        return room.y0
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "logo")
    return room.y0 + float(sprite.shape[0])


def price(canvas: Canvas, room: Rect, colors: Palette, rng: Rng, align: float = 0.5) -> float:
    """A price at the top of a rectangle; returns where it ends."""
    color = readable(canvas, room, colors, rng)
    contrast = (255, 255, 255) if color[1] < 140 else (20, 20, 20)
    sprite = marks.price_tag(rng, room, color, contrast)
    if sprite is None:
        return room.y0
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "text")
    return room.y0 + float(sprite.shape[0])


def badge(canvas: Canvas, around: Rect, rng: Rng, colors: Palette) -> None:
    """A seal at a corner of a rectangle, at times over the product's edge."""
    side = int(np.clip(min(canvas.width, canvas.height) * rng.uniform(0.1, 0.28), 12, 400))
    color = (255, 255, 255) if sum(colors.accent) < 480 else (20, 20, 20)
    sprite = marks.badge(rng, side, colors.accent, color)
    x = (around.x0, around.x1)[rng.integers(2)] - side * rng.uniform(0.3, 0.7)
    y = (around.y0, around.y1)[rng.integers(2)] - side * rng.uniform(0.3, 0.7)
    x, y = np.clip(x, 0, max(0, canvas.width - side)), np.clip(y, 0, max(0, canvas.height - side))
    if canvas.free(Rect(x, y, x + side, y + side)) > 0.55:
        canvas.paste(sprite, x, y, "logo")


def ornament(canvas: Canvas, around: Rect, colors: Palette, rng: Rng) -> None:
    """A form behind the product: disc, panel, blob or ring."""
    kind, color = rng.random(), (colors.second, colors.light, colors.accent)[rng.integers(3)]
    side = int(min(around.width, around.height) * rng.uniform(0.6, 1.05))
    if kind > 0.5 or side < 12:
        return
    if kind < 0.25:
        mask = lettering.rounded(side, side, side // 2)
    elif kind < 0.4:
        mask = lettering.rounded(
            int(around.width * 0.95), int(around.height * 0.9), int(rng.choice((0, side // 10, side // 4)))
        )
    else:
        mask = marks.emblem(rng, side)
    mask = (mask * np.float32(rng.uniform(0.25, 1))).astype(np.uint8)
    x, y = around.x0 + (around.width - mask.shape[1]) / 2, around.y0 + (around.height - mask.shape[0]) / 2
    canvas.shade(mask, x, y, 1.0, color)


def _blur(mask: U8, sigma: float) -> U8:
    return cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.uint8, copy=False)
