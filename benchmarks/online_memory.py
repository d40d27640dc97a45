"""What a picture takes of the memory of the service's processes, in bytes for each of its pixels.

    python benchmarks/online_memory.py [--megapixels 48]

Runs the stages of service-laptop.yaml over one large picture after the other, in a process for each, and reports how
far its resident memory grew at most, less the networks' own arrays (`WORK_BYTES` of `hairline.serve.memory`). Its
`BYTES_PER_PIXEL` must not be less; the service admits pictures by it. Ends with a line of JSON.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import multiprocessing
import re
from collections.abc import Callable
from math import isqrt
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from hairline.cluster.stage_runner import PoolSpec
from hairline.configs.service import load_service
from hairline.serve.api import UNCERTAINTY
from hairline.serve.engine import Engine, EngineSpec
from hairline.serve.intake import Form
from hairline.serve.memory import BYTES_PER_PIXEL, WORK_BYTES
from hairline.serve.removebg.options import read_options, region
from hairline.serve.request_item import RequestItem
from hairline.stages.item import Item
from hairline.stages.limits import Limits
from hairline.stages.products.spec import ProductSpec
from hairline.stages.request import RequestSpec

FORMATS: dict[str, tuple[str, str, dict[str, object]]] = {  # name -> Pillow's format, mode, options
    "JPEG": ("JPEG", "RGB", {"quality": 85}),
    "progressive JPEG": ("JPEG", "RGB", {"quality": 85, "progressive": True}),
    "CMYK JPEG": ("JPEG", "CMYK", {"quality": 85}),
    "turned JPEG": (
        "JPEG",
        "RGB",
        {"quality": 85, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"},
    ),
    "PNG": ("PNG", "RGB", {"compress_level": 1}),
    "transparent PNG": ("PNG", "RGBA", {"compress_level": 1}),
    "palette PNG": ("PNG", "P", {"compress_level": 1}),
    "16-bit PNG": ("PNG", "I;16", {"compress_level": 1}),
    "WebP": ("WEBP", "RGB", {"quality": 80, "method": 0}),
    "transparent WebP": ("WEBP", "RGBA", {"quality": 80, "method": 0}),
    "AVIF": ("AVIF", "RGB", {"quality": 60, "speed": 10}),
    "HEIC": ("HEIF", "RGB", {"quality": 60, "enc_params": {"preset": "ultrafast"}}),
    "transparent HEIC": ("HEIF", "RGBA", {"quality": 60, "enc_params": {"preset": "ultrafast"}}),
    "JPEG 2000": ("JPEG2000", "RGB", {"quality_mode": "rates", "quality_layers": [20]}),
    "transparent JPEG 2000": ("JPEG2000", "RGBA", {"quality_mode": "rates", "quality_layers": [20]}),
    "TIFF": ("TIFF", "RGB", {}),
    "GIF": ("GIF", "P", {}),
}
Cases = dict[str, tuple[str, Callable[[bytes, int], RequestSpec]]]  # name -> the picture's format, what is asked of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=48.0)
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    side = isqrt(int(options.megapixels * 1e6))
    found = {}
    spawn = multiprocessing.get_context("spawn")
    for name in cases():
        if options.only in name:
            with spawn.Pool(1) as pool:  # a process of its own: what the encoder leaves allocated would hide a part
                data = pool.apply(picture, (cases()[name][0], side))
            with spawn.Pool(1) as pool:
                status, grew, pixels = pool.apply(measure, (name, side, data))
            found[name] = round(max(0, grew - WORK_BYTES) / pixels, 1)
            print(f"{name:32} {status:12} {grew / 2**20:6.0f} MiB over {pixels / 1e6:.0f} MP: {found[name]:5.1f} bytes")
    print(json.dumps({"bytes_per_pixel": found, "most": max(found.values()), "allowed": BYTES_PER_PIXEL}))


def cases() -> Cases:
    """Every format with the plainest product, and what takes most of everything else."""

    def product(spec: object) -> Callable[[bytes, int], RequestSpec]:
        return lambda data, side: RequestSpec((ProductSpec.model_validate(spec),), keep_rejects=True)

    def removebg(background: bool = False, **fields: str) -> Callable[[bytes, int], RequestSpec]:
        def wanted(data: bytes, side: int) -> RequestSpec:
            given = read_options(Form({"size": "50MP", **fields}))
            behind = {"background": data, "background_pixels": side**2} if background else {}
            settings = given.composition.model_copy(update=behind)
            result = ProductSpec(name="result", product="composition", settings=settings)
            return RequestSpec((result,), keep_rejects=True, region=given.roi and region(given.roi, side, side))

        return wanted

    every = [{"cutout": {}}, {"mask": {}}, {"white_background": {}}]
    return {
        **{f"{name}, cutout": (name, product("cutout")) for name in FORMATS},
        "JPEG, small cutout": ("JPEG", product({"cutout": {"compression": "small"}})),
        "JPEG, WebP cutout": ("JPEG", product({"cutout": {"format": "webp"}})),
        "JPEG, white square": ("JPEG", product("white_background")),
        "JPEG, white canvas": ("JPEG", product({"white_background": {"canvas": [7000, 7000]}})),
        "JPEG, white JPEG": ("JPEG", product({"white_background": {"canvas": "keep", "format": "jpeg"}})),
        "JPEG, all products": (
            "JPEG",
            lambda data, side: RequestSpec((*map(ProductSpec.model_validate, every), UNCERTAINTY), keep_rejects=True),
        ),
        "JPEG, remove.bg": ("JPEG", removebg()),
        "JPEG, remove.bg JPEG": ("JPEG", removebg(format="jpg")),
        "JPEG, remove.bg ZIP": ("JPEG", removebg(format="zip")),
        "JPEG, remove.bg colour": ("JPEG", removebg(format="jpg", bg_color="81d4fa80")),
        "JPEG, remove.bg scaled": ("JPEG", removebg(format="jpg", scale="90%")),
        "JPEG, remove.bg solid": ("JPEG", removebg(format="jpg", semitransparency="false")),
        "JPEG, remove.bg margins": ("JPEG", removebg(format="jpg", crop="true", crop_margin="20%")),
        "JPEG, remove.bg background": ("JPEG", removebg(True, format="jpg")),
        "PNG, remove.bg background": ("transparent PNG", removebg(True, format="jpg")),
        "JPEG, remove.bg part": ("JPEG", removebg(roi="0% 0% 99% 99%")),
    }


def measure(name: str, side: int, data: bytes) -> tuple[str, int, int]:
    """How a case ended, by how many bytes the memory grew at most, and the pixels that it counts for."""
    service = load_service("service-laptop.yaml")
    limits = Limits(max_pixels=side * side, max_bytes=1 << 30)
    pool = service.pools[0]
    stages = tuple((stage, service.stages[stage]) for stage in pool.stages)
    engine = Engine(EngineSpec(PoolSpec(pool.name, stages, 1, 0, 1), "", ""))
    engine.probe()
    work = RequestItem(Item("a", "", data=data, limits=limits))
    work.item.width, work.item.height = work.item.picture.width, work.item.picture.height
    work.item.forget_pixels()
    work.item.request = cases()[name][1](data, side)
    pixels = work.most_pixels
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
    before = resident("VmRSS")
    engine.run([work])
    return f"{work.item.status} {work.item.reason}".strip(), resident("VmHWM") - before, pixels


def picture(kind: str, side: int) -> bytes:
    """A photograph with a subject and film grain, side x side."""
    image = Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    grain = np.random.default_rng(0).integers(-6, 7, (512, 512, 1), np.int16)
    grain = np.tile(grain, (-(-side // 512), -(-side // 512), 1))[:side, :side]
    pixels = np.asarray(image)
    grainy = np.empty_like(pixels)
    for top in range(0, side, 512):
        rows = np.s_[top : top + 512]
        grainy[rows] = np.clip(pixels[rows].astype(np.int16) + grain[rows], 0, 255)
    image = Image.fromarray(grainy)
    form, mode, options = FORMATS[kind]
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    else:
        image = image.convert(mode)
    if form == "HEIF":
        from pillow_heif import register_heif_opener  # an extra

        register_heif_opener()
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def resident(name: str) -> int:
    """VmRSS or VmHWM of this process, bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


if __name__ == "__main__":
    main()
