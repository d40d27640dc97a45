"""Small pictures for the report, embedded as data URIs; what cannot be shown says why."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..stages.decode.picture import Picture
from ..stages.errors import PictureError
from ..stages.limits import DEFAULT_LIMITS
from .fetch import fetch

SIDE = 256  # longest side of a thumbnail, pixels
WORKERS = 8


class Thumb(NamedTuple):
    """A thumbnail: either a data URI with its size in pixels, or the trouble in a few words."""

    src: str = ""
    width: int = 0
    height: int = 0
    trouble: str = ""


def source_thumbs(uris: Sequence[str]) -> list[Thumb]:
    """Thumbnails of source pictures, upright, in the order given; any trouble becomes a placeholder."""
    return _map(_source, uris)


def output_thumbs(uris: Sequence[str]) -> list[Thumb]:
    """Thumbnails of our own products with their transparency, in the order given."""
    return _map(_output, uris)


def encode(pixels: Image.Image) -> Thumb:
    """A WebP data URI of a small picture."""
    buffer = io.BytesIO()
    pixels.save(buffer, "WEBP", quality=72, method=4)
    src = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Thumb(src, pixels.width, pixels.height)


def trouble_of(error: Exception) -> str:
    """An error in a few words that fit on a thumbnail."""
    if isinstance(error, PictureError):
        return error.reason.replace("_", " ")
    return type(error).__name__


def _source(uri: str) -> Thumb:
    small: NDArray[np.uint8] = Picture(fetch(uri, DEFAULT_LIMITS)[0], DEFAULT_LIMITS).small(SIDE)
    image = Image.fromarray(small)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return encode(image)


def _output(uri: str) -> Thumb:
    with Image.open(io.BytesIO(fetch(uri, DEFAULT_LIMITS)[0])) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return encode(small)


def _map(make: Callable[[str], Thumb], uris: Sequence[str]) -> list[Thumb]:
    def one(uri: str) -> Thumb:
        if not uri:
            return Thumb(trouble="no file")
        try:
            return make(uri)
        except Exception as error:  # a report about broken pictures must not break on them
            return Thumb(trouble=trouble_of(error))

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, uris))
