"""ID photos: the head upright, in the size and at the place that an authority asks for."""

from __future__ import annotations

import io
import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, model_validator

from ..decode.colours import as_srgb, srgb_profile
from ..errors import Refused
from ..faces.head import Head, measure_head
from ..item import Output
from ..verdicts import Check, Verdict, between, judged
from .base import Matte, Product, ProductSettings
from .byte_limits import fitted
from .encode import Tags, jpeg, png
from .id_layout import Layout, Room, layout
from .id_refusals import check_face, check_look, the_face
from .id_render import cropped, rendered
from .id_rules import IdRules
from .placing import SIDES, cut_sides
from .preset_files import PresetSettings, read_preset
from .print_sheets import SheetPlan, plan_sheet, print_sheet
from .verify.id_photo import check_id, check_pixels

U8 = NDArray[np.uint8]
Side = Annotated[int, Field(gt=0, le=10_000)]
Channel = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(gt=0, lt=1)]
DEFAULT = "icao"  # the preset that a photo is made for, and not judged by, where none is named
KEPT = "background_kept"  # a fact of what is made


class IdPhotoSettings(PresetSettings):
    """Options of `id_photo`."""

    Rules: ClassVar[type[BaseModel]] = IdRules
    product: ClassVar[str] = "id_photo"

    size: tuple[Side, Side] = Field((413, 531), description="width and height, pixels")
    largest: tuple[Side, Side] | None = Field(
        None,
        description="where the background is kept: up to this size the picture's own pixels are taken as they are, "
        "unscaled; null: always size",
    )
    dpi: float = Field(300, ge=72, le=1200, description="pixels per inch that the file names, and of a print sheet")
    background: tuple[Channel, Channel, Channel] | None = Field(
        (255, 255, 255),
        description="RGB, 0 to 255; null: the picture's own, as always where the preset forbids another one",
    )
    head: Share | None = Field(
        None, description="wanted height of the head, share of the photo's; null: the middle of what the rules allow"
    )
    eyes: Share | None = Field(
        None, description="wanted height of the eyes above the lower edge, share; null: likewise"
    )
    max_enlarge: float = Field(1.5, ge=1, le=8, description="how much a picture is enlarged at most")
    max_turn: float = Field(
        12, gt=0, le=45, description="degrees that the face may be turned aside; up or down: half as much again"
    )
    max_roll: float = Field(20, ge=0, le=45, description="degrees that the head is turned upright at most")
    format: Literal["jpeg", "png"] = Field("jpeg", description="of the file")
    quality: int = Field(95, ge=1, le=100, description="of jpeg, which is never colour-subsampled")
    min_quality: int = Field(40, ge=1, le=100, description="of jpeg: how low it may go to fit a preset's bytes")
    sheet: Literal["none", "10x15", "5inch", "6inch", "a4"] = Field(
        "none", description="a print sheet full of copies, with marks to cut along, instead of the photo"
    )

    @model_validator(mode="after")
    def _fits(self) -> IdPhotoSettings:
        if self.largest and (
            self.largest[0] < self.size[0] or self.largest[0] * self.size[1] != self.largest[1] * self.size[0]
        ):
            raise ValueError("largest: must be of the same shape as size, and not smaller")
        if self.sheet != "none":
            self.plan()
        return self

    @property
    def asked(self) -> IdRules:
        """The rules that it is made for: its preset's, or else those of `DEFAULT`."""
        found: IdRules = self.rules or read_preset(DEFAULT).rules
        return found

    def plan(self) -> SheetPlan:
        """The print sheet. Raises ValueError: the photo does not fit on it."""
        return plan_sheet(self.sheet, self.size, self.dpi)

    def most_pixels(self, width: int, height: int, max_pixels: int) -> int:
        if self.sheet != "none":
            plan = self.plan()
            return plan.width * plan.height
        return max(side[0] * side[1] for side in (self.size, self.largest or self.size))


