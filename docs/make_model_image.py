"""Makes docs/images/models.jpg: pictures of the demo, cut out by the default and by another model with our fine stage.

    hairline demo pictures
    hairline cut pictures -o default
    hairline cut pictures -o other --set stages.coarse.model=isnet-general-use
    python docs/make_model_image.py pictures default other

In each cell the picture, the default's cut-out, the other's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("astronaut.ok.png", "coffee cup.ok.jpg", "motorcycle.ok.png", "cameraman.ok.png", "rocket.ok.jpg")
NAMES_OF_GOODS = ("bottle on pure white.ok.jpg",)
PATHS = [f"photographs/{name}" for name in NAMES] + [f"products/{name}" for name in NAMES_OF_GOODS]
SIDE, COLUMNS, GROUND = 230, 2, (86, 92, 110)
TARGET = Path(__file__).parent / "images" / "models.jpg"


def cell(path: Path) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3], over one colour."""
    image = Image.open(path).convert("RGBA")
    over = Image.alpha_composite(Image.new("RGBA", image.size, (*GROUND, 255)), image).convert("RGB")
    over.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    found = Image.new("RGB", (SIDE, SIDE), "white")
    found.paste(over, ((SIDE - over.width) // 2, (SIDE - over.height) // 2))
    return np.asarray(found)


def main() -> None:
    pictures, *outputs = (Path(each) for each in sys.argv[1:])
    cells = []
    for path in PATHS:
        made = [output / "cutout" / f"{path}.png" for output in outputs]
        cells.append(np.pad(np.hstack([cell(each) for each in (pictures / path, *made)]), ((0, 6), (0, 6), (0, 0))))
    rows = [np.hstack(cells[at : at + COLUMNS]) for at in range(0, len(cells), COLUMNS)]
    Image.fromarray(np.vstack(rows)).save(TARGET, quality=82, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
