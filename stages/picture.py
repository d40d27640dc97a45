"""One source picture: its header read at once, its pixels decoded when asked for and only as large as needed.

Pixels are 8-bit RGB, upright (EXIF orientation applied), in the colour space that `icc_profile` names,
or sRGB when it names none. CMYK and grey pictures with a profile are converted to sRGB.
Not covered: later pages and frames, and tone mapping of high dynamic range.
"""

from __future__ import annotations

import ctypes
import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image, ImageCms, UnidentifiedImageError

from .errors import PictureError
from .limits import DEFAULT_LIMITS, Limits
from .parts import check_parts
from .sniff import incomplete, png_exif, sniff

U8 = NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # `Limits` refuses bombs, with the user's numbers and before decoding
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one process per core: threads would only queue
warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a picture stands in its row
logging.getLogger("PIL").addHandler(logging.NullHandler())
for _file in metadata.files("pillow") or ():  # the libtiff in Pillow's wheels writes its errors to stderr
    if _file.name.startswith("libtiff"):
        ctypes.CDLL(str(_file.locate())).TIFFSetErrorHandler(None)

TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what makes it upright
TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT = 322, 323  # tags
TILE_PIXELS = 1 << 22  # of a tile that may be larger than its picture
JPEG_SCALES = (8, 4, 2)
ICC_SPACES = {"CMYK": b"CMYK", "L": b"GRAY"}


