"""What an authority may ask of an ID photo. Each rule that a preset leaves out is not judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .preset_files import Between, Data, OneOf, Rule

Allowed = Literal["allowed", "forbidden", "unstated"]
Unit = Literal["share", "px", "mm"]


class Bounds(Between):
    """A number, and how strictly it is asked for."""

    strictness: Literal["must", "should"] = Field("must", description="should: one that is missed is for a person")


class Length(Bounds):
    """A length on the photo."""

    unit: Unit = Field("share", description="share of the photo's height (centre: width), px, or mm as it is printed")


class HeadLength(Length):
    """A length that ends at the top of the head."""

    crown: Literal["hair", "skull"] = Field(
        "skull", description="hair: the top of the hair; skull: of the head without it, which is estimated"
    )


class Paper(Rule):
    """The printed size."""

    width: float = Field(gt=0, description="mm")
    height: float = Field(gt=0, description="mm")


class Operations(Rule):
    """What may be done to the picture. What is forbidden is not done, whatever the options say."""

    background: Allowed = Field(description="another background")
    rotate: Allowed = Field(description="the head made upright")


class IdRules(Data):
    """Rules of `id_photo` presets."""

    operations: Operations = Field(description="what may be done to the picture besides cropping and scaling")
    paper: Paper | None = Field(None, description="printed size; mm are measured by it")
    format: OneOf | None = Field(None, description="jpeg, png, …; the file's ending must fit it")
    bytes: Between | None = Field(None, description="size of the file")
    compression: Between | None = Field(None, description="bytes of the pixels, 3 each, over those of the file")
    width: Between | None = Field(None, description="pixels")
    height: Between | None = Field(None, description="pixels")
    aspect: Between | None = Field(None, description="width over height")
    colours: OneOf | None = Field(None, description="RGB, CMYK or grey: how the file holds its colours")
    profile: OneOf | None = Field(None, description="sRGB, other or none: the colour profile in the file")
    density: Between | None = Field(None, description="pixels per inch that the file names")
    faces: Between | None = Field(None, description="how many faces there are")
    head: HeadLength | None = Field(None, description="from the chin to the top of the head")
    eyes: Length | None = Field(None, description="height of the eyes' line above the lower edge")
    above: HeadLength | None = Field(None, description="from the top of the head to the upper edge")
    below: Length | None = Field(None, description="from the chin to the lower edge")
    face_width: Length | None = Field(None, description="from side to side of the face, before the ears")
    eye_distance: Length | None = Field(None, description="between the middles of the eyes")
    centre: Length | None = Field(None, description="how far the face's middle is from the photo's")
    roll: Bounds | None = Field(None, description="degrees by which the eyes' line is turned")
    yaw: Bounds | None = Field(None, description="degrees by which the face is turned aside")
    pitch: Bounds | None = Field(None, description="degrees by which the face is raised or lowered")
    ground: Bounds | None = Field(None, description="lightness of the background, CIE L*, 0 to 100")
    ground_tint: Bounds | None = Field(None, description="how coloured the background is, CIE a*b*; 0: grey or white")
    ground_spread: Bounds | None = Field(None, description="how uneven the background is, CIE L*a*b*")
    light: Bounds | None = Field(None, description="lightness of the face, CIE L*, 0 to 100")
    detail: Bounds | None = Field(None, description="fine detail about the eyes; blurred faces have little")
