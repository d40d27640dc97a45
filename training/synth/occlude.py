"""Things in front of the subject: hands, stickers, watermarks and other objects, with ordered severities.

Severity is the share of the subject that is covered. `decoy` puts the same things beside the subject, so that
a network cannot take the mere presence of a pasted thing for an occlusion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .composite import F32, U8, Layer, Rng

COVERED = ((0.04, 0.08), (0.13, 0.22), (0.3, 0.42), (0.52, 0.75))  # share of the subject, severities 1..4
OPACITY = ((0.2, 0.3), (0.35, 0.5), (0.55, 0.75), (0.8, 1.0))  # of a watermark over the whole subject
SKIN = ((255, 224, 196), (241, 194, 150), (224, 172, 115), (198, 134, 92), (141, 85, 52), (90, 56, 37))
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
MARKS = ("SAMPLE", "PREVIEW", "PROOF", "stock", "Do not copy", "DEMO", "www.shop", "(c) photo", "Draft", "COPY")
OFFERS = ("SALE", "-30%", "NEW", "50% OFF", "TOP", "HOT", "2+1", "BIO", "FREE", "SOLD", "xx", "No. 1")


def occlude(picture: F32, alpha: F32, severity: int, rng: Rng, objects: Sequence[U8]) -> F32:
    """Covers a share of the subject.

    Args:
        picture: float32 [H, W, 3], 0..1.
        alpha: float32 [H, W], the subject.
        severity: 0..4.
        objects: subjects to put in front, uint8 [h, w, 4], colours not premultiplied.
    """
    if not severity or alpha.max() < 0.5:
        return picture
    if rng.random() < 0.18:
        return watermark(picture, float(rng.uniform(*OPACITY[severity - 1])), rng)
    target = float(rng.uniform(*COVERED[severity - 1]))
    patch = _patch(rng, objects)
    ys, xs = np.nonzero(alpha > 0.5)
    pick = rng.integers(len(ys))
    # Cover is not monotonic in the place, so the place is kept and the size found.
    center = (float(xs[pick]), float(ys[pick])) if severity < 3 else (float(xs.mean()), float(ys.mean()))
    turn = _outwards(center, alpha.shape, rng)
    side = float(np.sqrt(target * alpha.sum()) * 1.3)
    best, gap = None, np.inf
    for _ in range(6):
        layer = _put(patch, center, side, turn, alpha.shape)
        covered = float((layer.alpha * alpha).sum() / alpha.sum())
        if abs(covered - target) < gap:
            best, gap = layer, abs(covered - target)
        if gap < 0.02:
            break
        side *= float(np.clip(np.sqrt(target / max(covered, 1e-3)), 0.5, 2))
    assert best is not None
    return _blend(picture, best, rng)


def decoy(picture: F32, alpha: F32, rng: Rng, objects: Sequence[U8]) -> F32:
    """Puts a thing beside the subject, where there is room; else returns the picture as it is."""
    height, width = alpha.shape
    patch = _patch(rng, objects)
    for _ in range(6):
        center = (rng.uniform(0, width), rng.uniform(0, height))
        side = rng.uniform(0.06, 0.3) * max(width, height)
        layer = _put(patch, center, side, _outwards(center, alpha.shape, rng), alpha.shape)
        if (layer.alpha * alpha).sum() < 0.01 * alpha.sum() and layer.alpha.max() > 0.5:
            return _blend(picture, layer, rng)
    return picture


def watermark(picture: F32, opacity: float, rng: Rng) -> F32:
    """Writes a line again and again across the whole picture."""
    height, width = picture.shape[:2]
    side = 2 * max(height, width)
    page = np.zeros((side, side), np.uint8)
    text, font = str(rng.choice(MARKS)), int(rng.choice(FONTS))
    scale = rng.uniform(0.0012, 0.0035) * side
    thickness = max(1, round(scale * rng.uniform(1.5, 4)))
    (long, tall), _ = cv2.getTextSize(text, font, scale, thickness)
    for row, y in enumerate(range(0, side, int(tall * rng.uniform(1.8, 3)) + 4)):
        for x in range(-(row % 2) * long // 2, side, int(long * rng.uniform(1.05, 1.3)) + 4):
            cv2.putText(page, text, (x, y), font, scale, 255, thickness, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.choice((0, 30, 45, -30, 90))), 1.0)
    turn[:, 2] += (width / 2 - side / 2, height / 2 - side / 2)
    share = cv2.warpAffine(page, turn, (width, height)).astype(np.float32) / 255 * opacity
    ink = np.repeat(np.float32(rng.choice((0.0, 1.0, 0.6))), 3) if rng.random() < 0.8 else rng.random(3)
    return (picture * (1 - share[..., None]) + ink * share[..., None]).astype(np.float32)


def hand(rng: Rng) -> U8:
    """A hand with its forearm, reaching up: uint8 [640, 256, 4]. A shape and a colour, no anatomy."""
    mask = np.zeros((640, 256), np.uint8)
    cv2.ellipse(mask, (128, 270), (66, 80), 0, 0, 360, 255, -1)
    wrist = int(rng.integers(38, 55))
    cv2.fillConvexPoly(mask, np.array([[128 - wrist, 300], [128 + wrist, 300], [190, 640], [66, 640]]), 255)
    curl = rng.uniform(0.25, 1.0)
    for index, spread in enumerate(np.linspace(-0.35, 0.35, 4) * rng.uniform(0.6, 1.4)):
        if rng.random() < 0.12:
            continue
        length = (115, 140, 135, 100)[index] * (curl if rng.random() < 0.5 else 1)
        root = np.array([80 + 32 * index, 225])
        tip = root + length * np.array([np.sin(spread), -np.cos(spread)])
        cv2.line(mask, root.tolist(), tip.astype(int).tolist(), 255, int(rng.integers(26, 33)))
    out = rng.uniform(0.6, 1.3)
    thumb = np.array([66, 280]) + 105 * np.array([-np.sin(out), -np.cos(out)])
    cv2.line(mask, (80, 290), np.clip(thumb, 14, None).astype(int).tolist(), 255, 34)
    depth = np.clip(cv2.distanceTransform(mask, cv2.DIST_L2, 5) / 26, 0, 1)
    shade = 0.62 + 0.45 * cv2.GaussianBlur(depth, (0, 0), 3)
    shade = shade + cv2.resize(rng.normal(0, 0.04, (10, 4)), (256, 640), interpolation=cv2.INTER_CUBIC)
    tone = np.array(SKIN[rng.integers(len(SKIN))]) * rng.uniform(0.8, 1.1)
    colour = np.repeat(tone[None, None], 640, 0).repeat(256, 1)
    if rng.random() < 0.6:
        colour[rng.integers(330, 430) :] = rng.uniform(10, 250, 3)  # a sleeve
    if rng.random() < 0.5:
        colour, mask = colour[:, ::-1], mask[:, ::-1]
        shade = shade[:, ::-1]
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5)
    return np.dstack([np.clip(colour * shade[..., None], 0, 255), soft]).astype(np.uint8)


def sticker(rng: Rng) -> U8:
    """A badge with a word: uint8 [256, 256, 4]."""
    mask = np.zeros((256, 256), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        cv2.circle(mask, (128, 128), 120, 255, -1, cv2.LINE_AA)
    elif kind == 1:
        height = int(rng.integers(40, 120))
        cv2.rectangle(mask, (6, 128 - height), (250, 128 + height), 255, -1)
    else:
        points = int(rng.integers(8, 20))
        angles = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
        radii = np.where(np.arange(2 * points) % 2, 122, rng.uniform(85, 110))
        star = np.stack([128 + radii * np.cos(angles), 128 + radii * np.sin(angles)], -1)
        cv2.fillPoly(mask, [star.astype(np.int32)], 255, cv2.LINE_AA)
    face = np.full((256, 256, 3), rng.integers(0, 256, 3), np.uint8)
    ink = (255.0,) * 3 if face.mean() < 140 else tuple(float(v) for v in rng.uniform(0, 80, 3))
    text, font = str(rng.choice(OFFERS)), int(rng.choice(FONTS))
    (long, tall), _ = cv2.getTextSize(text, font, 2.0, 5)
    scale = 2.0 * min(190 / long, 120 / tall)
    place = (int(128 - long * scale / 4), int(128 + tall * scale / 4))
    cv2.putText(face, text, place, font, scale, ink, max(2, int(scale * 3)), cv2.LINE_AA)
    return np.dstack([face, mask])


def _patch(rng: Rng, objects: Sequence[U8]) -> U8:
    makers: list[Callable[[Rng], U8]] = [hand, sticker]
    if len(objects) and rng.random() < 0.4:
        return objects[rng.integers(len(objects))]
    return makers[int(rng.random() < 0.35)](rng)


def _outwards(center: tuple[float, float], shape: tuple[int, ...], rng: Rng) -> float:
    """Radians that turn a patch's foot towards the nearest border, roughly: hands come in from outside."""
    height, width = shape[:2]
    gaps = (height - center[1], center[0], center[1], width - center[0])  # below, left, above, right
    return float(np.argmin(gaps) * np.pi / 2 + rng.normal(0, 0.5))


