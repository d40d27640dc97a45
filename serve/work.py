"""What a request asks of a picture, and the picture on its way through the pools with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ..stages.item import Item, Output
from ..stages.products.spec import ProductSpec
from ..stages.products.stage import ProductsSettings, ProductsStage

UNSURE_SIDE = 512  # longest side of the map of what is unsure; the coarse network sees no more


class Order(ABC):
    """What is wanted of one picture.

    Attributes:
        lenient: what the filter finds is noted only, and ends no picture.
    """

    lenient: bool = False

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        """Pixels, at most, that lie in memory for it at the same time: a picture of that size, and what comes to it."""
        return width * height

    def prepare(self, item: Item) -> None:
        """Changes the picture before the first stage. Raises PictureError where it cannot."""
        return

    @abstractmethod
    def make(self, item: Item) -> dict[str, Output]:
        """The finished files by name, from a picture with its alpha, in place of the products stage."""


@dataclass
class ProductsOrder(Order):
    """Products as a job file names them, and on request the map `unsure`: they are what a run would make."""

    products: tuple[ProductSpec, ...]
    unsure: bool = False
    lenient: bool = False

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        own = width * height
        results = (spec.settings.most_pixels(width, height, max_pixels) for spec in self.products)
        return own + max((pixels - own for pixels in results), default=0)

    def make(self, item: Item) -> dict[str, Output]:
        unsure = Output(unsure_map(item), "png") if self.unsure else None
        if self.products:
            ProductsStage(ProductsSettings(products=self.products)).process_one(item)
        if unsure and not item.ended:
            item.outputs = {**item.outputs, "unsure": unsure}
        return item.outputs


@dataclass
class Batch:
    """One batch that a picture was in: which pool, how many pictures and pixels, and its wait before, seconds."""

    pool: str
    pictures: int
    pixels: int
    waited: float


@dataclass
class Work:
    """One picture on its way.

    Attributes:
        model: fingerprint of the stages that did it so far; empty at first.
        gone: nobody waits for it any more; it is dropped before the next stage. Stays in its process.
    """

    item: Item
    order: Order
    model: str = ""
    batches: list[Batch] = field(default_factory=list)
    gone: bool = False

    @property
    def pixels(self) -> int:
        return max(1, self.item.width * self.item.height)

    @property
    def most_pixels(self) -> int:
        """What it takes of the memory, counted in pixels; the result's and the background's too."""
        item = self.item
        return max(1, self.order.most_pixels(item.width, item.height, item.limits.max_pixels))


def unsure_map(item: Item) -> bytes:
    """PNG, uint8 grey, of the upright picture's shape with at most 512 pixels a side: the expected error of the
    coarse alpha, 0..255. It is where the fine network was asked, and where its answer may be off."""
    scale = min(1.0, UNSURE_SIDE / max(item.width, item.height, 1))
    width, height = max(1, round(item.width * scale)), max(1, round(item.height * scale))
    canvas: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
    for crop in item.crops:
        x0, y0, x1, y1 = (round(v * scale) for v in crop.box)
        part = canvas[y0:y1, x0:x1]
        if part.size:
            unsure = cv2.resize(crop.uncertainty, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_AREA)
            np.maximum(part, unsure, out=part)
    return cv2.imencode(".png", canvas)[1].tobytes()
