"""A cut-out with the picture it came from, as layers of one file: what a retoucher opens; and several files in one.

PSD by psd-tools; OpenRaster (GIMP, Krita, MyPaint) is a zip of PNGs, after version 0.0.5 of its specification.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .encode import JPEG_QUALITY, Tagged, Tags, jpeg, png

U8 = NDArray[np.uint8]
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same layers have the same bytes
PREVIEW = 256  # longest side that the specification allows a thumbnail
LAYERS = ("Cut-out", "Picture")  # from the top down; the picture is hidden
DENSITY, ICC = 1005, 1039  # image resources of a PSD


def psd(rgba: U8, picture: U8, tags: Tagged) -> bytes:
    """A PSD of two layers, RGB of 8 bits.

    Args:
        rgba: uint8 [h, w, 4], straight alpha: the upper layer, and what viewers without layers see.
        picture: uint8 [h, w, 3]: the lower one, hidden.
        tags: profile and density of both.

    Raises:
        ImportError: psd-tools is not installed.
    """
    from psd_tools import PSDImage
    from psd_tools.psd.image_resources import ImageResource

    document = PSDImage.frompil(Image.fromarray(rgba))  # of mode RGBA, or layers would keep their alpha as masks
    # Pixels keep the file's own profile, which is put in below: a layer's own would be converted from.
    below = document.create_pixel_layer(Image.fromarray(picture), name=LAYERS[1])
    below.visible = False
    document.create_pixel_layer(Image.fromarray(rgba), name=LAYERS[0])
    resources = document.image_resources
    if tags.icc_profile:
        resources[ICC] = ImageResource(key=ICC, data=tags.icc_profile)
    if tags.dpi:
        x, y = (round(value * 65536) for value in tags.dpi)
        data = x.to_bytes(4, "big") + b"\0\1\0\1" + y.to_bytes(4, "big") + b"\0\1\0\1"
        resources[DENSITY] = ImageResource(key=DENSITY, data=data)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def ora(rgba: U8, picture: U8, tags: Tagged) -> bytes:
    """An OpenRaster file of the same layers; arguments as for `psd`."""
    height, width = rgba.shape[:2]
    dpi = "" if tags.dpi is None else f' xres="{round(tags.dpi[0])}" yres="{round(tags.dpi[1])}"'
    rows = [
        f'<layer name={quoteattr(name)} src="data/layer{number}.png" x="0" y="0" opacity="1.0" '
        f'visibility="{"visible" if number == 0 else "hidden"}"/>'
        for number, name in enumerate(LAYERS)
    ]
    stack = f'<?xml version="1.0" encoding="UTF-8"?>\n<image version="0.0.5" w="{width}" h="{height}"{dpi}><stack>'
    top = png(rgba, tags)
    scale = min(1.0, PREVIEW / max(height, width))
    small = cv2.resize(
        rgba, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    parts = {
        "mimetype": b"image/openraster",  # first, and not compressed: what tells the format
        "stack.xml": "\n".join((stack, *rows, "</stack></image>\n")).encode(),
        "data/layer0.png": top,
        "data/layer1.png": png(picture, tags),
        "mergedimage.png": top,
        "Thumbnails/thumbnail.png": png(np.asarray(small, np.uint8), Tags(None)),
    }
    return zipped(parts)


def colours_and_alpha(rgb: U8, alpha: U8, tags: Tagged, exif: bytes = b"") -> bytes:
    """A zip of `color.jpg` and `alpha.png`: a cut-out for programs that read no transparency.

    Args:
        rgb: uint8 [h, w, 3].
        alpha: uint8 [h, w].
        exif: of the JPEG.
    """
    return zipped({"color.jpg": jpeg(rgb, tags, JPEG_QUALITY, exif), "alpha.png": png(alpha, tags)})


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """Files in one, not compressed, in this order: the same bytes every time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data)
    return file.getvalue()
