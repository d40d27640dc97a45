"""The subject on pure white, centred, as shops ask for it."""

from __future__ import annotations

from math import isqrt
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..item import Output
from .base import Matte, Product, ProductSettings
from .encode import Compression, jpeg, png

U8 = NDArray[np.uint8]
Side = Annotated[int, Field(gt=0, le=10_000)]
MAX_SCALE = 64.0  # with more, the pixels at the edge of the canvas, which are enlarged whole, would take much memory


class WhiteBackgroundSettings(ProductSettings):
    """Options of `white_background`."""

    canvas: Literal["square", "keep"] | tuple[Side, Side] = Field(
        "square",
        description="square: as large as the subject at its own size needs, within limits.max_pixels; "
        "keep: the picture as it is framed; [width, height]: exactly so, the subject scaled to it, but enlarged no "
        "more than 64 times",
    )
    fill: float = Field(0.85, gt=0, le=1, description="share of the canvas that the subject's longer side fills")
    format: Literal["png", "jpeg"] = Field(
        "png", description="a JPEG is white to the last bit only in blocks of 8 × 8 without subject, a PNG everywhere"
    )
    compression: Compression = Field("fast", description="png: fast, or small at several times the cost")
    quality: int = Field(95, ge=1, le=100, description="of jpeg, which is never colour-subsampled")

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        if self.canvas == "keep":
            return width * height
        if self.canvas == "square":
            return square_side(max(width, height), self.fill, max_pixels) ** 2
        return self.canvas[0] * self.canvas[1]


class WhiteBackground(Product[WhiteBackgroundSettings]):
    """RGB: exactly 255 wherever alpha is 0, and no halo, for the edge has the subject's own colours."""

    Settings: ClassVar[type[ProductSettings]] = WhiteBackgroundSettings

    def make(self, matte: Matte) -> Output:
        s = self.settings
        pixels = on_white(matte.foreground, matte.alpha)
        if s.canvas != "keep":
            x0, y0, x1, y1 = matte.box
            limit = matte.item.limits.max_pixels
            side = square_side(max(x1 - x0, y1 - y0), s.fill, limit)
            width, height = (side, side) if s.canvas == "square" else s.canvas
            scale = min(MAX_SCALE, s.fill * min(width / (x1 - x0), height / (y1 - y0)))
            if s.canvas == "square" and side < isqrt(limit):
                scale = 1.0
            pixels = centred(pixels, matte, (width, height), scale)
        if s.format == "jpeg":
            return Output(jpeg(pixels, matte.picture, s.quality), "jpg")
        return Output(png(pixels, matte.picture, s.compression), "png")


def square_side(subject: int, fill: float, max_pixels: int) -> int:
    """Of the square of which a subject fills a share; the one around a long thin subject could be huge."""
    limit = isqrt(max_pixels)
    return limit if subject >= fill * limit else round(subject / fill)


def on_white(foreground: U8, alpha: U8) -> U8:
    """uint8 [h, w, 3]: 255 - α (255 - F), rounded; so exactly 255 where alpha is 0."""
    shade = cv2.multiply(cv2.bitwise_not(foreground), cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return cv2.bitwise_not(shade).astype(np.uint8, copy=False)


def centred(pixels: U8, matte: Matte, canvas: tuple[int, int], scale: float) -> U8:
    """A canvas [h, w, 3] of 255 with the subject's box in its middle at the given scale.

    What the picture holds around the box, faint hair for instance, comes along as far as there is room.
    """
    width, height = canvas
    x0, y0, x1, y1 = matte.box
    left, right, at_x = _visible_range((x0 + x1) / 2, matte.alpha.shape[1], width, scale)
    top, bottom, at_y = _visible_range((y0 + y1) / 2, matte.alpha.shape[0], height, scale)
    part = pixels[top:bottom, left:right]
    if scale != 1:
        part = _scaled(part, matte.alpha[top:bottom, left:right], scale)
    result = np.full((height, width, 3), 255, np.uint8)
    part = part[max(0, -at_y) : height - at_y, max(0, -at_x) : width - at_x]
    y, x = max(0, at_y), max(0, at_x)
    result[y : y + part.shape[0], x : x + part.shape[1]] = part
    return result


def _scaled(pixels: U8, alpha: U8, scale: float) -> U8:
    size = max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    result = cv2.resize(pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)
    clear = cv2.resize(alpha, size, interpolation=interpolation) == 0
    result[clear] = 255  # a cubic enlargement overshoots beyond the edge
    return result


def _visible_range(middle: float, length: int, canvas: int, scale: float) -> tuple[int, int, int]:
    """Which pixels [start, end) of the picture show on the canvas, and where on it they start."""
    reach = canvas / 2 / scale
    start, end = max(0, int(np.floor(middle - reach))), min(length, int(np.ceil(middle + reach)))
    return start, end, round(canvas / 2 - (middle - start) * scale)
