"""One source picture: its header read at once, its pixels decoded when asked for and only as large as needed.

Pixels are 8-bit RGB, upright (EXIF orientation applied), in the colour space that `icc_profile` names,
or sRGB when it names none, see `colours`; for transparency see `transparency`.
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
from PIL import AvifImagePlugin, ExifTags, Image, UnidentifiedImageError

from ..errors import PictureError
from ..limits import DEFAULT_LIMITS, Limits
from . import deep, jpeg, tiff, transparency
from .colours import Space, output_profile, space_of_boxes, space_of_png, to_rgb
from .exif import kept
from .parts import check_parts
from .sniff import incomplete, png_chunk, sniff

U8 = NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # `Limits` refuses bombs, with the user's numbers and before decoding
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one process per core: threads would only queue
warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a picture stands in its row
logging.getLogger("PIL").addHandler(logging.NullHandler())
for _file in metadata.files("pillow") or ():  # the libtiff in Pillow's wheels writes its errors to stderr
    if _file.name.startswith("libtiff"):
        ctypes.CDLL(str(_file.locate())).TIFFSetErrorHandler(None)

ANALYSIS_SIDE = 512  # long side at which filter, classify and detect see a picture, pixels; decoded once for all
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
HEIF_HEADER = 1 << 16  # bytes within which HEIC describes its pictures
DEEP_FORMATS = ("PNG", "TIFF")  # that may hold 16 bits a channel
DEEP_GREY = ("I", "I;16", "I;16B", "F")  # grey of more than 8 bits


class Picture:
    """A source file whose header has been read.

    Args:
        data: the file's bytes.
        limits: what is refused before it is decoded.

    Attributes:
        format: JPEG, PNG, WEBP, AVIF, HEIF, JPEG2000, TIFF, BMP or GIF, from the content.
        width: of the upright picture, pixels.
        height: likewise.
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
        if self.format == "HEIF":
            _register_heif()
        self._data = data
        self._page = 0
        with self._decode_errors():
            has_density = True
            if self.format == "TIFF":
                self._page, has_density = tiff.main_page(data)
            image = self._open()
            _check_size(image.size, limits)
            _check_tiles(image)
            self._orientation = self._read_orientation(image)
            swapped = self._orientation >= 5
            self.width, self.height = image.size[::-1] if swapped else image.size
            self._space = self._read_space(image)
            dpi = _read_dpi(image) if has_density else None
            self.dpi = dpi[::-1] if dpi and swapped else dpi
            self.icc_profile = output_profile(self._space, image.mode)
        self._levels: dict[int, U8] = {}  # decoded at 1/1, 1/2, 1/4, 1/8
        self._smalls: dict[int, U8] = {}
        self._straight: U8 | None = None
        self._alpha: U8 | None = None
        self._is_matte = False

    def rgb(self) -> U8:
        """uint8 [H, W, 3], 0..255, the whole picture upright, as the stages see it.

        What is transparent lies on one ground, which its own colours stand out from, see `transparency.ground_for`.
        Decoded once. Every caller gets the same array: do not write into it.
        """
        return self._level(1)

    def colours(self) -> U8:
        """uint8 [H, W, 3], 0..255: the picture's own colours, straight: no ground shines through half transparency.

        What is wholly transparent has the ground's colour: what lies hidden there goes nowhere. Shared like `rgb`.
        """
        self._level(1)
        return self._levels[1] if self._straight is None else self._straight

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
            interpolation = cv2.INTER_LINEAR_EXACT if 2 * size[0] > level.shape[1] else cv2.INTER_AREA
            self._smalls[side] = _u8(cv2.resize(level, size, interpolation=interpolation))
        return self._smalls[side]

    def deep_colours(self) -> NDArray[np.uint16] | None:
        """uint16 [H, W, 3], 0..65535: `colours` with all the bits of a PNG or TIFF that has 16 a channel; else None.

        None, too, where the eight-bit pixels are not simply these (converted colours, another page): they decide.
        """
        if self.format not in DEEP_FORMATS:
            return None
        plain = self.colours()
        with self._decode_errors():
            return deep.colours(self._data, self._orientation if self.format == "PNG" else 1, plain, self._alpha)

    @property
    def source_alpha(self) -> U8 | None:
        """uint8 [H, W], 0..255, upright: the transparency that the file brings; None if all is opaque."""
        if self.format != "JPEG":
            self._level(1)
        return self._alpha

    @property
    def own_matte(self) -> U8 | None:
        """`source_alpha` where it tells the subject from the background, else None; see `transparency.is_matte`."""
        return self.source_alpha if self.format != "JPEG" and self.source_alpha is not None and self._is_matte else None

    def _level(self, scale: int) -> U8:
        if scale not in self._levels:
            with self._decode_errors():
                self._levels[scale] = self._decode(scale)
        return self._levels[scale]

    def _decode(self, scale: int) -> U8:
        if self.format in ("JPEG", "WEBP") and self._data.endswith(b"\0" * 64) and incomplete(self._data, self.format):
            raise PictureError("truncated", "its end is zeros: an unfinished download?")
        image = self._load(scale)
        if self._orientation in TRANSPOSE:
            image = image.transpose(TRANSPOSE[self._orientation])
        image, alpha = _split_alpha(image)
        rgb = np.array(to_rgb(image, self._space))
        if scale == 1 and rgb.shape != (self.height, self.width, 3):
            raise PictureError("decode_error", f"{rgb.shape[1]}x{rgb.shape[0]} pixels, unlike its header")
        return rgb if alpha is None or alpha.min() == 255 else self._on_ground(rgb, alpha)

    def _on_ground(self, rgb: U8, alpha: U8) -> U8:
        self._alpha, self._is_matte = alpha, transparency.is_matte(alpha)
        ground = transparency.ground_for(rgb, alpha, self._is_matte)
        rgb[alpha == 0] = ground
        self._straight = rgb
        plain = Image.new("RGB", (self.width, self.height), ground)
        plain.paste(Image.fromarray(rgb), (0, 0), Image.fromarray(alpha))
        return np.array(plain)

    def _load(self, scale: int) -> Image.Image:
        """The decoded picture, a JPEG at 1/scale."""
        image = self._open()
        if scale > 1:
            image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
        try:
            image.load()
        except OSError:
            if self.format != "JPEG" or not jpeg.lacks_only_its_end(self._data):
                raise
            self._data += jpeg.END
            return self._load(scale)
        return image

    def _open(self) -> Image.Image:
        image = Image.open(io.BytesIO(self._data), formats=[self.format])
        if self._page:
            image.seek(self._page)
        if self.format == "PNG" and self._data[24] == 16 and isinstance(key := image.info.get("transparency"), tuple):
            image.info["transparency"] = tuple(value >> 8 for value in key)  # as Pillow reads the pixels
        if self.format == "PNG" and "exif" not in image.info and (exif := png_chunk(self._data, b"eXIf")):
            image.info["exif"] = exif  # it may lie behind the pixels
        return image

    def exif(self) -> bytes:
        """What of the file's EXIF may go on, see `exif.kept`: an EXIF block without its prefix; empty: nothing."""
        with self._decode_errors():
            return kept(Image.Image.getexif(self._open()), self.dpi)

    def _read_orientation(self, image: Image.Image) -> int:
        if self.format == "TIFF":  # Pillow itself turns TIFF, and says the upright size
            return 1
        if self.format == "HEIF":  # libheif turns what a file's own properties say; EXIF repeats it, or stands alone
            turned = any(self._data.find(name, 0, HEIF_HEADER) >= 0 for name in (b"irot", b"imir"))
            return 1 if turned else image.info.get("original_orientation") or 1
        try:
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)  # PNG's own getexif would decode
        except Exception:  # damaged EXIF is no reason to refuse the picture
            return 1
        return value if value in TRANSPOSE else 1

    def _read_space(self, image: Image.Image) -> Space:
        icc: bytes = image.info.get("icc_profile") or b""
        if self.format == "PNG":
            info, cicp = image.info, png_chunk(self._data, b"cICP")
            return space_of_png(icc, cicp, "srgb" in info, info.get("gamma"), info.get("chromaticity"))
        if self.format in ("AVIF", "HEIF") and not icc:
            return space_of_boxes(self._data)
        return Space(icc)

    @contextmanager
    def _decode_errors(self) -> Iterator[None]:
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


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(v) and 1 <= v <= 100_000 for v in (x, y)) else None


