"""Blocks of text as sprites: set in a font, fitted to a width, with plates, outlines and turned lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from . import fonts, words
from .canvas import U8, Rect, Rng, rotate

Color = tuple[int, int, int]
_SIZES = [6, 8, 10, 13, 17, 22, 29, 38, 50, 66, 88]  # fonts are loaded at these; masks are resized from there


def line(text: str, face: fonts.Face, weight: int, height: float) -> U8:
    """One line of text as a mask, uint8 [h, w]; `height` is the font's size in pixels."""
    size = next((s for s in _SIZES if s >= height), _SIZES[-1])
    font = fonts.font(face, size, weight)
    text = fonts.spelled(text, face)
    x0, y0, x1, y1 = font.getbbox(text)
    image = Image.new("L", (max(1, math.ceil(x1 - x0)), max(1, math.ceil(y1 - y0))))
    ImageDraw.Draw(image).text((-x0, -y0), text, fill=255, font=font)
    mask = np.asarray(image)
    factor = height / size
    shape = (max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor)))
    return cv2.resize(mask, shape, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def stack(lines: Sequence[U8], gap: float, align: float) -> U8:
    """Masks below each other; `align` 0 left, 0.5 centred, 1 right."""
    width = max(m.shape[1] for m in lines)
    out = np.zeros((sum(m.shape[0] for m in lines) + round(gap) * (len(lines) - 1), width), np.uint8)
    y = 0
    for mask in lines:
        x = round((width - mask.shape[1]) * align)
        out[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        y += mask.shape[0] + round(gap)
    return out


def paragraph(rng: Rng, room: Rect, lines: int, words_per_line: int, align: float, largest: float) -> U8 | None:
    """A block of slogans fitted into a rectangle, as a mask; None where nothing readable fits."""
    script = "latin" if rng.random() < 0.55 else str(rng.choice(fonts.scripts()))
    choices = fonts.faces_of(script)
    face, weight = choices[rng.integers(len(choices))], int(rng.choice((300, 400, 700, 800)))
    texts = [words.slogan(rng, script, words_per_line) for _ in range(lines)]
    return fit(texts, face, weight, room, align, largest)


def fit(texts: Sequence[str], face: fonts.Face, weight: int, room: Rect, align: float, largest: float) -> U8 | None:
    """The lines at the largest size up to `largest` pixels that fits the rectangle; None below 6 pixels."""
    longest = max(fonts.font(face, 22, weight).getlength(t) for t in texts)
    size = min(22 * room.width / max(longest, 1), room.height / (1.15 * len(texts)), largest)
    if size < 6:
        return None
    return stack([line(t, face, weight, size) for t in texts], size * 0.3, align)


def ink(mask: U8, color: Color) -> U8:
    """A mask in one colour."""
    sprite = np.empty((*mask.shape, 4), np.uint8)
    sprite[..., :3] = color
    sprite[..., 3] = mask
    return sprite


def outlined(mask: U8, color: Color, edge: Color, width: int) -> U8:
    """Letters with an outline of `width` pixels."""
    grown = cv2.copyMakeBorder(mask, width, width, width, width, cv2.BORDER_CONSTANT)
    outer = cv2.dilate(grown, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1)))
    sprite = ink(outer.astype(np.uint8), edge)
    share = grown[..., None].astype(np.float32) / 255
    sprite[..., :3] = sprite[..., :3] * (1 - share) + np.array(color, np.float32) * share
    return sprite


def plated(mask: U8, color: Color, plate: Color, padding: int, radius: int) -> U8:
    """Letters on a plate with round corners: buttons, tags and labels."""
    height, width = mask.shape[0] + 2 * padding, mask.shape[1] + 3 * padding
    sprite = ink(rounded(width, height, radius), plate)
    inner = sprite[padding : padding + mask.shape[0], padding * 3 // 2 : padding * 3 // 2 + mask.shape[1], :3]
    share = mask[..., None].astype(np.float32) / 255
    inner[:] = inner * (1 - share) + np.array(color, np.float32) * share
    return sprite


def rounded(width: int, height: int, radius: int) -> U8:
    """A filled rectangle with round corners as a mask."""
    radius = min(radius, width // 2, height // 2)
    mask = np.zeros((height, width), np.uint8)
    if radius < 2:
        mask[:] = 255
        return mask
    cv2.rectangle(mask, (radius, 0), (width - radius - 1, height - 1), 255, -1)
    cv2.rectangle(mask, (0, radius), (width - 1, height - radius - 1), 255, -1)
    for x in (radius, width - radius - 1):
        for y in (radius, height - radius - 1):
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
    return mask


def styled(rng: Rng, mask: U8, color: Color, accent: Color) -> U8:
    """A mask in one of the ways shops set text: mostly plain, else outlined, on a plate or tilted."""
    kind = rng.random()
    edge = (255, 255, 255) if sum(color) < 380 else (20, 20, 20)
    if kind < 0.12:
        sprite = outlined(mask, color, edge, max(1, mask.shape[0] // 24))
    elif kind < 0.3:
        padding = max(2, int(min(mask.shape) * rng.uniform(0.15, 0.45)))
        contrast = (255, 255, 255) if sum(accent) < 400 else (20, 20, 20)
        sprite = plated(mask, contrast, accent, padding, int(rng.choice((0, 4, 99))))
    else:
        sprite = ink(mask, color)
    if rng.random() < 0.06:
        sprite = rotate(sprite, float(rng.uniform(-18, 18)))
    return sprite
