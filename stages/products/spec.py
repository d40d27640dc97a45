"""How a job file names a product: `cutout`, `{cutout: {options}}`, `{my_name: {product: cutout, …}}` or a preset.

`product` may also be one of your own, `package.module:Class`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, model_validator

from .base import Product, ProductSettings
from .registry import PRESETS, PRODUCTS, product_class

RESERVED = ("results", "runs", "report", "review")  # folders of the output that are no products


class ProductSpec(BaseModel):
    """One wanted product.

    Attributes:
        name: names its folder in the output.
        product: the product's name in the registry, or `package.module:Class`.
        settings: its options, of the class `product_class(product).Settings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)
    product: str
    settings: SerializeAsAny[ProductSettings]

    @model_validator(mode="before")
    @classmethod
    def _from_job_file(cls, value: Any) -> Any:
        if isinstance(value, str):
            return _spec(value, {})
        if isinstance(value, Mapping) and len(value) == 1:
            ((name, options),) = value.items()
            if not isinstance(options, Mapping | None):
                raise ValueError(f"product {name}: options must be a mapping, as in {{{name}: {{format: png}}}}")
            return _spec(str(name), dict(options or {}))
        if isinstance(value, Mapping) and isinstance(value.get("settings"), Mapping):  # as dumped by pydantic
            return _spec(value["name"], {"product": value["product"], **value["settings"]})
        if isinstance(value, Mapping) and "settings" not in value:
            raise ValueError("a product is a name, or one name with its options as in {cutout: {format: webp}}")
        return value

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        """Pixels, at most, of what is made from a picture of that size; `max_pixels` is the limit on pictures."""
        return self.settings.most_pixels(width, height, max_pixels)

    def build(self) -> Product[Any]:
        """The product, ready to make files."""
        return product_class(self.product)(self.settings)


def _spec(name: str, options: dict[str, Any]) -> dict[str, Any]:
    if name in RESERVED:
        raise ValueError(f"a product cannot be called {name!r}: the output keeps something else there")
    options = {**PRESETS.get(name, {}), **options}
    product = options.pop("product", name)
    if product not in PRODUCTS and ":" not in str(product):
        if product in PRESETS:
            return _spec(name, {**PRESETS[product], **options})
        known = [*PRODUCTS, *PRESETS]
        own = "" if product != name else "; a name of your own needs `product:` among its options"
        raise ValueError(f"unknown product {product!r}: {_suggest(str(product), known)}{own}")
    try:
        wanted = product_class(product)
    except Exception as error:  # the module is the user's own
        raise ValueError(f"product {name}: {product} cannot be loaded: {error}") from error
    try:
        return {"name": name, "product": product, "settings": wanted.Settings.model_validate(options)}
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:1])
        if first["type"] == "extra_forbidden":
            fields = list(wanted.Settings.model_fields)
            raise ValueError(f"product {name}: unknown option {key!r}: {_suggest(key, fields)}") from error
        if not first["loc"]:  # of several options together, or of a preset
            raise ValueError(f"product {name}: {first['msg'].removeprefix('Value error, ')}") from error
        raise ValueError(f"product {name}: {key}: {first['msg']} (given: {first['input']!r})") from error


def _suggest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
