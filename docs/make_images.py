"""Makes the README's picture from a finished demo: python docs/make_images.py [DEMO] [--earlier DEMO]

Pictures of the demo and their cut-outs on a checkerboard, side by side. With an earlier demo, one by other weights (of
an older commit, say), its cut-outs come in between.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

ROWS = (  # free of rights; the motorcycle is not, so it stays out of the tree
    ("photographs/astronaut.ok.png", "photographs/cat.ok.jpg"),
    ("photographs/coffee cup.ok.jpg",),
)
HEIGHT, GAP, SQUARE = 170, 8, 8  # pixels
TARGET = Path(__file__).parent / "images" / "before-after.png"


def main(demos: list[Path]) -> None:
    rows = [[panel for name in names for panel in panels(demos, name)] for names in ROWS]
    widths = [sum(panel.width + GAP for panel in row) - GAP for row in rows]
    sheet = Image.new("RGBA", (max(widths), len(rows) * (HEIGHT + GAP) - GAP))
    for k, row in enumerate(rows):
        x = (sheet.width - widths[k]) // 2
        for panel in row:
            sheet.paste(panel, (x, k * (HEIGHT + GAP)))
            x += panel.width + GAP
    TARGET.parent.mkdir(exist_ok=True)
    sheet.save(TARGET, optimize=True)
    print(f"{TARGET}: {sheet.width}x{sheet.height}, {TARGET.stat().st_size:,} bytes")


def panels(demos: list[Path], name: str) -> list[Image.Image]:
    """The picture, then its cut-out by each demo."""
    picture = Image.open(demos[0] / "catalog" / name).convert("RGB")
    size = round(picture.width * HEIGHT / picture.height), HEIGHT
    cutouts = [on_checkerboard(Image.open(demo / "out" / "cutout" / f"{name}.png"), size) for demo in demos]
    return [picture.resize(size, Image.Resampling.LANCZOS), *cutouts]


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, nargs="?", default=Path("demo"))
    parser.add_argument("--earlier", type=Path, help="folder of an earlier demo")
    given = parser.parse_args()
    main([*filter(None, [given.earlier]), given.demo])
