"""What a remove.bg request asks of a picture, done in the pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...stages.decode.picture import Picture
from ...stages.errors import PictureError
from ...stages.item import Item, Output
from ...stages.products.base import Matte
from ...stages.products.encode import png
from ..work import Order
from .compose import Layer, Rect, compose, ground_shadow, with_margins
from .options import Options

NAME = "result"
CAR = "vehicle"  # the category that gets a shadow, as remove.bg has it


class Facts(NamedTuple):
    """What the headers say of a result: its size, and the subject's place in it, pixels."""

    width: int
    height: int
    left: int
    top: int
    foreground_width: int
    foreground_height: int


@dataclass
class RemoveBgOrder(Order):
    """The one result of a request.

    Attributes:
        roi: (x0, y0, x1, y1): only this part of the picture is shown to the stages, or None.
        background: a picture's bytes, or empty; background_pixels: its width times its height.
        original: the whole picture's bytes, while the stages see a part.
        facts: filled in with the result.
    """

    options: Options
    roi: Rect | None = None
    background: bytes = b""
    background_pixels: int = 0
    original: bytes = b""
    facts: Facts | None = None
    lenient: bool = True  # remove.bg refuses no picture for its quality

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        result = 0
        if self.options.crop:  # what its margins make of a small part is not known yet
            result = min(max_pixels, with_margins(width, height, self.options)) - width * height
        return width * height + self.background_pixels + max(0, result)

    def prepare(self, item: Item) -> None:
        if self.roi:
            x0, y0, x1, y1 = self.roi
            whole = item.picture
            pixels, own = whole.colours(), whole.source_alpha
            part = np.ascontiguousarray((pixels if own is None else np.dstack([pixels, own]))[y0:y1, x0:x1])
            self.original, item.data = item.data, png(part, whole)
            item.forget_pixels()
            item.width, item.height = item.picture.width, item.picture.height

    def make(self, item: Item) -> dict[str, Output]:
        picture, alpha = self._whole(item)
        matte = Matte(picture, alpha, item)
        if not matte.alpha.any():
            item.filter("products", "no_subject", "nothing of the picture is left in its alpha")
            return {}
        layer = Layer(matte.foreground, matte.alpha)
        if self.options.add_shadow and item.category == CAR:
            layer.shadow = ground_shadow(matte.alpha)
        result, (x0, y0, x1, y1), (width, height) = compose(
            layer, self.options, self._background(item), picture, item.limits.max_pixels
        )
        self.facts = Facts(width, height, x0, y0, x1 - x0, y1 - y0)
        self.original = self.background = b""  # they need not travel back
        return {NAME: result}

    def _whole(self, item: Item) -> tuple[Picture, np.ndarray]:
        if item.alpha is None:
            raise RuntimeError("no alpha: a stage that finds it must come before products")
        if not self.roi:
            return item.picture, item.alpha
        picture = Picture(self.original, item.limits)
        alpha = np.zeros((picture.height, picture.width), np.uint8)
        x0, y0, x1, y1 = self.roi
        alpha[y0:y1, x0:x1] = item.alpha
        return picture, alpha

    def _background(self, item: Item) -> Picture | None:
        if not self.background:
            return None
        try:
            picture = Picture(self.background, item.limits)
            picture.rgb()
        except PictureError as error:
            raise PictureError("background", error.detail) from error
        return picture
