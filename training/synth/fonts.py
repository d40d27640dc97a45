"""The fonts that designs are set in: the `fontpkg-*` families and Noto Sans CJK where they are installed
(extra `training`), else the one that Pillow brings. All under the Open Font License.

The same seed draws the same picture only where the same families are installed.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...stages.products.fonts import Face as FontFile
from ...stages.products.fonts import Font, has_letter
from ...stages.products.fonts import font as load_font


@dataclass(frozen=True)
class Face:
    """A font file (empty: Pillow's own) and the scripts of `words.WORDS` that it has."""

    path: str
    scripts: tuple[str, ...]


@lru_cache(maxsize=1)
def faces() -> tuple[Face, ...]:
    """All faces found, in a fixed order."""
    found = []
    for metadata in sorted(p for folder in _site_folders() for p in folder.glob("fontpkg_*/metadata.json")):
        family = json.loads(metadata.read_text(encoding="utf-8"))
        scripts = tuple(
            s
            for s in family["subsets"]
            if s in ("latin", "cyrillic", "greek", "hebrew", "arabic", "devanagari", "thai")
        )
        found += [Face(str(metadata.parent / file["path"]), scripts) for file in family["files"]]
    for folder in _site_folders():
        found += [Face(str(p), ("han", "kana", "hangul")) for p in sorted(folder.glob("manimgx_fonts_cjk/*.ttc"))]
    return tuple(found) or (Face("", ("latin",)),)


def scripts() -> tuple[str, ...]:
    """The scripts that some face has."""
    return tuple(sorted({s for face in faces() for s in face.scripts}))


def faces_of(script: str) -> list[Face]:
    return [face for face in faces() if script in face.scripts]


def font(face: Face, size: int, weight: int = 400) -> Font:
    """The face at a size in pixels; `weight` (100..900) counts for variable fonts only."""
    return load_font(FontFile(face.path), size, weight)


def spelled(text: str, face: Face) -> str:
    """The text in letters that the face has: without accents where those are missing, without signs it lacks."""
    found = []
    for letter in text:
        plain = unicodedata.normalize("NFKD", letter)[0]
        found.append(letter if _has(face, letter) else plain if _has(face, plain) else "")
    return "".join(found)


def _has(face: Face, letter: str) -> bool:
    return has_letter(FontFile(face.path), letter)


def _site_folders() -> list[Path]:
    return [Path(p) for p in dict.fromkeys(sys.path) if p.endswith("site-packages")]
