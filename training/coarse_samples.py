"""What the coarse network learns from: photographs, composites, designs and scenes, drawn and labelled.

Photographs have their masks from people, from programs or from a teacher and count as far as these can be trusted.
Composites put foregrounds over photographs and paper; scenes are things laid out flat or standing on the ground, with
the shadows and reflections that are none of theirs; designs have text and logos, which are background.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..stages.coarse import CONTEXT_SIDE
from ..stages.imaging.foreground import estimate_foreground
from ..stages.networks.coarse import SIZE
from . import data
from .synth import bodies, design, devices, ground, scenes, strands
from .synth import composite as c

F32 = c.F32
U8 = c.U8
Rng = np.random.Generator
Labelled = tuple[F32, F32, F32]  # picture [S, S, 3], alpha and trust [S, S]

KINDS = {"photo": 0.4, "design": 0.06, "composite": 0.38, "scene": 0.12, "empty": 0.04}  # shares of the samples
# how often each category is drawn: what people cut out, not what the folder holds most of
FOREGROUNDS = {
    "person": 4, "portrait": 3, "animal": 4, "product_simple": 3, "product_photo": 5, "product_hollow": 3,
    "clothing": 2, "cartoon": 2, "food": 2, "plant_hollow": 1, "vehicle": 2, "soft_translucent": 0.5,
}  # fmt: skip
GOODS = {"product_simple": 1, "product_photo": 4, "product_hollow": 1, "clothing": 0.7, "food": 0.7, "vehicle": 0.7}
PHOTOS = {
    "clothing": 3, "portrait": 2, "person": 5, "animal": 4, "product_simple": 7, "food": 1, "vehicle": 1.5,
    "plant": 0.4, "glass": 0.3, "scene": 0.5, "other": 0.5,
}  # fmt: skip
# the categories of teachers that are called otherwise here
CATEGORY_OF = {"product": "product_simple", "product_glass": "glass", "bg_scene_with_subjects": "scene"}
FOREGROUND_OF = {"product_simple": "product_photo"} | {name: name for name in ("person", "animal", "food", "vehicle")}
MAX_DOUBT = 0.06  # of a teacher's mask, to be cut out as a foreground
MAX_RIM = 0.1  # pixels of such a mask on the frame's border, divided by the square root of its area
DEVICE_SHARE = 0.15  # share of the subjects that are drawn devices and prints
DEVICE_POOL, DEVICE_RENEWAL = 300, 0.1  # how many of those are kept, and how often one is replaced by a new one
PATCH_SHARE = 0.3  # share of the subjects that get parts in other colours
CLOSE_UP = {"animal": 0.45}  # how often it fills the frame; others every fifth time
CUT_OFF = {"portrait": 0.6, "person": 0.3, "animal": 0.3}  # how often a frame cuts them off below
HAIR_SHARE = 0.2  # share of the composed subjects that grow hair or fur
LATTICE_SHARE, ASSEMBLY_SHARE = 0.05, 0.2  # shares of them that are lattices, and, of `CORES`, things of many parts
CORES = ("product_simple", "product_photo", "product_hollow", "food", "vehicle", "cartoon")
STRETCH_SHARE = 0.12  # share of the composed pictures that are wide or tall
# share of the budget: side in pixels; in the end both sides that the stage looks at, the smaller one for what is what
SIZES = ((0.0, 160), (0.15, CONTEXT_SIDE), *((0.5 + k / 120, (SIZE, CONTEXT_SIDE)[k % 2]) for k in range(60)))


class Sampler:
    """Draws training samples; seeded by the generator it is handed.

    A sample: image uint8 [3, S, S], alpha uint8 [S, S], trust uint8 [S, S] (how far the label is to be
    believed, 255 fully; less in the edge band of a mask that a program made, and where a teacher doubts).
    """

    def __init__(self, split: str) -> None:
        self.foregrounds = data.foregrounds(split, 320)
        self.garments = [f.rgba for f in self.foregrounds["clothing"] if 0.75 < f.rgba.shape[0] / f.rgba.shape[1] < 1.5]
        self.photos = data.photos(split, 448)
        self.varied = split == "train"  # the validation set stays what it was
        self.things: list[U8] = []
        if self.varied:
            self._teach(data.taught(split, 448))
        by_category = data.backgrounds(split, 320)
        self.backgrounds = [b for group in by_category.values() for b in group]
        self.empty = [b for name, group in by_category.items() for b in group if name != "bg_shelf"]
        flat = ("bg_texture", "bg_indoor_surface")
        self.surfaces = [b for name in flat for b in by_category.get(name, ())] or self.empty

    def _teach(self, taught: dict[str, list[data.Photo]]) -> None:
        """Takes in what teachers gave masks: as photographs, and cut out as foregrounds."""
        for name, photos in taught.items():
            category = CATEGORY_OF.get(name, name if name in PHOTOS else "other")
            self.photos.setdefault(category, []).extend(photos)
            if category in FOREGROUND_OF:
                found = (cut_out(photo, FOREGROUND_OF[category]) for photo in photos)
                self.foregrounds.setdefault(FOREGROUND_OF[category], []).extend(f for f in found if f)

    def __call__(self, rng: Rng, progress: float) -> dict[str, np.ndarray]:
        size = next(side for share, side in reversed(SIZES) if progress >= share)
        return self.sample(rng, size)

    def sample(self, rng: Rng, size: int) -> dict[str, np.ndarray]:
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        if kind == "photo":
            picture, alpha, trust = self.photo(rng, size)
        elif kind == "design":
            picture, alpha, trust = self.design(rng, size)
        elif rng.random() < STRETCH_SHARE:
            picture, alpha, trust = stretched(self.composed(rng, int(size * 1.4), kind), size, rng)
        else:
            picture, alpha, trust = self.composed(rng, size, kind)
        image = c.camera(picture, rng)
        return {"image": image.transpose(2, 0, 1).copy(), "alpha": to8(alpha), "trust": to8(trust)}

    def composed(self, rng: Rng, size: int, kind: str) -> Labelled:
        """A composite, a scene or a picture of nothing."""
        if kind == "scene":
            picture, alpha = self.scene(rng, size)
            return picture, alpha, np.ones_like(alpha)
        picture, alpha, pseudo = self.composite(rng, size, count=0 if kind == "empty" else None)
        return picture, alpha, edge_trust(alpha) if pseudo else np.ones_like(alpha)

    def photo(self, rng: Rng, size: int) -> Labelled:
        group = draw(rng, PHOTOS, self.photos)
        photo = group[rng.integers(len(group))]
        picture, alpha, weight = c.cut_weighed(photo.rgb, photo.alpha, photo.weight, size, rng)
        if self.varied and rng.random() < PATCH_SHARE:
            layer = bodies.patchwork(c.Layer(picture, alpha), self.background(rng, size, empty=False), rng)
            picture, _ = c.over([layer], picture)
        if photo.taught:
            trust = taught_trust(alpha, photo.doubt) * weight
        else:
            trust = edge_trust(alpha) if photo.pseudo else np.ones_like(alpha)
        return c.relight(picture, rng, 0.8), alpha, trust

    def design(self, rng: Rng, size: int) -> Labelled:
        count = int(rng.choice([0, 1, 2, 3, 4], p=[0.15, 0.45, 0.2, 0.12, 0.08]))
        products = [self.subject(rng, FOREGROUNDS).rgba for _ in range(count)]
        backdrop = self.empty[rng.integers(len(self.empty))] if rng.random() < 0.3 else None
        side, ratio = size * rng.uniform(1.0, 1.6), float(np.exp(rng.uniform(-0.8, 0.8)))
        picture8, _, alpha8 = design.render(products, backdrop, rng, (int(side * ratio**0.5), int(side / ratio**0.5)))
        picture, alpha = c.cut(picture8, alpha8, size, rng)
        return picture, alpha, np.ones_like(alpha)

    def scene(self, rng: Rng, size: int) -> tuple[F32, F32]:
        """Goods laid out flat, or standing on paper or on the floor of a room: picture and alpha."""
        lying = rng.random() < 0.4
        count = int(rng.integers(2, 13)) if lying else int(rng.choice([1, 2, 3, 4], p=[0.6, 0.2, 0.12, 0.08]))
        sprites = [self.subject(rng, GOODS, things=0.45).rgba for _ in range(count)]
        plain = rng.random() < 0.55
        if lying:
            surface = self.surfaces[rng.integers(len(self.surfaces))]
            below = scenes.paper(size, rng, sprites) if plain else c.relight(c.cover(surface, size, rng), rng)
            return scenes.flat_lay(sprites, below, rng)
        horizon = 0.3
        if plain:
            around = scenes.paper(size, rng, sprites)
        else:
            around, horizon = ground.room(size, rng, self.surfaces)
        return scenes.group(sprites, around, float(rng.uniform(max(horizon + 0.05, 0.6), 0.97)), rng)

    def composite(self, rng: Rng, size: int, count: int | None = None) -> tuple[F32, F32, bool]:
        """Subjects over a background: picture, alpha, and whether a mask among them was made by a program."""
        if count is None:
            count = int(rng.choice([1, 2, 3], p=[0.72, 0.2, 0.08]))
        background = self.background(rng, size, empty=count == 0)
        layers, pseudo = [], False
        area = (0.3, 1.1) if count == 1 else (0.25, 0.65)
        for _ in range(count):
            foreground = self.subject(rng, FOREGROUNDS, DEVICE_SHARE if self.varied else 0.0)
            kind = rng.random() if self.varied else 1.0
            if kind < LATTICE_SHARE:
                layer = strands.lattice(size, rng)
            elif kind < LATTICE_SHARE + ASSEMBLY_SHARE and foreground.category in CORES:
                layer = bodies.assembly(foreground.rgba, size, rng, area)
            else:
                layer = self.placed(foreground, rng, size, area, alone=count == 1)
            layer = c.match_light(layer, background, rng)
            if rng.random() < 0.5:
                thrown = self.varied and rng.random() < 0.5
                background = ground.thrown(background, layer, rng) if thrown else c.shadow(background, layer.alpha, rng)
            layers.append(layer)
            pseudo |= foreground.pseudo
        picture, alpha = c.over(layers, background)
        return c.relight(picture, rng, 0.5), alpha, pseudo

    def subject(self, rng: Rng, shares: dict[str, float], things: float = DEVICE_SHARE) -> data.Foreground:
        """A foreground, drawn by category, or a drawn device or print, which are kept for some time, being costly."""
        if things and rng.random() < things:
            if len(self.things) < DEVICE_POOL:
                self.things.append(devices.thing(rng, self.picture))
                return data.Foreground(self.things[-1], "device", False)
            at = rng.integers(DEVICE_POOL)
            if rng.random() < DEVICE_RENEWAL:
                self.things[at] = devices.thing(rng, self.picture)
            return data.Foreground(self.things[at], "device", False)
        group = draw(rng, shares, self.foregrounds)
        return group[rng.integers(len(group))]

    def picture(self, rng: Rng) -> U8:
        """Any picture, for screens and prints: a background or a photograph."""
        if rng.random() < 0.5:
            return self.backgrounds[rng.integers(len(self.backgrounds))]
        group = draw(rng, PHOTOS, self.photos)
        return group[rng.integers(len(group))].rgb

    def placed(
        self, foreground: data.Foreground, rng: Rng, size: int, area: tuple[float, float], alone: bool
    ) -> c.Layer:
        """A foreground somewhere in the frame, at times larger than it, and changed as the recipe says."""
        name, rgba, cut_off = foreground.category, foreground.rgba, False
        close_up = alone and rng.random() < (CLOSE_UP.get(name, 0.2) if self.varied else 0.15)
        if self.varied and name in CUT_OFF:
            rgba, cut_off = self.dressed(foreground, rng), rng.random() < CUT_OFF[name]
        size_in_frame, wander = ((1.1, 2.2), 0.3) if close_up else (area, 0.06)
        layer = c.place(rgba, size, rng, size_in_frame, wander=wander, cut_off=cut_off)
        if self.varied and rng.random() < PATCH_SHARE:
            layer = bodies.patchwork(layer, self.background(rng, size, empty=False), rng)
        if self.varied and rng.random() < HAIR_SHARE:
            layer = strands.hair(layer, rng)
        layer.color = c.relight(layer.color, rng)
        return layer

    def dressed(self, foreground: data.Foreground, rng: Rng) -> U8:
        """The subject, a portrait every other time in a garment and sometimes with something before it."""
        if foreground.category != "portrait" or rng.random() < 0.5:
            return foreground.rgba
        garment = self.garments[rng.integers(len(self.garments))]
        group = draw(rng, FOREGROUNDS, self.foregrounds)
        held = group[rng.integers(len(group))].rgba if rng.random() < 0.3 else None
        return bodies.dressed(foreground.rgba, garment, rng, held)

    def background(self, rng: Rng, size: int, empty: bool) -> F32:
        if rng.random() < 0.3:
            return c.studio(size, rng)
        choice = self.empty if empty else self.backgrounds
        picture = c.cover(choice[rng.integers(len(choice))], size, rng)
        if rng.random() < 0.3:  # depth of field
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 5) * size / 256)
        return c.relight(picture, rng)


def cut_out(photo: data.Photo, category: str) -> data.Foreground | None:
    """A photograph's subject alone, without the mask's veils; None where the teacher is unsure or the frame cuts it."""
    rim = np.concatenate([photo.alpha[[0, -1]].ravel(), photo.alpha[:, [0, -1]].ravel()]) > 127
    area = (photo.alpha > 127).sum()
    if photo.doubt > MAX_DOUBT or area < 32 * 32 or rim.sum() > MAX_RIM * area**0.5:
        return None
    alpha = to8(np.clip((photo.alpha / 255 - 0.25) / 0.5, 0, 1))
    x, y, width, height = cv2.boundingRect(alpha)
    rgba = np.dstack([estimate_foreground(photo.rgb, alpha), alpha])[y : y + height, x : x + width]
    return data.Foreground(data.shrink(rgba, 320), category, pseudo=True)


def stretched(sample: Labelled, size: int, rng: Rng) -> Labelled:
    """A wide or tall part of a picture as the stage sees it: stretched to the square. Some of the subject is in it."""
    picture, alpha, trust = sample
    side, ratio = alpha.shape[0], float(rng.uniform(1.4, 3.2))
    rows, columns = np.nonzero(alpha > 0.5)
    at, whole = (rng.integers(len(rows)), True) if len(rows) else (0, False)
    breadth = int(side / ratio)
    if rng.random() < 0.5:
        middle = rows[at] if whole else side // 2
        start = int(np.clip(middle - breadth * rng.uniform(0.2, 0.8), 0, side - breadth))
        part = np.s_[start : start + breadth, :]
    else:
        middle = columns[at] if whole else side // 2
        start = int(np.clip(middle - breadth * rng.uniform(0.2, 0.8), 0, side - breadth))
        part = np.s_[:, start : start + breadth]
    first, second, third = (
        cv2.resize(x[part], (size, size), interpolation=cv2.INTER_LINEAR) for x in (picture, alpha, trust)
    )
    return first, second, third


def edge_trust(alpha: F32) -> F32:
    """How far a mask by a simple program is believed, float32 [S, S], 0..1: less at its edges."""
    steps = max(1, alpha.shape[0] // 64)
    band = cv2.dilate(alpha, None, iterations=steps) - cv2.erode(alpha, None, iterations=steps)
    return np.where(band > 0.1, np.float32(0.35), np.float32(1))


def taught_trust(alpha: F32, doubt: float) -> F32:
    """How far a teacher's mask is believed, float32 [S, S], 0..1: less where it is neither yes nor no."""
    known = 1 - 0.65 * 2 * np.minimum(alpha, 1 - alpha)
    return (known * max(0.3, 1 - 1.5 * doubt)).astype(np.float32)


def to8(share: F32) -> U8:
    """0..1 as uint8."""
    return (np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)


def draw(rng: Rng, shares: dict[str, float], groups: dict[str, list]) -> list:
    """One group, drawn by weight among the groups that are there."""
    names = [name for name in shares if groups.get(name)]
    share = np.array([shares[name] for name in names], float)
    return groups[names[rng.choice(len(names), p=share / share.sum())]]
