"""Makes the README's picture from a finished demo: python docs/make_images.py [DEMO]

Pictures of the demo before and after, side by side, the cut-outs on a checkerboard.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = (
    "photographs/portrait, soft background.ok.jpg",
    "products/chair on pure white.ok.png",
    "designs/new in.ok.jpg",
)
HEIGHT, GAP, SQUARE = 270, 10, 10  # pixels
TARGET = Path(__file__).parent / "images" / "before-after.png"


def main(demo: Path) -> None:
    panels = []
    for name in PICTURES:
        before = Image.open(demo / "catalog" / name).convert("RGB")
        after = Image.open(demo / "out" / "cutout" / f"{name}.png")
        size = round(before.width * HEIGHT / before.height), HEIGHT
        panels += [before.resize(size, Image.Resampling.LANCZOS), on_checkerboard(after, size)]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    sheet = Image.new("RGBA", (width, HEIGHT))
    x = 0
    for panel in panels:
        sheet.paste(panel, (x, 0))
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
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
