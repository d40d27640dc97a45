"""One part of a person: the portrait, the head, the face or the hair alone."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import Refused
from ..faces.find import Face
from ..faces.head import measure_head
from ..faces.parts import HeadParts
from ..item import Output, Rect
from ..verdicts import Check, Verdict, between, judged
from .base import Matte, ProductSettings
from .cutout import Cutout, CutoutSettings
from .verify.id_photo import PITCH

U8 = NDArray[np.uint8]
Name = Literal["portrait", "head", "face", "hair"]

# Beyond these, parts were told apart badly; see docs/products.md for how well within them.
MIN_WIDTH = 40  # pixels of the face's width
MAX_TURN = 30.0  # degrees aside
MAX_TIP = 30.0  # degrees up or down
MIN_APART = 0.55  # how well the part's colours tell it from its neighbours; by chance 0.5
MAX_TOUCHED = 0.1  # of the head's outline above the jaw: it was cut off from what it touches, perhaps wrongly
MIN_NATURAL = 0.6  # of the hair: caps, helmets and things were mostly of other colours
MIN_HAIR = 0.4  # of the head: shorter hair was often confused with the forehead
# A bust, in heights of the head from chin to crown
CHEST, SHOULDERS = 0.75, 1.15  # below the chin; from the face's middle to each side


class PartSettings(CutoutSettings):
    """Options of `part`: which, and those of `cutout`."""

    name: Name = Field(
        "head",
        description="portrait: head, shoulders and chest, cut straight below; head: with hair, ears and neck; face: "
        "without ears, hair and neck; hair: on the head, without brows and beard",
    )
    crop: bool = Field(True, description="cut down to the part; off keeps the picture's size")


class Part(Cutout):
    """RGBA as a cut-out, of one part of every person whose face is found.

    Where a part cannot be told well its verdict is `unknown`, which means low confidence: look yourself.
    """

    Settings: ClassVar[type[ProductSettings]] = PartSettings
    of_faces: ClassVar[bool] = True
    settings: PartSettings

    def make(self, matte: Matte) -> Output:
        """Raises Refused: no face was found in what was cut out, or nothing of the part."""
        if not matte.people:
            raise Refused("no_face", "no face was found in what was cut out, or none that looks at the camera")
        name, whole = self.settings.name, matte.alpha
        alpha = np.zeros_like(whole)
        checks: list[Check] = []
        if name == "portrait":
            for face in matte.people:
                x0, y0, x1, y1 = bust(face, whole)
                alpha[y0:y1, x0:x1] = whole[y0:y1, x0:x1]
                checks += _checks(face, None, name)
        else:
            for face, head in zip(matte.people, matte.heads, strict=True):
                (x0, y0, x1, y1), own = head.alpha(name, matte.picture.colours(), whole)
                np.maximum(alpha[y0:y1, x0:x1], own, out=alpha[y0:y1, x0:x1])
                checks += _checks(face, head, name)
        if not alpha.any():
            raise Refused("no_part", f"nothing of the picture is {name}")
        made = super().make(Matte(matte.picture, alpha, matte.item))
        made.checks = _worst(checks)
        return made

    def frame(self, matte: Matte) -> Rect:
        x0, y0, x1, y1 = super().frame(matte)
        if self.settings.name == "portrait":  # no margin below, where it is cut straight
            y1 = matte.box[3]
        return x0, y0, x1, y1

    def verify(self, made: Output, name: str) -> Verdict | None:
        return judged(name, self.settings.name, made.checks) if made.checks else None


def bust(face: Face, alpha: U8) -> Rect:
    """Head, shoulders and chest around a face, as far as the picture goes."""
    head = measure_head(face, alpha)
    crown = head.hair if head.known else head.skull
    tall = head.chin + head.skull
    x, y = (float(value) for value in face.middle)
    height, width = alpha.shape
    lean = abs(math.sin(head.angle))
    top = y - crown - (0.5 + lean) * tall
    below = y + head.chin + CHEST * tall
    aside = SHOULDERS * tall
    return (
        max(0, round(x - aside)),
        max(0, round(top)),
        min(width, max(1, round(x + aside))),
        min(height, max(1, round(below))),
    )


def _checks(face: Face, found: HeadParts | None, name: Name) -> list[Check]:
    """What speaks for the part; none of it can fail, only be too little."""
    checks = [
        between("face_width", round(face.width), MIN_WIDTH, None, "px"),
        between("turn", round(abs(face.yaw), 1), None, MAX_TURN, "degrees"),
        between("tip", round(abs(face.pitch - PITCH), 1), None, MAX_TIP, "degrees"),
    ]
    if found is not None and name in ("head", "hair"):
        checks.append(between("colours_apart", round(found.apart[name], 2), MIN_APART, 1))
        checks.append(between("touched", round(found.touched, 2), None, MAX_TOUCHED))
    if found is not None and name == "hair":
        checks.append(between("hair_seen", round(found.hair, 2), MIN_HAIR, 1))
        checks.append(between("hair_colour", round(found.natural, 2), MIN_NATURAL, 1))
    for check in checks:
        check.verdict = "pass" if check.verdict == "pass" else "unknown"
    return checks


def _worst(checks: list[Check]) -> list[Check]:
    """One check of each name: that of the person of whom it is least sure."""
    chosen: dict[str, Check] = {}
    for check in checks:
        if check.name not in chosen or (chosen[check.name].verdict, check.verdict) == ("pass", "unknown"):
            chosen[check.name] = check
    return list(chosen.values())
