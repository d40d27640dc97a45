"""Arrays to files: fast, the same bytes every time, with ICC profile and resolution."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..decode.exif import PREFIX, density
from ..errors import PictureError
from ..imaging.png import chunk, encode_png


class Tagged(Protocol):
    """What says in which colours and at which density pixels are, as a `Picture` does."""

    @property
    def icc_profile(self) -> bytes | None: ...
    @property
    def dpi(self) -> tuple[float, float] | None: ...


class Tags(NamedTuple):
    """A profile (None: none in the file) and a density, pixels per inch."""

    icc_profile: bytes | None
    dpi: tuple[float, float] | None = None


JPEG_QUALITY = 92  # where no option says another
Compression = Literal["fast", "small"]


def png(pixels: NDArray, picture: Tagged, compression: Compression = "fast", exif: bytes = b"") -> bytes:
    """A PNG of uint8 [h, w] grey, [h, w, 3] RGB or [h, w, 4] RGBA; of uint16 likewise, always `fast`.

    `fast` takes about 8 ms a megapixel; `small` is a seventh smaller, in seventy times the time. The profile
    and the resolution are the picture's (no profile on grey, where one for RGB would be wrong); `exif` is a block
    without its prefix, here as below.
    """
    extra = b""
    if picture.icc_profile and pixels.ndim == 3:
        extra += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc_profile, 6))
    if picture.dpi:
        x, y = (round(value / 0.0254) for value in picture.dpi)  # pixels per metre
        extra += chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    if exif:
        extra += chunk(b"eXIf", exif)
    if compression == "fast" or pixels.dtype == np.uint16:  # Pillow writes no colours of 16 bits
        return encode_png(pixels, extra)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    data = file.getvalue()
    after_header = 8 + 12 + 13
    return data[:after_header] + extra + data[after_header:]


def jpeg(rgb: NDArray, picture: Tagged, quality: int, exif: bytes = b"") -> bytes:
    """A JPEG of uint8 [h, w, 3]; no colour subsampling, so that no colour runs over the subject's edge."""
    options: dict[str, object] = {"quality": quality, "subsampling": "4:4:4", "optimize": True}
    if picture.dpi:
        options["dpi"] = tuple(min(round(value), 65535) for value in picture.dpi)
    if exif:
        options["exif"] = PREFIX + exif
    try:
        return _save(rgb, "JPEG", 65_500, icc_profile=picture.icc_profile, **options)
    except OSError:  # of noise: libjpeg optimises in a buffer that Pillow has made too small
        return _save(rgb, "JPEG", 65_500, icc_profile=picture.icc_profile, **options | {"optimize": False})


def webp(rgba: NDArray, picture: Tagged, quality: int | None, keep_hidden: bool, exif: bytes = b"") -> bytes:
    """A WebP of uint8 [h, w, 4]; quality None: lossless. Its alpha is always lossless."""
    options: dict[str, object] = {"lossless": True, "quality": 40, "method": 2}
    if quality is not None:
        options = {"quality": quality, "alpha_quality": 100, "method": 3}
    if exif:
        options["exif"] = PREFIX + exif
    elif picture.dpi:
        tags = Image.Exif()
        tags.update(density(picture.dpi))
        options["exif"] = tags
    return _save(rgba, "WEBP", 16_383, icc_profile=picture.icc_profile, exact=keep_hidden, **options)


def avif(rgba: NDArray, picture: Tagged, quality: int | None, exif: bytes = b"") -> bytes:
    """An AVIF of uint8 [h, w, 4], its colours not subsampled; quality None: 100, which is nearly lossless."""
    options: dict[str, object] = {"quality": 100 if quality is None else quality, "speed": 7, "subsampling": "4:4:4"}
    if exif:
        options["exif"] = PREFIX + exif
    return _save(rgba, "AVIF", 65_536, icc_profile=picture.icc_profile or b"", max_threads=1, **options)


def tiff(rgba: NDArray, picture: Tagged) -> bytes:
    """A TIFF of uint8 or uint16 [h, w, 4] with straight alpha, deflated. Raises ImportError without tifffile."""
    import tifffile

    file = io.BytesIO()
    options: dict[str, Any] = {"iccprofile": picture.icc_profile} if picture.icc_profile else {}
    if picture.dpi:
        options |= {"resolution": picture.dpi, "resolutionunit": "INCH"}
    tifffile.imwrite(
        file,
        rgba,
        photometric="rgb",
        extrasamples=["unassalpha"],
        compression="adobe_deflate",
        predictor=True,
        rowsperstrip=max(1, (1 << 20) // max(1, rgba[0].nbytes)),
        software=False,
        metadata=None,
        **options,
    )
    return file.getvalue()


def _save(pixels: NDArray, kind: str, longest: int, **options: object) -> bytes:
    if max(pixels.shape[:2]) > longest:
        raise PictureError("too_large_for_format", f"{kind} holds at most {longest:,} pixels a side: choose PNG")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()
