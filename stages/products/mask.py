"""The alpha alone."""

from __future__ import annotations

from ..item import Output
from .base import Matte, Product, ProductSettings
from .encode import png


class Mask(Product[ProductSettings]):
    """An 8-bit grey PNG of the picture's size: 0 background, 255 subject."""

    def make(self, matte: Matte) -> Output:
        return Output(png(matte.alpha, matte.picture), "png")
