"""What of a file's EXIF may go on into what is made of it."""

from __future__ import annotations

from typing import Any

from PIL import ExifTags, Image

PREFIX = b"Exif\0\0"
BASE = ExifTags.Base
# what was taken, by whom and when; all other tags of the first directory describe a file that is no more
KEPT = (BASE.ImageDescription, BASE.Make, BASE.Model, BASE.DateTime, BASE.Artist, BASE.Copyright)
# of the camera's directory: what only its maker reads, what names one camera or its owner, and the file's own shape
DROPPED = (
    BASE.MakerNote, BASE.BodySerialNumber, BASE.LensSerialNumber, BASE.CameraOwnerName, BASE.ImageUniqueID,
    BASE.ExifImageWidth, BASE.ExifImageHeight, BASE.ExifInteroperabilityOffset, BASE.ColorSpace,
    BASE.ComponentsConfiguration, BASE.CompressedBitsPerPixel,
)  # fmt: skip


def _raw(value: Any) -> Any:
    """A text's bytes as they were: Pillow reads them as Latin-1, though most are UTF-8, and writes ASCII alone."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def density(dpi: tuple[float, float]) -> dict[int, float]:
    """The tags that say (x, y) pixels per inch."""
    return {BASE.XResolution: dpi[0], BASE.YResolution: dpi[1], BASE.ResolutionUnit: 2}


def kept(exif: Image.Exif, dpi: tuple[float, float] | None) -> bytes:
    """Description, author, rights, times, camera and exposure, as the bytes of a new EXIF block, without its prefix;
    with them the density of the new file, (x, y) pixels per inch.

    Never the place, a maker's notes, serial numbers, an owner's name, a thumbnail, or what the old file's pixels were
    like. Empty where there is nothing, or where it is damaged.
    """
    try:
        found = Image.Exif()
        found.update({tag: _raw(exif[tag]) for tag in KEPT if tag in exif})
        camera = {tag: value for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items() if tag not in DROPPED}
        if camera:
            found[ExifTags.IFD.Exif] = camera
        if found and dpi:
            found.update(density(dpi))
        return found.tobytes().removeprefix(PREFIX) if found else b""
    except Exception:  # Pillow raises what it comes across; damaged EXIF is no reason to lose the picture
        return b""
