"""What one request wants of its picture, where that differs from the stages' settings. It travels on the item."""

from __future__ import annotations

from dataclasses import dataclass

from .item import Rect
from .products.spec import ProductSpec


@dataclass(frozen=True)
class RequestSpec:
    """The wishes of a request.

    Attributes:
        products: made in place of those that the products stage names; may be none.
        keep_rejects: what the filter finds is noted only, and ends no picture.
        region: only this part of the picture is shown to the stages; products are of the whole picture.
    """

    products: tuple[ProductSpec, ...]
    keep_rejects: bool = False
    region: Rect | None = None

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        """Pixels, at most, that lie in memory at the same time: a picture of that size, and what comes to it.

        Args:
            max_pixels: the limit on pictures.
        """
        own = width * height
        results = (spec.settings.most_pixels(width, height, max_pixels) for spec in self.products)
        return own + max((pixels - own for pixels in results), default=0)
