"""What a shop may ask of a picture on white. Each rule that a preset leaves out is not judged."""

from __future__ import annotations

from pydantic import Field

from .preset_files import Between, Data, OneOf


class WhiteRules(Data):
    """Rules of `white_background` presets. Shares are 0 to 1 of the frame."""

    format: OneOf | None = Field(None, description="jpeg, png, webp, gif, tiff or bmp; the file's ending must fit it")
    bytes: Between | None = Field(None, description="size of the file")
    width: Between | None = Field(None, description="pixels")
    height: Between | None = Field(None, description="pixels")
    longest_side: Between | None = Field(None, description="pixels")
    shortest_side: Between | None = Field(None, description="pixels")
    megapixels: Between | None = Field(None, description="width times height")
    aspect: Between | None = Field(None, description="width over height")
    colours: OneOf | None = Field(None, description="RGB, CMYK or grey: how the file holds its colours")
    profile: OneOf | None = Field(None, description="sRGB, other or none: the colour profile in the file")
    white: Between | None = Field(
        None, description="share of the ground around the subject that is exactly 255,255,255"
    )
    fill: Between | None = Field(None, description="the subject's longer side, as a share of the side it lies along")
    off_centre: Between | None = Field(None, description="how far the subject's middle is from the frame's, share")
    subjects: Between | None = Field(None, description="how many things there are")
    cut_off: Between | None = Field(None, description="share of a side of the frame along which the subject is cut off")
    shadow: Between | None = Field(None, description="how dark the darkest shadow is, 0 to 255; 0: none is there")
    halo: Between | None = Field(None, description="by how much the edge differs from the subject's colours, 0 to 255")
    artefacts: Between | None = Field(
        None, description="steps at the borders of a JPEG's blocks beside the subject, levels"
    )
    blur: Between | None = Field(
        None, description="width of the sharpest edges, pixels; enlarged pictures have wide ones"
    )
