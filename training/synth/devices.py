"""Devices and printed things, drawn in perspective: what photographs with masks show too few of.

Phones, tablets, players, laptops, monitors, keyboards, cameras; boxes, books, cards, bottles, tubes and cans with
print on them; blank panels. Their screens and prints show any picture, and their bodies are white, silver, grey, black
or coloured: the whole of each is the subject, whatever its parts look like. `thing` draws one.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from . import design
from .canvas import U8, Rng
from .lettering import Color
from .solids import Frame, Scene, upright, vessel

Paint = Callable[[Rng], U8]
Maker = Callable[[Rng, Paint], U8]
SIDE = 320  # longest side of a sprite, pixels
FACE = 220  # longest side of a face's texture, pixels


def thing(rng: Rng, picture: Paint) -> U8:
    """A device or a printed thing, uint8 [H, W, 4].

    Args:
        picture: gives any picture, uint8 [h, w, 3], for screens and prints.
    """
    return _drawn(KINDS, rng)(rng, picture)


def device(rng: Rng, picture: Paint) -> U8:
    """As `thing`, but a device alone."""
    return _drawn({kind: share for kind, share in KINDS.items() if kind in DEVICES}, rng)(rng, picture)


def body(rng: Rng) -> Color:
    """The colour of a case: white, silver, grey, black, or now and then a colour."""
    kind = rng.random()
    low, high = (232, 256) if kind < 0.3 else (175, 225) if kind < 0.52 else (60, 130) if kind < 0.65 else (4, 42)
    if kind > 0.9:
        r, g, b = (int(v) for v in rng.integers(20, 245, 3))
        return r, g, b
    grey, cast = int(rng.integers(low, high)), rng.normal(0, 3, 3)
    r, g, b = (int(np.clip(grey + v, 0, 255)) for v in cast)
    return r, g, b


def handheld(rng: Rng, picture: Paint) -> U8:
    """A phone, tablet or player, from the front or from behind, standing, leaning or lying."""
    width, thick = ((0.48, 0.05), (0.75, 0.035), (0.55, 0.07))[rng.integers(3)]
    size, tone = (width, 1.0, thick), body(rng)
    radius = float(rng.uniform(0.02, 0.09))
    if rng.random() < 0.3:
        size = (size[1], size[0], size[2])
    scene = Scene(SIDE, rng, *_view(rng, 45, 25), reach=0.6)
    frame = upright().leaning(float(rng.choice([0, 0, 10, 60, 85])))
    if rng.random() < 0.3:
        frame = Frame(frame.center, -frame.right, frame.up)
    scene.slab(frame, size, radius, tone, _screen(rng, picture, size, tone), _back(rng, size, tone))
    return scene.sprite()


def laptop(rng: Rng, picture: Paint) -> U8:
    """A laptop, open at any angle, from the front, the side or behind."""
    tone, wide, deep = body(rng), 1.0, float(rng.uniform(0.62, 0.75))
    behind = rng.random() < 0.18
    yaw, pitch = float(rng.normal(0, 28)) + (180 if behind else 0), float(rng.uniform(5, 50))
    scene = Scene(SIDE, rng, yaw, pitch, reach=0.75, distance=float(rng.uniform(3, 7)))
    lying = Frame(_v(0, -0.3, 0), _v(1, 0, 0), _v(0, 0, -1))
    thick, radius = float(rng.uniform(0.015, 0.04)), float(rng.uniform(0.01, 0.05))
    scene.slab(lying, (wide, deep, thick), radius, tone, _keys(rng, wide, deep, tone))
    opened = float(rng.uniform(-5, 50))
    standing = Frame(_v(0, 0, 0), _v(1, 0, 0), _v(0, 1, 0)).leaning(opened)
    hinge = lying.at(0, deep / 2, thick / 2)
    lid = Frame((hinge + standing.up * deep / 2).astype(np.float32), standing.right, standing.up)
    size = (wide, deep, thick * 0.6)
    scene.slab(lid, size, radius, tone, _screen(rng, picture, size, tone), _back(rng, size, tone))
    return scene.sprite()


def monitor(rng: Rng, picture: Paint) -> U8:
    """A monitor or television on its foot, or an all-in-one with a chin below its screen."""
    tone, wide, high = body(rng), 1.0, float(rng.uniform(0.5, 0.68))
    scene = Scene(SIDE, rng, *_view(rng, 30, 15), reach=0.75)
    stand = body(rng) if rng.random() < 0.3 else tone
    foot = -high / 2 - float(rng.uniform(0.06, 0.22))
    ground = Frame(_v(0, foot, -0.05), _v(1, 0, 0), _v(0, 0, -1))
    kind = rng.random()
    if kind < 0.75:
        spread = float(rng.uniform(0.2, 0.5))
        scene.slab(ground, (spread, float(rng.uniform(0.15, 0.3)), 0.015), float(rng.choice([0.01, 0.15])), stand)
        neck = Frame(_v(0, (foot - high / 4) / 2 - 0.05, -0.05), _v(1, 0, 0), _v(0, 1, 0))
        scene.slab(neck, (float(rng.uniform(0.05, 0.24)), abs(foot) - high / 4, 0.02), 0.005, stand)
    elif kind < 0.9:
        for x in (-0.36, 0.36):
            leg = Frame(_v(x, (foot - high / 2) / 2, 0), _v(1, 0, 0), _v(0, 1, 0))
            scene.slab(leg, (0.03, abs(foot + high / 2) + 0.02, 0.16), 0.005, stand)
    size = (wide, high, float(rng.uniform(0.02, 0.06)))
    face = _screen(rng, picture, size, tone, chin=float(rng.choice([0, 0, 0.14])))
    scene.slab(upright(), size, float(rng.uniform(0, 0.03)), tone, face, _back(rng, size, tone))
    return scene.sprite()


def keyboard(rng: Rng, picture: Paint) -> U8:
    """A keyboard, remote control, calculator or power bank: a slab with rows of keys or none."""
    wide, high = ((1.0, 0.32), (0.22, 1.0), (0.6, 0.9), (0.5, 1.0))[rng.integers(4)]
    scene = Scene(SIDE, rng, float(rng.normal(0, 30)), float(rng.uniform(25, 85)), reach=0.6)
    lying = Frame(_v(0, 0, 0), _v(1, 0, 0), _v(0, 0, -1))
    tone, thick = body(rng), float(rng.uniform(0.02, 0.12))
    face = _flat(wide, high, tone)
    if rng.random() < 0.85:
        cells = (max(2, int(wide * rng.uniform(8, 16))), max(2, int(high * rng.uniform(8, 16))))
        _grid(rng, face, (0.05, 0.08, 0.95, 0.92), cells, body(rng))
    scene.slab(lying, (wide, high, thick), float(rng.uniform(0.01, 0.08)), tone, face)
    return scene.sprite()


def camera(rng: Rng, picture: Paint) -> U8:
    """A camera: a body in one or two tones, a hump, a grip, and its lens."""
    tone, second = body(rng), body(rng)
    high, thick = float(rng.uniform(0.55, 0.75)), float(rng.uniform(0.25, 0.4))
    scene = Scene(SIDE, rng, *_view(rng, 35, 20), reach=0.75)
    hump = upright((0, high / 2 + 0.06, 0))
    scene.slab(hump, (0.34, 0.14, thick * 0.8), 0.04, tone)
    face = _flat(1.0, high, tone)
    if rng.random() < 0.6:  # leather between two strips of metal
        rows = face.shape[0]
        face[int(rows * 0.25) : int(rows * 0.88)] = second
    cv2.putText(face, "".join(chr(int(v)) for v in rng.integers(65, 91, 5)), (face.shape[1] // 3, 22), 0, 0.6,
                body(rng), 2, cv2.LINE_AA)  # fmt: skip
    scene.slab(upright(), (1.0, high, thick), 0.05, tone, face)
    lens = upright((float(rng.uniform(-0.08, 0.12)), -0.02, 0))
    dark = body(rng) if rng.random() < 0.3 else (24, 24, 26)
    rings = [dark, dark, (70, 70, 74), dark, dark, (58, 58, 60), dark]
    scene.drum(lens, float(rng.uniform(0.2, 0.3)), thick / 2, thick / 2 + float(rng.uniform(0.1, 0.5)), rings)
    return scene.sprite()


def box(rng: Rng, picture: Paint) -> U8:
    """A carton, book or case with print on its sides, or blank; several sides seen."""
    wide, high, deep = (float(v) for v in rng.uniform(0.35, 1.0, 3))
    if rng.random() < 0.4:
        deep *= float(rng.uniform(0.1, 0.5))
    yaw, pitch = float(rng.uniform(-60, 60)), float(rng.uniform(-5, 45))
    scene = Scene(SIDE, rng, yaw, pitch, reach=0.85)
    blank = rng.random() < 0.25
    tone = body(rng) if blank or rng.random() < 0.5 else _colour(rng)
    front = _flat(wide, high, tone) if blank else _print(rng, picture, wide, high)
    side = _flat(deep, high, tone) if blank or rng.random() < 0.5 else _print(rng, picture, deep, high)
    top = _flat(wide, deep, tone) if blank or rng.random() < 0.6 else _print(rng, picture, wide, deep)
    right = Frame(_v(wide / 2, 0, 0), _v(0, 0, -1), _v(0, 1, 0))
    left = Frame(_v(-wide / 2, 0, 0), _v(0, 0, 1), _v(0, 1, 0))
    above = Frame(_v(0, high / 2, 0), _v(1, 0, 0), _v(0, 0, -1))
    below = Frame(_v(0, -high / 2, 0), _v(1, 0, 0), _v(0, 0, 1))
    near = Frame(_v(0, 0, deep / 2), _v(1, 0, 0), _v(0, 1, 0))
    for frame, size, face in (
        (left, (deep, high), side), (right, (deep, high), side), (above, (wide, deep), top), (below, (wide, deep), top),
        (near, (wide, high), front),
    ):  # fmt: skip
        if scene.faces(frame):
            scene.slab(frame, (*size, 0.004), 0.0, tone, face)
    return scene.sprite()


def card(rng: Rng, picture: Paint) -> U8:
    """A card, cover, poster, sheet of paper or blank panel, lying or standing."""
    wide, high = 1.0, float(rng.choice([0.63, 0.75, 1.0, 1.41, 1.41, rng.uniform(0.3, 2.5)]))
    scene = Scene(SIDE, rng, *_view(rng, 35, 30), reach=0.55 * max(wide, high) + 0.05)
    blank = rng.random() < 0.3
    tone = body(rng)
    face = _flat(wide, high, tone) if blank else _print(rng, picture, wide, high)
    radius = float(rng.choice([0, 0, 0.03, 0.06]))
    frame = upright().leaning(float(rng.choice([0, 0, 20, 80])))
    scene.slab(frame, (wide, high, float(rng.choice([0.004, 0.02, 0.08]))), radius, tone, face, face)
    return scene.sprite()


def turned(rng: Rng, picture: Paint) -> U8:
    """A bottle, can, tube, jar, candle, speaker or cup, with a label or without."""
    wide = float(rng.uniform(0.12, 0.42))
    kind = rng.random()
    if kind < 0.4:  # a bottle: cap, neck, shoulder, body
        neck = wide * float(rng.uniform(0.25, 0.6))
        profile = [neck * 1.1] * int(rng.integers(3, 8)) + [neck] * int(rng.integers(1, 6))
        shoulder = int(rng.integers(1, 8))
        profile += list(np.linspace(neck, wide, shoulder + 2)[1:]) + [wide] * int(rng.integers(12, 30))
    elif kind < 0.6:  # a jar or a cosmetic with its lid
        profile = [wide] * int(rng.integers(4, 12)) + [wide * float(rng.uniform(0.85, 1.0))] * 20
    elif kind < 0.75:  # a tube that stands on its cap
        profile = list(np.linspace(wide * 1.15, wide, 22)) + [wide * 0.85] * 5
    else:
        profile = list(np.linspace(wide, wide * float(rng.uniform(0.7, 1.1)), 24))
    tone, cap = body(rng) if rng.random() < 0.6 else _colour(rng), body(rng)
    tones = np.tile(np.array(tone, np.float32), (len(profile), 1))
    if kind < 0.6:
        tones[: int(rng.integers(2, 7))] = cap
    label = _print(rng, picture, 1.6, 1.0) if rng.random() < 0.7 else None
    return vessel(np.array(profile, np.float32), label, tones, rng, tip=float(rng.uniform(0, 0.3)))


KINDS: dict[Maker, float] = {
    handheld: 4, laptop: 4, monitor: 2.5, keyboard: 1.5, camera: 1.5, box: 3, card: 2, turned: 3,
}  # fmt: skip
DEVICES = (handheld, laptop, monitor, keyboard, camera)


def _drawn(kinds: dict[Maker, float], rng: Rng) -> Maker:
    shares = np.array(list(kinds.values()))
    return list(kinds)[rng.choice(len(kinds), p=shares / shares.sum())]


def _view(rng: Rng, yaw: float, pitch: float) -> tuple[float, float]:
    """From where it is seen, degrees; every third time straight from the front, as on shop pictures."""
    if rng.random() < 0.33:
        return 0.0, 0.0
    return float(rng.normal(0, yaw / 1.5)), float(abs(rng.normal(0, pitch)))


def _screen(rng: Rng, picture: Paint, size: tuple[float, float, float], tone: Color, chin: float = 0.0) -> U8:
    """A front with its screen: lit with a picture, plain and bright, or off, with a glare."""
    face = _flat(size[0], size[1], tone if rng.random() < 0.5 else (12, 12, 13) if rng.random() < 0.8 else (248,) * 3)
    height, width = face.shape[:2]
    if chin:
        face[:] = tone
    edge = int(rng.uniform(0.01, 0.07) * min(height, width)) + 1
    above, below = edge, edge
    if min(size[:2]) < 0.9 and rng.random() < 0.4:  # a button below, as phones and players had it
        above = below = int(rng.uniform(0.08, 0.16) * height)
        cv2.circle(face, (width // 2, height - below // 2), max(2, below // 4), _near(tone, rng), 1, cv2.LINE_AA)
    below = max(below, int(chin * height))
    y0, y1, x0, x1 = above, height - below, edge, width - edge
    if y1 - y0 < 4 or x1 - x0 < 4:
        return face
    kind = rng.random()
    if kind < 0.6:
        shown = cv2.resize(picture(rng), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        shown = np.clip(shown * rng.uniform(0.8, 1.3), 0, 255).astype(np.uint8)
    elif kind < 0.75:
        shown = np.full((y1 - y0, x1 - x0, 3), _colour(rng) if rng.random() < 0.4 else (rng.integers(235, 256),) * 3)
    else:
        shown = np.full((y1 - y0, x1 - x0, 3), rng.integers(2, 40))
    shown = shown.astype(np.uint8)
    if rng.random() < 0.3:  # a glare from a window
        cv2.fillConvexPoly(shown, np.array([[0, 0], [(x1 - x0) * 2 // 3, 0], [(x1 - x0) // 4, y1 - y0], [0, y1 - y0]]),
                           tuple(int(v) for v in np.clip(shown[2, 2].astype(int) + 30, 0, 255)))  # fmt: skip
    face[y0:y1, x0:x1] = shown
    return face


def _back(rng: Rng, size: tuple[float, float, float], tone: Color) -> U8:
    """A back: plain, with a mark, and with lenses in a corner."""
    face = _flat(size[0], size[1], tone)
    height, width = face.shape[:2]
    if rng.random() < 0.7:
        place = (width // 2, int(height * rng.uniform(0.3, 0.55)))
        cv2.ellipse(face, place, (width // 14 + 1, width // 12 + 1), 0, 0, 360, _near(tone, rng), -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        bump = max(4, min(width, height) // 3)
        x, y = width // 12, height // 16
        cv2.rectangle(face, (x, y), (x + bump, y + bump), _near(tone, rng), -1)
        for dx, dy in ((0.3, 0.3), (0.3, 0.7), (0.7, 0.5))[: int(rng.integers(1, 4))]:
            cv2.circle(face, (x + int(dx * bump), y + int(dy * bump)), bump // 6, (14, 14, 18), -1, cv2.LINE_AA)
    return face


def _keys(rng: Rng, wide: float, deep: float, tone: Color) -> U8:
    """The top of a laptop's base: keys and a pad."""
    face = _flat(wide, deep, tone)
    cells = (int(rng.integers(10, 15)), int(rng.integers(4, 7)))
    _grid(rng, face, (0.06, 0.08, 0.94, 0.52), cells, body(rng) if rng.random() < 0.4 else (20, 20, 22))
    height, width = face.shape[:2]
    corners = (int(width * 0.36), int(height * 0.6)), (int(width * 0.64), int(height * 0.93))
    cv2.rectangle(face, *corners, _near(tone, rng, 12), -1)
    cv2.rectangle(face, *corners, _near(tone, rng, 30), 1)
    return face


