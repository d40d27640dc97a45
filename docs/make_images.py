"""Makes the README's picture: python docs/make_images.py DEMO FIRST

Photographs of the demo above what the first weights and what the present ones make of them, on a checkerboard.

    DEMO     a finished demo of the present weights
    FIRST    a folder of cut-outs of the same photographs by the first weights: `hairline cut DEMO/catalog/photographs
             -o FIRST` in a checkout of commit caba168
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = ("astronaut.ok.png", "cat.ok.jpg", "coffee cup.ok.jpg")  # free of rights; the motorcycle is not
HEIGHT, GAP, SQUARE = 250, 10, 10  # pixels
TARGET = Path(__file__).parent / "images" / "before-after.png"


def main(demo: Path, first: Path) -> None:
    sources = [Image.open(demo / "catalog" / "photographs" / name).convert("RGB") for name in PICTURES]
    sizes = [(round(source.width * HEIGHT / source.height), HEIGHT) for source in sources]
    rows = [[source.resize(size, Image.Resampling.LANCZOS) for source, size in zip(sources, sizes, strict=True)]]
    for folder in (first / "cutout", demo / "out" / "cutout" / "photographs"):
        made = [Image.open(folder / f"{name}.png") for name in PICTURES]
        rows.append([on_checkerboard(cutout, size) for cutout, size in zip(made, sizes, strict=True)])
    width = sum(width for width, _ in sizes) + GAP * (len(sizes) - 1)
    sheet = Image.new("RGBA", (width, len(rows) * (HEIGHT + GAP) - GAP))
    for y, row in enumerate(rows):
        x = 0
        for panel in row:
            sheet.paste(panel, (x, y * (HEIGHT + GAP)))
            x += panel.width + GAP
    TARGET.parent.mkdir(exist_ok=True)
    sheet.save(TARGET, optimize=True)
    print(f"{TARGET}: {sheet.width}x{sheet.height}, {TARGET.stat().st_size:,} bytes")


def on_checkerboard(cutout: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The cut-out over light squares; scaled with premultiplied alpha, so that nothing bleeds into its edge."""
    rgba = np.asarray(cutout.convert("RGBA"), np.float32) / 255
    rgba = np.dstack([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]])
    layers = [Image.fromarray(rgba[..., k]).resize(size, Image.Resampling.LANCZOS) for k in range(4)]
    scaled = np.clip(np.dstack([np.asarray(layer) for layer in layers]), 0, 1)
    y, x = np.indices(size[::-1]) // SQUARE
    ground = np.where((x + y) % 2, 0.89, 1.0)[..., None]
    return Image.fromarray(
        np.rint(255 * np.clip(scaled[..., :3] + ground * (1 - scaled[..., 3:]), 0, 1)).astype(np.uint8)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