def _to_8_bits(values: NDArray) -> U8:
    """16- and 32-bit grey to 0..255. Integers over 16 bits wide and floats do not say what white is:
    the smallest of 1 (floats), 255, 65,535, 2^32 - 1 that holds all values is taken."""
    if values.dtype.itemsize == 2:
        return _u8(values // 257)
    real = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = next((w for w in whites if real.max() <= w), max(4294967295.0, float(real.max())))
    return _u8(np.clip(np.rint(real / white * 255), 0, 255))


def _split_alpha(image: Image.Image) -> tuple[Image.Image, U8 | None]:
    """The colours, straight and of 8 bits a channel, and the alpha, uint8 [h, w], where the mode can hold one."""
    if image.mode in DEEP_GREY:
        values, hidden = np.asarray(image), image.info.get("transparency")
        alpha = np.where(values == hidden, 0, 255).astype(np.uint8) if isinstance(hidden, int) else None
        return Image.fromarray(_to_8_bits(values)), alpha
    if not image.has_transparency_data:
        return image, None
    whole = image.convert("LA" if image.mode in ("L", "LA", "La") else "RGBA")
    return whole.convert(whole.mode[:-1]), np.array(whole.getchannel("A"))


@lru_cache(maxsize=1)
def _register_heif() -> None:
    """Makes Pillow read HEIF. Raises PictureError `unsupported` where the extra for it is not installed."""
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError(
            "unsupported", "HEIC is read with an extra: pip install 'hairline-matting[heic]'; or convert it to JPEG"
        ) from error
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener()


def _u8(array: NDArray) -> U8:
    return array.astype(np.uint8, copy=False)
