"""Drawn products with an exact alpha: mug, bottle, lamp, handbag, chair, headphones.

For the demo's design pictures and as training foregrounds: half of them have gaps and thin parts, and
their alpha is exact where a photograph's is drawn by hand. Shapes and colours vary with the generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .sdf import F32, Rod, Solid, arc, box, cut, lathe, mirrored, revolve, rods, scaled, smooth
from .tracer import U8, Part, trace

Rng = np.random.Generator
METALS = ((0.72, 0.72, 0.74), (0.86, 0.62, 0.32), (0.75, 0.45, 0.32), (0.08, 0.08, 0.09))
WOODS = ((0.42, 0.22, 0.1), (0.6, 0.38, 0.19), (0.2, 0.1, 0.05), (0.72, 0.53, 0.33))


def render_product(name: str, rng: Rng, side: int = 512) -> U8:
    """One rendering of a product, seen a little from above and from the side.

    Args:
        name: a key of `PRODUCTS`.
        side: width and height of the rendering before it is trimmed, pixels.

    Returns:
        uint8 [h, w, 4], RGB not premultiplied, trimmed.
    """
    parts, turn = PRODUCTS[name](rng)
    return trace(
        parts, side, turn * float(rng.choice((-1, 1))) + float(rng.normal(0, 0.12)), float(rng.uniform(0.12, 0.4))
    )


def mug(rng: Rng) -> tuple[list[Part], float]:
    radius, height, waist = rng.uniform(0.48, 0.62), rng.uniform(0.5, 0.68), rng.uniform(0.8, 1.05)
    wall = revolve(
        smooth(
            [(0, -height), (radius * waist, -height), (radius * waist, -height * 0.8), (radius, 0), (radius, height)]
        ),
        0.045,
    )
    handle = arc((radius * 0.96, 0, 0), (rng.uniform(0.3, 0.4), height * rng.uniform(0.55, 0.7)), 0.07, "right")
    glaze, inner = _vivid(rng), (0.86, 0.84, 0.8)
    band = rng.uniform(-0.2, 0.5) * height

    def paint(p: F32) -> F32:
        outside = (
            np.hypot(p[:, 0], p[:, 2])
            > np.interp(p[:, 1], [-height, -height * 0.8, 0], [0, radius * waist, radius]) - 0.02
        )
        stripe = outside & (np.abs(p[:, 1] - band) < 0.05)
        return np.where(outside[:, None], np.where(stripe[:, None], inner, glaze), inner).astype(np.float32)

    return [Part(wall, paint, 0.75), Part(handle, glaze, 0.75)], 0.35


def bottle(rng: Rng) -> tuple[list[Part], float]:
    radius, shoulder, neck = rng.uniform(0.26, 0.36), rng.uniform(0.1, 0.45), rng.uniform(0.09, 0.14)
    body = lathe(
        [
            (radius * 0.96, -1.0),
            *smooth(
                [(radius, -0.97), (radius, shoulder - 0.1), (radius, shoulder), (neck, shoulder + 0.2), (neck, 0.8)]
            ),
        ],
        0.02,
    )
    cap = lathe([(neck * 1.25, 0.78), (neck * 1.25, 1.05)], 0.02)
    color, paper, ink = _vivid(rng), (0.87, 0.85, 0.79), tuple(rng.uniform(0.01, 0.08, 3))
    low, high = -0.75, shoulder - rng.uniform(0.18, 0.35)

    def paint(p: F32) -> F32:
        y = (p[:, 1] - low) / (high - low)
        angle = np.arctan2(p[:, 0], p[:, 2])
        label = (y > 0) & (y < 1)
        lines = (np.abs(y - 0.62) < 0.09) & (np.abs(angle) < 0.55) | (np.abs(y - 0.4) < 0.025) & (np.abs(angle) < 0.4)
        lines |= (np.abs(y - 0.3) < 0.025) & (np.abs(angle) < 0.3)
        return np.where((label & lines)[:, None], ink, np.where(label[:, None], paper, color)).astype(np.float32)

    return [Part(body, paint, 0.85), Part(cap, METALS[rng.integers(4)], 0.8, True)], 0.2


def lamp(rng: Rng) -> tuple[list[Part], float]:
    top, bottom, height = rng.uniform(0.22, 0.4), rng.uniform(0.5, 0.66), rng.uniform(0.5, 0.7)
    shade = revolve([(bottom, 0.95 - height), (top, 0.95)], 0.012)
    metal = METALS[rng.integers(4)]
    foot = lathe([(0.36, -1.0), *smooth([(0.36, -0.96), (0.3, -0.92), (0.05, -0.9), (0.02, -0.85)])], 0.01)
    stem = Rod((0, -0.95, 0), (0, 0.9, 0), rng.uniform(0.018, 0.03))
    spokes = [Rod((0, 0.85, 0), (top * np.cos(a), 0.9, top * np.sin(a)), 0.01) for a in (0.4, 2.5, 4.6)]
    cloth, inside = _pastel(rng), (1.0, 0.86, 0.6)

    def paint(p: F32) -> F32:
        radius = bottom + (top - bottom) * (p[:, 1] - 0.95 + height) / height
        inner = np.hypot(p[:, 0], p[:, 2]) < radius
        weave = 1 + 0.05 * np.sin(90 * np.arctan2(p[:, 0], p[:, 2]))
        return np.where(inner[:, None], inside, np.multiply(weave[:, None], cloth)).astype(np.float32)

    stand = [Part(solid, metal, 0.7, True) for solid in (foot, rods(stem, *spokes))]
    return [Part(shade, paint, 0.1), *stand], 0.2


def handbag(rng: Rng) -> tuple[list[Part], float]:
    wide, tall, deep = rng.uniform(0.66, 0.85), rng.uniform(0.42, 0.55), rng.uniform(0.2, 0.28)
    center = (0, -0.35, 0)
    body = _tapered(box(center, (wide, tall, deep), 0.09), center, tall, 0.16)
    flap = _tapered(
        box((0, -0.35 + tall * 0.52, 0), (wide * 0.985, tall * 0.5, deep + 0.025), 0.09), center, tall, 0.16
    )
    leather, metal = _vivid(rng), METALS[rng.integers(3)]
    top = tall - 0.42
    grip = mirrored(arc((0, top, deep * 0.45), (wide * 0.45, rng.uniform(0.5, 0.62)), 0.035, "up"), 2)
    clasp = box((0, -0.36, deep + 0.05), (0.09, 0.06, 0.03), 0.02)
    foot = wide * 0.45, top, deep * 0.45
    studs = mirrored(mirrored(rods(Rod(foot, (foot[0], top + 0.05, foot[2]), 0.05)), 0), 2)
    dark = tuple(0.75 * v for v in leather)

    def grain(p: F32) -> F32:
        noise = np.sin(p[:, 0] * 61 + 3 * np.sin(p[:, 1] * 47)) * np.sin(p[:, 1] * 53 + 3 * np.sin(p[:, 0] * 43))
        return (np.asarray(leather, np.float32) * (1 + 0.06 * noise[:, None])).astype(np.float32)

    soft = [Part(body, grain, 0.35), Part(flap, grain, 0.35), Part(grip, dark, 0.35)]
    return [*soft, *(Part(solid, metal, 0.85, True) for solid in (clasp, studs))], 0.35


def chair(rng: Rng) -> tuple[list[Part], float]:
    half, seat, leg = rng.uniform(0.4, 0.5), rng.uniform(-0.15, 0.0), rng.uniform(0.03, 0.045)
    lean, splay = rng.uniform(0.08, 0.2), rng.uniform(0.0, 0.12)
    wood = np.asarray(WOODS[rng.integers(4)] if rng.random() < 0.6 else _vivid(rng))

    def grain(p: F32) -> F32:
        wave = np.sin(26 * p[:, 0] + 5 * np.sin(4 * p[:, 2]) + 9 * p[:, 1])
        return (wood * (1 + 0.08 * wave[:, None])).astype(np.float32)

    near, low, back = half * 0.9, half * 0.9 + splay, -half * 0.9 - lean
    middle = (near + low) / 2  # where the legs are half-way down
    right = [
        Rod((near, seat, near), (low, -1.05, low), leg, leg * 0.7),
        Rod((near, seat, -near), (low, -1.05, -low), leg, leg * 0.7),
        Rod((middle, seat - 0.5, near), (middle, seat - 0.5, -near), leg * 0.6),
        Rod((near, seat, -near), (half * 0.95, 1.0, back), leg, leg * 0.85),
    ]
    boards = [
        box((0, seat, 0), (half + 0.03, 0.035, half + 0.03), 0.03),
        box((0, 0.95, back), (half, rng.uniform(0.05, 0.1), 0.025), 0.02),
    ]
    if rng.random() < 0.5:
        places = np.linspace(0.1, 0.7, int(rng.integers(2, 4))) * half
        right += [Rod((x, seat, -near), (x, 0.95, back), leg * 0.5) for x in places]
    else:
        for share in (0.35, 0.65):
            center = 0, seat + (0.95 - seat) * share, -near - lean * share
            boards.append(box(center, (half, 0.05, 0.018), 0.015))
    return [Part(solid, grain, 0.4) for solid in (mirrored(rods(*right), 0), *boards)], 0.55


def headphones(rng: Rng) -> tuple[list[Part], float]:
    width, tall = rng.uniform(0.6, 0.7), rng.uniform(0.8, 0.95)
    shell, pad, metal = _vivid(rng), (0.025, 0.025, 0.03), METALS[rng.integers(4)]
    band = scaled(arc((0, -0.1, 0), (width, tall), 0.055, "up"), (1, 1, 1.8))
    cup = lathe([(0.28, -0.1), *smooth([(0.3, 0.02), (0.27, 0.1), (0.2, 0.12)], 1)], 0.02)
    cushion = cut(lathe([(0.27, -0.24), (0.27, -0.11)], 0.05), lathe([(0.14, -0.4), (0.14, -0.18)], 0.02))
    yoke = mirrored(rods(Rod((width, -0.1, 0), (width + 0.06, -0.42, 0), 0.03)), 0)
    return [
        Part(band, shell, 0.4),
        Part(_sideways(cup, width + 0.02, -0.5), shell, 0.6),
        Part(_sideways(cushion, width + 0.02, -0.5), pad, 0.2),
        Part(yoke, metal, 0.8, True),
    ], 0.6


def _sideways(solid: Solid, x: float, y: float) -> Solid:
    """A solid of revolution on both sides: its axis along x, its upper end outwards."""
    return lambda p: solid(np.stack([p[:, 1] - np.float32(y), np.abs(p[:, 0]) - np.float32(x), p[:, 2]], -1))


def _tapered(solid: Solid, center: tuple[float, float, float], tall: float, amount: float) -> Solid:
    """Narrows a solid towards the top; the distance is a lower bound."""

    def distance(p: F32) -> F32:
        factor = 1 + np.float32(amount) * np.clip((p[:, 1] - center[1]) / tall, -1.2, 1.2)
        wide = p.copy()
        wide[:, 0] *= factor
        wide[:, 2] *= factor
        return solid(wide) * np.float32(0.8)

    return distance


def _vivid(rng: Rng) -> tuple[float, float, float]:
    """A saturated or a dark colour, linear."""
    hue, strong = rng.uniform(0, 6), rng.uniform(0.65, 0.97)
    light = rng.uniform(0.1, 0.55)
    rgb = light * (1 - strong * np.clip([abs((hue - k) % 6 - 3) - 1 for k in (3, 5, 1)], 0, 1))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


def _pastel(rng: Rng) -> tuple[float, float, float]:
    rgb = 0.55 + 0.3 * np.asarray(_vivid(rng))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


PRODUCTS: dict[str, Callable[[Rng], tuple[list[Part], float]]] = {
    "mug": mug,
    "bottle": bottle,
    "lamp": lamp,
    "handbag": handbag,
    "chair": chair,
    "headphones": headphones,
}
