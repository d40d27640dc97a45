"""The subject on transparency."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..item import Output, Rect
from .base import Matte, Product, ProductSettings
from .encode import Compression, avif, png, tiff, webp
from .layered import colours_and_alpha, ora, psd

NEEDS: Mapping[str, str] = MappingProxyType({"psd": "psd_tools", "tiff": "tifffile"})  # modules that an extra brings
EXTRA = "hairline-matting[formats]"
LAYERED = {"psd": psd, "ora": ora}
DEEP = ("png", "tiff")  # that hold 16 bits a channel
WITH_EXIF = ("png", "webp", "avif", "zip")
Format = Literal["png", "webp", "avif", "tiff", "psd", "ora", "zip"]


class CutoutSettings(ProductSettings):
    """Options of `cutout`."""

    format: Format = Field(
        "png",
        description="webp, avif: colours are lossy unless quality says lossless; psd, ora: layers, with the picture "
        "hidden below; zip: color.jpg and alpha.png; tiff and psd need the extra `formats`",
    )
    compression: Compression = Field("fast", description="png: fast, or small at several times the cost")
    quality: Annotated[int, Field(ge=0, le=100)] | Literal["lossless"] = Field(90, description="of webp and avif")
    bits: Literal[8, 16] = Field(
        8, description="png, tiff: 16 keeps the colours of a source of 16 bits a channel; alpha has 256 steps"
    )
    crop: bool = Field(False, description="cut down to the subject; off keeps the picture's size")
    margin: float = Field(0.05, ge=0, le=1, description="around the cropped subject, share of its longer side")
    exif: Literal["drop", "keep"] = Field(
        "drop",
        description="keep: description, author, rights, times, camera and exposure go along (png, webp, avif, zip); "
        "place, serial numbers, maker's notes and thumbnail never do",
    )
    zero_hidden: bool = Field(True, description="colours under alpha 0 are zeroed: private, and smaller")

    @model_validator(mode="after")
    def _can_be_made(self) -> CutoutSettings:
        if self.bits == 16 and self.format not in DEEP:
            raise ValueError(f"bits: {self.format} holds 8 bits a channel here; format must be {' or '.join(DEEP)}")
        if self.exif == "keep" and self.format not in WITH_EXIF:
            raise ValueError(f"exif: it is kept in {', '.join(WITH_EXIF)}, not in {self.format}")
        if (module := NEEDS.get(self.format)) and find_spec(module) is None:
            raise ValueError(f"format {self.format} is written with an extra: pip install '{EXTRA}'")
        return self


class Cutout(Product[CutoutSettings]):
    """RGBA, straight (not premultiplied) alpha, with the subject's own colours along its edge."""

    Settings: ClassVar[type[ProductSettings]] = CutoutSettings

    def make(self, matte: Matte) -> Output:
        s = self.settings
        rgba: NDArray[Any] = cv2.merge([matte.foreground, matte.alpha])
        if s.bits == 16 and (deep := matte.picture.deep_colours()) is not None:
            rgba = _deepened(rgba, deep, matte.picture.colours())
        if s.zero_hidden:
            rgba = cv2.copyTo(rgba, matte.alpha)
        below = matte.picture.colours() if s.format in LAYERED else None
        if s.crop:
            x0, y0, x1, y1 = self.frame(matte)
            part = np.s_[y0:y1, x0:x1]
            rgba, below = rgba[part], None if below is None else below[part]
        tags, exif = matte.picture, matte.picture.exif() if s.exif == "keep" else b""
        quality = None if s.quality == "lossless" else s.quality
        if below is not None:
            return Output(LAYERED[s.format](rgba, below, tags), s.format)
        match s.format:
            case "webp":
                return Output(webp(rgba, tags, quality, not s.zero_hidden, exif), "webp")
            case "avif":
                return Output(avif(rgba, tags, quality, exif), "avif")
            case "tiff":
                return Output(tiff(rgba, tags), "tiff")
            case "zip":
                colours, alpha = (np.ascontiguousarray(part) for part in (rgba[..., :3], rgba[..., 3]))
                return Output(colours_and_alpha(colours, alpha, tags, exif), "zip")
        return Output(png(rgba, tags, s.compression, exif), "png")

    def frame(self, matte: Matte) -> Rect:
        """What is kept where it is cropped: the subject with the margin, as far as the picture goes."""
        x0, y0, x1, y1 = matte.box
        pad = round(self.settings.margin * max(x1 - x0, y1 - y0))
        height, width = matte.alpha.shape
        return max(0, x0 - pad), max(0, y0 - pad), min(width, x1 + pad), min(height, y1 + pad)


def _deepened(rgba: NDArray[Any], deep: NDArray[np.uint16], plain: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """uint16 [h, w, 4]: where the edge's colours were estimated, in eight bits, the difference is carried over."""
    shift = 257 * cv2.subtract(rgba[..., :3], plain, dtype=cv2.CV_32S)
    colours = np.clip(deep + shift, 0, 65535).astype(np.uint16)
    return np.dstack([colours, rgba[..., 3].astype(np.uint16) * np.uint16(257)])
