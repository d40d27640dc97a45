"""What one request wants of its picture, where that differs from the stages' settings. It travels on the item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .correction import Correction


class WantedProduct(Protocol):
    """What `products.spec.ProductSpec` is to a request."""

    @property
    def name(self) -> str: ...

    def build(self) -> Any: ...

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int: ...


@dataclass(frozen=True)
class RequestSpec:
    """The wishes of a request.

    Attributes:
        products: made in place of those that the products stage names; may be none.
        keep_rejects: what the filter finds is noted only, and ends no picture.
        region: (x0, y0, x1, y1), whole pixels of the upright picture, x1 and y1 exclusive: only this part is shown to
            the stages; products are of the whole picture.
        correction: what a person says of its matte.
    """

    products: tuple[WantedProduct, ...]
    keep_rejects: bool = False
    region: tuple[int, int, int, int] | None = None
    correction: Correction | None = None

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        """Pixels, at most, that lie in memory at the same time: a picture of that size, and what comes to it.

        Args:
            max_pixels: the limit on pictures.
        """
        own = width * height
        results = (product.most_pixels(width, height, max_pixels) for product in self.products)
        return own + max((pixels - own for pixels in results), default=0)
