"""What the Python API takes as a picture, as an item that the stages take."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import ExifTags, Image

from .pipeline.fetch import fetch
from .pipeline.storage import display
from .stages.decode.picture import TRANSPOSE
from .stages.errors import PictureError
from .stages.item import Item
from .stages.limits import Limits
from .stages.products.base import Matte

Input: TypeAlias = str | os.PathLike | bytes | bytearray | memoryview | np.ndarray | Image.Image
PIXELS = ("1", "L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I;16B", "I", "F")  # modes a TIFF holds as they are
TAKES = "a path or URL, the bytes of a file, a PIL image, or a NumPy array"


@dataclass
class PictureItem(Item):
    """An item that keeps what it was cut out as."""

    matte: Matte | None = None


def in_memory(image: Input) -> bool:
    """Whether the picture is here already; else it is a path or URL, to be read by `read`."""
    return not isinstance(image, str | os.PathLike)


def read(image: Input, limits: Limits) -> PictureItem:
    """The item of a picture. What is a path or URL is read; the item has ended as `failed` where that cannot be done.

    Args:
        image: a path, a URL (`file:`, `s3:`, `http:`, `https:`) or the bytes of a file in any format that is read; a
            PIL image, with its colour profile and EXIF orientation; or uint8 [H, W], [H, W, 3] or [H, W, 4], 0..255:
            grey, RGB or RGBA (straight alpha), upright, sRGB.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return PictureItem("", "", data=bytes(image), limits=limits)
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if isinstance(image, Image.Image):
        return _from_pil(image, limits)
    if not isinstance(image, str | os.PathLike):
        raise TypeError(f"{type(image).__name__} is no picture: give {TAKES}")
    uri = os.fsdecode(image)
    if uri.startswith("~"):
        uri = str(Path(uri).expanduser())
    item = PictureItem(display(uri), display(uri), limits=limits)
    try:
        item.data, item.attempts = fetch(uri, limits)
    except PictureError as error:
        item.fail("fetch", error)
    return item


def _from_array(array: np.ndarray) -> Image.Image:
    shape = " x ".join(map(str, array.shape)) or "no dimensions"
    if array.dtype != np.uint8:
        raise ValueError(f"an array of {array.dtype} ({shape}) is no picture: give uint8, 0..255")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise ValueError(f"an array of {shape} is no picture: give [H, W], [H, W, 3] or [H, W, 4]")
    if not array.size:
        raise ValueError(f"an array of {shape} holds no pixels")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_pil(image: Image.Image, limits: Limits) -> PictureItem:
    if 0 in image.size:
        raise ValueError(f"a PIL image of {image.width} x {image.height} holds no pixels")
    item = PictureItem("", "", limits=limits)
    try:
        image.load()  # what was opened and not yet read is read here
    except (OSError, SyntaxError, EOFError) as error:
        reason = "truncated" if "truncated" in str(error) else "decode_error"
        item.fail("decode", PictureError(reason, f"PIL cannot read {image.format or 'it'}: {error}"))
        return item
    item.data = _encoded(image)
    item.limits = limits.model_copy(update={"max_bytes": len(item.data)})
    return item


def _encoded(image: Image.Image) -> bytes:
    """The image as an uncompressed TIFF, which takes hardly any time: pixels, profile, orientation and resolution."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    if image.mode not in PIXELS or "transparency" in image.info:  # palettes, a colour that stands for transparency
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    exif = Image.Exif()
    if turned in TRANSPOSE:
        exif[ExifTags.Base.Orientation] = turned
    options = {name: image.info[name] for name in ("icc_profile", "dpi") if image.info.get(name)}
    file = io.BytesIO()
    image.save(file, "TIFF", exif=exif, **options)
    return file.getvalue()
