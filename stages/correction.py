"""What a person says of one matte: boxes around subjects, places and strokes to keep or to drop, the matte so far."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import PictureError

U8 = NDArray[np.uint8]
Point = tuple[float, float]  # x, y in pixels of the upright picture
Corners = tuple[float, float, float, float]  # x0, y0, x1, y1 likewise, x1 and y1 exclusive
MOST = 64  # boxes and places of one correction, each: every place is a search of its own
LONGEST = MOST * 256  # characters of a text that gives them
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Correction:
    """What is to be otherwise; it travels with a request.

    Attributes:
        boxes: the subjects are in here, and nothing of them elsewhere: the picture is cut out anew.
        keep: places that belong to the subject, with what is like them around.
        drop: places that do not.
        strokes: a PNG of the upright picture's size, with transparency: white is kept, black is dropped, what is
            transparent is left to the networks, and what is half transparent goes half the way; empty: none.
        follow: whether what is like a stroke and lies beside it is meant, too, up to its edge; else the stroke alone.
        matte: the matte so far, a PNG of the upright picture's size: grey, or with transparency as a cut-out is. What
            no mark touches stays as it is there. Empty: the picture is cut out first.
    """

    boxes: tuple[Corners, ...] = ()
    keep: tuple[Point, ...] = ()
    drop: tuple[Point, ...] = ()
    strokes: bytes = b""
    follow: bool = True
    matte: bytes = b""

    @property
    def marks(self) -> bool:
        """Whether there are places or strokes."""
        return bool(self.keep or self.drop or self.strokes)

    def answered(self, hint: str) -> frozenset[str]:
        """Stages that the matte so far has answered already; a category that is given is still entered."""
        found = {"filter", "detect", "coarse"} | (set() if hint else {"classify"})
        return frozenset(found if self.matte else ())

    def check(self, width: int, height: int) -> None:
        """Raises PictureError `correction`: it is not for a picture of that size."""
        picture = f"the picture has {width} x {height} pixels"
        for name, places in (("box", self.boxes), ("keep", self.keep), ("drop", self.drop)):
            if len(places) > MOST:
                raise _wrong(f"{name}: {len(places)} are given; at most {MOST} in one correction")
        for name, places in (("keep", self.keep), ("drop", self.drop)):
            for x, y in places:
                if not (0 <= x < width and 0 <= y < height):
                    raise _wrong(f"{name} {x:g},{y:g} lies outside: {picture}")
        for box in self.boxes:
            x0, y0, x1, y1 = box
            told = f"box {','.join(f'{each:g}' for each in box)}"
            if x1 - x0 < 1 or y1 - y0 < 1:
                raise _wrong(f"{told} has no extent: give x0,y0,x1,y1 with x0 < x1 and y0 < y1")
            if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                raise _wrong(f"{told} reaches outside: {picture}")
        if self.boxes and self.matte:
            raise _wrong("a box has the picture cut out anew: give it without the matte so far")
        for name, data in (("strokes", self.strokes), ("matte", self.matte)):
            if data and _size(data, name) != (width, height):
                raise _wrong(f"{name}: {' x '.join(map(str, _size(data, name)))} pixels, but {picture}")

    def matte_so_far(self) -> U8:
        """uint8 [H, W], 0..255. Raises PictureError `correction`: it cannot be decoded."""
        pixels = _pixels(self.matte, "matte")
        if pixels.ndim == 2:
            return pixels
        with_alpha = pixels.shape[2] == 4 and bool((pixels[..., 3] < 255).any())
        return np.ascontiguousarray(pixels[..., 3 if with_alpha else 1])

    def painted(self) -> NDArray[np.int16] | None:
        """The strokes, int16 [H, W]: from -255, surely dropped, over 0, nothing said, to 255, surely kept; or None.

        Raises PictureError `correction`: they cannot be decoded, or have no transparency.
        """
        if not self.strokes:
            return None
        pixels = _pixels(self.strokes, "strokes")
        if pixels.ndim == 2 or pixels.shape[2] != 4:
            raise _wrong("strokes: the PNG has no transparency: paint white and black on nothing")
        said = pixels[..., 3].astype(np.int16)
        return np.asarray(np.where(pixels[..., 1] > 127, said, -said), np.int16)


def read_places(texts: Sequence[str], name: str) -> tuple[Point, ...]:
    """Places of texts: `x,y` each, or several, divided by blanks or semicolons, or as a JSON list of lists.

    Raises:
        ValueError: says what is wrong.
    """
    numbers = [pair for text in texts for pair in _groups(text, name, "x,y")]
    return tuple((x, y) for x, y in numbers)


def read_boxes(texts: Sequence[str], name: str = "box") -> tuple[Corners, ...]:
    """Boxes of texts, `x0,y0,x1,y1` each; otherwise as `read_places`."""
    numbers = [four for text in texts for four in _groups(text, name, "x0,y0,x1,y1")]
    return tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in numbers)


def _groups(text: str, name: str, form: str) -> list[list[float]]:
    many = form.count(",") + 1
    if len(text) > LONGEST:  # before a million numbers are made of it
        raise ValueError(f"{name}: a text of {len(text):,} characters; one correction has at most {MOST} of {form}")
    words = [word for word in re.split(r"[\s,;\[\]]+", text) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if not all(map(math.isfinite, numbers)) or not numbers or len(numbers) % many:
        raise ValueError(f"{name}: {text.strip()[:80]!r} is not {form}: give whole pixels of the upright picture")
    return [numbers[start : start + many] for start in range(0, len(numbers), many)]


def _size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height that a PNG's header tells."""
    if data[:8] != PNG or len(data) < 33:
        raise _wrong(f"{name}: this is no PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _pixels(data: bytes, name: str) -> U8:
    """uint8 [H, W] or [H, W, 3 or 4], the first 8 bits of each channel."""
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        found = None
    if found is None:
        raise _wrong(f"{name}: the PNG is damaged")
    return np.asarray(found // 256 if found.dtype == np.uint16 else found, np.uint8)


def _wrong(detail: str) -> PictureError:
    return PictureError("correction", detail)
