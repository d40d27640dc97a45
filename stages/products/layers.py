"""A subject as a layer on a canvas: scaled, moved, made solid, shadowed, laid over a background, encoded.

Arrays: `rgb` uint8 [h, w, 3], 0..255, the subject's own colours, not premultiplied; `alpha` uint8 [h, w], 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..decode.picture import Picture
from ..decode.transparency import MIN_VISIBLE_ALPHA
from ..item import Output, Rect
from .encode import JPEG_QUALITY, jpeg, png, webp
from .layered import colours_and_alpha

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
STRIP = 128  # rows


@dataclass
class Layer:
    """The subject on its canvas, and the shadow below it (uint8 [h, w], how dark), if there is one."""

    rgb: U8
    alpha: U8
    shadow: U8 | None = None

    @property
    def box(self) -> Rect:
        """Around what is more than faint."""
        solid = self.alpha >= MIN_VISIBLE_ALPHA
        x, y, w, h = cv2.boundingRect((solid if solid.any() else self.alpha > 0).astype(np.uint8))
        return x, y, x + w, y + h

    def cut(self, rect: Rect) -> Layer:
        """A part; what of the rectangle lies outside is empty."""
        return Layer(
            _part(self.rgb, rect), _part(self.alpha, rect), None if self.shadow is None else _part(self.shadow, rect)
        )


def shrink(layer: Layer, megapixels: float) -> Layer:
    """At most so many megapixels, averaged by area; colours weigh with their alpha."""
    height, width = layer.alpha.shape
    scale = (megapixels * 1e6 / (width * height)) ** 0.5
    return layer if scale >= 1 else resized(layer, max(1, int(width * scale)), max(1, int(height * scale)))


def solid(alpha: U8) -> U8:
    """Half transparent regions made opaque. Edges and hair stay: what is thinner than a hundredth of the picture."""
    reach = max(3, round(max(alpha.shape) / 100)) // 2 * 2 + 1
    inside = cv2.erode((alpha >= MIN_VISIBLE_ALPHA).astype(np.uint8), np.ones((reach, reach), np.uint8))
    return np.where(inside > 0, np.uint8(255), alpha)


def move(layer: Layer, scale: float | None, position: tuple[float, float] | None) -> Layer:
    """The subject on an empty canvas of the same size, scaled to a share of it and moved."""
    height, width = layer.alpha.shape
    x0, y0, x1, y1 = layer.box
    part = layer.cut(layer.box)
    if scale is not None:
        factor = scale * min(width / (x1 - x0), height / (y1 - y0))
        part = resized(part, max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor)))
    h, w = part.alpha.shape
    if position is None:  # it grows and shrinks around its own middle
        left, top = round((x0 + x1 - w) / 2), round((y0 + y1 - h) / 2)
    else:
        left, top = round(position[0] * (width - w)), round(position[1] * (height - h))
    return part.cut((-left, -top, width - left, height - top))


def flatten(layer: Layer, color: tuple[int, int, int, int] | None, background: Picture | None) -> tuple[U8, U8]:
    """RGB and alpha of subject, shadow and background over each other."""
    height, width = layer.alpha.shape
    ground = None if background is None else cover(background.rgb(), width, height)
    if ground is None and (color is None or color[3] == 0) and (layer.shadow is None or not layer.shadow.any()):
        plain = layer.rgb.copy()
        plain[layer.alpha == 0] = 0  # nothing of the background hides below
        return plain, layer.alpha
    rgb, alpha = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.uint8)
    for top in range(0, height, STRIP):  # in floats it would take twenty times the picture's memory
        rows = np.s_[top : top + STRIP]
        shadow = None if layer.shadow is None else layer.shadow[rows]
        strip = Layer(layer.rgb[rows], layer.alpha[rows], shadow)
        rgb[rows], alpha[rows] = _flat(strip, color, None if ground is None else ground[rows])
    return rgb, alpha


def _flat(layer: Layer, color: tuple[int, int, int, int] | None, ground: U8 | None) -> tuple[U8, U8]:
    rgb, alpha = layer.rgb.astype(np.float32), layer.alpha.astype(np.float32) / 255
    height, width = alpha.shape
    below: F32 = np.zeros((height, width, 3), np.float32)
    below_alpha: F32 = np.zeros((height, width), np.float32)
    if ground is not None:
        below[:], below_alpha[:] = ground, 1
    elif color is not None:
        below[:], below_alpha[:] = color[:3], color[3] / 255
    if layer.shadow is not None:
        dark = layer.shadow.astype(np.float32) / 255
        lit = (1 - dark) * below_alpha
        below = (below * (lit / np.maximum(dark + lit, 1e-6))[..., None]).astype(np.float32)
        below_alpha = (dark + lit).astype(np.float32)
    whole = alpha + (1 - alpha) * below_alpha
    mixed = rgb * alpha[..., None] + below * ((1 - alpha) * below_alpha)[..., None]
    mixed /= np.maximum(whole, 1e-6)[..., None]
    return np.rint(mixed).clip(0, 255).astype(np.uint8), np.rint(whole * 255).astype(np.uint8)


def cover(rgb: U8, width: int, height: int) -> U8:
    """A background centred and resized to fill the canvas, its aspect ratio kept."""
    h, w = rgb.shape[:2]
    if (w, h) == (width, height):
        return rgb
    factor = max(width / w, height / h)
    cut_w, cut_h = min(w, width / factor), min(h, height / factor)
    x, y = int((w - cut_w) / 2), int((h - cut_h) / 2)
    part = rgb[y : y + max(1, round(cut_h)), x : x + max(1, round(cut_w))]
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(part, (width, height), interpolation=way).astype(np.uint8, copy=False)


def ground_shadow(alpha: U8) -> U8:
    """A soft shadow on the ground below a standing subject: its silhouette lies flat at its foot, blurred.

    uint8 [h, w]: how dark. The lower fifth is mirrored into a shallow band around the lowest line.
    """
    height, width = alpha.shape
    rows = np.flatnonzero((alpha > 127).any(1))
    if not len(rows):
        return np.zeros_like(alpha)
    foot, tall = int(rows[-1]) + 1, int(rows[-1] - rows[0]) + 1
    reach = max(2, tall // 12)
    lower = alpha[max(0, foot - tall // 5) : foot].max(0)
    result = np.zeros((height, width), np.float32)
    top, bottom = max(0, foot - reach), min(height, foot + reach // 2)
    fall = 1 - np.abs(np.linspace(-1, 0.5, bottom - top))
    result[top:bottom] = lower[None].astype(np.float32) * fall[:, None]
    blurred = cv2.GaussianBlur(result, (0, 0), max(1.0, reach / 3))
    return np.rint(blurred * 0.6).clip(0, 255).astype(np.uint8)


def _part(array: U8, rect: Rect) -> U8:
    x0, y0, x1, y1 = rect
    result = np.zeros((y1 - y0, x1 - x0, *array.shape[2:]), np.uint8)
    inner = array[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    top, left = max(0, -y0), max(0, -x0)
    result[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return result


def resized(layer: Layer, width: int, height: int) -> Layer:
    """The layer at another size; colours weigh with their alpha."""
    smaller = width * height < layer.alpha.size
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    weight = layer.alpha.astype(np.uint16)
    heavy = cv2.resize(layer.rgb * weight[..., None], (width, height), interpolation=way)
    total = cv2.resize(weight * np.uint16(255), (width, height), interpolation=way)
    rgb = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, STRIP):
        rows = np.s_[top : top + STRIP]
        share = np.maximum(total[rows].astype(np.float32) / 255, 1 / 255)
        rgb[rows] = np.rint(heavy[rows].astype(np.float32) / share[..., None]).clip(0, 255)
    alpha = cv2.resize(layer.alpha, (width, height), interpolation=way).astype(np.uint8, copy=False)
    shadow = None if layer.shadow is None else cv2.resize(layer.shadow, (width, height), interpolation=way)
    return Layer(rgb, alpha, None if shadow is None else shadow.astype(np.uint8, copy=False))


def encoded(rgb: U8, alpha: U8, kind: str, source: Picture) -> Output:
    if kind == "auto":
        kind = "png" if alpha.min() < 255 else "jpg"
    if kind == "jpg":
        return Output(jpeg(_on_white(rgb, alpha), source, JPEG_QUALITY), "jpg")
    if kind == "webp":
        return Output(webp(np.dstack([rgb, alpha]), source, 90, keep_hidden=False), "webp")
    if kind == "zip":
        return Output(colours_and_alpha(rgb, alpha, source), "zip")
    return Output(png(np.dstack([rgb, alpha]), source), "png")


def encoded_mask(alpha: U8, kind: str, source: Picture) -> Output:
    if kind == "jpg":
        return Output(jpeg(np.dstack([alpha] * 3), source, JPEG_QUALITY), "jpg")
    return Output(png(alpha, source), "png")


def _on_white(rgb: U8, alpha: U8) -> U8:
    result = np.empty_like(rgb)
    for top in range(0, len(rgb), STRIP):
        rows = np.s_[top : top + STRIP]
        part = alpha[rows, :, None].astype(np.float32) / 255
        result[rows] = np.rint(rgb[rows] * part + 255 * (1 - part)).astype(np.uint8)
    return result
