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


def assembly(core: U8, size: int, rng: Rng, area: tuple[float, float]) -> Layer:
    """A thing of many parts around a foreground: plates under it, wheels, tubes and blocks that touch each other.

    A cup has its saucer and a machine its wheels: a network that has only seen things of one piece takes the rest for
    background.

    Args:
        core: uint8 [H, W, 4], colours not premultiplied; in the middle of two in three.
        area: range of the whole thing's side as a share of the canvas.
    """
    canvas = np.zeros((size, size, 4), np.float32)
    reach = size * rng.uniform(*area) / 2
    middle = size / 2 + rng.uniform(-1, 1, 2) * max(0.0, size / 2 - reach)
    tones = np.concatenate([rng.uniform(0, 1, (2, 3)), np.repeat(rng.uniform(0.02, 0.95, (2, 1)), 3, 1)])
    aspect = rng.uniform(0.35, 1.0)  # the thing is seen from one side: its discs are all as round
    places = [middle]
    for _ in range(int(rng.integers(2, 8))):
        at = places[rng.integers(len(places))] + rng.normal(0, 0.25, 2) * reach
        at = middle + np.clip(at - middle, -0.7 * reach, 0.7 * reach)
        mask = _part(size, at, reach, aspect, rng)
        tone = tones[rng.integers(len(tones))] * rng.uniform(0.7, 1.3)
        _lay(canvas, np.clip(tone * _shading(size, at, reach, rng), 0, 1), mask)
        places.append(at)
    if rng.random() < 0.67:
        scale = reach * rng.uniform(0.7, 1.5) / max(core.shape[:2])
        thing = resize(core, core.shape[1] * scale, core.shape[0] * scale)
        x, y = (middle - np.array(thing.shape[1::-1]) * rng.uniform(0.4, 0.6, 2)).astype(int)
        _paste(canvas, thing, x, y)
    color = canvas[..., :3] / np.maximum(canvas[..., 3:], 1e-3)
    return Layer(np.clip(color, 0, 1), canvas[..., 3])


def _part(size: int, at: np.ndarray, reach: float, aspect: float, rng: Rng) -> F32:
    """One part's mask, float32 [S, S]: a disc, a wheel with spokes, a bent tube or a block with fins."""
    mask, kind, turn = np.zeros((size, size), np.uint8), rng.random(), float(rng.uniform(0, 180))
    x, y = (int(v) for v in at)
    if kind < 0.2:
        long = max(3, int(reach * rng.uniform(0.4, 1.0)))
        cv2.ellipse(mask, (x, y), (long, max(2, int(long * aspect))), turn * 0.1, 0, 360, 255, -1, cv2.LINE_AA)
    elif kind < 0.45:
        long = max(4, int(reach * rng.uniform(0.25, 0.6)))
        axes, rim = (long, max(3, int(long * aspect))), max(1, int(long * rng.uniform(0.08, 0.3)))
        for angle in np.linspace(0, 2 * np.pi, int(rng.choice([0, 5, 8, 16, 28])), endpoint=False):
            end = (int(x + axes[0] * np.cos(angle)), int(y + axes[1] * np.sin(angle)))
            cv2.line(mask, (x, y), end, 255, max(1, rim // 4), cv2.LINE_AA)
        cv2.ellipse(mask, (x, y), axes, 0, 0, 360, 255, rim, cv2.LINE_AA)
        cv2.circle(mask, (x, y), max(1, int(long * rng.uniform(0.1, 0.4))), 255, -1, cv2.LINE_AA)
    elif kind < 0.72:
        ends = at + rng.normal(0, 0.5, (3, 2)) * reach
        t = np.linspace(0, 1, 12)[:, None]
        path = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * at + t**2 * ends[1]
        wide = max(1, int(reach * rng.uniform(0.03, 0.14)))
        cv2.polylines(mask, [path.astype(np.int32)], False, 255, wide, cv2.LINE_AA)
    else:
        sides = reach * rng.uniform(0.15, 0.7, 2)
        corners = cv2.boxPoints(((x, y), (float(sides[0]), float(sides[1])), turn if rng.random() < 0.4 else 0.0))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255, cv2.LINE_AA)
    return mask.astype(np.float32) / 255


def _shading(size: int, at: np.ndarray, reach: float, rng: Rng) -> F32:
    """Light on a part, float32 [S, S, 1] about 1: from one side, with a gloss, and fins, ribs or grain across it."""
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = ((xs - at[0]) * np.cos(angle) + (ys - at[1]) * np.sin(angle)) / max(reach, 1)
    light = 1 + rng.uniform(0, 0.7) * np.clip(along, -1, 1)
    if rng.random() < 0.5:
        spot = at + rng.normal(0, 0.25, 2) * reach
        near = ((xs - spot[0]) ** 2 + (ys - spot[1]) ** 2) / (reach * rng.uniform(0.05, 0.3) + 1) ** 2
        light += rng.uniform(0.3, 2.5) * np.exp(-near)
    if rng.random() < 0.25:
        light *= 1 + rng.uniform(0.1, 0.5) * np.sign(np.sin(along * rng.uniform(10, 60)))
    return light[..., None].astype(np.float32)


def _lay(canvas: F32, color: F32, mask: F32) -> None:
    """Lays a colour, float32 [S, S, 3], over a canvas of premultiplied colours where the mask is, in place."""
    part = np.dstack([color, np.ones_like(mask)]) * mask[..., None]
    canvas *= 1 - mask[..., None]
    canvas += part


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