class Picture:
    """A source file whose header has been read.

    Args:
        data: the file's bytes.
        limits: what is refused before it is decoded.

    Attributes:
        format: JPEG, PNG, WEBP, AVIF, TIFF, BMP or GIF, from the content.
        width, height: of the upright picture, pixels.
        dpi: (x, y) of the upright picture as stated in the file, or None.
        icc_profile: the profile that the RGB pixels are in; None means sRGB.

    Raises:
        PictureError: `empty_file`, `not_a_picture`, `unsupported`, `truncated`, `decode_error`,
            `too_many_bytes`, `too_many_pixels` (both sides together) or `too_large` (the longer side).
            The methods that decode raise `truncated`, `decode_error`, `unsupported` or `out_of_memory`.
    """

    def __init__(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        if not data:
            raise PictureError("empty_file", "0 bytes")
        if len(data) > limits.max_bytes:
            raise PictureError("too_many_bytes", f"{len(data):,} bytes; the limit is {limits.max_bytes:,}")
        self.format = sniff(data)
        check_parts(data, self.format)
        self._data = data
        with self._trouble():
            image = self._open()
            _check_size(image.size, limits)
            _check_tiles(image)
            self._orientation = self._read_orientation(image)
            swapped = self._orientation >= 5
            self.width, self.height = image.size[::-1] if swapped else image.size
            self._is_cmyk = image.mode == "CMYK"
            self._source_profile: bytes = image.info.get("icc_profile") or b""
            dpi = _dpi(image)
            self.dpi = dpi[::-1] if dpi and swapped else dpi
        keeps_profile = not self._is_cmyk and self._source_profile[16:20] == b"RGB "
        self.icc_profile = self._source_profile if keeps_profile else None
        self._levels: dict[int, U8] = {}  # decoded at 1/1, 1/2, 1/4, 1/8
        self._smalls: dict[int, U8] = {}
        self._alpha: U8 | None = None

    def rgb(self) -> U8:
        """uint8 [H, W, 3], 0..255, the whole picture upright; what is transparent lies on white.

        Decoded once. Every caller gets the same array: do not write into it.
        """
        return self._level(1)

    def small(self, side: int) -> U8:
        """uint8 [h, w, 3], 0..255: the picture with its longer side at most `side`, never enlarged.

        Averaged by area; a JPEG is decoded at the smallest of 1/1, 1/2, 1/4, 1/8 that is large enough, and
        the rest of the way, less than half, is bilinear (ten times as fast and not visibly different). The
        answer depends on the file and `side` alone, not on what was decoded before. Cached like `rgb`.
        """
        if side not in self._smalls:
            longer = max(self.width, self.height)
            scales = JPEG_SCALES if self.format == "JPEG" else ()
            level = self._level(next((s for s in scales if longer // s >= side), 1))
            ratio = min(1.0, side / longer)
            size = max(1, round(self.width * ratio)), max(1, round(self.height * ratio))
            if size == (level.shape[1], level.shape[0]):
                return level
            way = cv2.INTER_LINEAR_EXACT if 2 * size[0] > level.shape[1] else cv2.INTER_AREA
            self._smalls[side] = _u8(cv2.resize(level, size, interpolation=way))
        return self._smalls[side]

    @property
    def source_alpha(self) -> U8 | None:
        """uint8 [H, W], 0..255, upright: the transparency that the file brings; None if all is opaque."""
        if self.format != "JPEG":
            self._level(1)
        return self._alpha

    def _level(self, scale: int) -> U8:
        if scale not in self._levels:
            with self._trouble():
                self._levels[scale] = self._decode(scale)
        return self._levels[scale]

    def _decode(self, scale: int) -> U8:
        if self.format in ("JPEG", "WEBP") and self._data.endswith(b"\0" * 64) and incomplete(self._data, self.format):
            raise PictureError("truncated", "its end is zeros: an unfinished download?")
        image = self._open()
        if scale > 1:
            image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
        image.load()
        if self._orientation in TRANSPOSE:
            image = image.transpose(TRANSPOSE[self._orientation])
        if image.has_transparency_data and image.mode not in ("I", "I;16", "I;16B", "F"):
            image, alpha = _on_white(image.convert("RGBA"))
            self._alpha = alpha if alpha.min() < 255 else None
        rgb = np.array(_to_rgb(image, self._source_profile))
        if scale == 1 and rgb.shape != (self.height, self.width, 3):
            raise PictureError("decode_error", f"{rgb.shape[1]}x{rgb.shape[0]} pixels, unlike its header")
        return rgb

    def _open(self) -> Image.Image:
        return Image.open(io.BytesIO(self._data), formats=[self.format])

    def _read_orientation(self, image: Image.Image) -> int:
        if self.format == "TIFF":  # Pillow itself turns TIFF, and says the upright size
            return 1
        try:
            if self.format == "PNG" and "exif" not in image.info and (exif := png_exif(self._data)):
                image.info["exif"] = exif
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)  # PNG's own getexif would decode
        except Exception:  # damaged EXIF is no reason to refuse the picture
            return 1
        return value if value in TRANSPOSE else 1

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Turns whatever a decoder raises over a picture's bytes into a PictureError."""
        try:
            yield
        except PictureError:
            raise
        except MemoryError as error:
            raise PictureError("out_of_memory", f"decoding {self.format}") from error
        except Exception as error:
            line = " ".join(str(error).split())[:150]
            if "truncated" in line.lower() or incomplete(self._data, self.format):
                raise PictureError("truncated", f"the {self.format} ends too early") from error
            if isinstance(error, UnidentifiedImageError):
                raise PictureError("decode_error", f"the {self.format} header is damaged") from error
            if isinstance(error, NotImplementedError) or "not supported" in line or "unsupported" in line.lower():
                raise PictureError("unsupported", f"{self.format}: {line}") from error
            raise PictureError("decode_error", f"{self.format}: {line or type(error).__name__}") from error


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError("decode_error", f"the header says {width}x{height} pixels")
    if width * height > limits.max_pixels:
        raise PictureError("too_many_pixels", f"{width}x{height} pixels; the limit is {limits.max_pixels:,}")
    if max(size) > limits.max_side:
        raise PictureError("too_large", f"{width}x{height} pixels; the longest side allowed is {limits.max_side:,}")


def _check_tiles(image: Image.Image) -> None:
    """A TIFF's tiles are decoded whole, however small the picture is."""
    tags = getattr(image, "tag_v2", {})
    tile = [tags.get(tag, 1) for tag in (TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT)]
    if math.prod(tile) > max(TILE_PIXELS, image.width * image.height):
        raise PictureError("too_many_pixels", f"{image.width}x{image.height}, in tiles of {tile[0]}x{tile[1]}")


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(v) and 1 <= v <= 100_000 for v in (x, y)) else None


def _to_rgb(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "I;16", "I;16B", "F"):
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    transform = _to_srgb(profile, image.mode) if profile and image.mode in ICC_SPACES else None
    if transform and (converted := ImageCms.applyTransform(image, transform)):
        return converted
    return image.convert("RGB")


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a mode through a profile of its kind; building one takes 0.1 s. A damaged profile is as good as none."""
    if profile[16:20] != ICC_SPACES[mode]:
        return None
    try:
        return ImageCms.buildTransform(io.BytesIO(profile), ImageCms.createProfile("sRGB"), mode, "RGB")
    except ImageCms.PyCMSError:
        return None


def _to_8_bits(values: NDArray) -> U8:
    """16- and 32-bit grey to 0..255. Integers over 16 bits wide and floats do not say what white is:
    the smallest of 1 (floats), 255, 65,535, 2^32 - 1 that holds all values is taken."""
    if values.dtype.itemsize == 2:
        return _u8(values // 257)
    real = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = next((w for w in whites if real.max() <= w), max(4294967295.0, float(real.max())))
    return _u8(np.clip(np.rint(real / white * 255), 0, 255))


def _on_white(image: Image.Image) -> tuple[Image.Image, U8]:
    alpha = np.array(image.getchannel("A"))
    if alpha.min() == 255:
        return image.convert("RGB"), alpha
    white = Image.new("RGB", image.size, "white")
    white.paste(image, (0, 0), image)
    return white, alpha


def _u8(array: NDArray) -> U8:
    return array.astype(np.uint8, copy=False)
