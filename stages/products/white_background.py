"""The subject on pure white, centred, as shops ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import isqrt
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..decode.colours import as_srgb, srgb_profile
from ..decode.transparency import MIN_VISIBLE_ALPHA
from ..item import Output
from ..verdicts import Verdict, judged
from .base import Matte, Product, ProductSettings
from .byte_limits import fitted
from .encode import Compression, Tagged, Tags, jpeg, png
from .placing import Place, cut_sides, place, placed_at
from .preset_files import PresetSettings
from .shadows import contact_shadow, own_shadow, under
from .verify.white_background import check_white
from .white_rules import WhiteRules

U8 = NDArray[np.uint8]
Side = Annotated[int, Field(gt=0, le=10_000)]
MAX_SCALE = 64.0  # with more, the pixels at the edge of the canvas, which are enlarged whole, would take much memory
FAINT = 4  # of 255: less alpha than this darkens white by a level or two, and no shop takes that for white


ScaleBy = Literal["longest", "width", "height", "area"]


class Look(BaseModel):
    """How the subjects of a group stand on their canvas; what is left out is the product's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fill: float | None = Field(None, gt=0, le=1, description="share of the canvas; what it leaves is the margin")
    scale_by: ScaleBy | None = Field(None, description="what fill is of")
    baseline: float | None = Field(None, gt=0, le=1, description="where the lower edges stand, share from the top")


class WhiteBackgroundSettings(PresetSettings):
    """Options of `white_background`."""

    Rules: ClassVar[type[BaseModel]] = WhiteRules
    product: ClassVar[str] = "white_background"
    not_asked: ClassVar[frozenset[str]] = PresetSettings.not_asked | {"group", "series"}

    canvas: Literal["square", "keep"] | tuple[Side, Side] = Field(
        "square",
        description="square: as large as the subject at its own size needs, within limits.max_pixels; "
        "keep: the picture as it is framed; [width, height]: exactly so, the subject scaled to it, but enlarged no "
        "more than 64 times",
    )
    fill: float = Field(0.85, gt=0, le=1, description="share of the canvas that the subject's longer side fills")
    format: Literal["png", "jpeg"] = Field(
        "png", description="a JPEG is white to the last bit only in blocks of 8 × 8 without subject, a PNG everywhere"
    )
    compression: Compression = Field("fast", description="png: fast, or small at several times the cost")
    quality: int = Field(95, ge=1, le=100, description="of jpeg, which is never colour-subsampled")
    min_quality: int = Field(70, ge=1, le=100, description="of jpeg: how low it may go to fit a preset's bytes")
    cut_off: Literal["centre", "anchor"] = Field(
        "centre",
        description="a subject that the frame cuts off: centre as if it were whole; anchor: flush with that edge",
    )
    scale_by: ScaleBy = Field(
        "longest",
        description="what fill is of: the longer side, width, height, or area, by which thin and bulky things look "
        "alike in a series; the margins hold in any case. Of a canvas of given size",
    )
    baseline: float | None = Field(
        None,
        gt=0,
        le=1,
        description="where the subject's lower edge stands, share of the height from the top, the same in a whole "
        "series; null: it is centred. Of a canvas of given size",
    )
    group: str = Field("", description="column of the manifest that tells which pictures make a series")
    series: dict[str, Look] = Field(
        default_factory=dict,
        description="by group: one scale rule, baseline and margin for all of its pictures; groups that are not named "
        "have the product's own",
    )
    shadow: Literal["none", "contact", "own"] = Field(
        "none",
        description="none; contact: a soft one is made where the subject stands; own: the picture's, where its ground "
        "is plain enough to tell",
    )
    srgb: bool = Field(False, description="colours are converted to sRGB, and the file has its profile")

    @model_validator(mode="after")
    def _series_have_groups(self) -> WhiteBackgroundSettings:
        if bool(self.group) != bool(self.series):
            raise ValueError("group: a column, and series: the look of its groups, are given together or not at all")
        if self.series and isinstance(self.canvas, str):
            raise ValueError("series: the pictures of a group share a canvas of given size: canvas: [2000, 2000]")
        return self

    @property
    def columns(self) -> dict[str, bool]:
        return {self.group: True} if self.group else {}

    def of_group(self, columns: Mapping[str, str]) -> WhiteBackgroundSettings:
        """As they are for a picture whose manifest says so of it."""
        look = self.series.get(columns.get(self.group, ""))
        return self.model_copy(update=look.model_dump(exclude_none=True)) if look else self

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        if self.canvas == "keep":
            return width * height
        if self.canvas == "square":
            return square_side(max(width, height), self.fill, max_pixels) ** 2
        return self.canvas[0] * self.canvas[1]


