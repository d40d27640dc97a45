"""Poster templates: YAML files that say what stands where on a canvas, and what of it a row of a table fills.

A text holds `{column}` where the row's value goes. Relative paths are from the template's folder. Templates that come
with Hairline lie in `templates/`; one of your own is named by its path.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from PIL import ImageColor
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..documents import Document, Key, did_you_mean, dotted, read_text, validate
from ..errors import HairlineError, PictureError
from .decorations import Fit, check_decoration
from .fonts import Face, default_faces, digests, face_named
from .lettering import Align, Style, Valign
from .preset_files import is_file

FOLDER = Path(__file__).parent / "templates"
BUILTIN: dict[str, Path] = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
ABOUT = "(canvas, background, subjects, texts, decorations), as a poster template"

Channel = Annotated[int, Field(ge=0, le=255)]
Side = Annotated[int, Field(gt=0, le=10_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Box = tuple[int, int, Side, Side]
Anchor = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"
]  # fmt: skip


def _colour(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ImageColor.getrgb(value)[:3]
    except ValueError:
        raise ValueError(
            f"{value!r} is no colour: write '#rrggbb' in quotes, a name such as white, or [r, g, b]"
        ) from None


Colour = Annotated[tuple[Channel, Channel, Channel], BeforeValidator(_colour)]


class Data(BaseModel):
    """Part of a template."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ground(Data):
    """What lies under everything."""

    kind: Literal["color", "gradient", "picture"] = "color"
    color: Colour = Field((255, 255, 255), description="of color, where a gradient begins, or around a picture")
    color2: Colour = Field((225, 228, 232), description="where a gradient ends")
    angle: float | Literal["radial"] = Field(90.0, description="of a gradient, degrees; radial: from the middle out")
    picture: str = Field("", description="of kind picture: its path")
    fit: Literal["cover", "contain"] = "cover"
    position: tuple[Share, Share] = (0.5, 0.5)


class SubjectPlace(Data):
    """Where a cut-out goes."""

    name: str = Field("picture", description="the column that names its picture")
    box: Box = Field(description="[x, y, width, height], pixels; the subject never leaves it")
    anchor: Anchor = Field("center", description="where in its box it stands")
    scale: float = Field(1.0, gt=0, le=1, description="how much of its box it fills; 1: as large as fits")
    z: int = Field(10, description="what has more lies above")
    shadow: Literal["none", "contact"] = Field("none", description="contact: a soft one where it stands")
    light: Share = Field(0.0, description="how far its light and tint go towards the background's")
    hidden: Share = Field(0.25, description="what layers above may hide of it, at most; for the verifier")


class TextBox(Data):
    """A text, with the values of a row."""

    text: str = Field(description="{column} stands for the row's value; a text that is empty then is left out")
    box: Box = Field(description="[x, y, width, height], pixels; no ink leaves it")
    name: str = Field("", description="what checks call it; by default its place in the list")
    font: str | tuple[str, ...] = Field(
        (), description="paths or installed families; the first that has all letters is taken. By default Noto's"
    )
    weight: int = Field(400, ge=1, le=1000, description="of fonts that come in several: 400 regular, 700 bold")
    size: int = Field(72, ge=4, le=4000, description="pixels, at most; it shrinks until it fits")
    smallest: int = Field(14, ge=4, le=4000, description="pixels, at least; what does not fit then ends in …")
    color: Colour = (20, 20, 20)
    align: Align = Field("start", description="start and end follow the direction of the script")
    valign: Valign = "top"
    direction: Literal["auto", "ltr", "rtl"] = Field("auto", description="auto: that of the first letter that has one")
    language: str = Field("", description="BCP 47, such as ur or sr, where a font draws letters differently for it")
    wrap: bool = True
    lines: int = Field(0, ge=0, description="at most; 0: as many as fit")
    spacing: float = Field(1.2, ge=0.8, le=3, description="from line to line, share of the size")
    z: int = Field(20, description="what has more lies above")
    contrast: float = Field(
        3.0, ge=1, le=21, description="least contrast to what is behind it (WCAG); for the verifier"
    )


class Decoration(Data):
    """A picture, or a rectangle of one colour."""

    box: Box
    file: str = Field("", description="path of an SVG, PNG or other picture")
    color: Colour | None = Field(None, description="of a rectangle, where there is no file")
    radius: int = Field(0, ge=0, description="of a rectangle's corners, pixels")
    fit: Fit = "contain"
    opacity: Share = 1.0
    z: int = Field(0, description="what has more lies above")


class Template(Data):
    """A template as it stands in its file."""

    title: str = ""
    canvas: tuple[Side, Side] = Field(description="width and height, pixels")
    background: Ground = Ground()
    values: dict[str, str] = Field(default_factory=dict, description="what stands in where a row says nothing")
    subjects: tuple[SubjectPlace, ...] = ()
    texts: tuple[TextBox, ...] = ()
    decorations: tuple[Decoration, ...] = ()


@dataclass(frozen=True)
class PosterTemplate:
    """A template that was read and checked, with all that it names.

    Attributes:
        name: as it was asked for.
        faces: of each text.
        files: path as the template has it -> its bytes.
        digest: SHA-256, hex, over the template and all that it names.
    """

    name: str
    data: Template
    faces: tuple[tuple[Face, ...], ...]
    files: dict[str, bytes]
    digest: str

    @property
    def columns(self) -> dict[str, bool]:
        """Columns that its texts take -> whether a row must have it."""
        names = [name for text in self.data.texts for name in placeholders(text.text)]
        return {name: name not in self.data.values for name in dict.fromkeys(names)}

    def style(self, number: int) -> Style:
        """How its texts are set, by their place in the list."""
        box = self.data.texts[number]
        return Style(
            self.faces[number],
            box.weight,
            box.size,
            min(box.smallest, box.size),
            box.align,
            box.valign,
            box.direction,
            box.language,
            box.wrap,
            box.lines,
            box.spacing,
        )


