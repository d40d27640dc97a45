"""The parameters of `POST /v1.0/removebg`: read from text, checked, with remove.bg's own error codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from PIL import ImageColor

from ...stages.products.composition import NO_LENGTH, CompositionSettings, Four, Length
from ..errors import ApiError
from ..intake import Form

T = TypeVar("T")

SIZES = {  # canonical name -> megapixels of the result, at most; of a PNG in brackets in the documentation: 10
    "preview": 0.25,
    "medium": 1.5,
    "hd": 4.0,
    "full": 25.0,
    "50MP": 50.0,
    "auto": 25.0,
}
SIZE_NAMES = {**{name: name for name in SIZES}, "small": "preview", "regular": "preview", "4k": "full"}
TYPES = {  # type -> the category that the classify stage is told; empty: it finds out
    "auto": "",
    "person": "person",
    "product": "product",
    "car": "vehicle",
    "animal": "animal",
    "graphic": "cartoon",
    "graphics": "cartoon",
    "transportation": "vehicle",
    "car_interior": "product",  # cut out as things are, and without the shadow of a whole car
    "car_part": "product",
    "other": "",
}
FORMATS = ("auto", "png", "jpg", "zip", "webp")
MOST_MARGIN_PX, MOST_MARGIN_SHARE = 500.0, 0.5
LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)?")  # a bare number is in pixels
HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


@dataclass(frozen=True)
class Options:
    """Checked parameters.

    Attributes:
        hint: the category that `type` stands for, or empty.
        roi: x1, y1, x2, y2, or None for the whole picture.
        composition: how the result is made.
    """

    kind: str
    type_level: str
    roi: Four | None
    composition: CompositionSettings

    @property
    def hint(self) -> str:
        return TYPES[self.kind]


def read_options(form: Form) -> Options:
    """The parameters of a request. Raises ApiError 400 with remove.bg's code for the first that is wrong."""
    size = _choice(form, "size", SIZE_NAMES, "preview", "Invalid value for parameter 'size'")
    scale = _parsed(form, "scale", _scale, None)
    middle = (0.5, 0.5) if scale is not None else None  # where a scaled subject goes, unless said otherwise
    kind = _choice(form, "type", {name: name for name in TYPES}, "auto", "Invalid value for parameter 'type'")
    levels = {name: name for name in ("none", "1", "2", "latest")}
    _choice(form, "shadow_method", {"legacy": "", "latest": ""}, "latest")
    type_level = _choice(form, "type_level", levels, "1", "Invalid value for parameter 'type_level'")
    format = _choice(form, "format", {name: name for name in FORMATS}, "auto")
    roi = _parsed(form, "roi", _roi, None)
    composition = CompositionSettings.model_validate(
        {
            "megapixels": SIZES[size],
            "format": format,
            "crop": _flag(form, "crop", False),
            "margin": _parsed(form, "crop_margin", _margin, (NO_LENGTH,) * 4),
            "scale": scale,
            "position": _parsed(form, "position", _position, middle),
            "channels": _choice(
                form, "channels", {"rgba": "rgba", "alpha": "alpha"}, "rgba", "Invalid value for parameter 'channels'"
            ),
            "add_shadow": _flag(form, "add_shadow", False),
            "semitransparency": _flag(form, "semitransparency", True),
            "color": _parsed(form, "bg_color", _color, None),
        }
    )
    return Options(kind, type_level, roi, composition)


def _wrong(name: str, title: str = "") -> ApiError:
    return ApiError(400, f"invalid_{name}", title or f"Invalid {name} parameter given")


def _choice(form: Form, name: str, known: dict[str, str], default: str, title: str = "") -> str:
    text = form.text(name) or default
    if text not in known:
        raise _wrong(name, title)
    return known[text]


def _flag(form: Form, name: str, default: bool) -> bool:
    text = form.text(name).lower()
    if text in ("", "true", "false", "1", "0"):
        return text in ("true", "1") if text else default
    raise _wrong(name)


def _parsed(form: Form, name: str, parse: Callable[[str], T], default: T) -> T:
    text = form.text(name)
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        raise _wrong(name) from None


def _length(text: str) -> Length:
    found = LENGTH.fullmatch(text)
    if not found:
        raise ValueError(text)
    return Length(float(found[1]) / 100, True) if found[2] == "%" else Length(float(found[1]), False)


def _share(text: str, lowest: float) -> float:
    length = _length(text)
    if not (length.relative or length == NO_LENGTH) or not lowest <= length.value <= 1:  # 0 is 0 in any unit
        raise ValueError(text)
    return length.value


def _scale(text: str) -> float | None:
    return None if text == "original" else _share(text, 0.1)


def _position(text: str) -> tuple[float, float] | None:
    if text == "original":
        return None
    if text == "center":
        return 0.5, 0.5
    shares = [_share(word, 0) for word in text.split()]
    if not 1 <= len(shares) <= 2:
        raise ValueError(text)
    return shares[0], shares[-1]


def _roi(text: str) -> Four:
    x1, y1, x2, y2 = (_length(word) for word in text.split())  # ValueError where there are not four
    return x1, y1, x2, y2


def _margin(text: str) -> Four:
    """One value for all sides, two for top/bottom and left/right, or top, right, bottom, left."""
    lengths = [_length(word) for word in text.split()]
    if any(length.value > (MOST_MARGIN_SHARE if length.relative else MOST_MARGIN_PX) for length in lengths):
        raise ValueError(text)
    top, right, bottom, left = lengths * (4 // len(lengths)) if len(lengths) in (1, 2) else lengths
    return top, right, bottom, left


def _color(text: str) -> tuple[int, int, int, int]:
    digits = HEX.fullmatch(text)
    if digits:
        return _rgba(f"#{digits[1]}")
    if text.lower() in ImageColor.colormap:
        return _rgba(text.lower())
    raise ValueError(text)


def _rgba(color: str) -> tuple[int, int, int, int]:
    red, green, blue, *alpha = ImageColor.getrgb(color)
    return red, green, blue, alpha[0] if alpha else 255


def region(roi: Four, width: int, height: int) -> tuple[int, int, int, int]:
    """The region of interest in pixels, x1 and y1 exclusive. Raises ApiError 400: it is empty or outside."""
    x0, y0, x1, y1 = (round(length.of(side)) for length, side in zip(roi, (width, height) * 2, strict=True))
    if max(x0, x1) > width or max(y0, y1) > height:
        detail = "The given roi parameter defines a region that exceeds the image bounds"
        raise ApiError(400, "roi_exceeds_bounds", "ROI exceeds image bounds", detail)
    if x1 <= x0 or y1 <= y0:
        raise ApiError(
            400, "roi_region_empty", "ROI region is empty", "The given roi parameter defines an empty region"
        )
    return x0, y0, x1, y1
