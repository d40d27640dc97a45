"""Solids as signed distance functions: distance from points, float32 [n, 3], to a surface, float32 [n].

Negative inside. The formulas are the usual exact ones, or lower bounds that sphere tracing may use
(Inigo Quilez, "Distance functions", iquilezles.org/articles/distfunctions). y points up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Solid = Callable[[F32], F32]


def box(center: Sequence[float], half: Sequence[float], radius: float = 0.0) -> Solid:
    """A box with rounded edges; `half` are its half sides, rounding included."""
    c, h = _vector(center), _vector(half) - np.float32(radius)

    def distance(p: F32) -> F32:
        q = np.abs(p - c) - h
        outside = np.sqrt((np.maximum(q, 0) ** 2).sum(-1))
        return outside + np.minimum(q.max(-1), 0) - np.float32(radius)

    return distance


def capsule(a: Sequence[float], b: Sequence[float], radius_a: float, radius_b: float | None = None) -> Solid:
    """A rod with round ends whose radius goes from `radius_a` to `radius_b`."""
    start, axis = _vector(a), _vector(b) - _vector(a)
    length2 = float(axis @ axis)
    slope = np.float32((radius_a if radius_b is None else radius_b) - radius_a)

    def distance(p: F32) -> F32:
        t = np.clip((p - start) @ axis / length2, 0, 1).astype(np.float32)
        return _norm(p - start - t[:, None] * axis) - (np.float32(radius_a) + slope * t)

    return distance


def revolve(profile: Sequence[tuple[float, float]], thickness: float, center: Sequence[float] = (0, 0, 0)) -> Solid:
    """A wall of the given half thickness along a polyline of (radius, y), turned about the vertical axis."""
    points, c = np.asarray(profile, np.float32), _vector(center)

    def distance(p: F32) -> F32:
        q = p - c
        return _polyline(np.stack([np.hypot(q[:, 0], q[:, 2]), q[:, 1]], -1), points) - np.float32(thickness)

    return distance


def lathe(profile: Sequence[tuple[float, float]], radius: float = 0.0, center: Sequence[float] = (0, 0, 0)) -> Solid:
    """A solid of revolution: (radius, y) from the lower to the upper end of the axis; edges rounded by `radius`."""
    points, c = np.asarray(profile, np.float32), _vector(center)

    def distance(p: F32) -> F32:
        q = p - c
        plane = np.stack([np.hypot(q[:, 0], q[:, 2]), q[:, 1]], -1)
        inside = np.zeros(len(p), bool)
        closed = np.concatenate([[[0, points[0, 1]]], points, [[0, points[-1, 1]]]]).astype(np.float32)
        for a, b in zip(closed, np.roll(closed, -1, 0), strict=True):  # even-odd rule
            if a[1] == b[1]:
                continue
            crosses = (a[1] > plane[:, 1]) != (b[1] > plane[:, 1])
            inside ^= crosses & (plane[:, 0] < a[0] + (plane[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]))
        edge = _polyline(plane, closed)  # the axis is no edge of `closed`: it runs along the caps only
        return np.where(inside, -edge, edge) - np.float32(radius)

    return distance


def arc(center: Sequence[float], size: Sequence[float], tube: float, opening: str = "") -> Solid:
    """A ring in the x-y plane with half axes `size`, of round section with radius `tube`.

    `opening` keeps one half: "up", "left" or "right". For an ellipse the distance is a lower bound.
    """
    c, (a, b) = _vector(center), size
    smaller = np.float32(min(a, b))
    cut = {"": None, "up": (1, 1.0), "left": (0, -1.0), "right": (0, 1.0)}[opening]

    def distance(p: F32) -> F32:
        q = p - c
        if cut:
            axis, sign = cut
            q = q.copy()
            beyond = np.minimum(q[:, axis] * sign, 0)
            q[:, axis] = np.maximum(q[:, axis] * sign, 0) * sign
        scaled = np.hypot(q[:, 0] / np.float32(a), q[:, 1] / np.float32(b))
        ring = (scaled - 1) * smaller
        rest = q[:, 2] ** 2 + (beyond**2 if cut else 0)
        return np.sqrt(ring**2 + rest).astype(np.float32) - np.float32(tube)

    return distance


def scaled(solid: Solid, factors: Sequence[float]) -> Solid:
    """A solid stretched along the axes; the distance is a lower bound."""
    f = _vector(factors)
    return lambda p: solid(p / f) * np.float32(f.min())


def cut(solid: Solid, away: Solid) -> Solid:
    """`solid` without `away`."""
    return lambda p: np.maximum(solid(p), -away(p))


def smooth(points: Sequence[tuple[float, float]], rounds: int = 3) -> list[tuple[float, float]]:
    """A polyline with its corners cut (Chaikin); the ends stay."""
    line = np.asarray(points, float)
    for _ in range(rounds):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([line[:1], np.stack([near, far], 1).reshape(-1, 2), line[-1:]])
    return [(float(x), float(y)) for x, y in line]


def _polyline(p: F32, points: F32) -> F32:
    best = np.full(len(p), np.inf, np.float32)
    for a, b in pairwise(points):
        axis = b - a
        length2 = max(float(axis @ axis), 1e-12)
        q = p - a
        t = np.clip((q @ axis) / np.float32(length2), 0, 1)
        q -= t[:, None] * axis
        np.minimum(best, q[:, 0] ** 2 + q[:, 1] ** 2, out=best)
    return np.sqrt(best)


def _norm(p: F32) -> F32:
    return np.sqrt(np.einsum("ij,ij->i", p, p))


def _vector(values: Sequence[float]) -> F32:
    return np.asarray(values, np.float32)
