"""The subject on a canvas: size, margins, scale, position, shadow, background. What remove.bg's API can ask for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from ..decode.picture import Picture
from ..errors import PictureError
from ..item import Output, Rect
from .base import Matte, Product, ProductSettings
from .layers import Layer, encoded, encoded_mask, flatten, ground_shadow, move, shrink, solid

PNG_MEGAPIXELS = 10.0
SHADOWED = "vehicle"  # the category that gets a shadow, as remove.bg has it


class Length(NamedTuple):
    """A length in pixels, or a share (1.0 is 100%) of something."""

    value: float
    relative: bool

    def of(self, whole: float) -> float:
        return self.value * whole if self.relative else self.value


NO_LENGTH = Length(0, False)
Four = tuple[Length, Length, Length, Length]


class CompositionSettings(ProductSettings):
    """How the subject stands on its canvas."""

    megapixels: float = Field(25.0, gt=0, description="of the result, at most")
    format: Literal["auto", "png", "jpg", "zip", "webp"] = "auto"
    channels: Literal["rgba", "alpha"] = "rgba"
    crop: bool = Field(False, description="to the subject and its margins")
    margin: Four = Field((NO_LENGTH,) * 4, description="top, right, bottom, left, around the cropped subject")
    scale: float | None = Field(None, description="of the subject against the canvas, 0.1 to 1; None leaves it")
    position: tuple[float, float] | None = Field(None, description="horizontal, vertical, each 0 to 1; None leaves it")
    add_shadow: bool = Field(False, description="below vehicles")
    semitransparency: bool = Field(True, description="False: half transparent regions become opaque")
    color: tuple[int, int, int, int] | None = Field(None, description="of the background, RGBA, 0..255")
    background: bytes = Field(b"", description="a picture's bytes, encoded; it fills the canvas", repr=False)
    background_pixels: int = Field(0, description="the background's width times its height")

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        result = width * height
        if self.crop:  # what its margins make of a small part is not known yet
            x0, y0, x1, y1 = with_margins((0, 0, width, height), self.margin)
            result = max(result, min(max_pixels, (x1 - x0) * (y1 - y0)))
        return result + self.background_pixels


class Composition(Product[CompositionSettings]):
    """The facts of its output are the result's size and the subject's box in it, pixels."""

    Settings = CompositionSettings

    def make(self, matte: Matte) -> Output:
        """Raises PictureError: `background` cannot be read, or `too_many_pixels` with the margins."""
        layer = Layer(matte.foreground, matte.alpha)
        if self.settings.add_shadow and matte.item.category == SHADOWED:
            layer.shadow = ground_shadow(matte.alpha)
        made, (x0, y0, x1, y1), (width, height) = compose(
            layer, self.settings, self._background(matte), matte.picture, matte.item.limits.max_pixels
        )
        made.facts = {
            "width": width,
            "height": height,
            "foreground_left": x0,
            "foreground_top": y0,
            "foreground_width": x1 - x0,
            "foreground_height": y1 - y0,
        }
        return made

    def _background(self, matte: Matte) -> Picture | None:
        if not self.settings.background:
            return None
        try:
            picture = Picture(self.settings.background, matte.item.limits)
            picture.rgb()
        except PictureError as error:
            raise PictureError("background", error.detail) from error
        return picture


def compose(
    layer: Layer, settings: CompositionSettings, background: Picture | None, source: Picture, max_pixels: int
) -> tuple[Output, Rect, tuple[int, int]]:
    """The finished file, of at most `max_pixels`.

    Raises:
        PictureError: the margins make it larger.

    Returns:
        The file, the subject's box in it, and its width and height.
    """
    opaque = background is not None or (settings.color is not None and settings.color[3] == 255)
    is_png = settings.format == "png" or (settings.format == "auto" and not opaque) or settings.channels == "alpha"
    layer = shrink(layer, min(settings.megapixels, PNG_MEGAPIXELS) if is_png else settings.megapixels)
    if not settings.semitransparency:
        layer.alpha = solid(layer.alpha)
    if settings.scale is not None or settings.position is not None:
        layer = move(layer, settings.scale, settings.position)
    if settings.crop:
        x0, y0, x1, y1 = with_margins(layer.box, settings.margin)
        if (x1 - x0) * (y1 - y0) > max_pixels:
            detail = f"{x1 - x0}x{y1 - y0} pixels with the margins; the limit is {max_pixels:,}"
            raise PictureError("too_many_pixels", detail)
        layer = layer.cut((x0, y0, x1, y1))
    height, width = layer.alpha.shape
    if settings.channels == "alpha":
        return encoded_mask(layer.alpha, settings.format, source), layer.box, (width, height)
    rgb, alpha = flatten(layer, settings.color, background)
    return encoded(rgb, alpha, settings.format, source), layer.box, (width, height)


def with_margins(box: Rect, margin: Four) -> Rect:
    """A box with margins (top, right, bottom, left) around it; shares are of the box."""
    x0, y0, x1, y1 = box
    top, right, bottom, left = (
        round(length.of(side)) for length, side in zip(margin, (y1 - y0, x1 - x0) * 2, strict=True)
    )
    return x0 - left, y0 - top, x1 + right, y1 + bottom
