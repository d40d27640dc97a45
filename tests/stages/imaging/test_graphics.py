"""Logos, lettering and drawings: not judged as photographs, and no letter is lost."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import zoo
from hairline.stages.imaging.graphics import is_graphic, key_by_colour
from hairline.stages.item import Item
from whole_way import done, letters, product

WHITE, BLUE = (255, 255, 255), (20, 60, 160)


def logo(ink, ground):
    share = letters((0, 0, 0))[..., 3:] / 255
    return (share * ink + (1 - share) * ground + 0.5).astype(np.uint8)


def drawing():
    image = Image.new("RGB", (1200, 1200), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse([300, 360, 900, 960], outline="black", width=12)
    for x in (480, 720):
        draw.ellipse([x - 30, 580, x + 30, 660], fill="black")
    draw.arc([500, 700, 700, 800], 0, 180, fill="black", width=12)
    return np.asarray(image.resize((600, 600), Image.Resampling.LANCZOS))


def paragraph():
    image = Image.new("RGB", (900, 400), "white")
    for line in range(7):
        text = "The quick brown fox jumps over the lazy dog 0123456789"
        ImageDraw.Draw(image).text((40, 40 + 45 * line), text, font=ImageFont.load_default(28), fill="black")
    return np.asarray(image)


GRAPHICS = {
    "blue on white": zoo.encode(logo(BLUE, WHITE), "PNG"),
    "blue on white, jpeg": zoo.encode(logo(BLUE, WHITE), "JPEG", quality=75),
    "red on white": zoo.encode(logo((200, 20, 20), WHITE), "PNG"),
    "white on blue": zoo.encode(logo(WHITE, BLUE), "JPEG", quality=85),
    "pale on white": zoo.encode(logo((225, 225, 230), WHITE), "PNG"),
    "drawing": zoo.encode(drawing(), "PNG"),
    "paragraph": zoo.encode(paragraph(), "JPEG", quality=80),
}


@pytest.mark.parametrize("name", GRAPHICS)
def test_letters_are_kept_or_the_confidence_is_low(stages, name):
    item = done(stages, GRAPHICS[name])
    assert (item.status, item.reason) == ("ok", "")
    assert item.quality["graphic"] == 1
    picture = Item("a", "a", data=GRAPHICS[name]).picture.rgb().astype(int)
    ink = np.abs(picture - picture[0, 0]).max(2)
    full = ink > 0.8 * ink.max()
    alpha = product(item)[..., 3]
    assert alpha[full].mean() > 0.98 * 255
    _, parts = cv2.connectedComponents((ink <= 5).astype(np.uint8))
    assert alpha[parts == parts[0, 0]].mean() < 2  # the ground, but for what ink encloses


@pytest.mark.parametrize("stops", [0, 2, 4])
@pytest.mark.parametrize("index", range(4))
def test_photographs_are_none_however_exposed(index, stops):
    light = (zoo.some_photographs()[index] / 255.0) ** 2.2
    photo = (np.clip(light * 2**stops, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    for data in (zoo.encode(photo, "JPEG"), zoo.encode(zoo.grey(photo), "PNG")):
        assert not is_graphic(Item("a", "a", data=data))


def test_neither_is_an_empty_page_nor_a_shaded_ball_on_white():
    y, x = np.mgrid[-1:1:400j, -1:1:400j]
    inside = x * x + y * y < 0.4
    ball = np.where(inside, 90 + 120 * np.sqrt(np.maximum(0, 0.4 - (x + 0.2) ** 2 - y * y)), 255).astype(np.uint8)
    for pixels in (np.full((300, 300, 3), 255, np.uint8), np.dstack([ball] * 3)):
        for kind in ("PNG", "JPEG"):
            assert not is_graphic(Item("a", "a", data=zoo.encode(pixels, kind)))


def test_a_found_matte_that_holds_the_ink_stays():
    item = Item("a", "a", data=zoo.encode(logo(BLUE, WHITE), "PNG"))
    whole = (letters((0, 0, 0))[..., 3] > 0).astype(np.float32)
    assert key_by_colour(item.picture.rgb(), whole) is None
    dot = whole.copy()
    dot[:, 130:] = 0
    assert key_by_colour(item.picture.rgb(), dot) is not None


def test_enclosed_ground_follows_what_was_found_and_costs_confidence():
    ring = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(ring, (150, 150), 100, (0, 0, 0), 12)
    rgb = Item("a", "a", data=zoo.encode(ring, "PNG")).picture.rgb()
    disc = np.zeros((300, 300), np.float32)
    cv2.circle(disc, (150, 150), 92, 1.0, -1)
    filled, hollow = key_by_colour(rgb, disc), key_by_colour(rgb, np.zeros_like(disc))
    assert filled is not None and hollow is not None
    assert filled.alpha[150, 150] == 1 and hollow.alpha[150, 150] == 0
    assert filled.alpha[150, 50] == hollow.alpha[150, 50] == 1
    assert filled.confidence < 0.5 and hollow.confidence < 0.5
