import io
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

import zoo
from hairline.stages.decode.picture import Picture
from hairline.stages.errors import PictureError
from hairline.stages.limits import Limits

PHOTO = zoo.some_photographs()[0]
SMALL = cv2.resize(PHOTO, (64, 48), interpolation=cv2.INTER_AREA)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as `picture` itself does outside of pytest
READABLE = [name for name, kind in zoo.KINDS.items() if not kind.reasons]


def made(name, photo=PHOTO):
    return zoo.KINDS[name].make(photo, np.random.default_rng(0))


def difference(a, b):
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.mark.parametrize("name", zoo.KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_kind_is_read_or_fails_for_its_reason(name, seed):
    kind = zoo.KINDS[name]
    data = kind.make(PHOTO, np.random.default_rng(seed))
    if kind.reasons:
        with pytest.raises(PictureError) as error:
            Picture(data).rgb()
        assert error.value.reason in kind.reasons
    else:
        picture = Picture(data)
        assert picture.rgb().shape == (picture.height, picture.width, 3)
        assert picture.rgb().dtype == np.uint8


@pytest.mark.parametrize("name", [n for n, k in zoo.KINDS.items() if k.reasons])
def test_a_small_decode_fails_for_the_same_reason(name):
    with pytest.raises(PictureError) as error:
        Picture(made(name)).small(64)
    assert error.value.reason in zoo.KINDS[name].reasons


@pytest.mark.parametrize("name", ["rgb_16_png", "apng", "multi_page_tiff", "lzw_tiff", "bmp", "png_as_jpeg"])
def test_lossless_kinds_give_the_very_pixels(name):
    assert np.array_equal(Picture(made(name)).rgb(), PHOTO)


@pytest.mark.parametrize("name", ["jpeg_as_png", "avif", "webp", "progressive", "animated_webp", "cmyk_jpeg", "gif"])
def test_lossy_kinds_come_close(name):
    assert difference(Picture(made(name)).rgb(), PHOTO) < 4


@pytest.mark.parametrize("name", ["grey_16_png", "grey_16_tiff", "float_tiff"])
def test_deep_grey_is_scaled_not_cut_off(name):
    assert difference(Picture(made(name)).rgb()[..., 1], zoo.grey(PHOTO)) < 0.6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(kind, orientation):
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(zoo.oriented(PHOTO, orientation, "PNG")))))
    picture = Picture(zoo.oriented(PHOTO, orientation, kind))
    assert (picture.height, picture.width) == upright.shape[:2]
    assert difference(picture.rgb(), upright) < 4
    small = cv2.resize(upright, picture.small(80).shape[1::-1], interpolation=cv2.INTER_AREA)
    assert difference(picture.small(80), small) < 4


def test_orientation_behind_the_pixels_of_a_png():
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = zoo.encode(PHOTO, "PNG")
    late = plain[:-12] + zoo.png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    assert (Picture(late).width, Picture(late).height) == (PHOTO.shape[0], PHOTO.shape[1])


def test_transparency_lies_on_white_and_is_handed_on():
    picture = Picture(made("rgba"))
    alpha = zoo.alpha_of(PHOTO)
    assert picture.source_alpha is not None
    assert np.array_equal(picture.source_alpha, alpha)
    share = alpha[..., None] / 255
    assert np.abs(picture.rgb() - (PHOTO * share + 255 * (1 - share))).max() <= 1
    assert Picture(zoo.encode(np.dstack([PHOTO, np.full_like(alpha, 255)]), "PNG")).source_alpha is None
    assert Picture(made("webp")).source_alpha is None


def test_palette_transparency():
    picture = Picture(made("palette_trns"))
    assert picture.source_alpha is not None
    hidden = zoo.alpha_of(PHOTO) < 128
    assert np.array_equal(picture.source_alpha, np.where(hidden, 0, 255))
    assert (picture.rgb()[hidden] == 255).all()


