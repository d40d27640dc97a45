"""Slabs and turned vessels seen in perspective, their faces textured with pictures: the forms of things in shops.

`Scene` paints slabs far to near onto a sprite, uint8 [H, W, 4] with exact alpha; `vessel` gives one of a turned body.
Colours are uint8 RGB. Faster than `tracer.py` by two orders of magnitude, for it lights whole faces at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import U8, Rng, trim
from .composite import F32

Points = Sequence[tuple[float, float]] | NDArray[np.floating]
SUPER = 2  # pixels painted for every pixel of the sprite's side
CORNER = 6  # points of a rounded corner


@dataclass(frozen=True)
class Frame:
    """Where a slab lies: its middle and its right, up and outward axes, unit vectors, float [3] each."""

    center: F32
    right: F32
    up: F32

    @property
    def out(self) -> F32:
        return np.cross(self.right, self.up).astype(np.float32)

    def at(self, x: float, y: float, z: float) -> F32:
        """The point of these coordinates along its axes."""
        return (self.center + x * self.right + y * self.up + z * self.out).astype(np.float32)

    def plane(self, points: Points, z: float) -> F32:
        """Points (x, y) at this height above the frame, float32 [n, 3]."""
        axes = np.stack([self.right, self.up])
        return (self.center + z * self.out + np.asarray(points, np.float32) @ axes).astype(np.float32)

    def leaning(self, degrees: float) -> Frame:
        """Turned about its own right axis, its upper edge backwards."""
        a = np.deg2rad(degrees)
        return Frame(self.center, self.right, (np.cos(a) * self.up - np.sin(a) * self.out).astype(np.float32))


def upright(center: tuple[float, float, float] = (0, 0, 0)) -> Frame:
    """A frame that faces the viewer: right, up, and outward towards the camera."""
    return Frame(np.array(center, np.float32), np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32))


class Scene:
    """A camera and the sprite that it fills.

    Args:
        side: longest side of the sprite, pixels.
        yaw, pitch: from where the middle is seen, degrees: 0, 0 is from the front, a pitch of 90 from above.
        reach: half the size of what must fit in, in the units of the slabs.
        distance: of the camera, in `reach`.
    """

    def __init__(
        self, side: int, rng: Rng, yaw: float, pitch: float, reach: float = 1.0, distance: float = 4.0
    ) -> None:
        a, b = np.deg2rad(yaw), np.deg2rad(pitch)
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        tip = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        self.turn = (tip @ turn).astype(np.float32)
        self.size, self.reach, self.distance = side * SUPER, reach, distance * reach
        self.light = _unit(np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1.2), rng.uniform(0.3, 1)], np.float32))
        self.harsh = float(rng.uniform(0.02, 0.3))
        self.edge = float(rng.choice([0, 0.8, 0.93, 1.15]))
        self.color = np.zeros((self.size, self.size, 3), np.uint8)
        self.mask = np.zeros((self.size, self.size), np.uint8)

    def project(self, points: F32) -> F32:
        """Points float [n, 3] on the canvas, float32 [n, 2]."""
        seen = points @ self.turn.T
        scale = self.size / 2 / (1.15 * self.reach) * self.distance / (self.distance - seen[:, 2])
        return (np.column_stack([seen[:, 0], -seen[:, 1]]) * scale[:, None] + self.size / 2).astype(np.float32)

    def faces(self, frame: Frame, z: float = 0.0) -> bool:
        """Whether the camera sees the outward side of a frame's plane at this height."""
        seen = self.turn @ frame.at(0, 0, z)
        return float(np.dot(self.turn @ frame.out, np.array([0, 0, self.distance]) - seen)) > 0

    def lit(self, normal: F32) -> float:
        """The brightness of a face, at most 1."""
        return float(1 - self.harsh * (1 - np.dot(self.turn @ normal, self.light)))

    def slab(
        self,
        frame: Frame,
        size: tuple[float, float, float],
        radius: float,
        tone: tuple[int, int, int],
        front: U8 | None = None,
        back: U8 | None = None,
    ) -> None:
        """Paints a slab with rounded corners; the side that faces the camera shows its texture, uint8 [h, w, 3].

        Args:
            size: width, height and thickness.
            radius: of its corners.
            tone: of its rim, and of a side without texture.
        """
        width, height, thick = size
        outline = _rounded(width, height, radius)
        seen = [self.project(frame.plane(outline, z)) for z in (thick / 2, -thick / 2)]
        hull = cv2.convexHull(np.concatenate(seen))[:, 0]
        self._fill(hull, _shade(tone, self.lit(_unit(frame.right * 0.5 - frame.up)) * 0.9))
        outward = self.faces(frame, thick / 2)
        points, normal = (seen[0], frame.out) if outward else (seen[1], -frame.out)
        texture = front if outward else back
        light = self.lit(normal)
        if texture is None:
            self._fill(points, _shade(tone, light))
            self._rim(points, tone)
            return
        z = thick / 2 if outward else -thick / 2
        x = width / 2 if outward else -width / 2  # from behind its right is left
        y = height / 2
        corners = frame.plane([(-x, y), (x, y), (x, -y), (-x, -y)], z)
        self._texture(texture, self.project(corners), points, light)
        self._rim(points, tone)

    def drum(self, frame: Frame, radius: float, start: float, end: float, tones: list[tuple[int, int, int]]) -> None:
        """Paints a cylinder along the outward axis, as a lens has it: rings from `start` to `end`, then its glass."""
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        circle = np.column_stack([np.cos(angles), np.sin(angles)]) * radius
        rings = [self.project(frame.plane(circle, z)) for z in np.linspace(start, end, len(tones))]
        for near, far, tone in zip(rings[1:], rings[:-1], tones[1:], strict=True):
            hull = cv2.convexHull(np.concatenate([near, far]))[:, 0]
            self._fill(hull, _shade(tone, self.lit(frame.right)))
        for share, tone in ((1.0, tones[0]), (0.86, (16, 16, 18)), (0.55, (38, 36, 52)), (0.3, (8, 8, 12))):
            self._fill(self.project(frame.plane(circle * share, end)), _shade(tone, self.lit(frame.out)))
        glint = self.project(frame.plane(circle * 0.08 + radius * np.array([0.25, 0.3]), end))
        self._fill(glint, (235, 235, 245))

    def sprite(self) -> U8:
        """What was painted, uint8 [H, W, 4], cut to its content."""
        size = (self.size // SUPER, self.size // SUPER)
        alpha = cv2.resize(self.mask, size, interpolation=cv2.INTER_AREA)
        shown = cv2.resize(self.color, size, interpolation=cv2.INTER_AREA)  # black where nothing is: premultiplied
        rgba = trim(np.dstack([shown, alpha]).astype(np.uint8, copy=False)).copy()
        partial = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
        straight = rgba[partial, :3] * (255.0 / rgba[partial, 3:].astype(np.float32)) + 0.5
        rgba[partial, :3] = np.clip(straight, 0, 255)
        return rgba

    def _fill(self, points: F32, tone: tuple[int, int, int]) -> None:
        whole = np.rint(points).astype(np.int32)
        cv2.fillConvexPoly(self.color, whole, tone)
        cv2.fillConvexPoly(self.mask, whole, 255)

    def _rim(self, points: F32, tone: tuple[int, int, int]) -> None:
        """The edge of a face: a line that catches the light or lies in shade, or none."""
        if self.edge:
            line = [np.rint(points).astype(np.int32)]
            cv2.polylines(self.color, line, True, _shade(tone, self.edge), SUPER)
            cv2.polylines(self.mask, line, True, 255, SUPER)

    def _texture(self, texture: U8, corners: F32, within: F32, light: float) -> None:
        height, width = texture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        where = np.zeros_like(self.mask)
        cv2.fillConvexPoly(where, np.rint(within).astype(np.int32), 255)
        x, y, w, h = cv2.boundingRect(np.rint(within).astype(np.int32))
        x, y, w, h = max(x, 0), max(y, 0), min(w, self.size - max(x, 0)), min(h, self.size - max(y, 0))
        if w < 1 or h < 1:
            return
        warp = cv2.getPerspectiveTransform(source, corners - np.array([x, y], np.float32))
        painted = cv2.warpPerspective(texture, warp, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        painted = np.clip(painted.astype(np.float32) * light, 0, 255).astype(np.uint8)
        inside = where[y : y + h, x : x + w] > 0
        self.color[y : y + h, x : x + w][inside] = painted[inside]
        self.mask[y : y + h, x : x + w][inside] = 255


def vessel(profile: F32, label: U8 | None, tone: F32, rng: Rng, height: int = 320, tip: float = 0.12) -> U8:
    """A body turned about an upright axis: bottle, can, tube, jar, speaker; uint8 [H, W, 4].

    Args:
        profile: float [n], its radius from top to bottom, against its height.
        label: uint8 [h, w, 3], wrapped around its front; None: plain.
        tone: float [n, 3], its colour at these heights, 0..255.
        tip: how far it is seen from above: the height of its foot's ellipse against its radius.
    """
    radii = np.interp(np.linspace(0, 1, height), np.linspace(0, 1, len(profile)), profile) * height
    tones = np.stack([np.interp(np.linspace(0, 1, height), np.linspace(0, 1, len(tone)), t) for t in tone.T], -1)
    widest = int(np.ceil(radii.max())) + 2
    drop = int(np.ceil(tip * widest)) + 2
    xs = np.arange(-widest, widest + 1, dtype=np.float32)[None]
    ys = np.arange(height + drop, dtype=np.float32)[:, None]
    row = np.clip(ys, 0, height - 1).astype(int)[:, 0]
    bend = tip * np.sqrt(np.clip(radii[row][:, None] ** 2 - xs**2, 0, None))
    at = ys - bend  # the front of each turn hangs lower than its sides
    known = np.clip(at, 0, height - 1).astype(int)
    radius = np.maximum(radii[known], 1e-3)
    u = xs / radius
    alpha = np.clip((radius - np.abs(xs)) + 0.5, 0, 1) * np.clip(height - at, 0, 1) * np.clip(at + 1, 0, 1)
    u = np.clip(u, -1, 1)
    color = tones[known]
    if label is not None:
        around = (np.arcsin(u) / np.pi + 0.5) * (label.shape[1] - 1)
        top, bottom = sorted(rng.uniform(0.2, 0.98, 2)) if rng.random() < 0.8 else (0.05, 1.0)
        down = (at / height - top) / max(bottom - top, 0.15)
        printed = cv2.remap(
            label,
            np.broadcast_to(around, at.shape).astype(np.float32),
            np.clip(down * (label.shape[0] - 1), 0, label.shape[0] - 1).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        on = ((down >= 0) & (down <= 1))[..., None]
        color = np.where(on, printed, color)
    side = float(rng.uniform(-0.8, 0.8))
    shade = 0.72 + 0.4 * np.sqrt(np.clip(1 - (u - side * 0.5) ** 2, 0, 1))
    if rng.random() < 0.6:  # a strip of light
        shade = shade + rng.uniform(0.1, 0.6) * np.exp(-(((u - side) / rng.uniform(0.05, 0.2)) ** 2))
    color = np.clip(color * shade[..., None] + 0.5, 0, 255)
    return trim(np.dstack([color, alpha * 255 + 0.5]).astype(np.uint8))


def _rounded(width: float, height: float, radius: float) -> list[tuple[float, float]]:
    """The outline of a rectangle with rounded corners about the origin."""
    radius = min(radius, width / 2, height / 2)
    found = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for angle in np.linspace(0, np.pi / 2, CORNER) + quarter * np.pi / 2:
            found.append(
                (
                    sx * (width / 2 - radius) + radius * float(np.cos(angle)),
                    sy * (height / 2 - radius) + radius * float(np.sin(angle)),
                )
            )
    return found


def _shade(tone: tuple[int, int, int], light: float) -> tuple[int, int, int]:
    r, g, b = (int(np.clip(v * light, 0, 255)) for v in tone)
    return r, g, b


def _unit(v: F32) -> F32:
    return (v / max(float(np.linalg.norm(v)), 1e-6)).astype(np.float32)
