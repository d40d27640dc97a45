"""Makes serve/page/samples: the pictures with which the web page can be tried.

Two are drawn by this project; the cat is Stéfan van der Walt's photograph of Chelsea, which he gave to the public
domain (CC0) and scikit-image brings along.

    python docs/make_samples.py
"""

import tempfile
from pathlib import Path

from PIL import Image

from hairline.pipeline.demo_catalog import make_catalog

SAMPLES = {
    "cat": "photographs/cat.ok.jpg",
    "headphones": "products/headphones.ok.jpg",
    "poster": "designs/spring sale.ok.jpg",
}
SIDE = 640  # longest, pixels

target = Path(__file__).parents[1] / "serve" / "page" / "samples"
target.mkdir(exist_ok=True)
with tempfile.TemporaryDirectory() as folder:
    make_catalog(Path(folder))
    for name, source in SAMPLES.items():
        picture = Image.open(Path(folder, source))
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture.save(target / f"{name}.jpg", quality=85, optimize=True)
        print(name, picture.size, (target / f"{name}.jpg").stat().st_size)
