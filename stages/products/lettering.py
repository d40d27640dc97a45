"""Text set in a box: broken into lines, as large as fits, from either side, and never outside the box.

Shaping and direction are Raqm's, through Pillow: letters join, marks sit where they belong, and a line of two
directions is ordered as Unicode says (UAX #9). Lines break at spaces, at U+200B, and between the letters of Chinese,
Japanese and Korean but for those that may not begin or end a line; scripts without spaces, as Thai, need U+200B.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from ..errors import PictureError
from .fonts import INSTALL, Face, Font, face_for, font

U8 = NDArray[np.uint8]
Align = Literal["start", "center", "end", "left", "right"]
Valign = Literal["top", "middle", "bottom"]

NO_START = set("、。，．・：；？！ー）」』】〉》〕］｝ぁぃぅぇぉっゃゅょァィゥェォッャュョ々…‥,.:;?!)]}%％")
NO_END = set("（「『【〈《〔［｛([{")
WIDE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH")  # how Unicode's names of letters begin
SHAPED = ("AL", "R")  # classes of letters that run from right to left
SHAPED_NAMES = ("DEVANAGARI", "BENGALI", "GUJARATI", "GURMUKHI", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "THAI",
                "LAO", "KHMER", "MYANMAR", "SINHALA", "TIBETAN")  # fmt: skip
MORE = "…"
SPACES = " \u200b"  # after which a line may break


class Style(NamedTuple):
    """How a text is set.

    Attributes:
        size, smallest: pixels; the largest size between them that fits is taken.
        lines: at most; 0: as many as there is room for.
        spacing: from baseline to baseline, as a share of the size.
    """

    faces: tuple[Face, ...]
    weight: int = 400
    size: int = 72
    smallest: int = 12
    align: Align = "start"
    valign: Valign = "top"
    direction: Literal["auto", "ltr", "rtl"] = "auto"
    language: str = ""
    wrap: bool = True
    lines: int = 0
    spacing: float = 1.2


@dataclass(frozen=True)
class Lettering:
    """A text as it was set.

    Attributes:
        ink: uint8 [h, w] of the box, 0..255: how much of each pixel is covered.
        size: pixels.
        lines: as they stand, in the order of reading.
        cut: whether it did not fit at the smallest size, so that some of it is left out.
        missing: letters that no font of the style has.
        outside: pixels of ink that would have lain outside the box.
    """

    ink: U8
    size: int
    lines: tuple[str, ...]
    cut: bool
    missing: str
    outside: int


class _Line(NamedTuple):
    text: str
    width: float
    left: float  # of the ink, from where the line begins
    right: float
    top: float  # of the ink, from the baseline; above it is negative
    bottom: float


def set_text(text: str, box: tuple[int, int], style: Style) -> Lettering:
    """Sets a text into a box of (width, height) pixels.

    Raises:
        PictureError: `template`: its script needs Raqm, which is not there.
    """
    text = unicodedata.normalize("NFC", text)
    paragraphs = [" ".join(each.split(" ")).strip() for each in text.splitlines()]
    if not style.wrap:
        paragraphs = [" ".join(paragraphs)]
    face, missing = face_for(text, style.faces)
    _check_shaping(text)
    direction = _direction(text) if style.direction == "auto" else style.direction
    units = [break_units(each) if style.wrap else [each] for each in paragraphs]
    attempt = partial(_attempt, units, box, style, face, direction)
    low, high = min(style.smallest, style.size), style.size
    found = attempt(high)
    if found is None:
        best, found = low, attempt(low)
        while found is not None and high - best > 1:
            middle = (best + high) // 2
            tried = attempt(middle)
            if tried is None:
                high = middle
            else:
                best, found = middle, tried
        high = best
    cut = found is None
    lines = found if found is not None else _cut(units, box, style, face, direction, low)
    ink, outside = _drawn(lines, box, style, face, direction, high)
    return Lettering(ink, high, tuple(line.text for line in lines), cut, missing, outside)


def break_units(text: str) -> list[str]:
    """The pieces of a paragraph between which a line may break; spaces stay at the end of the piece before them."""
    units: list[str] = []
    for at, letter in enumerate(text):
        before = text[at - 1] if at else ""
        if not units or (letter not in SPACES and _breaks(before, letter)):
            units.append("")
        units[-1] += letter
    return units


def _breaks(before: str, after: str) -> bool:
    if before and before in SPACES:
        return True
    if after in NO_START or before in NO_END or unicodedata.combining(after):
        return False
    return before == "-" or _is_wide(before) or _is_wide(after)


def _is_wide(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(WIDE)


def _direction(text: str) -> Literal["ltr", "rtl"]:
    """That of the first letter that has one (UAX #9, P2 and P3)."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", *SHAPED):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _check_shaping(text: str) -> None:
    if features.check("raqm"):
        return
    for letter in text:
        name = unicodedata.name(letter, "")
        if unicodedata.bidirectional(letter) in SHAPED or name.startswith(SHAPED_NAMES):
            raise PictureError(
                "template",
                f"{name.partition(' ')[0].capitalize()} letters need Raqm, which Pillow does not find: install FriBiDi "
                "(Debian: apt-get install libfribidi0; macOS: brew install fribidi)",
            )


def _options(loaded: Font, style: Style, direction: str) -> dict[str, Any]:
    if loaded.layout_engine != ImageFont.Layout.RAQM:  # Pillow's own font has none either
        return {}
    return {"direction": direction, "language": style.language or None}


def _measured(text: str, loaded: Font, options: dict[str, Any]) -> _Line:
    text = text.rstrip(SPACES)
    left, top, right, bottom = loaded.getbbox(text, anchor="ls", **options)
    return _Line(text, loaded.getlength(text, **options), left, right, top, bottom)


def _attempt(
    units: Sequence[Sequence[str]], box: tuple[int, int], style: Style, face: Face, direction: str, size: int
) -> list[_Line] | None:
    """The lines at a size; None where they do not fit the box."""
    lines = _broken(units, box[0], style, face, direction, size)
    limit = style.lines if style.wrap else 1
    if any(_span(line) > box[0] for line in lines) or (limit and len(lines) > limit):
        return None
    return lines if _height(lines, style, size) <= box[1] else None


def _broken(
    units: Sequence[Sequence[str]], width: int, style: Style, face: Face, direction: str, size: int
) -> list[_Line]:
    """As much in each line as fits its width."""
    loaded = font(face, size, style.weight)
    options = _options(loaded, style, direction)
    lines: list[str] = []
    for paragraph in units:
        held = ""
        for unit in paragraph:
            if held and loaded.getlength((held + unit).rstrip(SPACES), **options) > width:
                lines.append(held)
                held = ""
            held += unit
        lines.append(held)
    return [_measured(line, loaded, options) for line in lines]


def _span(line: _Line) -> float:
    """The width that a line needs: of its ink, or of what it moves on, whichever is more."""
    return max(line.width, line.right) - min(0.0, line.left)


def _height(lines: Sequence[_Line], style: Style, size: int) -> float:
    """From the highest ink to the lowest."""
    step = style.spacing * size
    tops = [number * step + line.top for number, line in enumerate(lines)]
    bottoms = [number * step + line.bottom for number, line in enumerate(lines)]
    return float(np.ceil(max(bottoms)) - np.floor(min(tops))) if lines else 0.0


def _cut(
    units: Sequence[Sequence[str]], box: tuple[int, int], style: Style, face: Face, direction: str, size: int
) -> list[_Line]:
    """What there is room for at the smallest size; what is left out is marked by an ellipsis."""
    loaded = font(face, size, style.weight)
    options = _options(loaded, style, direction)
    lines = _broken(units, box[0], style, face, direction, size)
    shown = lines[: style.lines or len(lines)] if style.wrap else lines[:1]
    while shown and _height(shown, style, size) > box[1]:
        shown = shown[:-1]
    fitted = []
    for number, line in enumerate(shown):
        more = number == len(shown) - 1 and len(shown) < len(lines)
        text = line.text
        found = _measured(text + MORE, loaded, options) if more else line
        while text and _span(found) > box[0]:
            text = text[:-1]
            found = _measured(text.rstrip() + MORE, loaded, options)
        if _span(found) <= box[0]:
            fitted.append(found)
    return fitted if _height(fitted, style, size) <= box[1] else []


def _drawn(
    lines: Sequence[_Line], box: tuple[int, int], style: Style, face: Face, direction: str, size: int
) -> tuple[U8, int]:
    """The ink in the box, uint8 [h, w], and how many pixels of it lie outside: it is drawn with room around."""
    width, height = box
    loaded = font(face, size, style.weight)
    options = _options(loaded, style, direction)
    room = 2 * size
    sheet = Image.new("L", (width + 2 * room, height + 2 * room))
    draw = ImageDraw.Draw(sheet)
    step = style.spacing * size
    high = _height(lines, style, size)
    top = min((number * step + line.top for number, line in enumerate(lines)), default=0.0)
    spare = {"top": 0.0, "middle": (height - high) / 2, "bottom": height - high}[style.valign]
    first = round(spare - np.floor(top))
    side = {"start": "left", "end": "right"} if direction == "ltr" else {"start": "right", "end": "left"}
    align = side.get(style.align, style.align)
    for number, line in enumerate(lines):
        at = {"left": 0.0, "center": (width - line.width) / 2, "right": width - line.width}[align]
        at = min(max(at, -line.left), width - max(line.right, 0.0))  # ink may reach further than the line moves on
        place = (room + round(at), room + first + round(number * step))
        draw.text(place, line.text, fill=255, font=loaded, anchor="ls", **options)
    ink = np.asarray(sheet)
    inside = ink[room : room + height, room : room + width]
    return inside.copy(), int(np.count_nonzero(ink)) - int(np.count_nonzero(inside))


def missing_message(missing: str) -> str:
    """What to do about letters that no font has."""
    shown = " ".join(missing[:8])
    return f"none has {shown}: name a font that does; {INSTALL}"
