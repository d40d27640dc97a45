"""The last stage: from a picture and its alpha to the finished files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from ..base import EachStage, Settings
from ..errors import Refused
from ..item import Item, Output
from ..verdicts import Verdict
from .base import Matte, Product
from .registry import product_class
from .spec import ProductSpec

U8 = NDArray[np.uint8]


class ProductsSettings(Settings):
    """Settings of the products stage."""

    products: tuple[ProductSpec, ...] = Field(
        default=(ProductSpec.model_validate("cutout"),), min_length=1, description="what is made of each picture"
    )

    @field_validator("products")
    @classmethod
    def _names_differ(cls, products: tuple[ProductSpec, ...]) -> tuple[ProductSpec, ...]:
        names = [spec.name for spec in products]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two products are called {name!r}: give one another name, {{other: {{product: …}}}}")
        return products

    @property
    def columns(self) -> dict[str, bool]:
        """Columns of a manifest that some product wants -> whether there must be one."""
        wanted: dict[str, bool] = {}
        for spec in self.products:
            for name, needed in spec.settings.columns.items():
                wanted[name] = needed or wanted.get(name, False)
        return wanted


class ProductsStage(EachStage[ProductsSettings]):
    """Makes every wanted product of a picture: those of its request, or else those of the settings.

    Reads item.alpha, and item.subjects where a product is wanted per subject; fills in item.outputs and item.verdicts.
    A source that is itself transparent somewhere stays so, see `transparency.combine_alpha`.
    """

    name: ClassVar[str] = "products"
    Settings: ClassVar[type[Settings]] = ProductsSettings

    def __init__(self, settings: ProductsSettings) -> None:
        super().__init__(settings)
        self._products = [(spec.name, spec.build()) for spec in settings.products]

    @classmethod
    def weight_hashes(cls, settings: ProductsSettings) -> dict[str, str]:
        if not any(product_class(spec.product).of_faces for spec in settings.products):
            return {}
        from ..faces.networks import weight_hashes

        return weight_hashes()

    def process_one(self, item: Item) -> None:
        products = self._products
        if item.request:
            products = [(spec.name, spec.build()) for spec in item.request.products]
        if not products:
            return
        whole = whole_matte(item)
        if any(product.of_matte for _, product in products) and reject_if_empty(item, whole):
            return
        try:
            self._make(item, whole, products)
        except Refused as refused:
            item.filter(self.name, refused.reason, refused.detail)

    def _make(self, item: Item, whole: Matte, products: Sequence[tuple[str, Product[Any]]]) -> None:
        outputs: dict[str, Output] = {}
        verdicts: list[Verdict] = []

        def make(name: str, product: Product[Any], matte: Matte) -> None:
            outputs[name] = product.make(matte)
            if verdict := product.verify(outputs[name], name):
                verdicts.append(verdict)

        for name, product in products:
            make(name, product, whole)
        each = [(name, product) for name, product in products if product.settings.per_subject]
        if each:
            for number, part in enumerate(item.subjects, 1):
                alpha = np.zeros((item.height, item.width), np.uint8)
                x0, y0, x1, y1 = part.box
                alpha[y0:y1, x0:x1] = part.alpha
                subject = _matte(item, alpha)
                if subject.alpha.any():
                    for name, product in each:
                        with suppress(Refused):  # of a bag beside a person there is no face, and no file
                            make(f"{name}-{number}", product, subject)
        item.outputs, item.verdicts = outputs, verdicts


def whole_matte(item: Item) -> Matte:
    """The picture, cut out. Raises RuntimeError: no stage has found its alpha."""
    if item.alpha is None:
        raise RuntimeError("no alpha: a stage that finds it must come before products")
    return _matte(item, item.alpha)


def reject_if_empty(item: Item, whole: Matte) -> bool:
    """Ends a picture of which nothing is left in its matte; whether it did."""
    if whole.alpha.any():
        return False
    item.filter(ProductsStage.name, "no_subject", "nothing of the picture is left in its alpha")
    return True


def _matte(item: Item, alpha: U8) -> Matte:
    picture = item.picture
    if alpha.shape != (picture.height, picture.width):
        raise ValueError(f"alpha is {alpha.shape}, the picture {(picture.height, picture.width)}")
    if item.request and item.request.region:
        x0, y0, x1, y1 = item.request.region
        picture = item.whole()
        whole = np.zeros((picture.height, picture.width), np.uint8)
        whole[y0:y1, x0:x1] = alpha
        alpha = whole
    return Matte(picture, alpha, item)
