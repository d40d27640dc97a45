"""What a file says of itself: format, ending, size, colours, profile."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from ...decode.colours import is_srgb
from ...decode.picture import Picture
from ...errors import PictureError
from ...limits import Limits
from ...verdicts import Check, between, one_of
from ..preset_files import Between, OneOf

ENDINGS = {
    "jpeg": ("jpg", "jpeg"),
    "png": ("png",),
    "webp": ("webp",),
    "gif": ("gif",),
    "tiff": ("tif", "tiff"),
    "bmp": ("bmp",),
    "avif": ("avif",),
    "heif": ("heic", "heif"),
    "jpeg2000": ("jp2", "j2k"),
}
COLOURS = {
    "1": "grey",
    "L": "grey",
    "LA": "grey",
    "I;16": "grey",
    "I": "grey",
    "F": "grey",
    "CMYK": "CMYK",
    "LAB": "Lab",
}


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file without its pixels.

    Attributes:
        format: by its content, lower case: jpeg, png, …
        ending: of its name, lower case, without the dot.
        colours: RGB, RGBA, grey, CMYK or Lab.
        profile: sRGB, other or none.
        dpi: pixels per inch, or None.
    """

    format: str
    ending: str
    bytes: int
    width: int
    height: int
    colours: str
    profile: str
    dpi: tuple[float, float] | None


def read_file(data: bytes, ending: str, limits: Limits) -> tuple[FileFacts, Picture]:
    """A file's facts, and the picture in it, not decoded yet. Raises PictureError as `Picture` does."""
    picture = Picture(data, limits)
    kind = picture.format.lower()
    try:
        with Image.open(io.BytesIO(data)) as image:
            has_alpha = image.has_transparency_data
            mode = COLOURS.get(image.mode, "RGBA" if has_alpha else "RGB")
            icc: bytes = image.info.get("icc_profile") or b""
            named = "srgb" in image.info
    except (OSError, ValueError) as error:
        raise PictureError("decode_error", str(error)) from error
    profile = "sRGB" if named or (icc and is_srgb(icc)) else "other" if icc else "none"
    facts = FileFacts(kind, ending.lower(), len(data), picture.width, picture.height, mode, profile, picture.dpi)
    return facts, picture


def check_format(facts: FileFacts, rule: OneOf | None) -> list[Check]:
    """Whether the format is allowed, and whether the name says which it is."""
    if rule is None:
        return []
    endings = ENDINGS.get(facts.format, (facts.format,))
    return [one_of("format", facts.format, rule.one_of), one_of("ending", facts.ending, endings)]


def check_file(facts: FileFacts, rules: object, more: dict[str, tuple[float | None, str]]) -> list[Check]:
    """What every product's rules may ask of the file itself, as far as these rules do.

    Args:
        more: numbers that were measured on its pixels, {rule: (value, unit)}.
    """
    width, height = facts.width, facts.height
    found: dict[str, tuple[float | None, str]] = {
        "bytes": (facts.bytes, "bytes"),
        "width": (width, "px"),
        "height": (height, "px"),
        "longest_side": (max(width, height), "px"),
        "shortest_side": (min(width, height), "px"),
        "megapixels": (width * height / 1e6, ""),
        "aspect": (width / height, ""),
    }
    words = {"colours": facts.colours, "profile": facts.profile}
    asked = {name: rule for name in words if (rule := getattr(rules, name, None))}
    checks = [*check_format(facts, getattr(rules, "format", None)), *ranges(found | more, rules)]
    return checks + [one_of(name, words[name], rule.one_of) for name, rule in asked.items()]


def ranges(found: dict[str, tuple[float | None, str]], rules: object) -> list[Check]:
    """A check for each of some numbers, {rule: (value, unit)}, that has a rule."""
    checks = []
    for name, (value, unit) in found.items():
        rule: Between | None = getattr(rules, name, None)
        if rule is not None:
            checks.append(between(name, value, rule.min, rule.max, unit))
    return checks
