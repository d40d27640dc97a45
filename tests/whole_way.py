"""Pictures through all stages, and a logo for them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hairline.stages.base import Stage, run_stages
from hairline.stages.item import Item


def done(stages: Sequence[Stage[Any]], data: bytes) -> Item:
    """The item of a file that went through the stages."""
    item = Item("a", "a", data=data)
    run_stages(stages, [item])
    item.finish()
    return item


def product(item: Item) -> np.ndarray:
    """Its cut-out, uint8 RGBA [h, w, 4]."""
    return np.asarray(Image.open(io.BytesIO(item.outputs["cutout"].data)))


def letters(colour: tuple[int, int, int]) -> np.ndarray:
    """RGBA [300, 600, 4]: a dot and lettering; what is transparent has a colour that must not be seen."""
    image = Image.new("L", (2400, 1200))
    draw = ImageDraw.Draw(image)
    draw.ellipse([120, 360, 480, 720], fill=255)
    draw.text((560, 400), "ACME Co", font=ImageFont.load_default(344), fill=255)
    alpha = np.asarray(image.resize((600, 300), Image.Resampling.LANCZOS))
    rgb = np.full((300, 600, 3), (255, 0, 255), np.uint8)
    rgb[alpha > 0] = colour
    return np.dstack([rgb, alpha])
