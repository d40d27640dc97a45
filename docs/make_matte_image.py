"""Makes docs/images/mattes.png: mattes of drawn pictures side by side, and tells their errors.

    python docs/make_matte_image.py

In each row: the picture, then alpha by the guided filter, by closed-form matting and by the fine stage, all from the
coarse network's answer, then the true one. Products are drawn, hair and lattices procedural: nothing is photographed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from accuracy import pool, rivals, sheet

from hairline.evaluation import matte
from hairline.training.synth import composite as c
from hairline.training.synth import strands
from hairline.training.synth.render_products import render_product
from hairline.training.validation import Picture

SIDE = 512
ROWS = (("handbag", "hair", 3), ("mug", "hair", 8), ("", "lattice", 5), ("", "lattice", 11), ("chair", "plain", 2))
TARGET = Path(__file__).parent / "images" / "mattes.png"


def drawn(product: str, kind: str, seed: int) -> Picture:
    """A drawn product, grown with hair if `kind` says so, or a lattice, over made paper."""
    rng = np.random.default_rng(seed)
    background = c.studio(SIDE, rng)
    if kind == "lattice":
        layer = strands.lattice(SIDE, rng)
    else:
        layer = c.place(render_product(product, rng, SIDE), SIDE, rng, (0.6, 0.7), wander=0.0)
        if kind == "hair":
            layer = strands.hair(layer, rng)
    picture, alpha = c.over([layer], background)
    return Picture(c.camera(picture, rng, 0.3), kind, (alpha * 255 + 0.5).astype(np.uint8))


def main() -> None:
    rows = []
    for product, kind, seed in ROWS:
        picture = drawn(product, kind, seed)
        assert picture.alpha is not None
        found, truth = rivals(picture, "network"), picture.alpha / np.float32(255)
        errors = {how: round(matte.evaluate(alpha, truth)["sad_band"], 2) for how, alpha in found.items()}
        print(f"{kind} {product}: {errors}")
        rows.append((picture.rgb, *found.values(), truth))
    sheet(TARGET, rows)
    small = Image.open(TARGET).convert("RGB").resize((950, 190 * len(rows)), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET}: {small.width}x{small.height}, {TARGET.stat().st_size:,} bytes")
    pool().shutdown()


if __name__ == "__main__":
    main()
