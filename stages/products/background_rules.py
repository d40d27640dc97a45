"""What may be asked of a picture with a new background."""

from __future__ import annotations

from pydantic import Field

from .preset_files import Between, Data, OneOf


class BackgroundRules(Data):
    """Rules of `background` presets. Each that a preset leaves out is not judged."""

    format: OneOf | None = Field(None, description="jpeg, png or webp; the file's ending must fit it")
    bytes: Between | None = Field(None, description="size of the file")
    width: Between | None = Field(None, description="pixels")
    height: Between | None = Field(None, description="pixels")
    aspect: Between | None = Field(None, description="width over height")
    colours: OneOf | None = Field(None, description="RGB, RGBA, CMYK or grey: how the file holds its colours")
    profile: OneOf | None = Field(None, description="sRGB, other or none: the colour profile in the file")
    clear: Between | None = Field(None, description="share of the frame's outermost pixels that is wholly transparent")
    steps: Between | None = Field(None, description="steepest step along the frame, levels: a smooth ground has none")
