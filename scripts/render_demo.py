"""Draws the pictures of the demo that nobody has photographed, into pipeline/demo_pictures/: products, hands, designs.

    python scripts/render_demo.py      (needs the extra `training`; takes a minute)

They come with the package, so that the demo needs no more than scikit-image's photographs.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hairline.training.synth import design
from hairline.training.synth.canvas import Box
from hairline.training.synth.occlude import hand
from hairline.training.synth.render_products import render_product

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
FOLDER = Path(__file__).parents[1] / "pipeline" / "demo_pictures"
SIDE = 448  # of a rendered product, pixels
PRODUCT_SEEDS = {"mug": 1, "bottle": 15, "lamp": 25, "handbag": 35, "chair": 41, "headphones": 50}
DRAWN = 3 * (2 * 512 * 512 + 400 * 600 + 300 * 451)  # random numbers before the hands: these are the nicest
DESIGNS = {
    "spring_sale": ("bottle", "handbag", "headphones"),
    "summer_sale": ("chair", "lamp", "mug"),
    "new_in": ("headphones", "mug", "handbag"),
}


def main() -> None:
    """Writes all of them anew."""
    FOLDER.mkdir(exist_ok=True)
    products = {name: render_product(name, np.random.default_rng(seed), SIDE) for name, seed in PRODUCT_SEEDS.items()}
    rng = np.random.default_rng(5)
    rng.normal(size=DRAWN)
    for name, sprite in products.items():
        _sprite(name, sprite)
    for seed, (name, three) in enumerate(DESIGNS.items()):
        _photo(name, _design([products[p] for p in three], 100 * seed))
    _sprite("hand_1", hand(rng))
    _sprite("hand_2", hand(rng))
    _photo("empty_wall", _room(rng))


def _sprite(name: str, rgba: U8) -> None:
    """Losslessly, the colours below zero alpha included."""
    Image.fromarray(rgba).save(FOLDER / f"{name}.webp", lossless=True, exact=True, quality=100, method=6)


def _photo(name: str, rgb: U8) -> None:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=92)
    (FOLDER / f"{name}.jpg").write_bytes(buffer.getvalue())


def _design(products: list[U8], seed: int) -> U8:
    """The first layout that shows all products at a fair size and free, with slogans and a logo or badge."""
    while True:
        picture, boxes, _ = design.render(products, None, np.random.default_rng(seed), (1000, 800))
        subjects = [box for box in boxes if box.label == "subject"]
        rest = [box for box in boxes if box.label != "subject"]
        large = all((box.x1 - box.x0) * (box.y1 - box.y0) > 24_000 for box in subjects)
        free = not any(_overlap(a, b) for a in subjects for b in [*rest, *subjects] if a is not b)
        if len(subjects) == len(products) and large and free and {box.label for box in rest} == {"text", "logo"}:
            return picture
        seed += 1


def _overlap(a: Box, b: Box) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 6 and min(a.y1, b.y1) - max(a.y0, b.y0) > 6


def _room(rng: np.random.Generator) -> U8:
    """An empty room's wall in side light: plaster, a skirting board, floor boards."""
    height, width = 600, 900
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bumps = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 2.5)
    light = 1.08 - 0.0004 * x - 0.25 * np.exp(-((y - 470) ** 2) / 900)
    room = _rgb(203, 197, 186) * (light + 0.3 * (bumps - np.roll(bumps, 2, 1)))[..., None]
    room[470:505] = _rgb(226, 223, 216) * (1.0 - 0.0003 * x[470:505] - 0.15 * (y[470:505] < 474))[..., None]
    floor = y >= 505
    across = (x - width / 2) * 60 / (y - 440 + 1e-3)  # boards run away from the camera
    grain = 0.8 + 0.1 * np.sin(across * 0.9 + 3 * np.sin(y / 40)) + 0.15 * (np.floor(across / 18) % 3) / 2
    boards = _rgb(150, 108, 70) * np.where(np.abs(across % 18) < 0.5, 0.45, grain)[..., None]
    room[floor] = boards[floor]
    return _u8(room + rng.normal(0, 2, room.shape))


def _rgb(*values: int) -> F32:
    return np.array(values, np.float32)


def _u8(values: NDArray) -> U8:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