def placeholders(text: str) -> list[str]:
    """The columns that a text names. Raises ValueError: a brace stands alone, or a name has more to it."""
    names = []
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name or form or conversion:
            raise ValueError("a brace holds the name of a column, as in {title}; write {{ and }} for braces themselves")
        names.append(name)
    return names


def filled(text: str, values: dict[str, str]) -> str:
    """A text with a row's values."""
    parts = string.Formatter().parse(text)
    return "".join(before + (values[name] if name else "") for before, name, _, _ in parts).strip()


def is_template(name: str) -> bool:
    """Whether a name or path means a template; one that cannot be read, or has no canvas, does not."""
    if not is_file(name):
        return name in BUILTIN
    try:
        data = Document(name, read_text(Path(name).expanduser()), ABOUT).data
    except HairlineError:
        return False
    return isinstance(data, dict) and "canvas" in data


def read_template(name: str) -> PosterTemplate:
    """A template by its path, or by the name of one that comes with Hairline, checked with all that it names.

    Raises:
        HairlineError: it cannot be read, or something in it is wrong: file, line, key and what to do.
    """
    if name in BUILTIN:
        path = BUILTIN[name]
    elif is_file(name):
        path = Path(name).expanduser()
    else:
        near = did_you_mean(name, BUILTIN)
        raise HairlineError(f"unknown poster template {name!r}{near}; one of your own is a path to a .yaml")
    document = Document(str(path), read_text(path), ABOUT)
    data = validate(Template, document.data, document, ())
    files = dict(_files(data, document, path.parent))
    faces = tuple(_faces(text, number, document, path.parent) for number, text in enumerate(data.texts))
    _check_boxes(data, document)
    _check_names(data, document)
    known = [data.model_dump_json(), *digests(dict.fromkeys(face for some in faces for face in some))]
    known += [hashlib.sha256(files[each]).hexdigest() for each in sorted(files)]
    digest = hashlib.sha256("\n".join(known).encode()).hexdigest()
    return PosterTemplate(name, data, faces, files, digest)


@lru_cache(maxsize=8)
def template_as(name: str, digest: str) -> PosterTemplate:
    """The template that settings were made with. Raises PictureError: it is not there, or another one by now."""
    try:
        template = read_template(name)
    except HairlineError as error:
        raise PictureError("template", str(error)) from error
    if template.digest != digest:
        raise PictureError("template", f"{name}, or a font or picture that it names, is not what the run began with")
    return template


def _wrong(document: Document, key: Key, what: str) -> HairlineError:
    at = f"{dotted(key)}: " if key else ""
    return HairlineError(f"{document.location(key)}: {at}{what}")


def _files(data: Template, document: Document, folder: Path) -> dict[str, bytes]:
    """The files that a template names, read; pictures among them can be drawn."""
    named: list[tuple[Key, str]] = []
    if data.background.kind == "picture":
        if not data.background.picture:
            raise _wrong(document, ("background",), "kind picture needs the path of one: picture: beach.jpg")
        named.append((("background", "picture"), data.background.picture))
    for number, decoration in enumerate(data.decorations):
        if bool(decoration.file) == (decoration.color is not None):
            raise _wrong(document, ("decorations", number), "needs either a file or a color, and not both")
        if decoration.file:
            named.append((("decorations", number, "file"), decoration.file))
    found = {}
    for key, name in named:
        path = folder / Path(name).expanduser()
        try:
            found[name] = path.read_bytes()
            check_decoration(path)
        except OSError as error:
            raise _wrong(document, key, f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise _wrong(document, key, str(error)) from error
    return found


def _faces(text: TextBox, number: int, document: Document, folder: Path) -> tuple[Face, ...]:
    names = (text.font,) if isinstance(text.font, str) else text.font
    if not names:
        return default_faces()
    try:
        return tuple(face_named(name, folder) for name in names)
    except ValueError as error:
        raise _wrong(document, ("texts", number, "font"), str(error)) from error


def _check_boxes(data: Template, document: Document) -> None:
    width, height = data.canvas
    for part in ("subjects", "texts", "decorations"):
        for number, each in enumerate(getattr(data, part)):
            x, y, w, h = each.box
            if part != "decorations" and (x < 0 or y < 0 or x + w > width or y + h > height):
                what = f"[{x}, {y}, {w}, {h}] leaves the canvas of {width} x {height}; it is [x, y, width, height]"
                raise _wrong(document, (part, number, "box"), what)


def _check_names(data: Template, document: Document) -> None:
    places = [each.name for each in data.subjects]
    for number, name in enumerate(places):
        if places.index(name) != number:
            what = f"two places take the picture of the column {name}; give one another name"
            raise _wrong(document, ("subjects", number, "name"), what)
    for number, text in enumerate(data.texts):
        try:
            placeholders(text.text)
        except ValueError as error:
            raise _wrong(document, ("texts", number, "text"), str(error)) from error
    if not (data.subjects or data.texts):
        raise _wrong(document, (), "has neither subjects nor texts: nothing would differ from row to row")
