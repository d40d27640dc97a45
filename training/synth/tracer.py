"""Renders solids under studio light by sphere tracing, with an exact antialiased alpha.

Hart, "Sphere tracing: a geometric method for the antialiased ray tracing of implicit surfaces", 1996.
Every pixel is traced once; pixels on an edge are traced again on a grid, so that alpha is the share of
the pixel's area that is covered, in 1/64ths, and colours under a partial alpha are the product's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .sdf import F32, Solid, dot

U8 = np.typing.NDArray[np.uint8]
Paint = Callable[[F32], F32]
CHUNK = 1 << 14  # rays at a time: what fits the processor's cache
STEPS = 72
REACH = 1.25  # the solids lie within this distance of the origin


@dataclass(frozen=True)
class Part:
    """A solid with its surface.

    Attributes:
        color: linear RGB 0..1, or a function from points [n, 3] to such colours [n, 3].
        gloss: 0 (matte) to 1 (mirror-like highlights).
        metal: reflections take the colour of the surface, which has no diffuse light.
    """

    solid: Solid
    color: Sequence[float] | Paint
    gloss: float = 0.4
    metal: bool = False


def trace(parts: Sequence[Part], side: int, yaw: float, pitch: float) -> U8:
    """Renders the parts from a camera that looks at the origin.

    Args:
        parts: the solids, within a sphere of radius 1.25 around the origin.
        side: width and height of the rendering, pixels.
        yaw, pitch: where the camera stands, radians; pitch is its height above the horizon.

    Returns:
        uint8 [h, w, 4], RGB not premultiplied, trimmed to what is visible.
    """
    camera = _Camera(yaw, pitch, side)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="xy"), -1).reshape(-1, 2) + 0.5
    rgb, hit = _shoot(parts, camera, grid.astype(np.float32))
    rgb, alpha = rgb.reshape(side, side, 3), hit.reshape(side, side).astype(np.float32)
    silhouette = _spread(alpha) > 0
    for edge, n in ((silhouette, 8), ((_spread(rgb.max(-1)) > 0.06) & ~silhouette, 4)):
        ys, xs = np.nonzero(edge)
        if not len(ys):
            continue
        offsets = (np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(1, -1, 2) + 0.5) / n
        points = (np.stack([xs, ys], -1)[:, None] + offsets).reshape(-1, 2).astype(np.float32)
        fine_rgb, fine_hit = _shoot(parts, camera, points)
        weight = fine_hit.reshape(len(ys), -1, 1).astype(np.float32)
        covered = weight.sum(1)
        rgb[ys, xs] = (fine_rgb.reshape(len(ys), n * n, 3) * weight).sum(1) / np.maximum(covered, 1)
        alpha[ys, xs] = covered[:, 0] / (n * n)
    rgba = np.dstack([rgb, alpha])
    ys, xs = np.nonzero(alpha > 0)
    return np.rint(rgba[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] * 255).astype(np.uint8)


class _Camera:
    def __init__(self, yaw: float, pitch: float, side: int) -> None:
        back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        self.axes = np.stack([right, np.cross(back, right), -back]).astype(np.float32)
        self.origin = (back * 5.0).astype(np.float32)
        self.side, self.slope = side, np.float32(0.26)

    def rays(self, points: F32) -> F32:
        xy = (2 * points / self.side - 1) * self.slope
        ray = np.stack([xy[:, 0], -xy[:, 1], np.ones(len(xy), np.float32)], -1)
        return _unit(dot(ray, self.axes.T))


def _shoot(parts: Sequence[Part], camera: _Camera, points: F32) -> tuple[F32, np.typing.NDArray[np.bool_]]:
    rgb, hit = np.zeros((len(points), 3), np.float32), np.zeros(len(points), bool)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        ray = camera.rays(points[part])
        far = _march(parts, camera.origin, ray)
        seen = np.isfinite(far)
        hit[part] = seen
        if seen.any():
            rgb[part][seen] = _shade(parts, camera.origin + far[seen, None] * ray[seen], ray[seen], camera.axes)
    return rgb, hit


def _march(parts: Sequence[Part], origin: F32, ray: F32) -> F32:
    """Distance to the first surface along each ray, infinite for a miss."""
    middle = -(ray * origin).sum(-1)
    inside = REACH**2 - (origin @ origin - middle**2)
    result = np.full(len(ray), np.inf, np.float32)
    active = np.nonzero(inside > 0)[0]
    near, far = (middle + sign * np.sqrt(np.maximum(inside, 0)) for sign in (-1, 1))
    t = near.astype(np.float32)
    for _ in range(STEPS):
        if not len(active):
            break
        d = _distance(parts, origin + t[active, None] * ray[active])
        done = d < 6e-4
        result[active[done]] = t[active[done]]
        t[active] += 0.92 * d
        active = active[~done & (t[active] < far[active])]
    return result


def _shade(parts: Sequence[Part], p: F32, ray: F32, axes: F32) -> F32:
    kinds = np.argmin([part.solid(p) for part in parts], 0)
    normal = _normal(parts, p)
    albedo, gloss, metal = np.zeros_like(p), np.zeros(len(p), np.float32), np.zeros(len(p), bool)
    for index, part in enumerate(parts):
        mine = kinds == index
        if mine.any():
            albedo[mine] = part.color(p[mine]) if callable(part.color) else np.asarray(part.color, np.float32)
            gloss[mine], metal[mine] = part.gloss, part.metal
    key = _unit(np.float32([-0.55, 0.75, -0.45]) @ axes)  # above, left of and beside the camera
    lit = np.clip((normal * key).sum(-1) * 0.85 + 0.15, 0, 1) * _shadow(parts, p + normal * 4e-3, key)
    open_ = _openness(parts, p, normal)
    sky = 0.55 + 0.45 * normal[:, 1]
    diffuse = albedo * (1.25 * lit + (0.16 + 0.62 * sky) * open_)[:, None]
    mirror = ray - 2 * np.einsum("ij,ij->i", ray, normal)[:, None] * normal
    facing = np.clip(-np.einsum("ij,ij->i", ray, normal), 0, 1)
    base = np.where(metal[:, None], albedo, 0.04)
    fresnel = base + (1 - base) * ((1 - facing) ** 5)[:, None] * gloss[:, None]
    shine = (_studio(dot(mirror, axes), gloss) * (0.25 + 0.75 * open_))[:, None] * fresnel
    color = np.where(metal[:, None], 0.06 * diffuse, diffuse * (1 - fresnel)) + shine * (0.25 + 1.6 * gloss[:, None])
    exposed = 1 - np.exp(-color)  # a shoulder instead of clipping
    return np.clip(exposed, 0, 1) ** np.float32(1 / 2.2)


def _studio(ray: F32, gloss: F32) -> F32:
    """Light from a direction in the camera's frame: two soft boxes in a grey room. Matte surfaces see it blurred."""
    blur = 0.06 + 0.5 * (1 - gloss)
    x, y, z = ray.T
    room = 0.22 + 0.3 * np.clip(y * 0.5 + 0.5, 0, 1) ** 2
    left = _step(-0.95 - x + 0.45, blur) * _step(0.75 - np.abs(y - 0.2), blur) * (z < 0.85)
    right = _step(0.16 - np.abs(x - 0.72), blur) * _step(0.8 - np.abs(y - 0.1), blur)
    top = _step(y - 0.82, blur)
    return (room + 2.6 * left + 1.7 * right + 1.6 * top).astype(np.float32)


