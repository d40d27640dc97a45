"""The products by name, and presets: a name for a product with options.

A product of your own goes into a job file as `{its_name: {product: "package.module:Class"}}`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .background import Background
from .base import Product
from .composition import Composition
from .cutout import Cutout
from .id_photo import IdPhoto
from .mask import Mask
from .outline import Outline
from .part import Part
from .poster import Poster
from .preset_files import BUILTIN
from .uncertainty import UncertaintyMap
from .white_background import WhiteBackground

PRODUCTS: dict[str, type[Product[Any]]] = {
    "cutout": Cutout,
    "mask": Mask,
    "outline": Outline,
    "white_background": WhiteBackground,
    "background": Background,
    "id_photo": IdPhoto,
    "part": Part,
    "poster": Poster,
}

# What requests alone can name: it takes what no job file holds, or shows what is not of the subject.
ON_REQUEST: dict[str, type[Product[Any]]] = {
    "composition": Composition,
    "uncertainty": UncertaintyMap,
}

PRESETS: dict[str, dict[str, Any]] = {
    "cutout_web": {"product": "cutout", "format": "webp", "crop": True},
    "shop_square": {"product": "white_background", "canvas": [2000, 2000], "fill": 0.85},
    "shop_square_jpeg": {"product": "white_background", "canvas": [2000, 2000], "fill": 0.85, "format": "jpeg"},
    "shop_portrait": {"product": "white_background", "canvas": [1600, 2000], "fill": 0.9},
    **{name: {"product": "part", "name": name} for name in ("portrait", "head", "face", "hair")},
    **{name: {"product": path.parent.name, "preset": name} for name, path in BUILTIN.items()},
}


def product_class(name: str) -> type[Product[Any]]:
    """The class of a product.

    Args:
        name: a name from `PRODUCTS` or `ON_REQUEST`, or `package.module:Class`.

    Raises:
        KeyError: the name is none.
        ImportError, AttributeError: there is no such module, or no such class in it.
        TypeError: what is there is no product.
    """
    module, own, attribute = name.partition(":")
    found = getattr(import_module(module), attribute) if own else (PRODUCTS | ON_REQUEST)[name]
    if not (isinstance(found, type) and issubclass(found, Product)):
        raise TypeError(f"{name} is no class derived from Product")
    return found
