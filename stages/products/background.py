"""The subject on a new background: a colour, a gradient, a picture, the blurred original, or none."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, SkipValidation, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from ..decode.colours import as_srgb, srgb_profile
from ..decode.picture import Picture
from ..errors import PictureError
from ..item import Output
from ..limits import Limits
from ..verdicts import Verdict, judged
from . import grounds
from .background_rules import BackgroundRules
from .base import Matte, Product, ProductSettings, from_request
from .encode import Tags, jpeg, png, webp
from .placing import cut_sides, place, placed_at
from .preset_files import PresetSettings
from .shadows import contact_shadow
from .verify.background import check_background

U8 = NDArray[np.uint8]
Side = Annotated[int, Field(gt=0, le=10_000)]
Channel = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Channel, Channel, Channel]
Share = Annotated[float, Field(ge=0, le=1)]


class BackgroundSettings(PresetSettings):
    """Options of `background`."""

    Rules: ClassVar[type[BaseModel]] = BackgroundRules
    product: ClassVar[str] = "background"
    not_asked: ClassVar[frozenset[str]] = PresetSettings.not_asked | {"picture", "digest"}

    kind: Literal["color", "gradient", "picture", "blur", "transparent"] = Field(
        "color",
        description="color; gradient: from color to color2; picture: a file; blur: the picture's own background, "
        "blurred; transparent: none",
    )
    color: Colour = Field(
        (235, 235, 235), description="RGB, 0 to 255; around a picture that does not fill the canvas too"
    )
    color2: Colour = Field((200, 200, 205), description="of a gradient, where it ends")
    angle: float | Literal["radial"] = Field(
        90.0, description="of a gradient, degrees: 0 left to right, 90 top to bottom; radial: from the middle out"
    )
    picture: str = Field("", description="of kind picture: path of a file, which every node must be able to read")
    digest: SkipJsonSchema[SkipValidation[str]] = Field("", description="of the picture; filled in")
    fit: Literal["cover", "contain"] = Field(
        "cover", description="a picture fills the canvas and may be cropped; or all of it shows, with color around"
    )
    position: tuple[Share, Share] = Field((0.5, 0.5), description="of a picture: which part shows, or where it lies")
    blur: float = Field(0.03, gt=0, le=0.5, description="how strong, share of the picture's longer side")
    canvas: Literal["keep"] | tuple[Side, Side] = Field(
        "keep", description="keep: the picture as it is framed; [width, height]: exactly so, the subject scaled to it"
    )
    fill: float = Field(0.8, gt=0, le=1, description="of a given canvas, how much the subject's longer side takes")
    baseline: float | None = Field(
        None,
        gt=0,
        le=1,
        description="of a given canvas, where the lower edge stands, share from the top; null: centred",
    )
    light: Share = Field(0.0, description="how far the subject's light and tint go towards the background's; 0: not")
    shadow: Literal["none", "contact"] = Field("none", description="contact: a soft one where the subject stands")
    format: Literal["png", "jpeg", "webp"] = Field("png", description="jpeg has no transparency")
    quality: int = Field(92, ge=1, le=100, description="of jpeg and webp")

    @field_validator("picture")
    @classmethod
    def _no_path_of_a_request(cls, value: str, info: ValidationInfo) -> str:
        if value and from_request(info, "picture"):
            raise ValueError("a request cannot name a file of the service")
        return value

    @model_validator(mode="before")
    @classmethod
    def _with_digest(cls, data: Any) -> Any:
        """What is in the file counts, not its name: another picture is another answer."""
        if isinstance(data, dict) and data.get("picture") and not data.get("digest"):
            try:
                content = Path(str(data["picture"])).expanduser().read_bytes()
            except OSError as error:
                raise ValueError(f"picture: {data['picture']} cannot be read: {error.strerror}") from error
            return {**data, "digest": hashlib.sha256(content).hexdigest()}
        return data

    @model_validator(mode="after")
    def _fits(self) -> BackgroundSettings:
        if self.kind == "picture" and not self.picture:
            raise ValueError("kind picture needs the path of one: picture: beach.jpg")
        if self.kind == "transparent" and self.format == "jpeg":
            raise ValueError("format: a jpeg has no transparency; take png or webp")
        if self.kind == "blur" and self.canvas != "keep":
            raise ValueError("canvas: the blurred original is as large as the picture; leave it at keep")
        return self

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        return width * height if self.canvas == "keep" else self.canvas[0] * self.canvas[1]


class Background(Product[BackgroundSettings]):
    """The subject in its own colours, without the old background's, over a new one; in sRGB, or RGBA if transparent."""

    Settings: ClassVar[type[ProductSettings]] = BackgroundSettings

    def make(self, matte: Matte) -> Output:
        """Raises PictureError `background`: the picture that is to lie behind cannot be read, or was changed."""
        s, profile = self.settings, matte.picture.icc_profile
        foreground, alpha = as_srgb(matte.foreground, profile), matte.alpha
        height, width = alpha.shape
        canvas = (width, height) if s.canvas == "keep" else s.canvas
        behind = self._behind(matte, canvas)
        if behind is not None:
            foreground = grounds.in_light_of(foreground, alpha, behind, s.light)
        share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
        premultiplied = cv2.multiply(foreground, share, scale=1 / 255).astype(np.uint8, copy=False)
        if s.canvas != "keep":
            cut = cut_sides(alpha, matte.box)
            at = placed_at(matte.box, s.canvas, s.fill, cut, "longest", s.baseline)
            premultiplied = place(premultiplied, alpha, matte.box, s.canvas, at, ground=0)
            alpha = place(alpha, alpha, matte.box, s.canvas, at, ground=0)
        shadow = contact_shadow(alpha) if s.shadow == "contact" else np.zeros_like(alpha)
        if behind is None:
            return self._encoded(over_nothing(premultiplied, alpha, shadow), matte)
        return self._encoded(over(premultiplied, alpha, shadow, behind), matte)

    def verify(self, made: Output, name: str) -> Verdict | None:
        s = self.settings
        return judged(name, s.preset, check_background(made.data, made.ext, s.rules)) if s.rules else None

    def _behind(self, matte: Matte, canvas: tuple[int, int]) -> U8 | None:
        s = self.settings
        if s.kind == "transparent":
            return None
        if s.kind == "color":
            return np.full((canvas[1], canvas[0], 3), s.color, np.uint8)
        if s.kind == "gradient":
            return grounds.gradient(canvas, s.color, s.color2, s.angle)
        if s.kind == "blur":
            return grounds.blurred(as_srgb(matte.picture.colours(), matte.picture.icc_profile), matte.alpha, s.blur)
        return grounds.fitted(_picture(s.picture, s.digest), canvas, s.fit, s.position, s.color)

    def _encoded(self, pixels: U8, matte: Matte) -> Output:
        s, tags = self.settings, Tags(srgb_profile(), matte.picture.dpi)
        if s.format == "jpeg":
            return Output(jpeg(pixels, tags, s.quality), "jpg")
        if s.format == "webp":
            return Output(webp(pixels, tags, s.quality, keep_hidden=False), "webp")
        return Output(png(pixels, tags), "png")


