"""Design pictures: posters, banners, collages and shop pictures with slogans, logos and 0..6 products.

`render` is all that others need; it wants numpy, OpenCV and Pillow only. Covers the layouts; text, marks
and backdrops have their own modules. Does not cover plain photographs (`composite.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import lettering, marks
from .backdrop import Palette, backdrop, palette
from .canvas import U8, Box, Canvas, Rect, Rng, resize, rotate, trim
from .lettering import Color


def render(
    foregrounds: Sequence[U8], background: U8 | None, rng: Rng, size: tuple[int, int]
) -> tuple[U8, list[Box], U8]:
    """Draws one design picture; the same arguments and generator state draw the same picture.

    Args:
        foregrounds: the products, each uint8 [h, w, 4], RGB not premultiplied; 0 to 6 of them.
        background: uint8 [h, w, 3] to stand on, or None for a drawn backdrop.
        size: (width, height), pixels, from 64.

    Returns:
        The picture uint8 [height, width, 3]; boxes labelled subject, text or logo, of what is visible;
        and the alpha of all products together, uint8 [height, width], less what is printed over them.
    """
    width, height = size
    colors = palette(rng)
    canvas = Canvas(backdrop(rng, width, height, colors, background))
    products = [pose(f, rng) for f in foregrounds[:6]]
    layouts = [_hero, _line_up, _scatter]
    if len(products) > 1:
        layouts += [_grid, _grid]
    if len(products) == 1:
        layouts += [_poster, _hero, _shop]
    if not products:
        layouts = [_hero, _scatter]
    page = canvas.rect.inset(float(rng.uniform(0.01, 0.07)))
    if rng.random() < 0.12:
        corners = (int(page.x0), int(page.y0)), (int(page.x1), int(page.y1))
        cv2.rectangle(canvas.rgb, *corners, _readable(canvas, page, colors, rng), int(rng.integers(1, 4)), cv2.LINE_AA)
    layouts[rng.integers(len(layouts))](canvas, page.inset(0.02), products, colors, rng)
    return canvas.rgb, canvas.boxes(), canvas.alpha


def pose(rgba: U8, rng: Rng) -> U8:
    """Mirrors, tilts and now and then stretches a product; long ones much further, up to 1:6 and 6:1."""
    sprite = rgba[:, ::-1] if rng.random() < 0.5 else rgba
    if max(sprite.shape[:2]) > 320:
        factor = 320 / max(sprite.shape[:2])
        sprite = resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor)
    if rng.random() < 0.2:
        sprite = rotate(np.ascontiguousarray(sprite), float(rng.normal(0, 14)))
    if rng.random() < 0.3:
        height, width = sprite.shape[:2]
        ratio, side = width / height, np.sqrt(width * height)
        ratio = np.clip(ratio * ratio ** rng.uniform(0, 2) * np.exp(rng.normal(0, 0.15)), 1 / 6.5, 6.5)
        sprite = resize(sprite, side * np.sqrt(ratio), side / np.sqrt(ratio))
    return trim(np.ascontiguousarray(sprite))


def _put(canvas: Canvas, sprite: U8, room: Rect, rng: Rng, foot: float = 0.5) -> Rect:
    """Fits a product into a rectangle, with or without a shadow; `foot` 1 stands it on the lower edge."""
    factor = min(room.width / sprite.shape[1], room.height / sprite.shape[0])
    fitted = resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor)
    height, width = fitted.shape[:2]
    x, y = room.x0 + (room.width - width) / 2, room.y0 + (room.height - height) * foot
    _shadow(canvas, fitted, x, y, rng)
    canvas.paste(fitted, x, y, "subject")
    return Rect(x, y, x + width, y + height)


def _shadow(canvas: Canvas, sprite: U8, x: float, y: float, rng: Rng) -> None:
    kind = rng.random()
    height, width = sprite.shape[:2]
    if kind < 0.25:  # below its foot
        flat = max(3, int(height * rng.uniform(0.04, 0.12)))
        mask = np.zeros((flat * 3, width + 2 * flat), np.uint8)
        cv2.ellipse(mask, (mask.shape[1] // 2, mask.shape[0] // 2), (int(width * 0.45), flat // 2), 0, 0, 360, 255, -1)
        canvas.shade(
            cv2.GaussianBlur(mask, (0, 0), flat / 2.5), x - flat, y + height - flat * 1.5, rng.uniform(0.3, 0.8)
        )
    elif kind < 0.5:  # behind it
        blur = max(1.0, min(height, width) * rng.uniform(0.015, 0.06))
        margin = int(blur * 3)
        mask = cv2.copyMakeBorder(sprite[..., 3], margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        dx, dy = rng.normal(0, blur), abs(rng.normal(0, 1.5 * blur))
        canvas.shade(cv2.GaussianBlur(mask, (0, 0), blur), x - margin + dx, y - margin + dy, rng.uniform(0.2, 0.6))
    elif kind < 0.58:  # mirrored on a polished table
        depth = max(2, int(height * rng.uniform(0.15, 0.4)))
        mirror = sprite[::-1][:depth].copy()
        mirror[..., 3] = mirror[..., 3] * np.linspace(0.45, 0, depth)[:, None]
        mirror[..., 3] = np.minimum(mirror[..., 3], 95)
        canvas.paste(mirror, x, y + height)


def _readable(canvas: Canvas, rect: Rect, colors: Palette, rng: Rng) -> Color:
    """A colour of the palette that stands out at this place."""
    below = canvas.luminance(rect)
    choices = [
        colors.accent,
        colors.dark if below > 0.5 else colors.light,
        (0, 0, 0) if below > 0.5 else (255, 255, 255),
    ]
    good = [c for c in choices if abs(c[1] / 255 - below) > 0.25] or choices[1:]
    return good[rng.integers(len(good))]


def _text(
    canvas: Canvas, room: Rect, colors: Palette, rng: Rng, lines: int, words: int, align: float, share: float = 0.5
) -> float:
    """Sets a paragraph at the top of a rectangle; returns where it ends."""
    if room.width < 12 or room.height < 6:
        return room.y0
    upright = room.height > 3 * room.width and rng.random() < 0.6
    lying = Rect(0, 0, room.height, room.width) if upright else room
    mask = lettering.paragraph(rng, lying, lines, words, align, share * min(canvas.width, canvas.height))
    if mask is None:
        return room.y0
    if upright:
        mask = np.ascontiguousarray(np.rot90(mask, 1 if rng.random() < 0.5 else 3))
    sprite = lettering.styled(rng, mask, _readable(canvas, room, colors, rng), colors.accent)
    factor = min(1.0, room.width / sprite.shape[1], 1.3 * room.height / sprite.shape[0])
    if factor < 1:  # its plate or tilt made it larger than the room
        sprite = resize(sprite, sprite.shape[1] * factor, sprite.shape[0] * factor)
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "text")
    return room.y0 + sprite.shape[0]


def _logo(canvas: Canvas, room: Rect, colors: Palette, rng: Rng, align: float = 0.5) -> float:
    sprite = marks.logo(rng, room, _readable(canvas, room, colors, rng), _readable(canvas, room, colors, rng))
    if sprite is None:
        return room.y0
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "logo")
    return room.y0 + sprite.shape[0]


def _price(canvas: Canvas, room: Rect, colors: Palette, rng: Rng, align: float = 0.5) -> float:
    color = _readable(canvas, room, colors, rng)
    contrast = (255, 255, 255) if color[1] < 140 else (20, 20, 20)
    sprite = marks.price_tag(rng, room, color, contrast)
    if sprite is None:
        return room.y0
    canvas.paste(sprite, room.x0 + (room.width - sprite.shape[1]) * align, room.y0, "text")
    return room.y0 + sprite.shape[0]


def _badge(canvas: Canvas, around: Rect, rng: Rng, colors: Palette) -> None:
    """A seal at a corner of a rectangle, at times over the product's edge."""
    side = int(np.clip(min(canvas.width, canvas.height) * rng.uniform(0.1, 0.28), 12, 400))
    color = (255, 255, 255) if sum(colors.accent) < 480 else (20, 20, 20)
    sprite = marks.badge(rng, side, colors.accent, color)
    x = (around.x0, around.x1)[rng.integers(2)] - side * rng.uniform(0.3, 0.7)
    y = (around.y0, around.y1)[rng.integers(2)] - side * rng.uniform(0.3, 0.7)
    x, y = np.clip(x, 0, max(0, canvas.width - side)), np.clip(y, 0, max(0, canvas.height - side))
    if canvas.free(Rect(x, y, x + side, y + side)) > 0.55:
        canvas.paste(sprite, x, y, "logo")


