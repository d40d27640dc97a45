"""The demo's catalog: real photographs, rendered products, design pictures, and what must be refused.

Every file is named `<what it is>.<expected>.<ending>`, where <expected> is `ok` or the reason code that the
pipeline should give. The photographs come with scikit-image; everything else is made from them or drawn.
Nothing is downloaded.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..stages.errors import HairlineError
from .atomic import Found, md5
from .storage import Folder

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
DRAWN = Path(__file__).parent / "demo_pictures"  # what scripts/render_demo.py has drawn
DESIGNS = {"spring sale": "spring_sale", "夏のセール": "summer_sale", "new in": "new_in"}


def expected(id: str) -> str:
    """What a demo picture's name says should become of it: `ok` or a reason code."""
    return id.rsplit("/", 1)[-1].split(".")[-2]


def make_catalog(folder: Path) -> list[str]:
    """Writes the catalog into a folder.

    Returns:
        The names of its files, relative to the folder.

    Raises:
        HairlineError: scikit-image is not installed, or a file of the same name is there and is another one.
    """
    photos = _photographs()
    files: dict[str, bytes] = {}
    for part in (_good, _products, _designs, _refused, _damaged, _formats):
        files |= part(photos)
    catalog = Folder(str(folder))
    for name, data in files.items():
        if not catalog.create(name, data) and catalog.look(name) != Found(md5(data)):
            raise HairlineError(f"{catalog.uri(name)}: is there and is no picture of the demo; name another folder")
    return sorted(files)


def _photographs() -> dict[str, U8]:
    """The photographs that scikit-image brings, uint8 [h, w, 3]."""
    try:
        import skimage
    except ImportError as error:
        raise HairlineError(
            "the demo needs scikit-image for its photographs: pip install 'hairline-matting[demo]'"
        ) from error
    folder = Path(skimage.__file__).parent / "data"
    names = ["astronaut", "chelsea", "coffee", "motorcycle_left", "camera", "clock_motion", "brick", "gravel", "grass"]
    photos = {name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in names}
    photos["rocket"] = np.asarray(Image.open(folder / "rocket.jpg").convert("RGB"))
    photos["disparity"] = np.nan_to_num(np.load(folder / "motorcycle_disp.npz")["arr_0"], posinf=0)
    return photos


def _good(photos: dict[str, U8]) -> dict[str, bytes]:
    disparity = cv2.medianBlur(photos["disparity"].astype(np.float32), 5).astype(np.float32)
    near = _smooth((disparity > 33).astype(np.float32), 1.2)
    return {
        "photographs/astronaut.ok.png": _png(photos["astronaut"]),
        "photographs/cat.ok.jpg": _jpeg(photos["chelsea"]),
        "photographs/coffee cup.ok.jpg": _jpeg(photos["coffee"]),
        "photographs/motorcycle.ok.png": _png(photos["motorcycle_left"]),
        "photographs/rocket.ok.jpg": _jpeg(photos["rocket"]),
        "photographs/cameraman.ok.png": _png(photos["camera"][..., 0]),
        "photographs/portrait, soft background.ok.jpg": _jpeg(
            _soften(photos["astronaut"], _person(photos["astronaut"]), 9)
        ),
        "photographs/motorcycle, soft background.ok.jpg": _jpeg(_soften(photos["motorcycle_left"], near, 5)),
    }


def _products(_: dict[str, U8]) -> dict[str, bytes]:
    grey, sand = (228, 230, 233), (222, 205, 184)
    return {
        "products/bottle on pure white.ok.jpg": _jpeg(_studio(_drawn("bottle"), (255, 255, 255))),
        "products/chair on pure white.ok.png": _png(_studio(_drawn("chair"), (255, 255, 255))),
        "products/mug on pure white.ok.jpg": _jpeg(_studio(_drawn("mug"), (255, 255, 255))),
        "products/handbag.ok.jpg": _jpeg(_studio(_drawn("handbag"), grey)),
        "products/headphones.ok.jpg": _jpeg(_studio(_drawn("headphones"), sand)),
        "products/lamp.ok.jpg": _jpeg(_studio(_drawn("lamp"), (96, 112, 124))),
    }


def _designs(_: dict[str, U8]) -> dict[str, bytes]:
    return {f"designs/{name}.ok.jpg": (DRAWN / f"{file}.jpg").read_bytes() for name, file in DESIGNS.items()}


