"""A poster from its template: ground, cut-outs, decorations and texts over each other, in the order of their z."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..decode.colours import as_srgb
from ..decode.picture import Picture
from ..errors import PictureError
from ..item import Rect
from ..limits import Limits
from . import grounds
from .decorations import drawn
from .layers import Layer, resized
from .lettering import Lettering, set_text
from .poster_template import Decoration, Ground, PosterTemplate, SubjectPlace, TextBox, filled
from .shadows import contact_shadow

U8 = NDArray[np.uint8]
SOLID = 128  # alpha from which on a layer hides what is below
FINER = 4  # corners are drawn so much larger


@dataclass
class TextSet:
    """A text as it stands on a poster."""

    name: str
    box: TextBox
    lettering: Lettering


@dataclass
class SubjectSet:
    """A cut-out as it stands on a poster.

    Attributes:
        alpha: uint8 [h, w] of the canvas.
        hidden: bool [h, w]: what lies above.
    """

    place: SubjectPlace
    alpha: U8
    hidden: NDArray[np.bool_]

    @property
    def outside(self) -> int:
        """Pixels of it that lie outside its place."""
        x, y, w, h = self.place.box
        return int(np.count_nonzero(self.alpha)) - int(np.count_nonzero(self.alpha[y : y + h, x : x + w]))

    @property
    def covered(self) -> float:
        """Which share of it other layers hide."""
        solid = self.alpha >= SOLID
        return float((solid & self.hidden).sum() / max(1, solid.sum()))


@dataclass
class Layout:
    """A poster, and what stands on it.

    Attributes:
        pixels: uint8 [h, w, 3], sRGB.
    """

    pixels: U8
    texts: list[TextSet] = field(default_factory=list)
    subjects: list[SubjectSet] = field(default_factory=list)


def lay_out(template: PosterTemplate, subjects: Mapping[str, Layer], values: Mapping[str, str]) -> Layout:
    """Fills a template.

    Args:
        subjects: cut-outs in sRGB, by the names of their places.
        values: of the columns; what is empty or missing is the template's own.

    Raises:
        PictureError: `template`: a column has no value, a picture no cut-out, or a script cannot be set here.
    """
    known = {**template.data.values, **{name: value for name, value in values.items() if value}}
    lacking = [name for name in template.columns if name not in known]
    if lacking:
        raise PictureError("template", f"{template.name} takes {{{lacking[0]}}}, and there is no value for it")
    layout = Layout(_ground(template))
    parts: list[tuple[int, SubjectPlace | Decoration | tuple[int, TextBox]]] = [
        *((each.z, each) for each in template.data.decorations),
        *((each.z, each) for each in template.data.subjects),
        *((each.z, (number, each)) for number, each in enumerate(template.data.texts)),
    ]
    for _, part in sorted(parts, key=lambda pair: pair[0]):
        if isinstance(part, SubjectPlace):
            if part.name not in subjects:
                raise PictureError("template", f"{template.name} has a place for {part.name}, and there is no picture")
            _put_subject(layout, part, subjects[part.name])
        elif isinstance(part, Decoration):
            _put_decoration(layout, part, template)
        else:
            _put_text(layout, *part, template, known)
    return layout


def _ground(template: PosterTemplate) -> U8:
    ground: Ground = template.data.background
    width, height = template.data.canvas
    if ground.kind == "gradient":
        return grounds.gradient((width, height), ground.color, ground.color2, ground.angle)
    if ground.kind == "picture":
        picture = Picture(template.files[ground.picture], Limits())
        rgb = as_srgb(picture.rgb(), picture.icc_profile)
        return grounds.fitted(rgb, (width, height), ground.fit, ground.position, ground.color).copy()
    return np.full((height, width, 3), ground.color, np.uint8)


def placed(box: Rect, place: SubjectPlace) -> Rect:
    """Where on the canvas a subject's box, of the picture, comes to lie: as large as its place allows."""
    x, y, w, h = place.box
    wide, high = box[2] - box[0], box[3] - box[1]
    factor = place.scale * min(w / wide, h / high)
    width, height = max(1, min(w, round(wide * factor))), max(1, min(h, round(high * factor)))
    across = 0 if "left" in place.anchor else w - width if "right" in place.anchor else (w - width) // 2
    down = 0 if "top" in place.anchor else h - height if "bottom" in place.anchor else (h - height) // 2
    return x + across, y + down, x + across + width, y + down + height


