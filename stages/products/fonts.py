"""The fonts that posters are set in: files, families that are installed as Python packages, and Pillow's own.

A family is a `fontpkg-*` package, by the name that its designers gave it, or `Noto Sans CJK SC` and its sisters from
`manimgx-fonts-cjk`; the extra `poster` brings some. Pillow's own has Latin letters only, and is always there.
"""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont
from PIL.ImageFont import Axis

from ..documents import did_you_mean

Font = ImageFont.FreeTypeFont
PROBE = 24  # pixels, at which it is tried whether a font has a letter
NO_LETTER = "\U0010fffe"  # no font has it
DEFAULTS = ("Noto Sans", "Noto Kufi Arabic", "Rubik", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans CJK SC")
INSTALL = "pip install 'hairline-matting[poster]' brings fonts for many scripts"
ENDINGS = (".ttf", ".otf", ".ttc", ".otc", ".woff2")


class Face(NamedTuple):
    """A font file, and which of the fonts in it. An empty path: Pillow's own."""

    path: str = ""
    number: int = 0

    @property
    def digest(self) -> str:
        """SHA-256, hex, of the file."""
        return _digest(self.path) if self.path else "Pillow's own"


PILLOWS = Face()


def face_named(name: str, folder: Path) -> Face:
    """A font as a template names it: a path from the template's folder, or a family that is installed.

    Raises:
        ValueError: there is none, or it is no font.
    """
    if not name.lower().endswith(ENDINGS):
        if name in families():
            return families()[name]
        near = did_you_mean(name, families()) if families() else ""
        raise ValueError(f"no font {name!r} is installed{near}; give the path of a .ttf or .otf file, or install it")
    path = Path(name).expanduser()
    face = Face(str(path if path.is_absolute() else folder / path))
    try:
        font(face, PROBE)
    except OSError as error:
        raise ValueError(f"{name} cannot be read as a font: {error.strerror or error}") from error
    return face


def default_faces() -> tuple[Face, ...]:
    """What a text is set in that names no font, in the order in which they are tried."""
    return (*(families()[name] for name in DEFAULTS if name in families()), PILLOWS)


@lru_cache(maxsize=1)
def families() -> dict[str, Face]:
    """Installed families by their names; of a family with many files the upright one that is nearest to regular."""
    found: dict[str, Face] = {}
    folders = [Path(folder) for folder in dict.fromkeys(sys.path) if folder]
    for about in sorted(path for folder in folders for path in folder.glob("fontpkg_*/metadata.json")):
        family = json.loads(about.read_text(encoding="utf-8"))
        files = sorted(family["files"], key=lambda f: (f["style"] != "normal", abs((f["weight"] or 400) - 400)))
        found.setdefault(family["family"], Face(str(about.parent / files[0]["path"])))
    for path in sorted(path for folder in folders for path in folder.glob("manimgx_fonts_cjk/*.ttc")):
        for index, region in enumerate(("JP", "KR", "SC", "TC", "HK")):
            found.setdefault(f"Noto Sans CJK {region}", Face(str(path), index))
    return found


@lru_cache(maxsize=512)
def font(face: Face, size: int, weight: int = 400) -> Font:
    """A face at a size in pixels; `weight`, 100 to 900, counts for variable fonts only. Raises OSError: no font."""
    if not face.path:
        own = ImageFont.load_default(size)
        assert isinstance(own, Font)  # Pillow's wheels all have FreeType
        return own
    loaded = ImageFont.truetype(face.path, size, face.number)
    try:
        axes = loaded.get_variation_axes()
    except OSError:  # not a variable font
        return loaded
    loaded.set_variation_by_axes([_value(axis, weight) for axis in axes])
    return loaded


def face_for(text: str, faces: Sequence[Face]) -> tuple[Face, str]:
    """The first face that has all letters of a text, or the one that lacks the fewest; and which it lacks."""
    lacking = [(face, "".join(dict.fromkeys(each for each in text if not has_letter(face, each)))) for face in faces]
    return min(lacking, key=lambda pair: len(pair[1]))  # the first of several


def digests(faces: Iterable[Face]) -> list[str]:
    return [face.digest for face in faces]


@lru_cache(maxsize=100_000)
def has_letter(face: Face, letter: str) -> bool:
    """Whether the face draws the letter otherwise than one that no font has. Spaces and marks of control count."""
    if letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf"):
        return True
    drawn, missing = (font(face, PROBE).getmask(sign) for sign in (letter, NO_LETTER))
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)


@lru_cache(maxsize=64)
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _value(axis: Axis, weight: int) -> float:
    """The weight on the axis of that name, the axis' default on others."""
    low, default, high = (axis[key] or 0 for key in ("minimum", "default", "maximum"))
    return float(min(max(weight, low), high) if axis["name"] == b"Weight" else default)
