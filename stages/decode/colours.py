"""Colours as a file describes them: CMYK, grey and Lab become sRGB; what is RGB is tagged with what it is in.

RGB pixels stay as they are, in the file's ICC profile or in one made here of the primaries that its header names (PNG's
cICP and cHRM, nclx in AVIF and HEIC; coded as in ITU-T H.273). Where a header names another brightness curve than
sRGB's, linear light for instance, pixels are converted, for all that follows takes them for sRGB's.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Primaries = tuple[float, ...]  # x, y of white, red, green and blue

ICC_SPACES = {"CMYK": b"CMYK", "L": b"GRAY"}
D65 = (0.3127, 0.3290)
SRGB: Primaries = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES: dict[int, Primaries] = {
    1: SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
WIDE = frozenset({4, 9, 11, 12})  # 5, 6 and 7 are old video's, which everybody shows as sRGB
GAMMAS = {5: 2.8, 8: 1.0}  # all other transfer functions are shown as sRGB's, those of high dynamic range too
HDR = frozenset({16, 18})  # PQ and HLG
SRGB_GAMMA = 1 / 0.45455
GAMMA_TOLERANCE = 0.08  # a gamma this close to sRGB's, as a share, is meant to be it
COLORANTS = (b"rXYZ", b"gXYZ", b"bXYZ")  # tags of an ICC profile
PROBE = np.array(
    [[(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (60, 120, 180), (200, 90, 40), (255, 255, 255)]], np.uint8
)
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Space(NamedTuple):
    """The colour space of a file's pixels: an ICC profile (empty: sRGB), and whether RGB is to be converted from it."""

    profile: bytes = b""
    convert: bool = False


def space_of_codes(primaries: int, transfer: int) -> Space:
    """The space that code points of ITU-T H.273 name."""
    gamma = GAMMAS.get(transfer)
    if primaries not in WIDE and gamma is None:
        return Space()
    return Space(_make_profile(PRIMARIES.get(primaries, SRGB), gamma), gamma is not None)


def space_of_png(icc: bytes, cicp: bytes, has_srgb: bool, gamma: float | None, chroma: Primaries | None) -> Space:
    """The space of a PNG by its chunks, the more exact first: cICP, iCCP, sRGB, cHRM with gAMA.

    Args:
        icc: of iCCP. cicp: the chunk's four bytes. gamma: of gAMA, such as 0.45455. chroma: of cHRM.
    """
    if len(cicp) == 4 and not (icc and cicp[1] in HDR):
        return space_of_codes(cicp[0], cicp[1])
    if icc or has_srgb:
        return Space(icc)
    power = 1 / gamma if gamma and 0.1 <= gamma <= 10 else SRGB_GAMMA
    other_curve = abs(power / SRGB_GAMMA - 1) > GAMMA_TOLERANCE
    if chroma is None or len(chroma) != 8 or not _is_valid(chroma):
        chroma = SRGB
    if not other_curve and np.abs(np.subtract(chroma, SRGB)).max() < 0.01:
        return Space()
    return Space(_make_profile(tuple(chroma), power if other_curve else None), other_curve)


def space_of_boxes(data: bytes) -> Space:
    """The space that AVIF and HEIC name in numbers, in their first box `colr` of the kind `nclx`."""
    at = data.find(b"colrnclx", 0, 1 << 16)
    return space_of_codes(*struct.unpack_from(">HH", data, at + 8)) if 0 <= at <= len(data) - 12 else Space()


def output_profile(space: Space, mode: str) -> bytes | None:
    """The profile that pixels of a Pillow mode are in once `to_rgb` has made RGB of them; None: sRGB."""
    is_rgb = space.profile[16:20] == b"RGB " and not space.convert
    return space.profile if is_rgb and mode not in ("CMYK", "LAB") else None


def to_rgb(image: Image.Image, space: Space) -> Image.Image:
    """The picture as RGB, in the space that `output_profile` names.

    Args:
        image: of 8 bits a channel, without alpha. A profile of another kind than its own is as good as none.
    """
    transform = None
    if image.mode == "LAB" or space.profile[16:20] == ICC_SPACES.get(image.mode):
        transform = _to_srgb(space.profile, image.mode)
    elif space.convert:
        image = image.convert("RGB")
        transform = _to_srgb(space.profile, "RGB")
    if transform and (converted := ImageCms.applyTransform(image, transform)):
        return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def srgb_profile() -> bytes:
    """An ICC profile of sRGB; the same bytes every time, which Little CMS's own, dated, are not."""
    return _make_profile(SRGB, None, b"sRGB")


def is_srgb(profile: bytes) -> bool:
    """Whether a profile shows colours as sRGB does: seven colours change by no more than two levels of 255."""
    if profile[16:20] != b"RGB " or not (transform := _to_srgb(profile, "RGB")):
        return False
    shown = ImageCms.applyTransform(Image.fromarray(PROBE), transform)
    return shown is not None and bool(np.abs(np.asarray(shown).astype(int) - PROBE).max() <= 2)


def as_srgb(rgb: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """uint8 [h, w, 3] of a profile (None: sRGB) in sRGB; as it is where the profile is damaged."""
    if not profile or is_srgb(profile) or not (transform := _to_srgb(profile, "RGB")):
        return rgb
    shown = ImageCms.applyTransform(Image.fromarray(rgb), transform)
    return rgb if shown is None else np.asarray(shown)


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Building one takes 0.1 s. A damaged profile is as good as none."""
    try:
        source = ImageCms.createProfile("LAB") if mode == "LAB" else io.BytesIO(profile)
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except ImageCms.PyCMSError:
        return None


def _is_valid(chroma: Primaries) -> bool:
    """Whether white lies in the triangle of the primaries, as it must for a profile."""
    x, y = chroma[2::2], chroma[3::2]
    if min(chroma[1::2]) <= 0 or max(chroma) > 1:
        return False
    corners = np.array([x, y, (1, 1, 1)])
    if abs(np.linalg.det(corners)) < 1e-3:
        return False
    return bool((np.linalg.solve(corners, np.array([chroma[0], chroma[1], 1])) > 0.01).all())


@lru_cache(maxsize=8)
def _make_profile(chroma: Primaries, gamma: float | None, text: bytes = b"RGB by its primaries") -> bytes:
    """An ICC profile, version 2, of an RGB space by its primaries and gamma (None: sRGB's curve)."""
    xyz = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in zip(chroma[::2], chroma[1::2], strict=True)])
    white, primaries = xyz[0], xyz[1:].T
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    adapted = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ primaries * np.linalg.solve(primaries, white)
    if gamma is None:
        code = np.arange(1024) / 1023
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
        curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + np.rint(light * 65535).astype(">u2").tobytes()
    else:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text += b"\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"no copyright\0",
        b"wtpt": b"XYZ " + bytes(4) + _fixed_point(D50),
        **{name: b"XYZ " + bytes(4) + _fixed_point(adapted[:, k]) for k, name in enumerate(COLORANTS)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    start, index, body = 132 + 12 * len(tags), b"", b""
    offsets: dict[bytes, int] = {}
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        if value not in offsets:  # the three curves are one
            offsets[value] = start + len(body)
            body += padded
        index += name + struct.pack(">II", offsets[value], len(value))
    head = struct.pack(">I4xI", start + len(body), 0x02100000) + b"mntrRGB XYZ "
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28) + _fixed_point(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def _fixed_point(values: np.ndarray) -> bytes:
    return struct.pack(">3i", *(round(float(v) * 65536) for v in values))