class IdPhoto(Product[IdPhotoSettings]):
    """RGB in sRGB, its density named. Where a preset forbids another background or turning, it is cropped and scaled.

    A photo is refused, with a reason, where no rule could be kept: see `id_refusals`.
    """

    Settings: ClassVar[type[ProductSettings]] = IdPhotoSettings
    of_faces: ClassVar[bool] = True

    def make(self, matte: Matte) -> Output:
        """Raises Refused: what the picture shows gives no ID photo."""
        s, rules = self.settings, self.settings.asked
        keep = s.background is None or rules.operations.background == "forbidden"
        turn = rules.operations.rotate != "forbidden"
        rgb = as_srgb(matte.picture.colours(), matte.picture.icc_profile)
        face = the_face(matte.faces, None if keep else matte.alpha)
        head = measure_head(face, matte.alpha)
        check_face(head, (rgb.shape[1], rgb.shape[0]), s.max_turn, s.max_roll if turn else None)
        place = layout(head, rules, s.size, room_around(head, matte, keep, turn), (s.head, s.eyes))
        if isinstance(place, str):
            raise Refused("no_room", place)
        if place.scale > s.max_enlarge * (1 + 1e-6):
            raise Refused(
                "face_too_small",
                f"the picture would have to be enlarged {place.scale:.1f} times; at most {s.max_enlarge:g} are allowed",
            )
        check_look(face, rgb)
        if keep and not turn:
            pixels = cropped(rgb, head, place, s.largest if s.sheet == "none" else None)
        elif keep:
            pixels = rendered(rgb, None, head, place, (255, 255, 255))
        else:
            colours = as_srgb(matte.foreground, matte.picture.icc_profile)
            pixels = rendered(colours, matte.alpha, head, place, s.background or (255, 255, 255))
        made = self._encoded(pixels, place)
        made.facts = {KEPT: int(keep)}
        return made

    def verify(self, made: Output, name: str) -> Verdict | None:
        s, rules = self.settings, self.settings.rules
        if rules is None:
            return None
        checks = self._check_sheet(made) if s.sheet != "none" and made.facts else check_id(made.data, made.ext, rules)
        if made.facts and rules.operations.background == "forbidden":
            checks.append(Check("background", "kept" if made.facts[KEPT] else "replaced", "kept", "pass"))
        return judged(name, s.preset, checks)

    def _encoded(self, pixels: U8, place: Layout) -> Output:
        s, rules = self.settings, self.settings.asked
        tags = Tags(srgb_profile(), (s.dpi, s.dpi))
        low, high = (rules.bytes.min, rules.bytes.max) if rules.bytes else (None, None)
        if s.sheet != "none":
            pixels, low, high = print_sheet(pixels, s.plan(), s.dpi), None, None
        elif rules.compression and rules.compression.max:
            low = max(low or 0, pixels.size / rules.compression.max)
        if s.format == "png":
            return Output(png(pixels, tags), "png")
        return Output(fitted(lambda quality: jpeg(pixels, tags, quality), s.quality, s.min_quality, low, high), "jpg")

    def _check_sheet(self, made: Output) -> list[Check]:
        """The sheet's size, and the rules on what a photo shows for its first copy."""
        plan, (width, height) = self.settings.plan(), self.settings.size
        with Image.open(io.BytesIO(made.data)) as image:
            dpi = float(image.info.get("dpi", (0, 0))[0])
            sheet = np.asarray(image.convert("RGB"))
        x, y = plan.corners[0]
        wanted = self.settings.dpi
        return [
            between("sheet_width", sheet.shape[1], plan.width, plan.width, "px"),
            between("sheet_height", sheet.shape[0], plan.height, plan.height, "px"),
            between("sheet_density", round(dpi, 1), math.floor(wanted), math.ceil(wanted), "dpi"),
            *check_pixels(sheet[y : y + height, x : x + width], self.settings.rules),
        ]


def room_around(head: Head, matte: Matte, keep: bool, turn: bool) -> Room:
    """How far from the eyes the picture reaches; endlessly where a new ground may go on."""
    height, width = matte.alpha.shape
    x, y = (float(value) for value in head.face.middle)
    if keep and not turn:
        return Room(x, y, width - x, height - y)
    slant = abs(math.tan(head.angle))
    lean = math.cos(head.angle)
    reach = Room(x * lean, y * lean, (width - x) * lean, (height - y) * lean, slant)
    if keep:
        aside = slant * height / 2
        return Room(reach.left - aside, reach.up - slant * width / 2, reach.right - aside, reach.down, slant)
    cut = cut_sides(matte.alpha, matte.box)
    ends = dict(zip(("left", "up", "right"), reach[:3], strict=True))
    free = {end: math.inf for end, side in zip(ends, SIDES, strict=False) if side not in cut}
    return reach._replace(**free)
