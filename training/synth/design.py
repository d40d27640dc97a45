"""Design pictures: posters, banners, collages and shop pictures with slogans, logos and 0..6 products.

`render` is all that others need; it wants numpy, OpenCV and Pillow only. Covers the layouts; text, marks
and backdrops have their own modules. Does not cover plain photographs (`composite.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import lettering, parts
from .backdrop import Palette, backdrop, palette
from .canvas import U8, Box, Canvas, Rect, Rng, resize, rotate, trim


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
        cv2.rectangle(
            canvas.rgb, *corners, parts.readable(canvas, page, colors, rng), int(rng.integers(1, 4)), cv2.LINE_AA
        )
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


def _copy(canvas: Canvas, room: Rect, colors: Palette, rng: Rng) -> None:
    """A column of text as advertisements have it: logo, headline, lines, price, button."""
    align = float(rng.choice((0, 0.5, 0.5, 1)))
    y = room.y0 + room.height * rng.uniform(0, 0.15)
    gap = 0.05 * room.height
    if rng.random() < 0.4:
        y = (
            parts.logo(canvas, Rect(room.x0, y, room.x1, y + room.height * rng.uniform(0.1, 0.25)), colors, rng, align)
            + gap
        )
    lines = int(rng.integers(1, 4))
    y = parts.text(
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
            y = parts.text(canvas, rest, colors, rng, int(rng.integers(1, lines + 1)), words, align, share)
    if rng.random() < 0.4 and y + gap < room.y1 - 8:
        parts.price(
            canvas, Rect(room.x0, y + gap, room.x1, min(room.y1, y + gap + room.height * 0.18)), colors, rng, align
        )


def _hero(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """Products on one side, text on the other."""
    share = rng.uniform(0.4, 0.7)
    beside = page.width > page.height * rng.uniform(0.7, 1.6)
    halves = (page.across if beside else page.down)(share, 1 - share)
    stage, column = halves if rng.random() < 0.5 else halves[::-1]
    if not products:
        stage, column = column, page
    parts.ornament(canvas, stage, colors, rng)
    spots = _cells(stage.inset(0.04), len(products))
    placed = [
        parts.put(canvas, p, s.inset(0.03), rng, float(rng.uniform(0.4, 1)))
        for p, s in zip(products, spots, strict=True)
    ]
    _copy(canvas, column.inset(0.06), colors, rng)
    if placed and rng.random() < 0.35:
        parts.badge(canvas, placed[0], rng, colors)


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
        parts.text(canvas, title.inset(0.12), colors, rng, int(rng.integers(1, 3)), 2, 0.5)
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
        placed = parts.put(canvas, product, picture.inset(0.04), rng)
        if captions or prices:
            upper, lower = label.down(1, 1)
            if captions:
                parts.text(canvas, upper.inset(0.1), colors, rng, 1, 2, 0.5, 0.06)
            if prices:
                parts.price(canvas, lower.inset(0.12), colors, rng)
        if rng.random() < 0.12:
            parts.badge(canvas, placed, rng, colors)


def _poster(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """One large product in the middle, the headline above or behind it, a strip of small text below."""
    head, middle, strip = page.down(rng.uniform(0.2, 0.4), 1, rng.uniform(0.1, 0.25))
    parts.ornament(canvas, middle, colors, rng)
    parts.text(canvas, head, colors, rng, int(rng.integers(1, 3)), 1, 0.5)
    lifted = Rect(middle.x0, middle.y0 - head.height * rng.uniform(0, 0.5), middle.x1, middle.y1)
    placed = parts.put(canvas, products[0], lifted, rng, 1.0)
    if rng.random() < 0.3:
        plate = np.full((int(strip.height) + 1, canvas.width), 255, np.uint8)
        canvas.shade(plate, 0, strip.y0, rng.uniform(0.5, 1), colors.dark)
    left, right = strip.inset(0.1).across(2, 1)
    parts.text(canvas, left, colors, rng, int(rng.integers(1, 4)), int(rng.integers(2, 5)), 0.0, 0.07)
    (parts.logo if rng.random() < 0.6 else parts.price)(canvas, right, colors, rng, 1.0)
    if rng.random() < 0.4:
        parts.badge(canvas, placed, rng, colors)


def _line_up(canvas: Canvas, page: Rect, products: list[U8], colors: Palette, rng: Rng) -> None:
    """Products beside each other on one base line, text above and below."""
    head, row, foot = page.down(rng.uniform(0.15, 0.4), 1, rng.uniform(0.05, 0.25))
    parts.text(canvas, head.inset(0.1), colors, rng, int(rng.integers(1, 3)), 2, float(rng.choice((0, 0.5, 1))))
    for product, room in zip(products, row.across(*rng.uniform(0.7, 1.3, len(products))), strict=True):
        tall = Rect(room.x0, room.y0 + room.height * rng.uniform(0, 0.4), room.x1, room.y1)
        parts.put(canvas, product, tall.inset(0.03), rng, 1.0)
    if rng.random() < 0.7:
        for part in foot.across(*[1] * int(rng.integers(1, 4))):
            (
                parts.text(canvas, part.inset(0.15), colors, rng, 1, 2, 0.5, 0.08)
                if rng.random() < 0.6
                else parts.logo(canvas, part.inset(0.15), colors, rng)
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
            parts.put(canvas, product, room or page.inset(0.2), rng)
    for _ in range(int(rng.integers(1, 5))):
        room = _spot(canvas, page, rng, float(rng.uniform(0.1, 0.5)), float(np.exp(rng.uniform(-1.5, 2.0))))
        if room is not None:
            kind = rng.random()
            if kind < 0.6:
                parts.text(canvas, room, colors, rng, int(rng.integers(1, 4)), int(rng.integers(1, 4)), 0.5, 0.2)
            elif kind < 0.85:
                parts.logo(canvas, room, colors, rng)
            else:
                parts.badge(canvas, room, rng, colors)


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
    placed = parts.put(canvas, products[0], page.inset(float(rng.uniform(0, 0.15))), rng, float(rng.uniform(0.4, 1)))
    corner = page.down(*(1, 5) if rng.random() < 0.5 else (5, 1))
    strip = corner[0] if corner[0].height < corner[1].height else corner[1]
    part = strip.across(1, 2)[0] if rng.random() < 0.5 else strip.across(2, 1)[1]
    kind = rng.random()
    if kind < 0.4:
        parts.logo(canvas, part, colors, rng, float(rng.integers(2)))
    elif kind < 0.7:
        parts.text(canvas, part, colors, rng, int(rng.integers(1, 3)), 2, 0.0, 0.1)
    else:
        parts.badge(canvas, placed, rng, colors)
