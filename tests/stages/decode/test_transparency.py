"""Pictures that bring their own alpha: it is followed where it is a matte, and framed photographs stay photographs."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import zoo
from hairline.stages.decode.picture import Picture
from hairline.stages.decode.transparency import combine_alpha, ground_for, is_matte
from hairline.stages.filter import FilterSettings
from hairline.stages.registry import stage_class
from whole_way import done, letters, product

PHOTO = zoo.some_photographs()[2]


def rounded(height=200, width=300, radius=30):
    alpha = Image.new("L", (width, height))
    ImageDraw.Draw(alpha).rounded_rectangle([0, 0, width - 1, height - 1], radius, fill=255)
    return np.asarray(alpha)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 20, 30)], ids=["black", "white", "red"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_logo_keeps_every_letter(stages, colour, kind):
    logo = letters(colour)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    item = done(stages, zoo.encode(logo, kind, **options))
    assert (item.status, item.reason) == ("ok", "")
    made = product(item)
    assert np.array_equal(made[..., 3], logo[..., 3])
    seen = made[..., 3] > 0
    assert (made[seen][:, :3] == colour).all()  # straight: no ground shines through the soft edges
    assert not made[~seen].any()


def test_a_wholly_transparent_picture_says_so(stages):
    item = done(stages, zoo.encode(np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)]), "PNG"))
    assert (item.status, item.reason) == ("filtered", "wholly_transparent")
    assert "wholly transparent" in item.detail


def test_a_photograph_with_round_corners_is_searched(stages):
    photo = cv2.resize(PHOTO, (384, 384), interpolation=cv2.INTER_AREA)
    corners = rounded(384, 384, 40)
    plain, framed = done(stages, zoo.encode(photo, "PNG")), done(stages, zoo.encode(np.dstack([photo, corners]), "PNG"))
    assert (plain.status, framed.status) == ("ok", "ok")
    alpha = product(framed)[..., 3].astype(int)
    assert alpha[corners == 0].max() == 0
    assert alpha[10:110, 235:280].mean() < 10  # the wall behind her goes
    assert np.abs(alpha - combine_alpha(product(plain)[..., 3], corners, False)).mean() < 15


def test_a_burnt_out_cut_out_is_still_refused_and_a_white_one_not(stages):
    disc = zoo.alpha_of(PHOTO)
    light = (np.asarray(PHOTO, float) / 255) ** 2.2
    burnt = (np.clip(light * 30, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    refused = done(stages, zoo.encode(np.dstack([burnt, disc]), "PNG"))
    assert (refused.status, refused.reason) == ("filtered", "over_exposed")
    y, x = np.mgrid[:400, :400] / 400
    shaded = 250 - 70 * np.abs(x - 0.45) - 20 * y
    mug = np.dstack([shaded, shaded, shaded]).astype(np.uint8)
    alpha = np.zeros((400, 400), np.uint8)
    cv2.rectangle(alpha, (100, 80), (280, 330), 255, -1)
    cv2.ellipse(alpha, (290, 200), (60, 70), 0, 0, 360, 255, 24)
    kept = done(stages, zoo.encode(np.dstack([mug, alpha]), "PNG"))
    assert kept.status == "ok"
    assert np.array_equal(product(kept)[..., 3], alpha)


def test_what_would_have_been_refused_is_not_accepted_without_a_word(stages):
    """A white logo and a burnt-out silhouette are the same pixels: kept, said, and put before a person."""
    logo = done(stages, zoo.encode(letters((255, 255, 255)), "PNG"))
    limit = FilterSettings().thresholds.over_exposed
    assert logo.status == "ok" and logo.quality["exposure_over"] == logo.quality["excused"] > limit
    assert logo.confidence < 0.5 and "over_exposed with probability" in logo.detail
    other = done(stages, zoo.encode(letters((0, 0, 0)), "PNG"))
    assert "excused" not in other.quality and other.confidence == 1 and not other.detail


DISC = zoo.alpha_of(PHOTO)
SHADOW = np.maximum(np.roll(cv2.GaussianBlur(DISC, (0, 0), 12), 15, 0) // 3, DISC)
BORDER = np.pad(np.full((380, 480), 255, np.uint8), 10)
VIGNETTE = np.clip(cv2.distanceTransform(np.pad(np.ones((398, 498), np.uint8), 1), cv2.DIST_L2, 5) * 12, 0, 255)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (DISC, True),
        (SHADOW, True),
        (letters((0, 0, 0))[..., 3], True),
        (np.where(DISC > 0, DISC, 8).astype(np.uint8), True),  # over a veil that nobody sees
        (rounded(), False),
        (rounded(300, 300, 40), False),
        (BORDER, False),
        (VIGNETTE.astype(np.uint8), False),
        (np.pad(np.full((300, 400), 255, np.uint8), ((50, 50), (0, 0))), False),  # letterboxed by transparency
        (np.pad(np.full((60, 40), 255, np.uint8), 100), True),  # a card on a wide empty canvas
        (np.full((100, 100), 128, np.uint8), False),
        (np.full((100, 100), 3, np.uint8), False),
    ],
    ids=[
        "disc",
        "shadow",
        "letters",
        "veil",
        "round",
        "rounder",
        "border",
        "vignette",
        "letterbox",
        "card",
        "half",
        "nothing",
    ],
)
def test_a_matte_is_told_from_a_frame(alpha, expected):
    assert is_matte(alpha) is expected


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 245, 235), (230, 20, 20)])
def test_the_ground_stands_out(colour):
    rgb = np.full((50, 50, 3), colour, np.uint8)
    ground = ground_for(rgb, np.full((50, 50), 255, np.uint8), True)
    assert np.abs(np.subtract(ground, colour)).max() >= 60


def test_hidden_colours_come_nowhere_near_a_product():
    alpha = np.zeros((100, 100), np.uint8)
    alpha[30:70, 30:70] = 255
    rgb = np.full((100, 100, 3), (255, 0, 255), np.uint8)
    rgb[30:70, 30:70] = (20, 90, 30)
    picture = Picture(zoo.encode(np.dstack([rgb, alpha]), "PNG"))
    for pixels in (picture.rgb(), picture.colours(), picture.small(40)):
        assert not ((pixels[..., 0] > 200) & (pixels[..., 1] < 50)).any()


@pytest.mark.parametrize("kind", ["grey", "palette", "premultiplied", "deep", "deep_grey", "avif", "colour_key"])
def test_every_way_of_storing_transparency(kind):
    photo, alpha = cv2.resize(PHOTO, (160, 120), interpolation=cv2.INTER_AREA), zoo.alpha_of(PHOTO[:120, :160])
    rgba = np.dstack([photo, alpha])
    data = {
        "grey": lambda: zoo.encode(Image.fromarray(rgba).convert("LA"), "PNG"),
        "palette": lambda: zoo.palette_trns(photo),
        "premultiplied": lambda: premultiplied_tiff(rgba),
        "deep": lambda: deep_png(rgba, 6),
        "deep_grey": lambda: deep_png(rgba[..., [1, 3]], 4),
        "avif": lambda: zoo.encode(rgba, "AVIF", quality=90),
        "colour_key": lambda: keyed_png(photo, alpha),
    }[kind]()
    picture = Picture(data)
    assert picture.own_matte is not None
    hard = kind in ("palette", "colour_key")
    expected = np.where(alpha < 128, 0, 255) if hard else alpha
    assert np.abs(picture.own_matte.astype(int) - expected).mean() < 1
    inside = alpha == 255
    shown = zoo.grey(photo)[..., None] if kind == "grey" else photo[..., [1]] if kind == "deep_grey" else photo
    limit = 8 if kind in ("palette", "avif") else 1.5
    assert np.abs(picture.colours()[inside].astype(int) - shown[inside]).mean() < limit


def premultiplied_tiff(rgba):
    """Pillow writes straight alpha only; the tag ExtraSamples says which it is: 2 straight, 1 premultiplied."""
    times = np.asarray(Image.fromarray(rgba).convert("RGBa")).copy()
    data = zoo.encode(Image.frombytes("RGBA", (rgba.shape[1], rgba.shape[0]), times.tobytes()), "TIFF")
    straight = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert data.count(straight) == 1
    return data.replace(straight, struct.pack("<HHIHH", 338, 3, 1, 1, 0))


def deep_png(pixels, colour):
    rows = (pixels.astype(">u2") * 257).reshape(pixels.shape[0], -1)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return zoo.png_of(pixels.shape[1], pixels.shape[0], stream, depth=16, colour=colour)


def keyed_png(photo, alpha):
    keyed = photo.copy()
    keyed[alpha < 128] = (1, 2, 3)
    keyed[(alpha >= 128) & (keyed == (1, 2, 3)).all(-1)] = (2, 2, 3)
    return zoo.encode(keyed, "PNG", transparency=(1, 2, 3))


def test_without_the_reason_a_transparent_picture_is_no_subject(stages):
    reject = tuple(r for r in FilterSettings().reject if r != "wholly_transparent")
    lenient = stage_class("filter")(FilterSettings(reject=reject, weights="none"))
    lenient.setup(torch.device("cpu"))
    item = done([lenient, *stages[1:]], zoo.encode(np.zeros((80, 90, 4), np.uint8), "PNG"))
    assert item.status == "filtered"