def _refused(photos: dict[str, U8]) -> dict[str, bytes]:
    rng = np.random.default_rng(5)
    astronaut, cat, coffee = photos["astronaut"], photos["chelsea"], photos["coffee"]
    return {
        "refused/astronaut.too_dark.jpg": _jpeg(_expose(astronaut, 0.045, rng)),
        "refused/coffee cup.too_dark.jpg": _jpeg(_expose(coffee, 0.04, rng)),
        "refused/cat.over_exposed.jpg": _jpeg(_expose(cat, 7.0, rng)),
        "refused/astronaut.over_exposed.jpg": _jpeg(_expose(astronaut, 8.0, rng)),
        "refused/cat out of focus.blurred.jpg": _jpeg(_defocus(cat, 9)),
        "refused/coffee cup moved.blurred.jpg": _jpeg(_motion(coffee, 41, 20)),
        "refused/clock.blurred.jpg": _jpeg(photos["clock_motion"]),
        "refused/astronaut behind a hand.occluded.jpg": _jpeg(_cover(astronaut, _drawn("hand_1"), (0.45, 0.62), 1.7)),
        "refused/cat behind a hand.occluded.jpg": _jpeg(_cover(cat, _drawn("hand_2"), (0.5, 0.75), 2.1)),
        "refused/empty wall.no_subject.jpg": (DRAWN / "empty_wall.jpg").read_bytes(),
        "refused/brick wall.no_subject.jpg": _jpeg(photos["brick"]),
        "refused/gravel.no_subject.jpg": _jpeg(photos["gravel"]),
        "refused/grass.no_subject.jpg": _jpeg(photos["grass"]),
        "refused/flat colour.low_information.png": _png(np.full((480, 640, 3), (64, 110, 160), np.uint8)),
        "refused/thumbnail.too_small.png": _png(cv2.resize(cat, (48, 32), interpolation=cv2.INTER_AREA)),
    }


