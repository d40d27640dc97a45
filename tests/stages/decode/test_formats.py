"""Formats and colours: what a file says in its header is heeded, and what is not read is named."""

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

import zoo
from hairline.stages.decode import picture as reading
from hairline.stages.decode.picture import Picture
from hairline.stages.errors import PictureError
from hairline.stages.limits import Limits
from hairline.stages.products.encode import png

PHOTO = zoo.some_photographs()[0]
SMALL = cv2.resize(PHOTO, (160, 120), interpolation=cv2.INTER_AREA)


def difference(a, b):
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def with_chunk(data, name, content):
    return data[:33] + zoo.png_chunk(name, content) + data[33:]


def encoded(linear):
    """sRGB codes of linear light, 0..1."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255


def in_srgb(picture, profile=None):
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile or picture.icc_profile))
    image = Image.fromarray(picture.rgb())
    return np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB")))


def p3_as_srgb(code):
    """By the matrices of Display P3 and sRGB, both with sRGB's curve."""
    light = np.asarray(code) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    p3 = [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0, 0.0451134, 1.0439444]]
    srgb = [[0.4123908, 0.3575843, 0.1804808], [0.212639, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
    return encoded(np.linalg.inv(srgb) @ p3 @ light)


@pytest.mark.parametrize("chunk", ["cICP", "cHRM"])
def test_display_p3_is_kept_and_tagged(chunk):
    code = (200, 120, 80)
    content = {
        "cICP": bytes([12, 13, 0, 1]),
        "cHRM": struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
    }[chunk]
    data = with_chunk(zoo.encode(np.full((8, 8, 3), code, np.uint8), "PNG"), chunk.encode(), content)
    picture = Picture(data)
    assert (picture.rgb() == code).all()
    assert np.abs(in_srgb(picture)[0, 0] - p3_as_srgb(code)).max() <= 1
    product = Image.open(io.BytesIO(png(picture.rgb(), picture)))
    assert product.info["icc_profile"] == picture.icc_profile


def test_linear_light_becomes_srgb():
    ramp = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, 2)
    for pixels in (ramp, ramp[..., 0]):
        picture = Picture(with_chunk(zoo.encode(pixels, "PNG"), b"gAMA", struct.pack(">I", 100_000)))
        assert picture.icc_profile is None
        assert np.abs(picture.rgb()[0, 4:, 1] - encoded(ramp[0, 4:, 1] / 255)).max() < 3


def test_the_usual_gamma_changes_nothing():
    data = with_chunk(zoo.encode(SMALL, "PNG"), b"gAMA", struct.pack(">I", 45455))
    assert np.array_equal(Picture(data).rgb(), SMALL)
    assert Picture(data).icc_profile is None


def grey_profile(gamma=1.0):
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    text = b"text" + bytes(4) + b"none"
    desc = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(79)
    tags, index, body = {b"desc": desc, b"cprt": text, b"wtpt": white, b"kTRC": curve}, b"", b""
    for name, value in tags.items():
        index += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    size = 132 + len(index) + len(body)
    head = (struct.pack(">I4xI", size, 0x02400000) + b"mntrGRAYXYZ ").ljust(36, b"\0") + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_goes_through_its_profile_with_and_without_alpha(mode):
    image = Image.fromarray(zoo.rgba(SMALL)).convert(mode)
    picture = Picture(zoo.encode(image, "PNG", icc_profile=grey_profile()))
    grey = np.asarray(image.getchannel("L"))
    bright = (grey > 20) & (np.asarray(image.getchannel("A")) > 0 if mode == "LA" else grey > 0)
    assert np.abs(picture.colours()[..., 0] - encoded(grey / 255))[bright].max() < 4
    assert picture.icc_profile is None


def test_lab_is_converted():
    lab = ImageCms.profileToProfile(
        Image.fromarray(SMALL), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert difference(Picture(zoo.encode(lab, "TIFF")).rgb(), SMALL) < 3


def test_a_resolution_that_nobody_stated_is_none():
    assert Picture(zoo.encode(SMALL, "TIFF")).dpi is None
    assert Picture(zoo.encode(SMALL, "TIFF", dpi=(300, 200))).dpi == (300, 200)


def tiff(pixels, *entries):
    """A TIFF of one strip; entries: (tag, type, value)."""
    base = [(256, 4, pixels.shape[1]), (257, 4, pixels.shape[0]), (259, 3, 1), (262, 3, 2), (278, 4, pixels.shape[0])]
    base += [(273, 4, 8), (279, 4, pixels.nbytes), *entries]
    body = pixels.tobytes()
    at = 8 + len(body)
    directory = struct.pack("<H", len(base))
    for tag, kind, value in sorted(base):
        directory += struct.pack("<HHI", tag, kind, 1) + struct.pack(
            "<HH" if kind == 3 else "<I", *([value, 0][: 2 if kind == 3 else 1])
        )
    return b"II*\0" + struct.pack("<I", at) + body + directory + bytes(4)


@pytest.mark.parametrize(("dtype", "bits"), [(np.float16, 16), (np.float32, 32), (np.float64, 64)])
def test_floating_point_colours_are_named(dtype, bits):
    data = tiff((SMALL / 255).astype(dtype), (258, 3, bits), (277, 3, 3), (339, 3, 3))
    with pytest.raises(PictureError) as error:
        Picture(data)
    assert error.value.reason == "unsupported"
    assert f"{bits}-bit floating-point" in error.value.detail


def pages(*sizes, reduced=()):
    made = [Image.fromarray(cv2.resize(PHOTO, size, interpolation=cv2.INTER_AREA)) for size in sizes]
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, True) as writer:
        for index, page in enumerate(made):
            page.save(writer, "TIFF", tiffinfo={254: 1} if index in reduced else {})
            writer.newFrame()
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (pages((40, 30), (320, 240), reduced=[0]), (320, 240)),  # a thumbnail first
        (pages((320, 240), (40, 30), reduced=[1]), (320, 240)),
        (pages((80, 60), (160, 120), (320, 240)), (320, 240)),  # a pyramid, upside down
        (pages((160, 120), (320, 200)), (160, 120)),  # two pictures
        (pages((160, 120), (160, 120)), (160, 120)),
    ],
    ids=["thumbnail first", "thumbnail last", "pyramid", "two pictures", "two pages"],
)
def test_the_page_of_a_tiff(data, size):
    picture = Picture(data)
    assert (picture.width, picture.height) == size
    assert picture.rgb().shape == (*size[::-1], 3)
    with pytest.raises(PictureError, match="too_many_pixels"):
        Picture(data, Limits(max_pixels=size[0] * size[1] - 1))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}], ids=["plain", "progressive", "444"]
)
def test_a_jpeg_that_lacks_its_end_is_read_and_one_cut_off_is_not(options):
    whole = zoo.encode(PHOTO, "JPEG", **options)
    picture = Picture(whole[:-2])
    assert np.array_equal(picture.small(80), Picture(whole).small(80))
    assert np.array_equal(picture.rgb(), Picture(whole).rgb())
    for cut in (whole[:-60], whole[: len(whole) * 9 // 10], whole[: len(whole) // 3]):
        with pytest.raises(PictureError) as error:
            Picture(cut).rgb()
        assert error.value.reason == "truncated"


def test_a_progressive_jpeg_without_its_last_scan_is_cut_off():
    whole = zoo.encode(PHOTO, "JPEG", progressive=True)
    with pytest.raises(PictureError) as error:
        Picture(whole[: whole.rindex(b"\xff\xda")]).rgb()
    assert error.value.reason == "truncated"


def heic(image, **options):
    pillow_heif.register_heif_opener()
    return zoo.encode(image, "HEIF", quality=90, **options)


@pytest.mark.parametrize("by", ["property", "exif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_stands_upright(orientation, by):
    upright = Picture(zoo.oriented(PHOTO, orientation, "PNG")).rgb()
    exif = Image.Exif()
    exif[0x0112] = orientation
    # from bytes pillow-heif makes properties that turn the picture, as phones do; an object it stores as it is
    data = heic(Image.fromarray(PHOTO), exif=exif.tobytes() if by == "property" else exif)
    assert (b"irot" in data or b"imir" in data) is (by == "property" and orientation != 1)
    picture = Picture(data)
    assert picture.format == "HEIF"
    assert (picture.height, picture.width) == upright.shape[:2]
    assert difference(picture.rgb(), upright) < 5


def test_heic_brings_colours_alpha_and_limits():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = heic(Image.fromarray(PHOTO), icc_profile=profile)
    assert Picture(data).icc_profile == profile
    with pytest.raises(PictureError, match="too_many_pixels"):
        Picture(data, Limits(max_pixels=PHOTO.shape[0] * PHOTO.shape[1] - 1))
    with pytest.raises(PictureError) as error:
        Picture(data[: len(data) // 2]).rgb()
    assert error.value.reason == "truncated"
    cut_out = Picture(heic(Image.fromarray(zoo.rgba(PHOTO))))
    assert cut_out.own_matte is not None
    assert difference(cut_out.own_matte, zoo.alpha_of(PHOTO)) < 2


def test_heic_names_its_primaries_in_numbers():
    data = heic(Image.fromarray(PHOTO), save_nclx_profile=True)
    at = data.find(b"colrnclx") + 8
    wide = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    picture = Picture(wide)
    assert picture.icc_profile is not None
    assert difference(in_srgb(picture), picture.rgb()) > 1


def test_heic_of_ten_bits():
    deep = (SMALL.astype(np.uint16) * 257).astype("<u2")
    file = io.BytesIO()
    heif = pillow_heif.from_bytes("RGB;16", SMALL.shape[1::-1], deep.tobytes())
    heif.save(file, quality=95)
    assert difference(Picture(file.getvalue()).rgb(), SMALL) < 5


def test_without_the_extra_heic_says_what_to_install(monkeypatch):
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(1, 100))
    reading._register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError) as error:
        Picture(data)
    reading._register_heif.cache_clear()
    assert error.value.reason == "unsupported"
    assert "pip install 'hairline-matting[heic]'" in error.value.detail


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}], ids=["jp2", "codestream"])
def test_jpeg_2000(options):
    data = zoo.encode(PHOTO, "JPEG2000", **options)
    assert np.array_equal(Picture(data).rgb(), PHOTO)
    with pytest.raises(PictureError, match="too_many_pixels"):
        Picture(data, Limits(max_pixels=1000))
    with pytest.raises(PictureError) as error:
        Picture(data[: len(data) // 2]).rgb()
    assert error.value.reason == "truncated"


@pytest.mark.parametrize("data", [b"\xff\x0a" + bytes(50), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50)])
def test_jpeg_xl_is_named(data):
    with pytest.raises(PictureError, match="unsupported: JPEG XL is not read"):
        Picture(data)


def test_avif_names_its_primaries_in_numbers():
    data = zoo.encode(SMALL, "AVIF", quality=95)
    at = data.find(b"colrnclx")
    assert at > 0
    wide = data[: at + 8] + struct.pack(">HH", 12, 13) + data[at + 12 :]
    assert Picture(data).icc_profile is None
    assert Picture(wide).icc_profile is not None


def test_zlib_of_icc_in_a_product_is_whole():
    picture = Picture(with_chunk(zoo.encode(SMALL, "PNG"), b"cICP", bytes([9, 13, 0, 1])))
    data = png(picture.rgb(), picture)
    at = data.index(b"iCCP")
    length = struct.unpack_from(">I", data, at - 4)[0]
    assert zlib.decompress(data[at + 4 + 13 : at + 4 + length]) == picture.icc_profile
