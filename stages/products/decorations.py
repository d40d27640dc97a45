"""Pictures that posters are decorated with: SVG, drawn by resvg at the size that is needed, or any picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..decode.colours import as_srgb
from ..decode.picture import Picture
from ..errors import PictureError
from ..limits import Limits
from .layers import cover

U8 = NDArray[np.uint8]
Fit = Literal["contain", "cover", "stretch"]


def check_decoration(path: Path) -> None:
    """Raises ValueError: it cannot be read."""
    drawn(path, path.read_bytes(), (32, 32), "contain")


def drawn(path: Path, data: bytes, size: tuple[int, int], fit: Fit) -> U8:
    """A file in a box of (width, height): uint8 [height, width, 4], RGBA in sRGB, straight alpha.

    Args:
        fit: contain: all of it shows, centred; cover: it fills the box, and is cropped; stretch: to the box.

    Raises:
        ValueError: it is no picture, or resvg is not installed.
    """
    rgba = _svg(path, data, size, fit) if path.suffix.lower() == ".svg" else _picture(path, data)
    width, height = size
    if fit == "stretch":
        return _resized(rgba, size)
    if fit == "cover":
        premultiplied = _premultiplied(rgba)
        whole = cover(premultiplied, width, height)
        return _straight(whole)
    factor = min(width / rgba.shape[1], height / rgba.shape[0])
    part = _resized(rgba, (max(1, round(rgba.shape[1] * factor)), max(1, round(rgba.shape[0] * factor))))
    result = np.zeros((height, width, 4), np.uint8)
    y, x = (height - part.shape[0]) // 2, (width - part.shape[1]) // 2
    result[y : y + part.shape[0], x : x + part.shape[1]] = part[:height, :width]
    return result


def _svg(path: Path, data: bytes, size: tuple[int, int], fit: Fit) -> U8:
    """Large enough that nothing is enlarged afterwards. Fonts of the system are not asked: the same on every node."""
    try:
        import resvg_py
    except ImportError as error:
        raise ValueError(
            f"{path.name} is an SVG, and resvg-py is not installed: pip install 'hairline-matting[poster]'"
        ) from error
    width, height = size
    sides: dict[str, Any] = {"width": width, "height": height}
    try:
        text = data.decode("utf-8-sig")
        if fit != "contain":  # resvg fits an SVG into what it is given
            small = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=text, width=64, skip_system_fonts=True)))
            sides = {"width": max(width, -(-height * small.width // small.height))}
        png = resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, **sides)
    except ValueError as error:  # what resvg says, and text that is no UTF-8
        raise ValueError(f"{path.name} is no SVG that can be drawn: {error}") from error
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def _picture(path: Path, data: bytes) -> U8:
    try:
        picture = Picture(data, Limits())
        rgb, own = as_srgb(picture.colours(), picture.icc_profile), picture.source_alpha
    except PictureError as error:
        raise ValueError(f"{path.name} is no picture that can be read: {error.detail or error.reason}") from error
    alpha = np.full(rgb.shape[:2], 255, np.uint8) if own is None else own
    return np.dstack([rgb, alpha])


def _resized(rgba: U8, size: tuple[int, int]) -> U8:
    if (rgba.shape[1], rgba.shape[0]) == size:
        return rgba
    smaller = size[0] * size[1] < rgba.shape[0] * rgba.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return _straight(cv2.resize(_premultiplied(rgba), size, interpolation=way).astype(np.uint8, copy=False))


def _premultiplied(rgba: U8) -> U8:
    share = rgba[..., 3:].astype(np.uint16)
    result = rgba.copy()
    result[..., :3] = (rgba[..., :3] * share + 127) // 255
    return result


def _straight(premultiplied: U8) -> U8:
    share = np.maximum(premultiplied[..., 3:].astype(np.uint16), 1)
    result = premultiplied.copy()
    result[..., :3] = np.minimum((premultiplied[..., :3].astype(np.uint16) * 255 + share // 2) // share, 255)
    return result
