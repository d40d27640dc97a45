"""What comes back for a picture: how it ended, and the subject with its alpha."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from .inputs import PictureItem
from .stages.base import EachStage, Settings
from .stages.errors import HairlineError, PictureError
from .stages.item import Box, Item, Status
from .stages.products.base import Matte
from .stages.products.spec import ProductSpec
from .stages.products.stage import ProductsSettings, reject_if_empty, whole_matte

U8 = NDArray[np.uint8]
FORMATS = {".jpg": "jpeg", ".tif": "tiff"}  # ending -> the option `format`, where it is not the ending itself


class MatteStage(EachStage[Settings]):
    """Stands where the products stage does: keeps the matte, of which products can be made when they are wanted."""

    name: ClassVar[str] = "products"
    Settings: ClassVar[type[Settings]] = ProductsSettings

    def process_one(self, item: Item) -> None:
        assert isinstance(item, PictureItem)
        matte = whole_matte(item)
        if not reject_if_empty(item, matte):
            item.matte = matte


@dataclass(frozen=True)
class Cutout:
    """One picture, cut out, or why it was not. The arrays are shared and read-only: copy one before you change it.

    Attributes:
        name: the path or URL that the picture came from; empty where it came from memory.
        status: `ok`, `filtered` (a judgement about the picture) or `failed` (something broke).
        reason: why it is not `ok`: a short code, such as `blurred` or `not_a_picture`.
        detail: a line about it, for a person.
        width: of the upright picture, pixels; 0 where it could not be read.
        height: likewise.
        category: what kind of subject it is.
        category_score: how probable that is, 0..1.
        boxes: what was detected: subjects, texts and logos, in pixels of the upright picture.
        confidence: 0..1, how good the alpha probably is; None where there is none.
        quality: what the filter measured, by name.
        seconds: how long each stage took.
    """

    name: str
    status: Status
    reason: str
    detail: str
    width: int
    height: int
    category: str
    category_score: float
    boxes: list[Box]
    confidence: float | None
    quality: dict[str, float] = field(repr=False)
    seconds: dict[str, float] = field(repr=False)
    _matte: Matte | None = field(repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether there is a cut-out."""
        return self.status == "ok"

    @property
    def matte(self) -> Matte:
        """What products are made from. Raises PictureError where the picture was not cut out."""
        if self._matte is None:
            raise PictureError(self.reason, self.detail or f"the picture was not cut out: {self.status}")
        return self._matte

    @cached_property
    def alpha(self) -> U8:
        """uint8 [H, W], 0 background .. 255 subject. Raises PictureError where the picture was not cut out."""
        return _shared(self.matte.alpha)

    @cached_property
    def foreground(self) -> U8:
        """uint8 [H, W, 3], 0..255: the subject's own colours, estimated where alpha is neither 0 nor 255, in the
        colour space of `icc_profile`. Raises PictureError where the picture was not cut out."""
        return _shared(self.matte.foreground)

    @cached_property
    def rgba(self) -> U8:
        """uint8 [H, W, 4], 0..255: foreground and alpha, straight (not premultiplied); 0 where alpha is 0.
        Raises PictureError where the picture was not cut out."""
        return _shared(np.asarray(cv2.copyTo(cv2.merge([self.foreground, self.alpha]), self.alpha), np.uint8))

    @property
    def icc_profile(self) -> bytes | None:
        """The colour profile of the pixels; None means sRGB. Raises PictureError where the picture was not cut out."""
        return self.matte.picture.icc_profile

    @property
    def image(self) -> Image.Image:
        """`rgba` as a PIL image, with its profile. Raises PictureError where the picture was not cut out."""
        image = Image.fromarray(self.rgba)
        if self.icc_profile:
            image.info["icc_profile"] = self.icc_profile
        return image

    def encode(self, product: str = "cutout", **options: Any) -> bytes:
        """A product as the bytes of a file: the same as a run writes.

        Args:
            product: `cutout`, `mask`, `white_background`, or a preset, such as `shop_square`.
            options: the product's, as in a job file: `format="webp"`.

        Raises:
            PictureError: the picture was not cut out, or does not allow this product.
            HairlineError: there is no such product or option.
        """
        return self._make(product, options)[0]

    def save(self, path: str | os.PathLike, product: str = "cutout", **options: Any) -> Path:
        """Writes a product to a file; one that is there is replaced. The ending says the format.

        Returns:
            The path.

        Raises:
            PictureError, HairlineError: as `encode`; also where the product does not come in the ending's format.
            OSError: the file cannot be written.
        """
        file = Path(path).expanduser()
        spec = product_spec({product: options})
        wanted = FORMATS.get(file.suffix.lower(), file.suffix.lower().removeprefix("."))
        if "format" not in options and getattr(spec.settings, "format", wanted) != wanted:
            options = {**options, "format": wanted}
        hint = f"save {file}: {product} does not come as {file.suffix or 'a file without ending'}"
        try:
            data, ending = self._make(product, options)
        except HairlineError as error:
            raise HairlineError(f"{hint}: {error}") from error
        if FORMATS.get(f".{ending}", ending) != wanted:
            raise HairlineError(f"{hint}, but as .{ending}")
        file.write_bytes(data)
        return file

    def _make(self, product: str, options: dict[str, Any]) -> tuple[bytes, str]:
        made = product_spec({product: options}).build().make(self.matte)
        return made.data, made.ext


def cutout_of(item: PictureItem) -> Cutout:
    """What became of an item that went through all stages."""
    return Cutout(
        name=item.id,
        status=item.status,
        reason=item.reason,
        detail=item.detail,
        width=item.width,
        height=item.height,
        category=item.category,
        category_score=item.category_score,
        boxes=item.boxes,
        confidence=item.confidence if item.status == "ok" else None,
        quality=item.quality,
        seconds=item.seconds,
        _matte=item.matte if item.status == "ok" else None,
    )


def product_spec(wanted: str | Mapping[str, Any]) -> ProductSpec:
    """A product as a job file names it. Raises HairlineError: there is none like that, or it makes several files."""
    try:
        spec = ProductSpec.model_validate(wanted)
    except ValidationError as error:
        raise HairlineError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    if spec.settings.per_subject:
        raise HairlineError(f"product {spec.name}: per_subject makes several files, which only a run and a cut write")
    return spec


def _shared(array: U8) -> U8:
    array = array.view()
    array.flags.writeable = False
    return array
