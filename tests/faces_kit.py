"""A photograph of a face with room around it, its alpha, and faults planted on it, for the tests of ID photos."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from hairline.stages.item import Item
from hairline.stages.products.base import Matte
from shop_pictures import file_of

U8 = NDArray[np.uint8]
GROUND = (244, 243, 240)
OFFSET = (150, 260)  # where the photograph lies on its wall, x and y
SCALE = 2.0


@lru_cache(maxsize=1)
def sitter() -> tuple[U8, U8]:
    """Colours and alpha of a person before nothing, uint8 [1284, 1324, 3] and [1284, 1324]."""
    photo = np.asarray(Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB"))
    small = cv2.resize(photo, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    mask = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
    outline = [(20, 511), (60, 330), (130, 250), (150, 60), (220, 0), (290, 60), (300, 210), (420, 270), (470, 511)]
    cv2.fillPoly(mask, [np.array(outline) // 4], cv2.GC_PR_FGD)
    middle = [(70, 511), (120, 330), (200, 230), (260, 230), (370, 310), (420, 511)]
    cv2.fillPoly(mask, [np.array(middle) // 4], cv2.GC_FGD)
    cv2.ellipse(mask, (222 // 4, 110 // 4), (50 // 4, 75 // 4), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.setRNGSeed(1)
    behind, before = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small[..., ::-1].copy(), mask, (0, 0, 1, 1), behind, before, 2, cv2.GC_INIT_WITH_MASK)
    solid = cv2.morphologyEx(mask & 1, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) * np.uint8(255)
    smooth = cv2.GaussianBlur(cv2.resize(solid, (512, 512), interpolation=cv2.INTER_CUBIC), (0, 0), 2)
    sure = np.where(smooth >= 128, 255, 0).astype(np.uint8)
    size = (round(512 * SCALE), round(512 * SCALE))
    canvas = np.zeros((size[1] + OFFSET[1], size[0] + 2 * OFFSET[0], 4), np.uint8)
    large = cv2.resize(np.dstack([photo, sure]), size, interpolation=cv2.INTER_CUBIC)
    canvas[OFFSET[1] :, OFFSET[0] : OFFSET[0] + size[0]] = large
    return canvas[..., :3].copy(), cv2.GaussianBlur(canvas[..., 3], (0, 0), 1.0).astype(np.uint8)


def portrait(angle: float = 0.0, ground: tuple[int, int, int] = GROUND) -> tuple[U8, U8]:
    """The person before a wall, turned clockwise by degrees: picture and alpha."""
    colours, alpha = sitter()
    share = alpha[..., None].astype(np.float32) / 255
    picture = np.rint(colours * share + np.float32(ground) * (1 - share)).astype(np.uint8)
    if angle:
        height, width = alpha.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
        picture = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=ground)
        alpha = cv2.warpAffine(alpha, matrix, (width, height))
    return picture, alpha


def matte(picture: U8, alpha: U8) -> Matte:
    item = Item("a", "a", data=file_of(picture))
    item.alpha = alpha
    return Matte(item.picture, alpha, item)
