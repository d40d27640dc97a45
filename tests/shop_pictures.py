"""A subject of known alpha on a coloured ground, and pictures on white made of it, for the tests of products."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hairline.stages.item import Item
from hairline.stages.products.base import Matte
from hairline.stages.products.spec import ProductSpec

U8 = NDArray[np.uint8]
GROUND = (40, 120, 200)


def thing(width: int = 700, height: int = 900) -> tuple[U8, U8]:
    """Colours, uint8 [h, w, 3], and alpha of a striped bottle with a soft rim; it fills most of the frame."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    stripes = 90 + 50 * (np.floor(y / 37) % 2) + 25 * (np.floor(x / 61) % 2)
    colours = np.stack([stripes, stripes * 0.55, 200 - stripes], -1).clip(0, 255).astype(np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    cv2.rectangle(alpha, (width // 4, height // 3), (3 * width // 4, 9 * height // 10), 255, -1)
    cv2.rectangle(alpha, (2 * width // 5, height // 10), (3 * width // 5, height // 2), 255, -1)
    return colours, cv2.GaussianBlur(alpha, (0, 0), 1.0)


def matte_of(colours: U8, alpha: U8, ground: tuple[int, int, int] = GROUND, **saved: object) -> Matte:
    """The matte of a picture that shows the colours where alpha is 255."""
    share = alpha[..., None].astype(np.float32) / 255
    picture = np.rint(colours * share + np.float32(ground) * (1 - share)).astype(np.uint8)
    item = Item("a", "a", data=file_of(picture, **saved))
    item.alpha = alpha
    return Matte(item.picture, alpha, item)


def file_of(pixels: U8, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def pixels_of(data: bytes) -> U8:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def made(matte: Matte, product: str = "white_background", **options: object) -> U8:
    """The pixels of a product."""
    return pixels_of(ProductSpec.model_validate({product: options}).build().make(matte).data)
