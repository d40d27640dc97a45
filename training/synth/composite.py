"""Foregrounds over backgrounds: the samples that coarse, fine, quality and classify learn from.

Covers geometry, light and colour matching, shadows, depth of field, noise and JPEG. Does not cover
design pictures (`design.py`), procedural hair and holes (`strands.py`) and defects (`degrade.py`).
All colours are float32 0..1 here, in display-referred sRGB unless a function says linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass
class Layer:
    """A subject placed on a canvas. color: float32 [H, W, 3]; alpha: float32 [H, W]; both 0..1."""

    color: F32
    alpha: F32


def place(
    rgba: U8,
    size: int,
    rng: Rng,
    area: tuple[float, float] = (0.3, 1.05),
    tilt: float = 20.0,
    wander: float = 0.06,
    cut_off: bool = False,
) -> Layer:
    """Puts a foreground on a square canvas at a random place, scale, tilt and mirroring.

    Args:
        rgba: uint8 [H, W, 4], colours not premultiplied.
        size: side of the canvas, pixels.
        area: range of the subject's longer side as a share of the canvas; above 1 it is cut off.
        tilt: largest rotation, degrees.
        wander: how far beyond the free space its middle may move, as a share of the canvas.
        cut_off: its lower end lies on or below the canvas's, as a half-length portrait's does.
    """
    height, width = rgba.shape[:2]
    scale = size * rng.uniform(*area) / max(height, width)
    aspect = float(np.exp(rng.normal(0, 0.08)))
    angle = np.deg2rad(rng.normal(0, tilt / 2)) if rng.random() < 0.6 else 0.0
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [scale * aspect * mirror, scale / aspect]
    )
    slack = max(0.0, size - max(height, width) * scale) / 2
    center = size / 2 + rng.uniform(-1, 1, 2) * (slack + wander * size)
    if cut_off:
        center[1] = size - height * scale / aspect * rng.uniform(0.3, 0.5)
    return _warped(rgba, size, matrix, center, scale)


def put(rgba: U8, size: int, rng: Rng, side: float, center: tuple[float, float], tilt: float) -> Layer:
    """Puts a foreground on a square canvas with its longer side so many pixels long, its middle here (x, y).

    Args:
        tilt: standard deviation of its rotation, degrees; it is mirrored at random.
    """
    scale, angle = side / max(rgba.shape[:2]), np.deg2rad(rng.normal(0, tilt))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _warped(rgba, size, turn @ np.diag([scale * mirror, scale]), np.array(center), scale)


def _warped(rgba: U8, size: int, matrix: NDArray[np.float64], center: NDArray[np.float64], scale: float) -> Layer:
    """A foreground under a linear map, [2, 2], its middle at `center`; `scale`: how much that shrinks it."""
    height, width = rgba.shape[:2]
    shift = center - matrix @ np.array([width / 2, height / 2])
    warp = np.column_stack([matrix, shift]).astype(np.float32)
    source = rgba
    if scale < 0.6:  # area-average first: a warp alone would alias fine strands away
        small = cv2.resize(rgba, None, fx=scale * 1.2, fy=scale * 1.2, interpolation=cv2.INTER_AREA)
        warp[:, :2] @= np.diag([width / small.shape[1], height / small.shape[0]]).astype(np.float32)
        source = small.astype(np.uint8, copy=False)
    straight = source.astype(np.float32) / 255
    premultiplied = np.dstack([straight[..., :3] * straight[..., 3:], straight[..., 3]])
    canvas = cv2.warpAffine(premultiplied, warp, (size, size), flags=cv2.INTER_LINEAR)
    alpha = np.clip(canvas[..., 3], 0, 1)
    color = canvas[..., :3] / np.maximum(alpha, 1e-3)[..., None]
    return Layer(np.clip(color, 0, 1).astype(np.float32), alpha.astype(np.float32))


def cover(image: U8, size: int, rng: Rng, zoom: float = 2.0) -> F32:
    """A random square cut of a picture, mirrored at random: float32 [size, size, 3]."""
    height, width = image.shape[:2]
    side = min(height, width) / rng.uniform(1, zoom)
    x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
    cut = image[int(y) : int(y + side) + 1, int(x) : int(x + side) + 1]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    cut = cv2.resize(cut, (size, size), interpolation=interpolation)
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return cut.astype(np.float32) / 255


def studio(size: int, rng: Rng) -> F32:
    """A made background: white or plain paper, a gradient, a horizon, stripes or soft blobs of light."""
    kind = rng.random()
    if kind < 0.35:
        base = np.full(3, rng.uniform(0.9, 1.0)) if rng.random() < 0.7 else rng.uniform(0, 1, 3)
    else:
        base = rng.uniform(0, 1, 3) * 0.6 + rng.uniform(0, 0.4)
    canvas = np.broadcast_to(base, (size, size, 3)).astype(np.float32).copy()
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    if kind > 0.3:
        other = np.clip(base + rng.normal(0, 0.25, 3), 0, 1).astype(np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.clip((xs - 0.5) * np.cos(angle) + (ys - 0.5) * np.sin(angle) + 0.5, 0, 1)
        if 0.5 < kind < 0.65:
            ramp = (ys > rng.uniform(0.45, 0.85)).astype(np.float32)
        elif 0.65 < kind < 0.78:
            ramp = np.clip(np.hypot(xs - rng.uniform(0.2, 0.8), ys - rng.uniform(0.2, 0.8)) * 1.4, 0, 1)
        elif 0.78 < kind < 0.88:
            ramp = (np.sin(ramp * rng.uniform(15, 120)) > rng.uniform(-0.8, 0.8)).astype(np.float32)
        canvas += ramp[..., None] * (other - base.astype(np.float32))
    if rng.random() < 0.5:
        speck = rng.normal(0, 1, (max(2, size // 16), max(2, size // 16), 1)).astype(np.float32)
        cloud = cv2.resize(speck, (size, size), interpolation=cv2.INTER_CUBIC)
        canvas += cloud[..., None] * float(rng.uniform(0.005, 0.05))
    return np.clip(canvas, 0, 1)


def relight(color: F32, rng: Rng, strength: float = 1.0) -> F32:
    """Random exposure, gamma, white balance and saturation."""
    gain = np.exp(rng.normal(0, 0.18 * strength)) * np.exp(rng.normal(0, 0.06 * strength, 3))
    gamma = np.exp(rng.normal(0, 0.15 * strength))
    out = np.clip(color, 1e-4, 1) ** gamma * gain
    grey = out.mean(-1, keepdims=True)
    out = grey + (out - grey) * np.exp(rng.normal(0, 0.25 * strength))
    return np.clip(out, 0, 1).astype(np.float32)


def match_light(layer: Layer, background: F32, rng: Rng) -> Layer:
    """Pulls the subject's mean colour part of the way to the background's, as one light would."""
    amount = rng.uniform(0, 0.5)
    if layer.alpha.max() < 0.5:
        return layer
    mean = np.average(layer.color.reshape(-1, 3), axis=0, weights=layer.alpha.reshape(-1) + 1e-6)
    ratio = (background.mean((0, 1)) + 0.1) / (mean + 0.1)
    return Layer(np.clip(layer.color * np.clip(ratio, 0.4, 2.0) ** amount, 0, 1).astype(np.float32), layer.alpha)


def shadow(background: F32, alpha: F32, rng: Rng) -> F32:
    """A soft cast or contact shadow of the subject on the background."""
    size = alpha.shape[0]
    dx, dy = rng.normal(0, 0.05 * size), abs(rng.normal(0, 0.05 * size))
    squash = rng.uniform(0.2, 1.0) if rng.random() < 0.5 else 1.0
    ys = np.nonzero(alpha.max(1) > 0.3)[0]
    foot = float(ys.max()) if len(ys) else size
    warp = np.array([[1, rng.normal(0, 0.3) * (1 - squash), dx], [0, squash, dy + foot * (1 - squash)]], np.float32)
    cast = cv2.warpAffine(alpha, warp, (size, size))
    cast = cv2.GaussianBlur(cast, (0, 0), rng.uniform(0.008, 0.06) * size)
    return (background * (1 - cast * rng.uniform(0.15, 0.7))[..., None]).astype(np.float32)


def over(layers: Sequence[Layer], background: F32) -> tuple[F32, F32]:
    """Composites layers in order: the picture float32 [H, W, 3] and alpha 1 - prod(1 - a), float32 [H, W]."""
    picture, clear = background, np.ones(background.shape[:2], np.float32)
    for layer in layers:
        picture = layer.color * layer.alpha[..., None] + picture * (1 - layer.alpha[..., None])
        clear = clear * (1 - layer.alpha)
    return picture.astype(np.float32), (1 - clear).astype(np.float32)


def camera(picture: F32, rng: Rng, strength: float = 1.0) -> U8:
    """What a camera and a web shop do to a picture: resampling, blur, noise, JPEG. Returns uint8 [H, W, 3]."""
    size = picture.shape[0]
    if rng.random() < 0.25 * strength:
        small = max(32, int(size * rng.uniform(0.5, 0.9)))
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2 * strength:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.0))
    if rng.random() < 0.4 * strength:
        picture = picture + rng.normal(0, rng.uniform(0.003, 0.03), picture.shape).astype(np.float32)
    out = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.5 * strength:
        quality = int(rng.uniform(45, 95))
        out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return out


def cut(rgb: U8, alpha: U8, size: int, rng: Rng) -> tuple[F32, F32]:
    """A random square crop of a photograph and its alpha around the subject, mirrored at random.

    Returns float32 [size, size, 3] and [size, size], 0..1; what lies outside the photograph is its mirrored edge.
    """
    picture, alpha_there, _ = cut_weighed(rgb, alpha, None, size, rng)
    return picture, alpha_there


def cut_weighed(rgb: U8, alpha: U8, weight: U8 | None, size: int, rng: Rng) -> tuple[F32, F32, F32]:
    """As `cut`, with a map of weights, uint8 [H, W], that goes with it; None: 1 everywhere."""
    height, width = alpha.shape
    ys, xs = np.nonzero(alpha > 127)
    kind = rng.random() if len(ys) else 1.0
    if kind < 0.18:  # a close-up: the subject runs out of the frame
        k = rng.integers(len(ys))
        side = max(np.ptp(xs), np.ptp(ys), 16) * rng.uniform(0.4, 0.9)
        x0, y0 = xs[k] - side * rng.uniform(0.3, 0.7), ys[k] - side * rng.uniform(0.3, 0.7)
        x1, y1 = x0 + side, y0 + side
    elif kind < 0.75:  # the widened box of the subject, as the crops at inference
        x0, x1, y0, y1 = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
        grow = rng.uniform(0.05, 0.6) * max(x1 - x0, y1 - y0)
        x0, y0, x1, y1 = (
            x0 - grow * rng.random(),
            y0 - grow * rng.random(),
            x1 + grow * rng.random(),
            y1 + grow * rng.random(),
        )
    else:
        x0, y0, x1, y1 = rng.uniform(0, 0.15) * width, rng.uniform(0, 0.15) * height, width, height
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    sx, sy = size / max(x1 - x0, 8), size / max(y1 - y0, 8)
    if rng.random() < 0.5:  # keep the aspect ratio, else stretch to the square as inference does
        sx = sy = min(sx, sy)
    mirror = rng.random() < 0.5
    warp = np.array([[sx, 0, -x0 * sx], [0, sy, -y0 * sy]], np.float32)
    warp[0, 2] += (size - (x1 - x0) * sx) / 2
    warp[1, 2] += (size - (y1 - y0) * sy) / 2
    joined = np.dstack([rgb, alpha] if weight is None else [rgb, alpha, weight])
    if min(sx, sy) < 0.6:
        scale = min(sx, sy) * 1.2
        joined = cv2.resize(joined, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        warp[:, :2] @= np.diag([width / joined.shape[1], height / joined.shape[0]]).astype(np.float32)
    out = cv2.warpAffine(joined, warp, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if mirror:
        out = out[:, ::-1]
    out = out.astype(np.float32) / 255
    return out[..., :3], out[..., 3], np.ones((size, size), np.float32) if weight is None else out[..., 4]
