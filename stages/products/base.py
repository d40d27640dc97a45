"""What a product is.

A new one subclasses `Product` in a file of its own, gives its settings as a pydantic model, implements
`make`, and is entered in `registry`. It must be a function of the matte and its settings alone, byte by byte.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo

from ..decode.colours import as_srgb
from ..decode.picture import Picture
from ..decode.transparency import MIN_VISIBLE_ALPHA, combine_alpha
from ..faces.find import Face, find_faces
from ..faces.parts import HeadParts, head_parts
from ..imaging.foreground import estimate_foreground
from ..item import Item, Output
from ..verdicts import Verdict

U8 = NDArray[np.uint8]


class ProductSettings(BaseModel):
    """Base of every product's settings.

    Validated with the context `names_only`, a set of options, those come from a request and may name no files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    not_asked: ClassVar[frozenset[str]] = frozenset({"per_subject", "rules"})  # options that no request may give

    per_subject: bool = Field(False, description="also one file for each subject, as `<name>-1`, `<name>-2`, …")

    @property
    def columns(self) -> dict[str, bool]:
        """Columns of a manifest that are wanted besides those that every run reads -> whether there must be one."""
        return {}

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        """Pixels, at most, of what is made from a picture of that size (`max_pixels`: the limit on pictures)."""
        return width * height


def from_request(info: ValidationInfo, option: str) -> bool:
    """Whether an option that is validated was given by a request."""
    return option in (info.context or {}).get("names_only", ())


@dataclass
class Matte:
    """A picture cut out.

    Attributes:
        picture: the source.
        found: uint8 [H, W], 0..255, of the upright picture: the alpha that was found.
        item: the facts found so far; for reading.
    """

    picture: Picture
    found: U8
    item: Item

    @cached_property
    def alpha(self) -> U8:
        """uint8 [H, W], 0..255: what was found, and nowhere more opaque than the source itself."""
        own = self.picture.source_alpha
        return self.found if own is None else combine_alpha(self.found, own, self.picture.own_matte is not None)

    @cached_property
    def foreground(self) -> U8:
        """uint8 [H, W, 3], 0..255: the subject's own colours; estimated when first needed. Do not write into it.

        Under a matte that the source brings they are the source's, which are straight already.
        """
        if self.picture.own_matte is not None:
            return self.picture.colours()
        return estimate_foreground(self.picture.colours(), self.found)

    @cached_property
    def faces(self) -> list[Face]:
        """The picture's faces, the largest first; looked for when first needed."""
        return find_faces(self.picture.colours())

    @cached_property
    def people(self) -> list[Face]:
        """Those of the faces whose middle lies in what was cut out."""
        height, width = self.alpha.shape
        places = [(face, *np.floor(face.middle).astype(int)) for face in self.faces]
        return [face for face, x, y in places if 0 <= x < width and 0 <= y < height and self.alpha[y, x] >= 128]

    @cached_property
    def heads(self) -> list[HeadParts]:
        """The parts of each of these people's heads; told apart when first needed."""
        rgb = as_srgb(self.picture.colours(), self.picture.icc_profile)
        return [head_parts(face, rgb, self.alpha) for face in self.people]

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) around what is more than faint, x1 and y1 exclusive."""
        solid = self.alpha >= MIN_VISIBLE_ALPHA
        x, y, w, h = cv2.boundingRect((solid if solid.any() else self.alpha > 0).astype(np.uint8))
        return x, y, x + w, y + h


S = TypeVar("S", bound=ProductSettings)


class Product(ABC, Generic[S]):
    """One kind of file made from a matte.

    Attributes:
        Settings: the pydantic model of its options.
        of_matte: whether there is nothing to make where no subject was found.
        ext: the ending of its files, where no option `format` says it.
        of_faces: whether it looks for faces, whose networks are then part of the fingerprint.
    """

    Settings: ClassVar[type[ProductSettings]] = ProductSettings
    of_matte: ClassVar[bool] = True
    ext: ClassVar[str] = "png"
    of_faces: ClassVar[bool] = False

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @abstractmethod
    def make(self, matte: Matte) -> Output:
        """The finished file.

        Raises:
            PictureError: the picture does not allow it.
            Refused: what it shows is not what the product is made of.
        """

    def verify(self, made: Output, name: str) -> Verdict | None:
        """Whether what it made keeps the rules of its preset; None where it has none. name: the product's in a job."""
        return None
