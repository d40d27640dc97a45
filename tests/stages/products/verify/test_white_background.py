"""Each fault is found, and what is sound passes; the whole table is that of benchmarks/white_background.py."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from hairline.stages.decode.colours import srgb_profile
from hairline.stages.products.preset_files import read_preset
from hairline.stages.products.verify.white_background import check_white
from shop_pictures import U8, file_of, made, matte_of, thing

COLOURS, ALPHA = thing()
RULES = read_preset("google_merchant").rules
SOUND = made(matte_of(COLOURS, ALPHA), preset="google_merchant", canvas=[800, 800])


def png(pixels: U8) -> bytes:
    return file_of(pixels, icc_profile=srgb_profile())


def failed(data: bytes, ending: str = "png") -> set[str]:
    return {check.name for check in check_white(data, ending, RULES) if check.verdict == "fail"}


def smaller(pixels: U8) -> U8:
    part = cv2.resize(pixels, (560, 560), interpolation=cv2.INTER_AREA)
    return np.pad(part, ((120, 120), (120, 120), (0, 0)), constant_values=255)


def dark_shadow(pixels: U8) -> U8:
    shade = np.zeros(pixels.shape[:2], np.float32)
    cv2.ellipse(shade, (400, 740), (260, 30), 0, 0, 360, 200.0, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 14)[..., None]
    return np.where(pixels.min(2, keepdims=True) > 250, 255 - shade, pixels).astype(np.uint8)


def two(pixels: U8) -> U8:
    other = cv2.resize(pixels[..., ::-1], (300, 300), interpolation=cv2.INTER_AREA)
    canvas = np.full_like(pixels, 255)
    canvas[250:650, 0:400] = cv2.resize(pixels, (400, 400), interpolation=cv2.INTER_AREA)
    canvas[300:600, 450:750] = other
    return canvas


def blown_up(pixels: U8) -> U8:
    tiny = cv2.resize(pixels, (110, 110), interpolation=cv2.INTER_AREA)
    return cv2.resize(tiny, (800, 800), interpolation=cv2.INTER_CUBIC)


def haloed(pixels: U8) -> U8:
    inside = (pixels.min(2) < 200).astype(np.uint8)
    rim = cv2.dilate(inside, np.ones((7, 7), np.uint8)) - cv2.erode(inside, np.ones((3, 3), np.uint8))
    return np.where(rim[..., None] > 0, np.uint8((10, 200, 40)), pixels)


FAULTS: dict[str, tuple[Callable[[U8], U8], str]] = {
    "grey ground": (lambda pixels: np.minimum(pixels, 250).astype(np.uint8), "white"),
    "small": (smaller, "fill"),
    "off centre": (lambda pixels: np.roll(pixels, 55, 0), "off_centre"),
    "cut off": (lambda pixels: np.vstack([pixels[300:], np.full((300, 800, 3), 255, np.uint8)]), "cut_off"),
    "size": (lambda pixels: cv2.resize(pixels, (420, 420), interpolation=cv2.INTER_AREA), "width"),
    "shadow": (dark_shadow, "shadow"),
    "two": (two, "subjects"),
    "blown up": (blown_up, "blur"),
    "halo": (haloed, "halo"),
}


def test_a_sound_picture_passes_every_check() -> None:
    checks = check_white(png(SOUND), "png", RULES)
    assert {check.verdict for check in checks} == {"pass"}, checks
    assert {check.name for check in checks} >= {"white", "fill", "halo", "artefacts", "blur", "subjects", "ending"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_pixels_is_found(name: str) -> None:
    plant, rule = FAULTS[name]
    assert rule in failed(png(plant(SOUND)))


def test_faults_of_the_file_are_found() -> None:
    assert failed(png(SOUND), "jpg") == {"ending"}
    assert failed(file_of(SOUND)) == {"profile"}
    assert "artefacts" in failed(file_of(SOUND, "JPEG", quality=20, icc_profile=srgb_profile()), "jpg")
    assert "bytes" in failed(png(SOUND) + np.random.default_rng(0).bytes(16_000_000))
    assert failed(b"no picture") == {"readable"}


def test_cmyk_is_told() -> None:
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.fromarray(SOUND).convert("CMYK").save(file, "JPEG", quality=95)
    assert {"colours", "profile"} <= failed(file.getvalue(), "jpg")


def test_where_nothing_stands_nobody_can_tell() -> None:
    checks = {check.name: check.verdict for check in check_white(png(np.full_like(SOUND, 255)), "png", RULES)}
    assert checks["fill"] == checks["halo"] == checks["subjects"] == "unknown"
    noise = np.random.default_rng(0).integers(0, 255, SOUND.shape, dtype=np.uint8)
    assert "white" in failed(png(noise))


def test_a_pair_that_looks_alike_is_not_called_two() -> None:
    shoe = cv2.resize(SOUND, (400, 400), interpolation=cv2.INTER_AREA)
    pair = np.full_like(SOUND, 255)
    pair[200:600, :400], pair[200:600, 400:] = shoe, shoe[:, ::-1]
    verdicts = {check.name: check.verdict for check in check_white(png(pair), "png", RULES)}
    assert verdicts["subjects"] == "unknown"
