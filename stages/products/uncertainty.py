"""Where the matte may be off: the expected error of the coarse alpha, as a picture."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..imaging.png import encode_png
from ..item import Item, Output
from .base import Matte, Product, ProductSettings

LONGEST = 512  # side of the map; the coarse network sees no more


class UncertaintyMap(Product[ProductSettings]):
    """PNG, uint8 grey, of the upright picture's shape with at most 512 pixels a side: the expected error of the coarse
    alpha, 0..255. It is where the fine network was asked, and where its answer may be off."""

    of_matte: ClassVar[bool] = False

    def make(self, matte: Matte) -> Output:
        return Output(encode_png(uncertainty_map(matte.item)), "png")


def uncertainty_map(item: Item) -> NDArray[np.uint8]:
    """uint8 [h, w], 0..255: the largest expected error over the item's crops, at most `LONGEST` pixels a side."""
    scale = min(1.0, LONGEST / max(item.width, item.height, 1))
    width, height = max(1, round(item.width * scale)), max(1, round(item.height * scale))
    canvas: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
    for crop in item.crops:
        x0, y0, x1, y1 = (round(v * scale) for v in crop.box)
        part = canvas[y0:y1, x0:x1]
        if part.size:
            found = cv2.resize(crop.uncertainty, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_AREA)
            np.maximum(part, found, out=part)
    return canvas
