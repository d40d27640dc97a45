"""A picture of a request on its way through the pools."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..stages.item import Item


@dataclass
class BatchRecord:
    """One batch that a picture was in: which pool, how many pictures and pixels, and its wait before, seconds."""

    pool: str
    pictures: int
    pixels: int
    waited: float


@dataclass
class RequestItem:
    """One picture on its way; what is wanted of it is `item.request`.

    Attributes:
        model: fingerprint of the stages that did it so far; empty at first.
    """

    item: Item
    model: str = ""
    batches: list[BatchRecord] = field(default_factory=list)

    @property
    def pixels(self) -> int:
        return max(1, self.item.width * self.item.height)

    @property
    def most_pixels(self) -> int:
        """What it takes of the memory, counted in pixels; the result's and the background's too."""
        item = self.item
        if item.request is None:
            return self.pixels
        return max(1, item.request.most_pixels(item.width, item.height, item.limits.max_pixels))
