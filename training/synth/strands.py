"""Procedural hair, fur, grass and lattices with exact alpha, drawn at twice the size and area-averaged."""

from __future__ import annotations

import cv2
import numpy as np

from .composite import Layer, Rng

SCALE = 2  # supersampling; with OpenCV's antialiased lines a strand of 0.3 px has an alpha of about 0.3


def hair(layer: Layer, rng: Rng) -> Layer:
    """Grows strands out of a subject's outline: tapered, curled, clumped, with some fly-aways.

    Colours are the subject's own at the root, a little varied. Returns the subject with its hair.
    """
    size = layer.alpha.shape[0]
    solid = (layer.alpha > 0.6).astype(np.uint8)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len, default=None)
    if outline is None or len(outline) < 40:
        return layer
    points = outline[:, 0].astype(np.float32)
    tangent = np.roll(points, -4, 0) - np.roll(points, 4, 0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    inside = points + normal * 4
    xs, ys = np.clip(inside.astype(int), 0, size - 1).T
    if solid[ys, xs].mean() > 0.5:
        normal = -normal
    fur = rng.random() < 0.4
    length = size * (rng.uniform(0.015, 0.05) if fur else rng.uniform(0.04, 0.25))
    start = rng.integers(len(points))
    share = 1.0 if fur and rng.random() < 0.6 else rng.uniform(0.15, 0.7)  # of the outline that is hairy
    count = int(len(points) * share * rng.uniform(0.3, 1.5))
    roots = (start + (rng.random(count) * share * len(points)).astype(int)) % len(points)
    fall = np.array([0, 1], np.float32) * (0.1 if fur else rng.uniform(0, 1.2))
    sweep = rng.normal(0, 0.4, 2).astype(np.float32)
    clumps = rng.normal(0, 0.35, (max(1, count // 12), 2)).astype(np.float32)
    base = float(rng.uniform(0.35, 1.6))
    tone = layer.color[np.clip(ys, 0, size - 1), np.clip(xs, 0, size - 1)]
    color, alpha = (
        np.zeros((size * SCALE, size * SCALE, 3), np.float32),
        np.zeros((size * SCALE, size * SCALE), np.float32),
    )
    steps = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    for k, root in enumerate(roots):
        reach = length * float(rng.gamma(6, 1 / 6)) * (2.2 if rng.random() < 0.04 else 1.0)
        direction = normal[root] + sweep + clumps[k % len(clumps)] + rng.normal(0, 0.15, 2).astype(np.float32)
        side = np.array([-direction[1], direction[0]], np.float32)
        curl = float(rng.normal(0, 0.5)) * np.sin(steps * rng.uniform(1, 6)) * 0.3
        origin = points[root] - normal[root] * 2
        path = origin + reach * (steps * direction + steps**2 * fall + curl * side)
        shade = np.clip(tone[root] * rng.uniform(0.7, 1.35), 0, 1).tolist()
        _strand(color, alpha, path, base * float(rng.uniform(0.5, 1.3)), shade)
    return _join(layer, color, alpha)


def lattice(size: int, rng: Rng) -> Layer:
    """A grid, net, fence, spokes or bundle of wires: much edge, little area. On a canvas of `size` pixels."""
    big = size * SCALE
    color, alpha = np.zeros((big, big, 3), np.float32), np.zeros((big, big), np.float32)
    tone = rng.uniform(0, 1, 3).astype(np.float32)
    width = float(rng.uniform(0.6, 4))
    middle = size * rng.uniform(0.4, 0.6, 2)
    radius = size * rng.uniform(0.25, 0.5)
    kind = rng.integers(3)
    steps = np.linspace(-1, 1, 15, dtype=np.float32)
    lines: list[np.ndarray] = []
    if kind == 0:  # crossing bars, bent a little
        gap = rng.uniform(0.04, 0.2)
        turn = rng.uniform(0, np.pi)
        for angle in (turn, turn + rng.uniform(0.8, 1.6)):
            along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
            bend = rng.normal(0, 0.1)
            for offset in np.arange(-1, 1.01, gap * 2):
                lines.append(
                    middle + radius * (steps[:, None] * along + (offset + bend * steps[:, None] ** 2) * across)
                )
    elif kind == 1:  # spokes in a rim
        for angle in np.arange(0, 2 * np.pi, 2 * np.pi / rng.integers(6, 32)):
            lines.append(middle + radius * np.outer([0, 1], [np.cos(angle), np.sin(angle)]))
        turn = np.linspace(0, 2 * np.pi, 64)
        lines += [
            middle + radius * part * np.stack([np.cos(turn), np.sin(turn)], 1) for part in (1, rng.uniform(0.1, 0.9))
        ]
    else:  # wires
        for _ in range(rng.integers(3, 25)):
            a, b, c = (middle + radius * rng.normal(0, 0.8, 2) for _ in range(3))
            t = (steps[:, None] + 1) / 2
            lines.append((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c)
    for line in lines:
        _strand(
            color,
            alpha,
            line.astype(np.float32),
            width,
            np.clip(tone * rng.uniform(0.6, 1.3), 0, 1).tolist(),
            taper=False,
        )
    empty = Layer(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))
    return _join(empty, color, alpha)


def _strand(
    color: np.ndarray, alpha: np.ndarray, path: np.ndarray, width: float, tone: list[float], taper: bool = True
) -> None:
    """Draws one line; where it is thinner than a pixel its alpha falls instead of its width."""
    fixed = np.round(path * SCALE * 16).astype(np.int32)
    for k in range(len(fixed) - 1):
        w = width * SCALE * ((1 - 0.8 * k / len(fixed)) if taper else 1.0)
        piece = fixed[k : k + 2].reshape(1, -1, 2)
        # cv2 draws at least one pixel wide: the strength carries what is missing
        cv2.polylines(alpha, piece, False, min(1.0, w), max(1, round(w)), cv2.LINE_8, 4)
        cv2.polylines(color, piece, False, tone, max(1, round(w)) + 2, cv2.LINE_8, 4)


def _join(layer: Layer, color: np.ndarray, alpha: np.ndarray) -> Layer:
    size = layer.alpha.shape[0]
    paint = cv2.resize(color * alpha[..., None], (size, size), interpolation=cv2.INTER_AREA)
    thin = cv2.resize(alpha, (size, size), interpolation=cv2.INTER_AREA)
    # strands in front of their subject's rim, both in front of the background
    joined = thin + layer.alpha * (1 - thin)
    mixed = paint + layer.color * (layer.alpha * (1 - thin))[..., None]
    return Layer(
        np.clip(mixed / np.maximum(joined, 1e-3)[..., None], 0, 1).astype(np.float32), joined.astype(np.float32)
    )
