"""The fixed pictures that figures are stated for: seeded, made of the validation split alone.

Photographs with masks, composites, subjects with fine edges, designs with boxes, pictures with known defects,
correct ones on white, and empty backgrounds. The same call gives the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from ..stages.errors import HairlineError
from ..stages.item import Item
from ..stages.networks.classifier import CATEGORIES
from ..stages.networks.detector import LABELS
from . import classify, coarse, data, detect, fine, quality
from .coarse_samples import cut_out
from .data import U8
from .synth import composite as c
from .synth import devices, ground, scenes
from .synth.canvas import resize
from .synth.design import render

KINDS = ("hair", "plain", "lattice")  # of subjects with fine edges
GOODS = ("device_on_white", "standing", "flat_lay")  # drawn goods whose alpha is known
NAMED_GROUPS = {  # photographs of the validation split, by what their names hold, of kinds that once went wrong
    "photographed device": (
        "fabian-albert", "oscar-nord-8l9", "jeremy-bezanger", "_ab-fhmRq", "varad-murti", "mikael-blomkvist-6476588",
        "pixabay-38568", "lukas-574073", "danny-meneses",
    ),
    "photographed on ground": (
        "ajeet-mestry", "hermes-rivera-rPO", "grabowska-5625112", "daniil-silantev", "sam-moghadam", "florian-klauer",
        "martin-pechy", "delberghe-feijc", "grabowska-5650039", "insung-yoon", "delberghe-Ry9",
    ),
}  # fmt: skip
RATIOS = (1 / 5, 1 / 2.2, 1.0, 2.2, 5.0)  # width over height of the products of `long_designs`
PALE, MAX_CAST, PALE_SHARE = 170, 24, 0.6  # of a white or silver rim: least channel, their range, share of the rim
WHITE = (250, 256)  # the white that shops use, uint8, upper end exclusive


@dataclass(frozen=True)
class Picture:
    """A picture and what is true of it.

    Attributes:
        rgb: uint8 [H, W, 3].
        group: category, kind or set that figures are averaged in.
        alpha: uint8 [H, W], the true matte.
        boxes: (x0, y0, x1, y1, label), pixels.
        severities: {defect: 0..4}, -1 where it cannot be told, and `class`, 0..3.
        made: composed, not photographed.
        coarse: a likely coarse alpha and its expected error, uint8 [H, W] each.
    """

    rgb: U8
    group: str
    alpha: U8 | None = None
    boxes: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    severities: dict[str, int] = field(default_factory=dict)
    made: bool = False
    coarse: tuple[U8, U8] | None = None

    def item(self, name: str = "") -> Item:
        """The picture as the stages take it, losslessly."""
        png = cv2.imencode(".png", np.ascontiguousarray(self.rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        height, width = self.rgb.shape[:2]
        return Item(name, name, data=bytes(png), width=width, height=height)


def photographs(side: int = 512) -> list[Picture]:
    """The photographs with masks, as they are, by category."""
    return [Picture(p.rgb, name, p.alpha) for name, group in data.photos("val", side).items() for p in group]


def by_teacher(side: int = 512, doubt: float = 0.2) -> list[Picture]:
    """The photographs that a teacher gave masks which it doubts little, by its category; its masks are good, not true.

    Photographed devices, and goods that stand on the ground, are groups of their own.
    """
    found = []
    for name, group in data.taught("val", side).items():
        for photo in group:
            if photo.doubt <= doubt:
                special = next(
                    (kind for kind, names in NAMED_GROUPS.items() if any(n in photo.path for n in names)), name
                )
                found.append(Picture(photo.rgb, special, photo.alpha))
    return found


def goods(each: int = 24, side: int = 512, seed: int = 29) -> list[Picture]:
    """Drawn devices and prints on white and much like it, goods on the ground, and flat lays, with exact alpha.

    The groups are `device_on_white`, `standing` and `flat_lay`; screens, grounds and goods of the validation split.
    """
    sampler, rng = _sampler(coarse), np.random.default_rng(seed)
    cut = [f for p in data.taught("val", side).get("product", []) if (f := cut_out(p, "product_photo"))]
    groups = [cut, *(sampler.foregrounds[name] for name in ("product_simple", "product_hollow", "clothing", "food"))]

    def screen(rng: np.random.Generator) -> U8:
        return sampler.backgrounds[rng.integers(len(sampler.backgrounds))]

    def sprite() -> U8:
        kind = rng.random()
        if kind < 0.2 or not cut:
            return devices.thing(rng, screen)
        group = groups[0 if kind < 0.6 else rng.integers(1, len(groups))]
        return group[rng.integers(len(group))].rgba

    found = []
    for kind in GOODS:
        for _ in range(each):
            if kind == "device_on_white":
                white = np.full((side, side, 3), rng.uniform(0.96, 1.0), np.float32)
                picture, alpha = scenes.group([devices.device(rng, screen)], white, float(rng.uniform(0.7, 0.95)), rng)
            elif kind == "standing":
                around, horizon = ground.room(side, rng, sampler.surfaces)
                foot = float(rng.uniform(max(horizon + 0.05, 0.6), 0.95))
                picture, alpha = scenes.group([sprite()], around, foot, rng)
            else:
                sprites = [sprite() for _ in range(int(rng.integers(3, 10)))]
                picture, alpha = scenes.flat_lay(sprites, scenes.paper(side, rng, sprites), rng)
            found.append(Picture(c.camera(picture, rng, 0.3), kind, _to8(alpha)))
    return found


def pale_devices(count: int = 60, side: int = 512, seed: int = 33) -> list[Picture]:
    """Drawn devices whose outline is white or silver, on white, with shadows and reflections; exact alpha.

    No training sample is drawn from this seed; their screens show backgrounds of the validation split.
    """
    sampler, rng = _sampler(coarse), np.random.default_rng(seed)

    def screen(rng: np.random.Generator) -> U8:
        return sampler.backgrounds[rng.integers(len(sampler.backgrounds))]

    found: list[Picture] = []
    while len(found) < count:
        sprite = devices.device(rng, screen)
        if pale_outline(sprite) < PALE_SHARE:
            continue
        white = np.full((side, side, 3), rng.uniform(0.96, 1.0), np.float32)
        picture, alpha = scenes.group([sprite], white, float(rng.uniform(0.7, 0.95)), rng)
        found.append(Picture(c.camera(picture, rng, 0.3), "pale device", _to8(alpha)))
    return found


def pale_outline(sprite: U8) -> float:
    """The share of a sprite's rim, a fiftieth of its side wide, that is white or silver: light and nearly grey."""
    solid = (cv2.copyMakeBorder(sprite[..., 3], 1, 1, 1, 1, cv2.BORDER_CONSTANT) > 127).astype(np.uint8)
    width = max(1, max(sprite.shape[:2]) // 50)
    inner = cv2.erode(solid, np.ones((2 * width + 1, 2 * width + 1), np.uint8))[1:-1, 1:-1]
    rim = sprite[..., :3][(sprite[..., 3] > 127) & (inner == 0)].astype(int)
    if not len(rim):
        return 0.0
    return float(np.mean((rim.min(1) >= PALE) & (rim.max(1) - rim.min(1) <= MAX_CAST)))


def listed(paths: Sequence[str], group: str, side: int = 512) -> list[Picture]:
    """Photographs of the validation split by their paths in the data folder, with the masks they have there.

    Raises HairlineError where one is not in the validation split, so that nothing is judged that was trained on.
    """
    photos = [photo for read in (data.photos, data.taught) for each in read("val", side).values() for photo in each]
    known = {photo.path: photo for photo in photos}
    if missing := [path for path in paths if path not in known]:
        raise HairlineError(f"not among the photographs of the validation split: {', '.join(missing[:3])}")
    return [Picture(known[path].rgb, group, known[path].alpha) for path in paths]


def composites(each: int = 12, side: int = 448, seed: int = 21, sampler: coarse.Sampler | None = None) -> list[Picture]:
    """One subject over a photograph or paper, as many of every category of foreground, at any size in the frame.

    Args:
        sampler: where else than from the validation split foregrounds and backgrounds come.
    """
    sampler, rng = sampler or _sampler(coarse), np.random.default_rng(seed)
    found = []
    for category, group in sorted(sampler.foregrounds.items()):
        one = copy(sampler)
        one.foregrounds = {category: group}
        for _ in range(each):
            picture, alpha, _ = one.composite(rng, side, count=1)
            found.append(Picture(c.camera(picture, rng, 0.5), category, _to8(alpha)))
    return found


def hairy(each: int = 20, side: int = 512, seed: int = 22) -> list[Picture]:
    """Subjects with procedural hair or fur, with plain edges, and lattices, about filling the frame, as `KINDS` has it.

    Their alpha is exact. `coarse` holds a worsened one, such as the fine network learns from.
    """
    sampler, rng = copy(_sampler(fine)), np.random.default_rng(seed)
    sampler.foregrounds = data.foregrounds("val", side)
    found = []
    for kind in KINDS:
        for _ in range(each):
            s = sampler.crop(rng, side, kind, (0.6, 1.0), 0.06)
            rgb = np.ascontiguousarray(s["image"].transpose(1, 2, 0))
            found.append(Picture(rgb, kind, s["alpha"], coarse=(s["coarse"], s["uncertainty"])))
    return found


def designs(count: int = 240, side: int = 512, seed: int = 23) -> list[Picture]:
    """Posters, banners, collages and shop pictures with text, logos and 0..6 products."""
    sampler, rng = _sampler(detect), np.random.default_rng(seed)
    made = (sampler.design(rng, side) for _ in range(count))
    return [
        Picture(rgb, "design", boxes=[(*corners, LABELS[label]) for *corners, label in boxes]) for rgb, boxes in made
    ]


def long_designs(each: int = 40, side: int = 512, seed: int = 24) -> list[Picture]:
    """Designs with one product, as many of every width-to-height ratio, 1:5 to 5:1."""
    sampler, rng = _sampler(detect), np.random.default_rng(seed)
    found = []
    for ratio in RATIOS:
        for _ in range(each):
            product = sampler.foreground(rng)
            area = float(np.sqrt(product.shape[0] * product.shape[1]))
            product = resize(product, area * ratio**0.5, area / ratio**0.5)
            rgb, boxes, _ = render([product], None, rng, (side, side))
            found.append(Picture(rgb, "design", boxes=[(b.x0, b.y0, b.x1, b.y1, b.label) for b in boxes]))
    return found


def spoiled(count: int = 500, seed: int = 25) -> list[Picture]:
    """Photographs, composites and scenes with none, one or two defects of known severity."""
    sampler, rng = _sampler(quality), np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rgb, severities = sampler.spoiled(rng)
        known, overall = quality.labels(severities)
        truth = dict(zip(quality.DEFECTS, known.tolist(), strict=True)) | {"class": overall}
        found.append(Picture(rgb, "spoiled", severities=truth))
    return found


def on_white(count: int = 200, seed: int = 26) -> list[Picture]:
    """Correct product photographs: a subject on white of 250 to 255."""
    sampler, rng = _sampler(quality), np.random.default_rng(seed)
    return [Picture(quality.on_white(sampler, rng, int(rng.integers(*WHITE))), "white") for _ in range(count)]


def backgrounds(side: int = 512) -> list[Picture]:
    """Photographs without a subject; shelves, which are full of goods, are none."""
    groups = data.backgrounds("val", side)
    return [Picture(rgb, name) for name, group in sorted(groups.items()) if name != "bg_shelf" for rgb in group]


def of_category(photographs: int = 40, made: int = 24, seed: int = 27) -> list[Picture]:
    """Every category the classifier knows, photographs as they are and composites; the group is the category."""
    sampler, rng = _sampler(classify), np.random.default_rng(seed)
    found = []
    for category in CATEGORIES:
        group = sampler.photographs.get(category, [])
        found += [Picture(group[i].rgb, category) for i in rng.permutation(len(group))[:photographs]]
        if category in sampler.cutouts:
            drawn = (c.camera(sampler.composite(category, rng), rng, 0.5) for _ in range(made))
            found += [Picture(rgb, category, made=True) for rgb in drawn]
    return found


def of_no_category(count: int = 48, seed: int = 28) -> list[Picture]:
    """Subjects that the classifier has no category for: plants, smoke and buildings."""
    sampler, rng = _sampler(classify), np.random.default_rng(seed)
    one = copy(sampler)
    one.cutouts = {"unknown": sampler.outside}
    return [Picture(c.camera(one.composite("unknown", rng), rng, 0.5), "unknown") for _ in range(count)]


@cache
def _sampler(recipe: ModuleType) -> Any:
    """A recipe's sampler over the validation split, read once."""
    return recipe.Sampler("val")


def _to8(alpha: c.F32) -> U8:
    return (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