def over(premultiplied: U8, alpha: U8, shadow: U8, behind: U8) -> U8:
    """uint8 [h, w, 3]: subject, uint8 [h, w, 3] times its alpha, over a background that a shadow darkens."""
    rest = cv2.multiply(cv2.bitwise_not(alpha), cv2.bitwise_not(shadow), scale=1 / 255)
    return cv2.add(premultiplied, cv2.multiply(behind, cv2.cvtColor(rest, cv2.COLOR_GRAY2RGB), scale=1 / 255)).astype(
        np.uint8, copy=False
    )


def over_nothing(premultiplied: U8, alpha: U8, shadow: U8) -> U8:
    """uint8 [h, w, 4], straight alpha: the subject, and a black shadow below it."""
    whole = cv2.add(alpha, cv2.multiply(cv2.bitwise_not(alpha), shadow, scale=1 / 255))
    share = np.maximum(cv2.cvtColor(whole, cv2.COLOR_GRAY2RGB), 1)
    straight = cv2.divide(premultiplied, share.astype(np.uint8), scale=255)
    return cv2.merge([cv2.copyTo(straight, whole), whole]).astype(np.uint8, copy=False)


@lru_cache(maxsize=4)
def _picture(path: str, digest: str) -> U8:
    """The pixels of a file, in sRGB. Raises PictureError: it cannot be read, or is not the one of the settings."""
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise PictureError("background", f"{path}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise PictureError("background", f"{path} was changed since the run began")
    try:
        picture = Picture(data, Limits())
        return as_srgb(picture.rgb(), picture.icc_profile)
    except PictureError as error:
        raise PictureError("background", f"{path}: {error.detail}") from error