def _put_subject(layout: Layout, place: SubjectPlace, subject: Layer) -> None:
    box = subject.box
    x0, y0, x1, y1 = placed(box, place)
    part = resized(subject.cut(box), x1 - x0, y1 - y0)
    height, width = layout.pixels.shape[:2]
    whole = Layer(part.rgb, part.alpha).cut((-x0, -y0, width - x0, height - y0))
    rgb = grounds.in_light_of(whole.rgb, whole.alpha, layout.pixels, place.light)
    if place.shadow == "contact":
        dark = cv2.cvtColor(cv2.bitwise_not(contact_shadow(whole.alpha)), cv2.COLOR_GRAY2RGB)
        layout.pixels = cv2.multiply(layout.pixels, dark, scale=1 / 255).astype(np.uint8, copy=False)
    _blend(layout, rgb, whole.alpha, (0, 0))
    layout.subjects.append(SubjectSet(place, whole.alpha, np.zeros((height, width), np.bool_)))


def _put_decoration(layout: Layout, decoration: Decoration, template: PosterTemplate) -> None:
    x, y, width, height = decoration.box
    if decoration.color is not None:
        rgb, alpha = np.full((height, width, 3), decoration.color, np.uint8), _rounded(decoration)
    else:
        try:
            data = template.files[decoration.file]
            rgba = drawn(Path(decoration.file), data, (width, height), decoration.fit)
        except ValueError as error:
            raise PictureError("template", str(error)) from error
        rgb, alpha = rgba[..., :3], rgba[..., 3]
    if decoration.opacity < 1:
        alpha = np.rint(alpha * decoration.opacity).astype(np.uint8)
    _blend(layout, rgb, alpha, (x, y))


def _rounded(decoration: Decoration) -> U8:
    """uint8 [h, w]: a rectangle with round corners, soft at the edge."""
    _, _, width, height = decoration.box
    if not decoration.radius:
        return np.full((height, width), 255, np.uint8)
    sheet = Image.new("L", (width * FINER, height * FINER))
    corners = (0, 0, width * FINER - 1, height * FINER - 1)
    ImageDraw.Draw(sheet).rounded_rectangle(corners, min(decoration.radius, width / 2, height / 2) * FINER, fill=255)
    return np.asarray(sheet.reduce(FINER))


def _put_text(layout: Layout, number: int, box: TextBox, template: PosterTemplate, values: dict[str, str]) -> None:
    text = filled(box.text, values)
    if not text:
        return
    x, y, width, height = box.box
    lettering = set_text(text, (width, height), template.style(number))
    _blend(layout, np.full((height, width, 3), box.color, np.uint8), lettering.ink, (x, y))
    layout.texts.append(TextSet(box.name or str(number + 1), box, lettering))


def _blend(layout: Layout, rgb: U8, alpha: U8, at: tuple[int, int]) -> None:
    """Lays straight colours over what is there; what leaves the canvas is lost."""
    (x, y), (height, width) = at, layout.pixels.shape[:2]
    top, left = max(0, -y), max(0, -x)
    rgb, alpha = rgb[top : height - y, left : width - x], alpha[top : height - y, left : width - x]
    if not alpha.size:
        return
    rows, columns = slice(y + top, y + top + alpha.shape[0]), slice(x + left, x + left + alpha.shape[1])
    share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    below = cv2.multiply(layout.pixels[rows, columns], cv2.bitwise_not(share), scale=1 / 255)
    layout.pixels[rows, columns] = cv2.add(cv2.multiply(np.ascontiguousarray(rgb), share, scale=1 / 255), below)
    for subject in layout.subjects:
        subject.hidden[rows, columns] |= alpha >= SOLID