def _put(patch: U8, center: tuple[float, float], side: float, turn: float, shape: tuple[int, ...]) -> Layer:
    """The patch with its widest part (a third down for a long one) at `center` and its width about `side` pixels."""
    height, width = patch.shape[:2]
    scale = side / width if height > 1.5 * width else side / max(height, width)
    if scale < 0.7:
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
        scale, (height, width) = 1.0, patch.shape[:2]
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    anchor = np.array([width / 2, min(height / 2, 0.9 * width)])
    warp = np.column_stack([matrix, np.array(center) - matrix @ anchor])
    canvas = cv2.warpAffine(patch, warp, (shape[1], shape[0]), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    colour = (
        canvas[..., :3]
        / np.maximum(cv2.warpAffine(np.full(patch.shape[:2], 1.0, np.float32), warp, (shape[1], shape[0])), 1e-3)[
            ..., None
        ]
    )
    return Layer(np.clip(colour, 0, 1), canvas[..., 3])


def _blend(picture: F32, layer: Layer, rng: Rng) -> F32:
    """Lays a layer over the picture with a shadow and, sometimes, out of focus or see-through."""
    size = max(layer.alpha.shape)
    alpha, colour = layer.alpha, layer.color * float(np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.3:
        spread = rng.uniform(0.002, 0.012) * size
        colour = cv2.GaussianBlur(colour * alpha[..., None], (0, 0), spread)
        alpha = cv2.GaussianBlur(alpha, (0, 0), spread)
        colour = colour / np.maximum(alpha, 1e-3)[..., None]
    if rng.random() < 0.4:
        cast = cv2.GaussianBlur(alpha, (0, 0), 0.02 * size)
        picture = picture * (1 - 0.4 * cast)[..., None]
    alpha = alpha[..., None]
    return np.clip(picture * (1 - alpha) + np.clip(colour, 0, 1) * alpha, 0, 1).astype(np.float32)