def _ornament(canvas: Canvas, around: Rect, colors: Palette, rng: Rng) -> None:
    """A form behind the product: disc, panel, blob or ring."""
    kind, color = rng.random(), (colors.second, colors.light, colors.accent)[rng.integers(3)]
    side = int(min(around.width, around.height) * rng.uniform(0.6, 1.05))
    if kind > 0.5 or side < 12:
        return
    if kind < 0.25:
        mask = lettering.rounded(side, side, side // 2)
    elif kind < 0.4:
        mask = lettering.rounded(
            int(around.width * 0.95), int(around.height * 0.9), int(rng.choice((0, side // 10, side // 4)))
        )
    else:
        mask = marks.emblem(rng, side)
    mask = (mask * np.float32(rng.uniform(0.25, 1))).astype(np.uint8)
    x, y = around.x0 + (around.width - mask.shape[1]) / 2, around.y0 + (around.height - mask.shape[0]) / 2
    canvas.shade(mask, x, y, 1.0, color)


def _copy(canvas: Canvas, room: Rect, colors: Palette, rng: Rng) -> None:
    """A column of text as advertisements have it: logo, headline, lines, price, button."""
    align = float(rng.choice((0, 0.5, 0.5, 1)))
    y = room.y0 + room.height * rng.uniform(0, 0.15)
    gap = 0.05 * room.height
    if rng.random() < 0.4:
        y = _logo(canvas, Rect(room.x0, y, room.x1, y + room.height * rng.uniform(0.1, 0.25)), colors, rng, align) + gap
    lines = int(rng.integers(1, 4))
    y = _text(
        canvas,
        Rect(room.x0, y, room.x1, y + room.height * rng.uniform(0.2, 0.5)),
        colors,
        rng,
        lines,
        int(rng.integers(1, 3)),
        align,
    )
    for chance, lines, words, share in ((0.6, 2, 3, 0.07), (0.3, 4, 5, 0.045), (0.3, 1, 2, 0.08)):
        y += gap
        if rng.random() < chance and y < room.y1 - 8:
            rest = Rect(room.x0, y, room.x1, min(room.y1, y + room.height * 0.3))
            y = _text(canvas, rest, colors, rng, int(rng.integers(1, lines + 1)), words, align, share)
    if rng.random() < 0.4 and y + gap < room.y1 - 8:
        _price(canvas, Rect(room.x0, y + gap, room.x1, min(room.y1, y + gap + room.height * 0.18)), colors, rng, align)


def _hero(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """Products on one side, text on the other."""
    share = rng.uniform(0.4, 0.7)
    beside = page.width > page.height * rng.uniform(0.7, 1.6)
    parts = (page.across if beside else page.down)(share, 1 - share)
    stage, column = parts if rng.random() < 0.5 else parts[::-1]
    if not products:
        stage, column = column, page
    _ornament(canvas, stage, colors, rng)
    spots = _cells(stage.inset(0.04), len(products))
    placed = [
        _put(canvas, p, s.inset(0.03), rng, float(rng.uniform(0.4, 1))) for p, s in zip(products, spots, strict=True)
    ]
    _copy(canvas, column.inset(0.06), colors, rng)
    if placed and rng.random() < 0.35:
        _badge(canvas, placed[0], rng, colors)


def _cells(room: Rect, count: int) -> list[Rect]:
    """`count` cells in rows as square as possible."""
    if count == 0:
        return []
    columns = int(np.clip(round(np.sqrt(count * room.width / max(room.height, 1))), 1, count))
    rows = -(-count // columns)
    cells = [cell for row in room.down(*[1] * rows) for cell in row.across(*[1] * columns)]
    return cells[:count]


def _grid(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """A page of a catalog: title, then cells with a product, its name and its price."""
    title, body = page.down(rng.uniform(0.08, 0.3), 1)
    if rng.random() < 0.75:
        _text(canvas, title.inset(0.12), colors, rng, int(rng.integers(1, 3)), 2, 0.5)
    else:
        body = page
    cards, captions, prices = rng.random() < 0.45, rng.random() < 0.6, rng.random() < 0.6
    radius = int(rng.choice((0, 4, 10)))
    for product, cell in zip(products, _cells(body, len(products)), strict=True):
        inner = cell.inset(0.05)
        if cards:
            plate = lettering.rounded(max(2, int(inner.width)), max(2, int(inner.height)), radius)
            canvas.shade(plate, inner.x0, inner.y0, 1.0, colors.light)
            inner = inner.inset(0.05)
        picture, label = inner.down(1, 0.35) if captions or prices else (inner, inner)
        placed = _put(canvas, product, picture.inset(0.04), rng)
        if captions or prices:
            upper, lower = label.down(1, 1)
            if captions:
                _text(canvas, upper.inset(0.1), colors, rng, 1, 2, 0.5, 0.06)
            if prices:
                _price(canvas, lower.inset(0.12), colors, rng)
        if rng.random() < 0.12:
            _badge(canvas, placed, rng, colors)


def _poster(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """One large product in the middle, the headline above or behind it, a strip of small text below."""
    head, middle, strip = page.down(rng.uniform(0.2, 0.4), 1, rng.uniform(0.1, 0.25))
    _ornament(canvas, middle, colors, rng)
    _text(canvas, head, colors, rng, int(rng.integers(1, 3)), 1, 0.5)
    lifted = Rect(middle.x0, middle.y0 - head.height * rng.uniform(0, 0.5), middle.x1, middle.y1)
    placed = _put(canvas, products[0], lifted, rng, 1.0)
    if rng.random() < 0.3:
        plate = np.full((int(strip.height) + 1, canvas.width), 255, np.uint8)
        canvas.shade(plate, 0, strip.y0, rng.uniform(0.5, 1), colors.dark)
    left, right = strip.inset(0.1).across(2, 1)
    _text(canvas, left, colors, rng, int(rng.integers(1, 4)), int(rng.integers(2, 5)), 0.0, 0.07)
    (_logo if rng.random() < 0.6 else _price)(canvas, right, colors, rng, 1.0)
    if rng.random() < 0.4:
        _badge(canvas, placed, rng, colors)


def _line_up(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """Products beside each other on one base line, text above and below."""
    head, row, foot = page.down(rng.uniform(0.15, 0.4), 1, rng.uniform(0.05, 0.25))
    _text(canvas, head.inset(0.1), colors, rng, int(rng.integers(1, 3)), 2, float(rng.choice((0, 0.5, 1))))
    for product, room in zip(products, row.across(*rng.uniform(0.7, 1.3, len(products))), strict=True):
        tall = Rect(room.x0, room.y0 + room.height * rng.uniform(0, 0.4), room.x1, room.y1)
        _put(canvas, product, tall.inset(0.03), rng, 1.0)
    if rng.random() < 0.7:
        for part in foot.across(*[1] * int(rng.integers(1, 4))):
            (
                _text(canvas, part.inset(0.15), colors, rng, 1, 2, 0.5, 0.08)
                if rng.random() < 0.6
                else _logo(canvas, part.inset(0.15), colors, rng)
            )


def _scatter(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """Products of any size, small ones too, wherever there is room; then text, logos and seals likewise."""
    for product in products:
        room = _spot(
            canvas,
            page,
            rng,
            float(np.exp(rng.uniform(np.log(0.08), np.log(0.75)))),
            product.shape[1] / product.shape[0],
        )
        if room is not None or not canvas.alpha.any():
            _put(canvas, product, room or page.inset(0.2), rng)
    for _ in range(int(rng.integers(1, 5))):
        room = _spot(canvas, page, rng, float(rng.uniform(0.1, 0.5)), float(np.exp(rng.uniform(-1.5, 2.0))))
        if room is not None:
            kind = rng.random()
            if kind < 0.6:
                _text(canvas, room, colors, rng, int(rng.integers(1, 4)), int(rng.integers(1, 4)), 0.5, 0.2)
            elif kind < 0.85:
                _logo(canvas, room, colors, rng)
            else:
                _badge(canvas, room, rng, colors)


def _spot(canvas: Canvas, page: Rect, rng: Rng, share: float, aspect: float) -> Rect | None:
    """A free rectangle of an aspect ratio whose longer side is `share` of the page's; None after eight tries."""
    long = share * max(page.width, page.height)
    width, height = (long, long / aspect) if aspect > 1 else (long * aspect, long)
    factor = min(1.0, page.width / width, page.height / height)
    width, height = width * factor, height * factor
    for _ in range(8):
        x, y = page.x0 + rng.random() * (page.width - width), page.y0 + rng.random() * (page.height - height)
        spot = Rect(x, y, x + width, y + height)
        if canvas.free(spot) > 0.97:
            return spot
    return None


def _shop(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """A product picture as shops show it: the product fills the frame, a small mark or tag in a corner."""
    placed = _put(canvas, products[0], page.inset(float(rng.uniform(0, 0.15))), rng, float(rng.uniform(0.4, 1)))
    corner = page.down(*(1, 5) if rng.random() < 0.5 else (5, 1))
    strip = corner[0] if corner[0].height < corner[1].height else corner[1]
    part = strip.across(1, 2)[0] if rng.random() < 0.5 else strip.across(2, 1)[1]
    kind = rng.random()
    if kind < 0.4:
        _logo(canvas, part, colors, rng, float(rng.integers(2)))
    elif kind < 0.7:
        _text(canvas, part, colors, rng, int(rng.integers(1, 3)), 2, 0.0, 0.1)
    else:
        _badge(canvas, placed, rng, colors)
