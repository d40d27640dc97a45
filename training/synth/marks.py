"""Logos, badges, seals and price tags as sprites."""

from __future__ import annotations

import cv2
import numpy as np

from . import fonts, lettering, words
from .canvas import U8, Rect, Rng, resize, rotate
from .lettering import Color

_SHIFT = 3  # sub-pixel bits of OpenCV's drawing functions


def _polygon(mask: U8, points: np.ndarray, value: int = 255) -> None:
    cv2.fillPoly(mask, [np.round(points * (1 << _SHIFT)).astype(np.int32)], value, cv2.LINE_AA, _SHIFT)


def _star(center: float, outer: float, inner: float, points: int, turn: float) -> np.ndarray:
    angles = turn + np.arange(2 * points) * np.pi / points
    radii = np.where(np.arange(2 * points) % 2, inner, outer)
    return np.stack([center + radii * np.cos(angles), center + radii * np.sin(angles)], 1)


def emblem(rng: Rng, side: int) -> U8:
    """An abstract mark as a mask: ring, polygon, star, petals, bars, monogram or interlocked forms."""
    mask = np.zeros((side, side), np.uint8)
    c, r = side / 2, side * 0.47
    kind = int(rng.integers(7))
    turn = float(rng.uniform(0, 2 * np.pi))
    if kind == 0:  # ring with a gap or a core
        cv2.circle(mask, (int(c), int(c)), int(r), 255, -1, cv2.LINE_AA)
        cv2.circle(
            mask, (int(c + r * rng.uniform(0, 0.4)), int(c)), int(r * rng.uniform(0.4, 0.75)), 0, -1, cv2.LINE_AA
        )
    elif kind == 1:
        points = int(rng.integers(3, 9))
        _polygon(mask, _star(c, r, r * np.cos(np.pi / points), points, turn))
        if rng.random() < 0.6:
            _polygon(mask, _star(c, r * 0.5, r * 0.5 * np.cos(np.pi / points), points, turn), 0)
    elif kind == 2:
        _polygon(mask, _star(c, r, r * rng.uniform(0.3, 0.6), int(rng.integers(4, 9)), -np.pi / 2))
    elif kind == 3:
        petals = int(rng.integers(3, 8))
        for k in range(petals):
            angle = turn + k * 2 * np.pi / petals
            at = (int(c + 0.5 * r * np.cos(angle)), int(c + 0.5 * r * np.sin(angle)))
            axes = (int(r * 0.5), int(r * rng.uniform(0.15, 0.25)))
            cv2.ellipse(mask, at, axes, np.degrees(angle), 0, 360, 255, -1, cv2.LINE_AA)
    elif kind == 4:
        bars = int(rng.integers(3, 6))
        for k in range(bars):
            x = int(side * (k + 0.15) / bars)
            top = int(side * rng.uniform(0.02, 0.7))
            cv2.rectangle(mask, (x, top), (int(side * (k + 0.8) / bars), side - 2), 255, -1)
    elif kind == 5:  # monogram in a form
        plate = lettering.rounded(side, side, int(rng.choice((2, side // 5, side // 2))))
        latin = fonts.faces_of("latin")
        letters = words.brand(rng)[: int(rng.integers(1, 3))].upper()
        inner = Rect(0, 0, side * 0.66, side * 0.66)
        glyphs = lettering.fit([letters], latin[rng.integers(len(latin))], 700, inner, 0.5, side)
        mask = plate
        if glyphs is not None:
            y, x = (side - glyphs.shape[0]) // 2, (side - glyphs.shape[1]) // 2
            if y >= 0 and x >= 0:
                mask[y : y + glyphs.shape[0], x : x + glyphs.shape[1]] = np.minimum(
                    mask[y : y + glyphs.shape[0], x : x + glyphs.shape[1]], 255 - glyphs
                )
    else:  # crossed strokes
        for k in range(int(rng.integers(2, 4))):
            angle = turn + k * np.pi / 3
            d = np.array([np.cos(angle), np.sin(angle)]) * r * 0.85
            a, b = (c - d).astype(int), (c + d).astype(int)
            cv2.line(mask, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 255, max(2, side // 9), cv2.LINE_AA)
    return mask


def logo(rng: Rng, room: Rect, color: Color, accent: Color) -> U8 | None:
    """A mark, a wordmark, or both side by side or stacked, fitted into a rectangle."""
    kind = rng.random()
    latin = fonts.faces_of("latin")
    face, weight = latin[rng.integers(len(latin))], int(rng.choice((400, 700, 900)))
    side = int(min(room.height, room.width))
    if side < 6:
        return None
    if kind < 0.3:
        return lettering.ink(emblem(rng, side), accent)
    if kind < 0.5:
        name = lettering.fit([words.brand(rng)], face, weight, room, 0.5, room.height)
        return None if name is None else lettering.ink(name, color)
    beside = kind < 0.8
    part = Rect(0, 0, room.width - side, side * 0.7) if beside else Rect(0, 0, room.width, side * 0.35)
    name = lettering.fit([words.brand(rng)], face, weight, part, 0.5, side)
    if name is None:
        return lettering.ink(emblem(rng, side), accent)
    mark = emblem(rng, side if beside else max(6, int(side * 0.6)))
    gap = max(1, side // 10)
    if beside:
        sprite = np.zeros((side, side + gap + name.shape[1], 4), np.uint8)
        at = ((side - name.shape[0]) // 2, side + gap)
        mark_x = 0
    else:
        width = max(mark.shape[1], name.shape[1])
        sprite = np.zeros((mark.shape[0] + gap + name.shape[0], width, 4), np.uint8)
        at = (mark.shape[0] + gap, (width - name.shape[1]) // 2)
        mark_x = (width - mark.shape[1]) // 2
    sprite[..., :3] = color
    if at[0] < 0:
        return lettering.ink(mark, accent)
    sprite[: mark.shape[0], mark_x : mark_x + mark.shape[1]] = lettering.ink(mark, accent)
    sprite[at[0] : at[0] + name.shape[0], at[1] : at[1] + name.shape[1]] = lettering.ink(name, color)
    return sprite


def badge(rng: Rng, side: int, plate: Color, color: Color) -> U8:
    """A round seal, a starburst or a ribbon with an offer on it; uint8 [side, side, 4] or so."""
    latin = fonts.faces_of("latin")
    face = latin[rng.integers(len(latin))]
    room = Rect(0, 0, side * 0.7, side * 0.42)
    glyphs = lettering.fit([words.offer(rng)], face, 800, room, 0.5, side)
    mask = np.zeros((side, side), np.uint8)
    kind = rng.random()
    if kind < 0.4:
        cv2.circle(mask, (side // 2, side // 2), side // 2 - 1, 255, -1, cv2.LINE_AA)
    elif kind < 0.75:
        points = int(rng.integers(9, 26))
        _polygon(mask, _star(side / 2, side * 0.49, side * rng.uniform(0.38, 0.45), points, 0.1))
    else:
        height = max(8, int(side * 0.5))
        mask = np.zeros((height, side), np.uint8)
        notch = height * 0.35
        corners = [(0, 0), (side - 1, 0), (side - 1 - notch, height / 2), (side - 1, height - 1), (0, height - 1)]
        _polygon(mask, np.array(corners, np.float64))
    sprite = lettering.ink(mask, plate)
    if kind < 0.75 and rng.random() < 0.4:
        cv2.circle(sprite, (side // 2, side // 2), int(side * 0.36), (*color, 255), max(1, side // 40), cv2.LINE_AA)
    if glyphs is not None:
        glyphs = glyphs[: mask.shape[0], :side]
        y, x = (mask.shape[0] - glyphs.shape[0]) // 2, (side - glyphs.shape[1]) // 2
        where = sprite[y : y + glyphs.shape[0], x : x + glyphs.shape[1], :3]
        share = glyphs[..., None].astype(np.float32) / 255
        where[:] = where * (1 - share) + np.array(color, np.float32) * share
    return rotate(sprite, float(rng.uniform(-20, 20))) if rng.random() < 0.4 else sprite


def price_tag(rng: Rng, room: Rect, plate: Color, color: Color) -> U8 | None:
    """A price, at times with the old one struck through, plain or on a plate."""
    latin = fonts.faces_of("latin")
    face = latin[rng.integers(len(latin))]
    mask = lettering.fit([words.price(rng)], face, 800, room, 0.5, room.height)
    if mask is None:
        return None
    if rng.random() < 0.3:
        old = lettering.fit([words.price(rng)], face, 400, Rect(0, 0, mask.shape[1], mask.shape[0] * 0.6), 0.5, 99)
        if old is not None:
            cv2.line(old, (0, old.shape[0] // 2), (old.shape[1], old.shape[0] // 2), 255, max(1, old.shape[0] // 10))
            mask = lettering.stack([old, mask], mask.shape[0] * 0.25, 0.5)
    if rng.random() < 0.5:
        padding = max(2, mask.shape[0] // 3)
        sprite = lettering.plated(mask, color, plate, padding, int(rng.choice((0, 4, 99))))
    else:
        sprite = lettering.ink(mask, plate)
    factor = min(1.0, room.width / sprite.shape[1], room.height / sprite.shape[0])
    return resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor) if factor < 1 else sprite