class WhiteBackground(Product[WhiteBackgroundSettings]):
    """RGB: exactly 255 wherever alpha is 0, and no halo, for the edge has the subject's own colours.

    With a preset it is judged by the preset's rules, as is said in the results. A PNG that has more bytes than these
    allow becomes a JPEG, if they allow that.
    """

    Settings: ClassVar[type[ProductSettings]] = WhiteBackgroundSettings

    def make(self, matte: Matte) -> Output:
        s = self.settings
        alpha, foreground, tags = matte.alpha, matte.foreground, self._tags(matte)
        if s.srgb:
            foreground = as_srgb(foreground, matte.picture.icc_profile)
        if s.preset:
            alpha = without_faint(alpha)
        pixels = on_white(foreground, alpha)
        shadow = own_shadow(matte.picture.colours(), alpha) if s.shadow == "own" else None
        if s.canvas != "keep":
            canvas, at = self._place(matte, alpha)
            put = partial(place, box=matte.box, canvas=canvas, at=at)
            pixels = put(pixels, alpha)
            shadow = None if shadow is None else put(shadow, alpha, ground=0)
            if s.shadow != "none":
                alpha = put(alpha, alpha, ground=0)
        if s.shadow == "contact":
            shadow = contact_shadow(alpha)
        if shadow is not None:
            pixels = under(pixels, alpha, shadow)
        return self._encoded(pixels, tags)

    def verify(self, made: Output, name: str) -> Verdict | None:
        s = self.settings
        return judged(name, s.preset, check_white(made.data, made.ext, s.rules)) if s.rules else None

    def _place(self, matte: Matte, alpha: U8) -> tuple[tuple[int, int], Place]:
        """The canvas, width and height, and the subject's place on it."""
        s, (x0, y0, x1, y1) = self.settings.of_group(matte.item.columns), matte.box
        cut = cut_sides(matte.alpha, matte.box) if s.cut_off == "anchor" else ()
        if s.canvas == "square":
            limit = matte.item.limits.max_pixels
            side = square_side(max(x1 - x0, y1 - y0), s.fill, limit)
            at = placed_at(matte.box, (side, side), s.fill, cut)
            return (side, side), at if side == isqrt(limit) else at._replace(scale=1.0)
        area = float((alpha >= MIN_VISIBLE_ALPHA).sum()) if s.scale_by == "area" else 0.0
        at = placed_at(matte.box, s.canvas, s.fill, cut, s.scale_by, s.baseline, area)  # type: ignore[arg-type]
        return s.canvas, at._replace(scale=min(MAX_SCALE, at.scale))  # type: ignore[return-value]

    def _tags(self, matte: Matte) -> Tagged:
        return Tags(srgb_profile(), matte.picture.dpi) if self.settings.srgb else matte.picture

    def _encoded(self, pixels: U8, tags: Tagged) -> Output:
        s, rules = self.settings, self.settings.rules
        limit = rules.bytes if rules else None
        if s.format == "png":
            data = png(pixels, tags, s.compression)
            other = rules and rules.format and "jpeg" in rules.format.one_of
            if not (other and limit and limit.max is not None and len(data) > limit.max):
                return Output(data, "png")
        low, high = (limit.min, limit.max) if limit else (None, None)
        return Output(fitted(lambda quality: jpeg(pixels, tags, quality), s.quality, s.min_quality, low, high), "jpg")


def without_faint(alpha: U8) -> U8:
    """Alpha without what is faint everywhere: single levels, and islands that nowhere become half opaque."""
    there = (alpha >= FAINT).astype(np.uint8)
    count, labels = cv2.connectedComponents(there)
    solid = np.zeros(count, bool)
    solid[np.unique(labels[alpha >= 128])] = True
    solid[0] = False
    return np.where(solid[labels], alpha, np.uint8(0))


def square_side(subject: int, fill: float, max_pixels: int) -> int:
    """Of the square of which a subject fills a share; the one around a long thin subject could be huge."""
    limit = isqrt(max_pixels)
    return limit if subject >= fill * limit else round(subject / fill)


def on_white(foreground: U8, alpha: U8) -> U8:
    """uint8 [h, w, 3]: 255 - α (255 - F), rounded; so exactly 255 where alpha is 0."""
    shade = cv2.multiply(cv2.bitwise_not(foreground), cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return cv2.bitwise_not(shade).astype(np.uint8, copy=False)
