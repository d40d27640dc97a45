"""Solids as signed distance functions: distance from points, float32 [n, 3], to a surface, float32 [n].

Negative inside. The formulas are the usual exact ones, or lower bounds that sphere tracing may use
(Inigo Quilez, "Distance functions", iquilezles.org/articles/distfunctions). y points up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Solid = Callable[[F32], F32]
REACH = 1.4  # solids of revolution end within this distance of the origin
GRID = 160  # entries of their tables per unit of length


def box(center: Sequence[float], half: Sequence[float], radius: float = 0.0) -> Solid:
    """A box with rounded edges; `half` are its half sides, rounding included."""
    c, h = _vector(center), _vector(half) - np.float32(radius)

    def distance(p: F32) -> F32:
        q = np.abs(p - c) - h
        outside = np.sqrt((np.maximum(q, 0) ** 2).sum(-1))
        return outside + np.minimum(q.max(-1), 0) - np.float32(radius)

    return distance


class Rod(NamedTuple):
    """A rod from `a` to `b` with round ends; its radius goes from `radius` to `radius_b`, if that is given."""

    a: Sequence[float]
    b: Sequence[float]
    radius: float
    radius_b: float | None = None


def rods(*all_: Rod) -> Solid:
    """Rods together, all at once: a chair has a dozen."""
    start = np.asarray([rod.a for rod in all_], np.float32)
    axis = np.asarray([rod.b for rod in all_], np.float32) - start
    radius = np.asarray([rod.radius for rod in all_], np.float32)
    slope = np.asarray([rod.radius if rod.radius_b is None else rod.radius_b for rod in all_], np.float32) - radius
    length2 = (axis**2).sum(-1)
    foot = (start * axis).sum(-1)

    def distance(p: F32) -> F32:
        along = dot(p, axis) - foot
        t = np.clip(along / length2, 0, 1)
        from_start2 = (p * p).sum(-1)[:, None] - 2 * dot(p, start) + (start**2).sum(-1)
        d2 = from_start2 + t * (t * length2 - 2 * along)
        return (np.sqrt(np.maximum(d2, 0)) - radius - slope * t).min(-1)

    return distance


def revolve(profile: Sequence[tuple[float, float]], thickness: float) -> Solid:
    """A wall of the given half thickness along a polyline of (radius, y), turned about the vertical axis."""
    points = np.asarray(profile, np.float32)
    return _turned(lambda plane: _polyline(plane, points) - np.float32(thickness))


def lathe(profile: Sequence[tuple[float, float]], radius: float = 0.0) -> Solid:
    """A solid of revolution: (radius, y) from the lower to the upper end of the axis; edges rounded by `radius`."""
    points = np.asarray(profile, np.float32)
    closed = np.concatenate([[[0, points[0, 1]]], points, [[0, points[-1, 1]]]]).astype(np.float32)

    def outline(plane: F32) -> F32:
        inside = np.zeros(len(plane), bool)
        for a, b in pairwise(closed):  # even-odd rule; the axis itself is no edge
            if a[1] != b[1]:
                crosses = (a[1] > plane[:, 1]) != (b[1] > plane[:, 1])
                inside ^= crosses & (plane[:, 0] < a[0] + (plane[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]))
        edge = _polyline(plane, closed)
        return np.where(inside, -edge, edge) - np.float32(radius)

    return _turned(outline)


def _turned(outline: Callable[[F32], F32]) -> Solid:
    """Turns a distance in the (radius, y) half plane about the axis; read from a table, which is much faster."""
    rows, columns = int(2 * REACH * GRID) + 1, int(REACH * GRID) + 1
    y, r = np.mgrid[0:rows, 0:columns].astype(np.float32) / GRID
    table = outline(np.stack([r.ravel(), y.ravel() - np.float32(REACH)], -1)).astype(np.float32)

    def distance(p: F32) -> F32:
        column = np.clip(np.sqrt(p[:, 0] ** 2 + p[:, 2] ** 2) * np.float32(GRID), 0, columns - 1.001)
        row = np.clip((p[:, 1] + np.float32(REACH)) * np.float32(GRID), 0, rows - 1.001)
        i, j = row.astype(np.int32), column.astype(np.int32)
        v, u = row - i, column - j
        at = i * columns + j
        low = table[at] * (1 - u) + table[at + 1] * u
        high = table[at + columns] * (1 - u) + table[at + columns + 1] * u
        return (low * (1 - v) + high * v).astype(np.float32)

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


def mirrored(solid: Solid, axis: int) -> Solid:
    """The half of a solid on the positive side of an axis, and its mirror image."""

    def distance(p: F32) -> F32:
        q = p.copy()
        q[:, axis] = np.abs(q[:, axis])
        return solid(q)

    return distance


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
        t = np.clip((q * axis).sum(-1) / np.float32(length2), 0, 1)
        q -= t[:, None] * axis
        np.minimum(best, q[:, 0] ** 2 + q[:, 1] ** 2, out=best)
    return np.sqrt(best)


def dot(p: F32, vectors: F32) -> F32:
    """[n, 3] by [k, 3] to [n, k]. Not BLAS: its threads cost far more than they bring on a busy machine."""
    return np.einsum("ij,kj->ik", p, vectors)


def _vector(values: Sequence[float]) -> F32:
    return np.asarray(values, np.float32)
