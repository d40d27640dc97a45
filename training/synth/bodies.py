"""People and things made of many parts: what few photographs show in few variants, put together from several."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import resize
from .composite import F32, U8, Layer, Rng


def dressed(portrait: U8, garment: U8, rng: Rng, held: U8 | None = None) -> U8:
    """A half-length figure: a portrait above a garment, with something before it; all uint8 [H, W, 4].

    The portrait's shoulders vanish behind the garment, whose lower edge may be cut off as a picture's would cut it.
    """
    height, width = portrait.shape[:2]
    breadth = int(width * rng.uniform(1.0, 1.9))
    body = resize(garment, breadth, int(breadth * rng.uniform(0.8, 1.5)))
    top = int(height * rng.uniform(0.78, 0.95))
    size = (max(height, int(top + body.shape[0] * rng.uniform(0.5, 1.0))), max(width, breadth))
    middle = size[1] // 2
    canvas = np.zeros((*size, 4), np.float32)
    _paste(canvas, portrait, middle - width // 2, 0)
    _paste(canvas, body, middle - breadth // 2 + int(rng.normal(0, 0.04) * width), top)
    if held is not None:
        side = int(size[1] * rng.uniform(0.25, 0.6))
        thing = resize(held, side, side * held.shape[0] // max(held.shape[1], 1))
        _paste(canvas, thing, int(rng.uniform(0, size[1] - side * 0.7)), int(rng.uniform(top, size[0] - side * 0.3)))
    color = canvas[..., :3] / np.maximum(canvas[..., 3:], 1e-3)
    return (np.clip(np.dstack([color, canvas[..., 3]]), 0, 1) * 255 + 0.5).astype(np.uint8)


def patchwork(layer: Layer, texture: F32, rng: Rng) -> Layer:
    """The same subject with parts in other colours: in shadow, in a highlight, dyed, printed or badged.

    A network that has only seen things of one colour leaves holes where a suit has a badge or a fur a blaze.

    Args:
        texture: float32 [H, W, 3] of the layer's size, what is printed on some of the parts.
    """
    size, color = layer.alpha.shape[0], layer.color
    for _ in range(rng.integers(1, 4)):
        kind = rng.random()
        if kind < 0.3:
            part = color[..., rng.permutation(3)]
        elif kind < 0.5:
            part = color * rng.uniform(0.08, 0.6)
        elif kind < 0.6:
            part = 1 - (1 - color) * rng.uniform(0.1, 0.6)
        elif kind < 0.8:
            part = color.mean(-1, keepdims=True) * rng.uniform(0.3, 2.2, 3)
        else:
            part = texture
        share = _spot(size, rng)[..., None] * rng.uniform(0.6, 1.0)
        color = color * (1 - share) + np.clip(part, 0, 1) * share
    return Layer(np.clip(color, 0, 1).astype(np.float32), layer.alpha)


def _spot(size: int, rng: Rng) -> F32:
    """Where a part is, float32 [S, S]: a cloud, a half, a stripe or an ellipse, with a soft or a hard edge."""
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    kind, angle = rng.random(), rng.uniform(0, np.pi)
    along = (xs - rng.uniform(0.2, 0.8)) * np.cos(angle) + (ys - rng.uniform(0.2, 0.8)) * np.sin(angle)
    if kind < 0.35:
        cells = int(rng.integers(3, 9))
        field = cv2.resize(rng.normal(0, 1, (cells, cells)).astype(np.float32), (size, size)) * 0.2
    elif kind < 0.6:
        field = along
    elif kind < 0.75:
        field = rng.uniform(0.02, 0.12) - np.abs(along)
    else:
        across = -(xs - rng.uniform(0.2, 0.8)) * np.sin(angle) + (ys - rng.uniform(0.2, 0.8)) * np.cos(angle)
        field = rng.uniform(0.04, 0.2) - np.hypot(along, across * rng.uniform(0.6, 1.8))
    return np.clip(field / rng.choice([0.004, 0.03, 0.15]) + 0.5, 0, 1).astype(np.float32)


def _paste(canvas: F32, image: U8, x: int, y: int) -> None:
    """Lays an image, uint8 [h, w, 4], over a canvas of premultiplied colours, in place; what hangs over is cut off."""
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + image.shape[1], canvas.shape[1]), min(y + image.shape[0], canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = image[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32) / 255
    part[..., :3] *= part[..., 3:]
    canvas[y0:y1, x0:x1] = part + canvas[y0:y1, x0:x1] * (1 - part[..., 3:])
