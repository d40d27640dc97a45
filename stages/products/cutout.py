"""The subject on transparency."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import cv2
from pydantic import Field

from ..item import Output
from .base import Matte, Product, ProductSettings
from .encode import Compression, png, webp


class CutoutSettings(ProductSettings):
    """Options of `cutout`."""

    format: Literal["png", "webp"] = Field("png", description="a WebP's colours are lossy unless quality says lossless")
    compression: Compression = Field("fast", description="png: fast, or small at several times the cost")
    quality: Annotated[int, Field(ge=0, le=100)] | Literal["lossless"] = Field(90, description="of webp")
    crop: bool = Field(False, description="cut down to the subject; off keeps the picture's size")
    margin: float = Field(0.05, ge=0, le=1, description="around the cropped subject, share of its longer side")
    zero_hidden: bool = Field(True, description="colours under alpha 0 are zeroed: private, and smaller")


class Cutout(Product[CutoutSettings]):
    """RGBA, straight (not premultiplied) alpha, with the subject's own colours along its edge."""

    Settings: ClassVar[type[ProductSettings]] = CutoutSettings

    def make(self, matte: Matte) -> Output:
        s = self.settings
        rgba = cv2.merge([matte.foreground, matte.alpha])
        if s.zero_hidden:
            rgba = cv2.copyTo(rgba, matte.alpha)
        if s.crop:
            x0, y0, x1, y1 = matte.box
            pad = round(s.margin * max(x1 - x0, y1 - y0))
            rgba = rgba[max(0, y0 - pad) : y1 + pad, max(0, x0 - pad) : x1 + pad]
        if s.format == "webp":
            quality = None if s.quality == "lossless" else s.quality
            return Output(webp(rgba, matte.picture, quality, keep_hidden=not s.zero_hidden), "webp")
        return Output(png(rgba, matte.picture, s.compression), "png")