def _shadow(parts: Sequence[Part], p: F32, light: F32) -> F32:
    """Soft shadow of a large lamp: how narrowly the way to it misses the solids."""
    clear, t = np.ones(len(p), np.float32), np.full(len(p), 0.03, np.float32)
    for _ in range(14):
        d = _distance(parts, p + t[:, None] * light)
        clear = np.minimum(clear, np.clip(0.5 + 5 * d / t, 0, 1))
        t += np.clip(d, 0.03, 0.3)
    return clear * clear * (3 - 2 * clear)


def _openness(parts: Sequence[Part], p: F32, normal: F32) -> F32:
    """Ambient occlusion: 1 in the open, towards 0 in a corner."""
    closed = np.zeros(len(p), np.float32)
    for reach, weight in ((0.03, 0.9), (0.1, 0.6), (0.25, 0.4)):
        closed += weight * np.clip(reach - _distance(parts, p + reach * normal), 0, reach) / reach
    return np.clip(1 - 0.55 * closed, 0.08, 1)


def _normal(parts: Sequence[Part], p: F32) -> F32:
    corners = np.float32([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    return _unit(sum((c * _distance(parts, p + 8e-4 * c)[:, None] for c in corners), np.zeros_like(p)))


def _distance(parts: Sequence[Part], p: F32) -> F32:
    d = parts[0].solid(p)
    for part in parts[1:]:
        d = np.minimum(d, part.solid(p))
    return d


def _spread(values: F32) -> F32:
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(values, kernel) - cv2.erode(values, kernel)


def _step(value: F32, width: F32) -> F32:
    t = np.clip(value / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _unit(v: F32) -> F32:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