def _damaged(photos: dict[str, U8]) -> dict[str, bytes]:
    jpeg, png = _jpeg(photos["coffee"]), _png(photos["chelsea"])
    return {
        "damaged/half a file.truncated.jpg": jpeg[: len(jpeg) // 2],
        "damaged/half a file.truncated.png": png[: len(png) // 2],
        "damaged/nothing in it.empty_file.jpg": b"",
        "damaged/a letter.not_a_picture.jpg": b"Dear customer,\nplease find the picture attached.\n" * 20,
        "damaged/a web page.not_a_picture.jpg": b"<!doctype html><title>404</title><p>The picture has moved.</p>",
        "damaged/decompression bomb.too_many_pixels.png": _bomb(40_000, 40_000),
    }


def _formats(photos: dict[str, U8]) -> dict[str, bytes]:
    cat, coffee = Image.fromarray(photos["chelsea"]), Image.fromarray(photos["coffee"])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, as a phone held upright writes it
    handbag = _studio(_drawn("handbag"), (236, 224, 214))
    return {
        "formats/turned by EXIF.ok.jpg": _save(cat.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif),
        "formats/CMYK.ok.jpg": _save(coffee.convert("CMYK"), "JPEG", quality=92),
        "formats/16 bits.ok.png": _png(handbag.astype(np.uint16) * 257),
        "formats/WebP.ok.webp": _save(cat, "WEBP", quality=88),
        "formats/AVIF.ok.avif": _save(Image.fromarray(photos["astronaut"]), "AVIF", quality=80),
        "formats/palette.ok.png": _save(coffee.quantize(256), "PNG"),
    }


def _person(astronaut: U8) -> F32:
    """Where the astronaut is, roughly: GrabCut from a frame and a sure middle, float32 [h, w] 0..1."""
    mask = np.full(astronaut.shape[:2], cv2.GC_PR_BGD, np.uint8)
    outline = [(20, 511), (60, 330), (130, 250), (150, 60), (220, 0), (290, 60), (300, 210), (420, 270), (470, 511)]
    cv2.fillPoly(mask, [np.array(outline)], cv2.GC_PR_FGD)
    cv2.fillPoly(mask, [np.array([(70, 511), (120, 330), (200, 230), (260, 230), (370, 310), (420, 511)])], cv2.GC_FGD)
    cv2.ellipse(mask, (222, 110), (50, 75), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.setRNGSeed(1)
    behind, before = np.zeros((1, 65)), np.zeros((1, 65))  # its colour models
    cv2.grabCut(astronaut[..., ::-1].copy(), mask, (0, 0, 1, 1), behind, before, 6, cv2.GC_INIT_WITH_MASK)
    sure = cv2.morphologyEx(mask & 1, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return _smooth(sure.astype(np.float32), 2.0)


def _soften(photo: U8, subject: F32, radius: int) -> U8:
    """A lens wide open: the background blurred by a disc, without the subject's colours bleeding into it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(np.float32)
    behind = (1 - subject)[..., None] + 1e-3
    blurred = cv2.filter2D(photo * behind, -1, disc) / cv2.filter2D(behind, -1, disc)[..., None]
    return _u8(photo * subject[..., None] + blurred * (1 - subject[..., None]))


def _drawn(name: str) -> U8:
    """A drawn thing, uint8 [h, w, 4]: RGB, not premultiplied, and alpha."""
    return np.asarray(Image.open(DRAWN / f"{name}.webp").convert("RGBA"))


def _studio(product: U8, color: tuple[int, int, int]) -> U8:
    """A product on a plain ground with the shadow of its foot, uint8 [900, 900, 3]."""
    side, height, width = 900, *product.shape[:2]
    ground = np.empty((side, side, 3), np.float32)
    ground[:] = color
    scale = min(0.8 * side / height, 0.8 * side / width)
    width, height = round(width * scale), round(height * scale)
    foot = (side + height) // 2
    shadow = np.zeros((side, side), np.float32)
    cv2.ellipse(shadow, (side // 2, foot - 8), (round(width * 0.44), 14), 0, 0, 360, 0.45, -1)
    ground *= 1 - cv2.GaussianBlur(shadow, (0, 0), 14)[..., None]
    return _paste(ground.astype(np.float32), product, (side - width) // 2, foot - height, scale)


def _cover(photo: U8, thing: U8, center: tuple[float, float], height: float) -> U8:
    """A thing in front of the photograph; its centre and height as shares of the photograph's sides."""
    scale = height * photo.shape[0] / thing.shape[0]
    x = round(center[0] * photo.shape[1] - thing.shape[1] * scale / 2)
    y = round(center[1] * photo.shape[0] - thing.shape[0] * scale / 2)
    return _paste(photo.astype(np.float32), thing, x, y, scale)


def _paste(ground: F32, sprite: U8, x: int, y: int, scale: float) -> U8:
    matrix = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    alpha = sprite[..., 3:].astype(np.float32) / 255
    size = ground.shape[1::-1]
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    color = cv2.warpAffine(sprite[..., :3] * alpha, matrix, size, flags=flags)
    share = cv2.warpAffine(alpha, matrix, size, flags=flags)[..., None]
    return _u8(ground * (1 - np.clip(share, 0, 1)) + color)


def _expose(photo: U8, factor: float, rng: np.random.Generator) -> U8:
    """The photograph with another exposure: linear light times `factor`, and the sensor's noise."""
    linear = (photo / 255.0) ** 2.2 * factor + rng.normal(0, 0.0008, photo.shape)
    return _u8(np.clip(linear, 0, 1) ** (1 / 2.2) * 255)


def _smooth(values: F32, sigma: float) -> F32:
    return cv2.GaussianBlur(values, (0, 0), sigma).astype(np.float32)


def _defocus(photo: U8, radius: int) -> U8:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(np.float32)
    return _u8(cv2.filter2D(photo.astype(np.float32), -1, disc / disc.sum()))


def _motion(photo: U8, length: int, angle: float) -> U8:
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turned = cv2.warpAffine(line, cv2.getRotationMatrix2D((length / 2, length / 2), angle, 1), (length, length))
    return _u8(cv2.filter2D(photo.astype(np.float32), -1, turned / turned.sum()))


def _bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header announces width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 16), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _jpeg(picture: U8) -> bytes:
    return _save(Image.fromarray(picture), "JPEG", quality=92)


def _png(picture: NDArray) -> bytes:
    """PNG of uint8 or uint16 grey or RGB; by OpenCV, as Pillow writes no 16-bit colour."""
    return bytes(cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)[1])


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _u8(values: NDArray) -> U8:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