def test_cmyk_goes_through_its_profile():
    data = made("cmyk_icc_jpeg")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(zoo.cmyk_profile()))
    expected = ImageCms.profileToProfile(
        Image.open(io.BytesIO(data)), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    picture = Picture(data)
    assert np.array_equal(picture.rgb(), np.asarray(expected))
    assert difference(picture.rgb(), Picture(made("cmyk_jpeg")).rgb()) > 5
    assert picture.icc_profile is None  # the pixels are sRGB now


def test_profile_and_resolution_are_kept():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Picture(zoo.encode(PHOTO, "JPEG", icc_profile=profile, dpi=(300, 150), exif=exif))
    assert picture.icc_profile == profile
    assert picture.dpi == (150, 300)  # turned with the picture
    assert Picture(zoo.encode(PHOTO, "BMP")).icc_profile is None


def test_the_header_alone_is_read_at_first():
    data = zoo.encode(np.zeros((3000, 3000, 3), np.uint8), "PNG")
    tracemalloc.start()
    assert Picture(data).width == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_limits_hold_before_decoding(kind):
    data = zoo.encode(PHOTO, kind)
    for limits, reason in (
        (Limits(max_pixels=PHOTO.shape[0] * PHOTO.shape[1] - 1), "too_many_pixels"),
        (Limits(max_side=PHOTO.shape[1] - 1), "too_large"),
        (Limits(max_bytes=len(data) - 1), "too_many_bytes"),
    ):
        with pytest.raises(PictureError) as error:
            Picture(data, limits)
        assert error.value.reason == reason
    Picture(data, Limits(max_pixels=PHOTO.shape[0] * PHOTO.shape[1], max_side=PHOTO.shape[1], max_bytes=len(data)))


@pytest.mark.parametrize("name", ["strip_65535", "strip_tall"])
def test_a_strip_within_the_limits_is_read(name):
    picture = Picture(made(name), Limits(max_side=70_000))
    assert max(picture.rgb().shape) >= 65_500
    assert sorted(picture.small(256).shape) == [1, 3, 256]


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("side", [1, 50, 150, 4000])
def test_small_has_the_stated_size_and_does_not_depend_on_what_was_decoded_before(name, side):
    data = made(name)
    fresh, used = Picture(data), Picture(data)
    used.rgb()
    small = fresh.small(side)
    assert max(small.shape[:2]) == min(side, max(fresh.width, fresh.height))
    assert small.dtype == np.uint8
    assert np.array_equal(small, used.small(side))
    assert fresh.small(side) is small


@pytest.mark.parametrize("side", [40, 79, 80, 100, 159, 160, 161, 300, 319])
def test_small_is_the_average_by_area(side):
    picture = Picture(zoo.encode(PHOTO, "JPEG", quality=95))
    small = picture.small(side)
    expected = cv2.resize(picture.rgb(), small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert difference(small, expected) < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF"])
def test_truncation_is_called_truncation(kind):
    data = zoo.encode(PHOTO, kind)
    for share in (0.1, 0.4, 0.7, 0.95):
        with pytest.raises(PictureError) as error:
            Picture(data[: int(len(data) * share)]).rgb()
        assert error.value.reason == "truncated"


FILES = {
    **{name: made(name, SMALL) for name in READABLE if not name.startswith(("strip", "huge"))},
    "tiff_deflate": zoo.encode(SMALL, "TIFF", compression="tiff_adobe_deflate"),
    "tiff_jpeg": zoo.encode(SMALL, "TIFF", compression="jpeg"),
    "webp_lossless": zoo.encode(SMALL, "WEBP", lossless=True),
    "webp_alpha": zoo.encode(zoo.rgba(SMALL), "WEBP"),
    "avif_alpha": zoo.encode(zoo.rgba(SMALL), "AVIF"),
    "jpeg_profile": zoo.encode(
        SMALL, "JPEG", dpi=(72, 72), exif=Image.Exif().tobytes(), icc_profile=zoo.cmyk_profile()
    ),
}
FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def read_or_refuse(data):
    try:
        picture = Picture(data, Limits(max_pixels=4_000_000))
        small, rgb, alpha = picture.small(32), picture.rgb(), picture.source_alpha
    except PictureError as error:
        assert error.reason
        return
    assert rgb.shape == (picture.height, picture.width, 3)
    assert rgb.dtype == small.dtype == np.uint8
    assert max(small.shape) <= max(32, 3)
    assert alpha is None or alpha.shape == rgb.shape[:2]


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([b"", *{data[:16] for data in FILES.values()}]))
def test_any_bytes(tail, head):
    read_or_refuse(head + tail)


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1))
def test_any_truncation(name, share):
    data = FILES[name]
    read_or_refuse(data[: int(len(data) * share)])


@FUZZ
@given(st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=8))
def test_any_bit_flips(name, flips):
    data = bytearray(FILES[name])
    for where, bit in flips:
        data[int(where**3 * (len(data) - 1))] ^= 1 << bit  # most of them in the headers
    read_or_refuse(bytes(data))


def test_nothing_is_printed():
    script = """
import random
from test_picture import FILES, read_or_refuse
random.seed(4)
for name in sorted(FILES):
    for _ in range(12):
        data = bytearray(FILES[name])
        for _ in range(4):
            data[int(random.random() ** 3 * len(data))] ^= 1 << random.randrange(8)
        read_or_refuse(bytes(data))
        read_or_refuse(bytes(data[: random.randrange(len(data))]))
"""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_megapixel_jpeg_costs_little_time():
    data = zoo.encode(cv2.resize(PHOTO, (1152, 896), interpolation=cv2.INTER_CUBIC), "JPEG", quality=90)

    def seconds():
        started = time.process_time()
        picture = Picture(data)
        picture.small(256), picture.small(320), picture.rgb()
        return time.process_time() - started

    assert min(seconds() for _ in range(10)) < 0.15  # seconds of the processor; 0.009 on a free core