def _grid(rng: Rng, face: U8, where: tuple[float, float, float, float], cells: tuple[int, int], tone: Color) -> None:
    """Rows of keys on a face, in place."""
    height, width = face.shape[:2]
    x0, y0, x1, y1 = where[0] * width, where[1] * height, where[2] * width, where[3] * height
    step, gap = ((x1 - x0) / cells[0], (y1 - y0) / cells[1]), float(rng.uniform(0.08, 0.3))
    for row in range(cells[1]):
        for column in range(cells[0]):
            a = (int(x0 + (column + gap / 2) * step[0]), int(y0 + (row + gap / 2) * step[1]))
            b = (int(x0 + (column + 1 - gap / 2) * step[0]), int(y0 + (row + 1 - gap / 2) * step[1]))
            cv2.rectangle(face, a, b, tone, -1)


def _print(rng: Rng, picture: Paint, wide: float, high: float) -> U8:
    """What is printed on a side: a design with text and logos, a photograph, or lines on paper."""
    width, height = _pixels(wide, high)
    kind = rng.random()
    if kind < 0.5:
        size = (max(64, width), max(64, height))
        behind = picture(rng) if rng.random() < 0.3 else None
        return cv2.resize(design.render([], behind, rng, size)[0], (width, height), interpolation=cv2.INTER_AREA)
    if kind < 0.85:
        shown = cv2.resize(picture(rng), (width, height), interpolation=cv2.INTER_AREA)
        rim = int(rng.choice([0, 0, 0.06 * min(width, height)]))
        if rim:
            shown = cv2.copyMakeBorder(shown, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(250, 250, 248))
        return np.asarray(shown, np.uint8)
    face = _flat(wide, high, body(rng))
    for y in range(height // 8, height * 7 // 8, max(4, height // int(rng.integers(8, 22)))):
        end = int(width * rng.uniform(0.4, 0.9))
        cv2.line(face, (width // 10, y), (end, y), _near((128, 128, 128), rng, 100), max(1, height // 80))
    return face


def _flat(wide: float, high: float, tone: Color) -> U8:
    """A plain face, a little lighter towards one corner."""
    width, height = _pixels(wide, high)
    ramp = np.linspace(-1, 1, width)[None] + np.linspace(-1, 1, height)[:, None]
    return np.clip(np.array(tone, np.float32) + ramp[..., None] * 5, 0, 255).astype(np.uint8)


def _pixels(wide: float, high: float) -> tuple[int, int]:
    scale = FACE / max(wide, high)
    return max(8, int(wide * scale)), max(8, int(high * scale))


def _near(tone: Color, rng: Rng, most: float = 40) -> Color:
    r, g, b = (int(np.clip(v + s, 0, 255)) for v, s in zip(tone, np.full(3, rng.uniform(-most, most)), strict=True))
    return r, g, b


def _colour(rng: Rng) -> Color:
    r, g, b = (int(v) for v in rng.integers(10, 250, 3))
    return r, g, b


def _v(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z], np.float32)
