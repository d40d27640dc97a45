"""A contact sheet: pictures through presets, with what the verifier says of each."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from rich.console import Console

from ..cluster.nodes import cores
from ..cluster.stage_runner import PoolSpec, StageRunner
from ..configs.documents import read_config
from ..configs.pipeline import PipelineConfig, check_config
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item, Output
from ..stages.products.base import Matte
from ..stages.products.preset_files import BUILTIN
from ..stages.products.spec import ProductSpec
from ..stages.products.stage import whole_matte
from ..stages.verdicts import Verdict
from .fetch import fetch
from .names import visible
from .presets import preset_named
from .storage import display

CELL = 320  # pixels a side, of a picture
CAPTION = 62  # pixels below it
GAP = 12
PAPER, INK = (228, 230, 233), (30, 34, 38)
COLOURS = {"pass": (20, 110, 50), "fail": (170, 20, 20), "unknown": (130, 90, 0)}
CHECKS = ((255, 255, 255), (215, 215, 215))  # under what is transparent


def write_sheet(pictures: Sequence[str], presets: Sequence[str], sheet: str, console: Console) -> int:
    """Writes a sheet with a row for each picture and a column for each preset.

    Args:
        pictures: paths or URLs.
        presets: names or files; none: all that come with Hairline.
        sheet: the picture to write, .png, .jpg or .webp; it must not be there.

    Returns:
        0, or 3 if a picture could not be cut out.

    Raises:
        HairlineError: a preset is wrong, there are no pictures, or the sheet is there or cannot be written.
    """
    if not pictures:
        raise HairlineError("--sheet: needs pictures: --of PICTURE, which may be repeated")
    if not sheet.lower().endswith((".png", ".jpg", ".jpeg", ".webp")):
        raise HairlineError(f"--sheet {sheet}: must end in .png, .jpg or .webp")
    if os.path.lexists(sheet):
        raise HairlineError(f"--sheet {sheet}: is there already; move it away or give another name")
    names = list(presets) or list(BUILTIN)
    specs = [(name, _spec(name)) for name in names]
    rows: list[list[Image.Image]] = []
    failed = False
    for picture, found in _cut(pictures):
        if isinstance(found, str):
            failed = True
            console.print(visible(f"{display(picture)}  {found}"), soft_wrap=True, highlight=False, markup=False)
            continue
        rows.append([_original(found, picture), *(_cell(found, name, spec) for name, spec in specs)])
    if not rows:
        raise HairlineError("--sheet: none of the pictures could be cut out")
    try:
        _laid_out(rows).save(sheet)
    except OSError as error:
        raise HairlineError(f"--sheet {sheet}: cannot be written: {error.strerror or error}") from error
    console.print(visible(sheet), soft_wrap=True, highlight=False, markup=False)
    return 3 if failed else 0


def _spec(name: str) -> ProductSpec:
    preset = preset_named(name)
    return ProductSpec.model_validate({preset.product: {"preset": name}})


def _cut(pictures: Sequence[str]) -> Iterator[tuple[str, Matte | str]]:
    """Each picture's matte, or why there is none."""
    document = read_config("laptop.yaml")
    for key in ("input", "output"):
        document.data.pop(key, None)
    config = check_config(PipelineConfig, document)
    stages = tuple((name, settings) for name, settings in config.stages.items() if name != "products")
    gpu = 1.0 if torch.cuda.is_available() else 0.0
    runner = StageRunner(PoolSpec("sheet", stages, cores(), gpu, 1))
    for picture in pictures:
        item = Item(display(picture), display(picture), limits=config.limits)
        try:
            item.data, _ = fetch(picture, config.limits)
            runner.run([item])
        except PictureError as error:
            item.fail("fetch", error)
        yield picture, whole_matte(item) if item.status == "ok" else f"{item.status}  {item.reason}  {item.detail}"


def _original(matte: Matte, name: str) -> Image.Image:
    shown = Image.fromarray(matte.picture.rgb())
    height, width = matte.alpha.shape
    return _framed(shown, [name.rpartition("/")[2], f"{width} x {height}"], INK)


def _cell(matte: Matte, name: str, spec: ProductSpec) -> Image.Image:
    product = spec.build()
    try:
        made: Output = product.make(matte)
    except PictureError as error:
        return _framed(Image.new("RGB", (CELL, CELL), PAPER), [name, error.reason, error.detail[:50]], COLOURS["fail"])
    verdict: Verdict | None = product.verify(made, spec.name)
    shown = Image.open(io.BytesIO(made.data))
    said = f"{shown.width} x {shown.height} {made.ext}, {len(made.data) / 1000:,.0f} kB"
    answer = verdict.verdict if verdict else "unknown"
    wrong = [check for check in verdict.checks if check.verdict != "pass"] if verdict else []
    told = ", ".join(f"{c.name} {c.value:.4g}" if isinstance(c.value, float) else f"{c.name} {c.value}" for c in wrong)
    return _framed(shown, [name, said, f"{answer}  {told}"], COLOURS[answer])


def _framed(shown: Image.Image, lines: Sequence[str], colour: tuple[int, int, int]) -> Image.Image:
    """A picture with lines below it; the last one is coloured."""
    cell = Image.new("RGB", (CELL, CELL + CAPTION), PAPER)
    small = ImageOps.contain(shown.convert("RGBA" if shown.has_transparency_data else "RGB"), (CELL, CELL))
    at = ((CELL - small.width) // 2, (CELL - small.height) // 2)
    ground = _chequered(small.size) if small.mode == "RGBA" else small
    cell.paste(ground, at)
    if small.mode == "RGBA":
        cell.paste(small, at, small)
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(14)
    draw.rectangle((at[0] - 1, at[1] - 1, at[0] + small.width, at[1] + small.height), outline=(150, 150, 150))
    for number, line in enumerate(lines):
        text = line.encode("latin-1", "replace").decode("latin-1")
        while text and font.getlength(text) > CELL:
            text = text[:-1]
        draw.text((0, CELL + 4 + 18 * number), text, colour if number == len(lines) - 1 else INK, font)
    return cell


def _chequered(size: tuple[int, int], side: int = 12) -> Image.Image:
    sheet = Image.new("RGB", size, CHECKS[0])
    draw = ImageDraw.Draw(sheet)
    for y in range(0, size[1], side):
        for x in range((y // side % 2) * side, size[0], 2 * side):
            draw.rectangle((x, y, x + side - 1, y + side - 1), CHECKS[1])
    return sheet


def _laid_out(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """One picture's cells below each other's; a single picture's cells are wrapped, for the sheet would be a strip."""
    if len(rows) == 1:
        cells, across = rows[0], 5
        rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    width, height = CELL + GAP, CELL + CAPTION + GAP
    across = max(map(len, rows))
    sheet = Image.new("RGB", (across * width + GAP, len(rows) * height + GAP), PAPER)
    for y, cells in enumerate(rows):
        for x, cell in enumerate(cells):
            sheet.paste(cell, (GAP + x * width, GAP + y * height))
    return sheet
