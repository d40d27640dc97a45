"""Pictures for the benchmarks, made on the spot: no download, the same ones for the same seed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import skimage

from hairline.training.synth import composite as c
from hairline.training.synth.render_products import PRODUCTS, render_product

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png")
SIZE = (1152, 896)  # width, height: 1.03 megapixels


def make(
    folder: Path,
    count: int,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    distinct: int | None = None,
    rendered: bool = True,
) -> list[Path]:
    """Writes `count` JPEG pictures of one subject each, all or the first `distinct` different, and returns their paths.

    Half are scikit-image's photographs (a portrait, a cat, a cup, a motorcycle), half rendered products on
    studio backgrounds; each is cut, mirrored, lit and grained differently. Without `rendered`, which takes minutes, all
    are photographs.
    """
    rng = np.random.default_rng(seed)
    data = Path(skimage.__file__).parent / "data"
    photographs = [_read(data / name) for name in PHOTOGRAPHS]
    names = [name for name in PRODUCTS for _ in range(2)][: (count + 1) // 2 * rendered]  # seconds each
    products = [render_product(name, rng, 720) for name in names]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(count):
        path = folder / f"{k // 100:03d}" / f"{k:05d}.jpg"
        path.parent.mkdir(exist_ok=True)
        paths.append(path)
        if distinct and k >= distinct:
            path.hardlink_to(paths[k % distinct])
            continue
        if k % 2 or not rendered:
            picture = _photograph(photographs[k // 2 % len(photographs)], size, rng)
        else:
            picture = _product(products[k // 2 % len(products)], size, rng)
        picture = picture + rng.normal(0, 0.01, (*picture.shape[:2], 1)).astype(np.float32)
        jpeg = (np.clip(picture, 0, 1) * 255).astype(np.uint8)[..., ::-1]
        cv2.imwrite(str(path), jpeg, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, f"{path} is missing: install scikit-image"
    return image[..., ::-1].astype(np.float32) / 255


def _photograph(photograph: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    height, width = photograph.shape[:2]
    scale = max(size[0] / width, size[1] / height) * rng.uniform(1.0, 1.05)
    large = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(large, (0, 0), scale)
    large = large + (large - blurred) * 0.8  # enlarging softened it
    y = int(rng.uniform(0, large.shape[0] - size[1] + 1))
    x = int(rng.uniform(0, large.shape[1] - size[0] + 1))
    cut = large[y : y + size[1], x : x + size[0]]
    return c.relight(cut[:, ::-1] if rng.random() < 0.5 else cut, rng, 0.3)


def _product(rgba: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    side = max(size)
    background = c.studio(side, rng)
    layer = c.place(rgba, side, rng, area=(0.55, 0.75), tilt=8)
    picture, _ = c.over([layer], c.shadow(background, layer.alpha, rng))
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    return picture[top : top + size[1], left : left + size[0]]
