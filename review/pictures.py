"""What is to be seen of one picture: its source, and what was cut out of it, as a browser can show them."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..pipeline.decisions import Standing
from ..pipeline.fetch import fetch
from ..pipeline.names import output_name
from ..pipeline.outcome import Row
from ..pipeline.report import shown_product
from ..pipeline.storage import Folder
from ..stages.decode.picture import Picture
from ..stages.errors import PictureError
from ..stages.imaging.foreground import estimate_foreground
from ..stages.item import U8, decode_alpha
from ..stages.limits import Limits

SIDE = 1600  # longest side at which pictures are shown, unless all of them is asked for
MATTES = ("mask", "cutout")  # products that hold the alpha, the smaller first
SHOWN = ("white_background", "background")  # what is shown where no product does


def source(row: Row, limits: Limits) -> Picture:
    """The source of a picture, read anew. Raises PictureError: it cannot be read any more."""
    return Picture(fetch(row["uri"], limits)[0], limits)


def file_name(row: Row, product: str) -> str:
    """Where a product of a picture lies in the output."""
    return output_name(product, row["id"], (row["outputs"][product] or "").rpartition(".")[2])


def alpha_of(output: Folder, row: Row, standing: Standing) -> U8 | None:
    """The alpha that holds, uint8 [H, W] of the upright picture: a correction's, or what the run's products have.

    None where no product has it at the picture's size: there was none made, or it was cropped.

    Raises:
        PictureError: the file is gone or damaged.
    """
    if standing.corrected is not None:
        return _read(output, standing.corrected.matte, decode_alpha)
    for product in _mattes(row):
        alpha = _read(output, file_name(row, product), _alpha)
        if alpha is not None and alpha.shape == (row["height"], row["width"]):
            return alpha
    return None


def source_bytes(row: Row, limits: Limits, whole: bool) -> bytes:
    """The upright source as WebP, at most `SIDE` pixels a side unless it is to be whole."""
    picture = source(row, limits)
    return _webp(Image.fromarray(picture.rgb() if whole else picture.small(SIDE)))


def cut_bytes(output: Folder, row: Row, standing: Standing, limits: Limits, whole: bool) -> bytes:
    """What was cut out, as WebP with its alpha, of the size of `source_bytes`.

    The run's cut-out as it is where there is one of the whole picture; else made from the mask; where no product has
    the alpha, another product stands in, of its own size.

    Raises:
        PictureError: the files are gone or damaged.
    """
    size = shown_size(row, whole)
    for product in (name for name in _mattes(row) if name.startswith("cutout")):
        image = _read(output, file_name(row, product), lambda data: _rgba(data, row))
        if image is not None:
            return _webp(image.resize(size, Image.Resampling.BOX) if image.size != size else image)
    alpha = alpha_of(output, row, standing)
    if alpha is None:
        name = shown_product(row["outputs"], SHOWN)
        if not name:
            raise PictureError("not_found", "the run made no product of it")
        return _read(output, file_name(row, name), _any)
    return _webp(over_nothing(source(row, limits).rgb() if whole else source(row, limits).small(SIDE), alpha))


def over_nothing(rgb: U8, alpha: U8) -> Image.Image:
    """A picture with its alpha, with the subject's own colours along its edge; alpha of another size is scaled."""
    if alpha.shape != rgb.shape[:2]:
        alpha = np.asarray(cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return Image.fromarray(np.dstack([estimate_foreground(rgb, alpha), alpha]))


def shown_size(row: Row, whole: bool) -> tuple[int, int]:
    """Width and height, pixels, at which a picture is shown."""
    ratio = 1.0 if whole else min(1.0, SIDE / max(row["width"], row["height"], 1))
    return max(1, round(row["width"] * ratio)), max(1, round(row["height"] * ratio))


def _mattes(row: Row) -> list[str]:
    """Products that may hold the alpha, by their names: their own, or one that begins with it, such as cutout_web."""
    return [name for kind in MATTES for name in row["outputs"] if name == kind or name.startswith(f"{kind}_")]


def _read(output: Folder, name: str, decode: Any) -> Any:
    try:
        return decode(output.read(name))
    except FileNotFoundError as error:
        raise PictureError("not_found", f"{output.uri(name)} is gone") from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError for some broken files
        raise PictureError("decode_error", f"{output.uri(name)}: {error}") from error


def _alpha(data: bytes) -> NDArray[np.uint8] | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            bands = image.getbands()
            if "A" not in bands and image.mode not in ("L", "1"):
                return None
            return np.array(image.getchannel("A") if "A" in bands else image.convert("L"))
    except UnidentifiedImageError:  # a PSD, a zip: nothing that is looked into here
        return None


def _rgba(data: bytes, row: Row) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(data))
        if image.size != (row["width"], row["height"]) or "A" not in image.getbands():
            return None
        return image.convert("RGBA")
    except UnidentifiedImageError:
        return None


def _any(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((SIDE, SIDE))
        return _webp(image.convert("RGBA" if "A" in image.getbands() else "RGB"))


def _webp(image: Image.Image) -> bytes:
    """A picture as WebP; alpha without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90, method=0, alpha_quality=100)
    return buffer.getvalue()
