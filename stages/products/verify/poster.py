"""Judges a poster: its file, and what stands on it, measured on the finished file's pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...limits import DEFAULT_LIMITS, Limits
from ...verdicts import Check, between, one_of
from ..lettering import missing_message
from ..poster_layout import Layout, TextSet
from ..preset_files import OneOf
from .files import FileFacts, check_format, read_file

U8 = NDArray[np.uint8]
FORMATS = OneOf(source="own", status="verified", one_of=("png", "jpeg", "webp"))
CORE = 200  # of 255: so much ink is the text's own colour
WORST = 10  # percentile of what is around a text that its contrast is measured against


def check_poster(
    data: bytes, ending: str, canvas: tuple[int, int], layout: Layout | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[Check]:
    """All that is asked of a poster.

    Args:
        data: the file. ending: of its name, without the dot.
        canvas: of the template, (width, height).
        layout: what stands on it; None: only the file is judged.
    """
    try:
        facts, picture = read_file(data, ending, limits)
        rgb = picture.rgb()
    except PictureError as error:
        return [Check("readable", error.reason, "a picture", "fail")]
    checks = check_file_of(facts, canvas)
    if layout is None or rgb.shape[:2] != canvas[::-1]:
        return checks
    for text in layout.texts:
        checks += _of_text(rgb, text)
    for subject in layout.subjects:
        name = f"subject {subject.place.name}"
        checks.append(between(f"{name}: outside its place", subject.outside, None, 0, "px"))
        checks.append(between(f"{name}: hidden", subject.covered, None, subject.place.hidden, "of it"))
    return checks


def check_file_of(facts: FileFacts, canvas: tuple[int, int]) -> list[Check]:
    """Whether the file itself is as a template's posters are."""
    width, height = canvas
    return [
        *check_format(facts, FORMATS),
        between("width", facts.width, width, width, "px"),
        between("height", facts.height, height, height, "px"),
        one_of("colours", facts.colours, ("RGB",)),
        one_of("profile", facts.profile, ("sRGB",)),
    ]


def _of_text(rgb: U8, text: TextSet) -> list[Check]:
    name, lettering = f"text {text.name}", text.lettering
    smallest = min(text.box.smallest, text.box.size)
    fits = between(f"{name}: size", lettering.size, smallest, None, "px")
    if lettering.cut:
        fits = Check(f"{name}: size", "cut short", f"all of it, at {smallest} px or more", "fail")
    letters = Check(f"{name}: letters", "all", "a font has each of them", "pass")
    if lettering.missing:
        letters = Check(f"{name}: letters", missing_message(lettering.missing), "a font has each of them", "fail")
    outside = between(f"{name}: outside its box", lettering.outside, None, 0, "px")
    return [fits, letters, outside, between(f"{name}: contrast", contrast(rgb, text), text.box.contrast, None)]


def contrast(rgb: U8, text: TextSet) -> float | None:
    """Contrast, 1 to 21, of a text to what is around its letters, by WCAG 2.2; where it is low, not where it is best.

    None where too little of a text has its own colour: letters of a pixel's width.
    """
    x, y, w, h = text.box.box
    ink = text.lettering.ink
    reach = max(1, text.lettering.size // 12)
    near = cv2.dilate(ink, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    around, core = near & (cv2.dilate(ink, np.ones((3, 3), np.uint8)) == 0), ink >= CORE
    if core.sum() < 20 or around.sum() < 20:
        return None
    light = luminance(rgb[y : y + h, x : x + w])
    own, ground = float(np.median(light[core])), light[around]
    ratios = (np.maximum(own, ground) + 0.05) / (np.minimum(own, ground) + 0.05)
    return float(np.percentile(ratios, WORST))


def luminance(rgb: U8) -> NDArray[np.float64]:
    """Relative luminance of sRGB, 0 to 1, by WCAG 2.2."""
    share = rgb.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array((0.2126, 0.7152, 0.0722))
