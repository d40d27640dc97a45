"""Cut-outs in every format, read again by other programs' readers, and the outline as a path."""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms
from psd_tools import PSDImage
from pydantic import ValidationError

import zoo
from hairline.stages.decode.picture import Picture
from hairline.stages.item import Item
from hairline.stages.products import cutout
from hairline.stages.products.base import Matte
from hairline.stages.products.outline import outline
from hairline.stages.products.spec import ProductSpec

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIDE, RADIUS = 160, 50
CENTRE = (SIDE // 2, SIDE // 2)
COLOURS = np.dstack([np.full((SIDE, SIDE), 190, np.uint8), *np.indices((SIDE, SIDE), np.uint8)])
ALPHA = cv2.GaussianBlur(cv2.circle(np.zeros((SIDE, SIDE), np.uint8), CENTRE, RADIUS, 255, -1), (0, 0), 2)


def matte(data: bytes | None = None, alpha: np.ndarray = ALPHA) -> Matte:
    if data is None:
        file = io.BytesIO()
        Image.fromarray(COLOURS).save(file, "PNG", icc_profile=PROFILE, dpi=(300, 300))
        data = file.getvalue()
    return Matte(Picture(data), alpha, Item("a", "a", data=data))


def made(wanted: dict, of: Matte) -> tuple[bytes, str]:
    output = ProductSpec.model_validate(wanted).build().make(of)
    assert ProductSpec.model_validate(wanted).build().make(of).data == output.data  # the same bytes again
    return output.data, output.ext


def rgba(of: Matte) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(made({"cutout": {}}, of)[0])))


def test_avif_holds_the_cut_out() -> None:
    data, ending = made({"cutout": {"format": "avif", "quality": "lossless"}}, matte())
    image = Image.open(io.BytesIO(data))
    assert ending == "avif" and image.format == "AVIF" and image.info["icc_profile"] == PROFILE
    found, right = np.asarray(image.convert("RGBA")).astype(int), rgba(matte()).astype(int)
    assert np.abs(found - right)[..., 3].max() <= 1
    assert np.abs(found - right)[..., :3][ALPHA > 200].mean() < 1.5


def test_tiff_holds_the_cut_out() -> None:
    data, ending = made({"cutout": {"format": "tiff"}}, matte())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert ending == "tiff" and page.extrasamples[0].name == "UNASSALPHA" and page.iccprofile == PROFILE
        assert (page.asarray() == rgba(matte())).all()
    image = Image.open(io.BytesIO(data))  # another reader
    assert image.mode == "RGBA" and (np.asarray(image) == rgba(matte())).all()
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_psd_has_the_picture_below() -> None:
    data, ending = made({"cutout": {"format": "psd", "crop": True}}, matte())
    document = PSDImage.open(io.BytesIO(data))
    below, top = document
    assert ending == "psd" and (below.name, top.name) == ("Picture", "Cut-out")
    assert top.visible and not below.visible
    right = np.asarray(Image.open(io.BytesIO(made({"cutout": {"crop": True}}, matte())[0])))
    assert (np.asarray(top.topil(apply_icc=False))[right[..., 3] > 0] == right[right[..., 3] > 0]).all()
    assert below.topil().convert("RGB").size == top.size == right.shape[1::-1]
    assert document.image_resources.get_data(1039) == PROFILE
    flat = np.asarray(Image.open(io.BytesIO(data)))  # what viewers without layers show
    assert (flat[..., 3] == right[..., 3]).all() and (flat[right[..., 3] > 60] == right[right[..., 3] > 60]).all()


def test_openraster_is_what_its_specification_asks() -> None:
    data, ending = made({"cutout": {"format": "ora"}}, matte())
    archive = zipfile.ZipFile(io.BytesIO(data))
    first = archive.infolist()[0]
    assert ending == "ora" and first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
    assert archive.read("mimetype") == b"image/openraster"
    image = ElementTree.fromstring(archive.read("stack.xml"))
    layers = image.findall("stack/layer")
    assert (image.get("w"), image.get("h"), image.get("xres")) == ("160", "160", "300")
    assert [layer.get("visibility") for layer in layers] == ["visible", "hidden"]
    shown, below = (np.asarray(Image.open(archive.open(layer.get("src")))) for layer in layers)
    assert (shown == rgba(matte())).all() and (below == COLOURS).all()
    assert max(Image.open(archive.open("Thumbnails/thumbnail.png")).size) <= 256


def test_zip_holds_colours_and_alpha() -> None:
    data, ending = made({"cutout": {"format": "zip", "zero_hidden": False}}, matte())
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert ending == "zip" and archive.namelist() == ["color.jpg", "alpha.png"]
    assert (np.asarray(Image.open(archive.open("alpha.png"))) == ALPHA).all()
    colours = np.asarray(Image.open(archive.open("color.jpg"))).astype(int)
    assert np.abs(colours - COLOURS)[ALPHA == 255].max() < 12


def deep(ending: str, orientation: int = 1) -> tuple[bytes, np.ndarray]:
    """A file of 16 bits and its upright colours."""
    steps = np.arange(SIDE * SIDE, dtype=np.uint32).reshape(SIDE, SIDE)
    colours = np.dstack([(steps * k) % 65536 for k in (1, 2, 1)]).astype(np.uint16)
    if ending == "tiff":
        file = io.BytesIO()
        tifffile.imwrite(file, colours, photometric="rgb")
        return file.getvalue(), colours
    data = cv2.imencode(".png", colours[..., ::-1])[1].tobytes()
    if orientation == 1:
        return data, colours
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    from hairline.stages.imaging.png import chunk

    return data[:33] + chunk(b"eXIf", body) + data[33:], np.rot90(colours, -1)


@pytest.mark.parametrize(("source", "orientation"), [("png", 1), ("png", 6), ("tiff", 1)])
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_sixteen_bits_stay(source: str, orientation: int, format: str) -> None:
    data, colours = deep(source, orientation)
    of = matte(data)
    found, _ = made({"cutout": {"format": format, "bits": 16}}, of)
    if format == "png":
        pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(found, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    else:
        pixels = tifffile.imread(io.BytesIO(found))
    assert pixels.dtype == np.uint16 and (pixels[..., 3] == ALPHA.astype(int) * 257).all()
    assert (pixels[..., :3][ALPHA == 255] == colours[ALPHA == 255]).all()  # to the last bit
    assert (pixels[..., :3][ALPHA == 0] == 0).all()
    soft = (ALPHA > 0) & (ALPHA < 255)
    eight = rgba(of)[..., :3].astype(float)
    assert np.abs(pixels[..., :3] / 257 - eight)[soft].max() <= 2  # the edge's colours are those that were estimated


def test_sources_of_eight_bits_stay_at_eight() -> None:
    assert made({"cutout": {"bits": 16}}, matte()) == made({"cutout": {}}, matte())
    assert Picture(zoo.encode(COLOURS, "JPEG")).deep_colours() is None


def test_what_cannot_be_made_is_refused_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="webp holds 8 bits a channel here; format must be png or tiff"):
        ProductSpec.model_validate({"cutout": {"format": "webp", "bits": 16}})
    monkeypatch.setattr(cutout, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"format psd is written with an extra: pip install 'hairline-matting\[f"):
        ProductSpec.model_validate({"cutout": {"format": "psd"}})


@pytest.mark.parametrize("tolerance", [0.2, 1.0, 4.0])
def test_the_outline_lies_on_the_edge(tolerance: float) -> None:
    soft = cv2.GaussianBlur(cv2.circle(np.zeros((400, 400), np.uint8), (200, 200), 120, 255, -1), (0, 0), 2)
    inner = cv2.GaussianBlur(cv2.circle(np.zeros_like(soft), (200, 200), 50, 255, -1), (0, 0), 2)
    hollow = np.minimum(soft, 255 - inner)
    around, hole = outline(hollow, 0.5, tolerance)
    for ring, disc in ((around, soft), (hole, inner)):
        radius = np.sqrt(disc.sum() / 255 / np.pi)
        reach = np.hypot(*(ring - 200.5).T)
        assert np.abs(reach - radius).max() < 0.6
        middle = (ring + np.roll(ring, 1, 0)) / 2  # between two points the path is furthest inside
        assert radius - np.hypot(*(middle - 200.5).T).min() < tolerance + 0.6
    assert len(outline(hollow, 0.5, 4.0)[0]) < len(outline(hollow, 0.5, 0.2)[0]) / 2


def test_the_outline_as_a_file() -> None:
    data, ending = made({"outline": {"tolerance": 0.2}}, matte())
    root = ElementTree.fromstring(data)
    path = root.find("{*}path")
    assert ending == "svg" and root.get("viewBox") == "0 0 160 160" and path.get("fill-rule") == "evenodd"
    points = np.array([[float(v) for v in pair] for pair in re.findall(r"([\d.]+),([\d.]+)", path.get("d"))])
    large = cv2.fillPoly(np.zeros((8 * SIDE, 8 * SIDE), np.uint8), [np.rint(points * 8 - 0.5).astype(int)], 255)
    filled = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert ((filled > 127) != (ALPHA > 127)).mean() < 0.0005
    clipped = ElementTree.fromstring(made({"outline": {"clip": True}}, matte())[0])
    assert clipped.find("{*}image").get("clip-path") == "url(#outline)"
    whole, _ = made({"outline": {}}, matte(alpha=np.full_like(ALPHA, 255)))
    assert all(float(v) in (0.0, 160.0) for v in re.findall(r"[\d.]+", ElementTree.fromstring(whole)[0].get("d")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_goes_along_without_place_and_maker(kind: str) -> None:
    """By default nothing does; where it is kept: author and rights, to the letter, and the exposure, nothing else."""
    exif, file = Image.Exif(), io.BytesIO()
    author = "Zoe" if kind == "AVIF" else "Zoë"  # Pillow writes others into an AVIF as "Zo??"
    exif[274], exif[315], exif[33432], exif[282] = 6, author.encode(), f"by {author}".encode(), 72.0
    exif[ExifTags.IFD.Exif] = {33434: 0.01, 36867: "2024:05:06 07:08:09", 37500: b"maker", 42033: "serial"}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    Image.fromarray(COLOURS).save(file, kind, exif=exif)
    of = matte(file.getvalue())
    for wanted in ({}, {"format": "webp"}, {"format": "avif"}, {"format": "zip"}):
        for keep in ("drop", "keep"):
            data, ending = made({"cutout": {**wanted, "exif": keep}}, of)
            if ending == "zip":
                data = zipfile.ZipFile(io.BytesIO(data)).read("color.jpg")
            found = Image.Image.getexif(image := Image.open(io.BytesIO(data)))
            assert image.size == (SIDE, SIDE) and b"maker" not in data and b"serial" not in data
            assert found.get(274, 1) == 1 and not found.get_ifd(ExifTags.IFD.GPSInfo)
            texts = [found.get(tag, "").encode("latin-1").decode() for tag in (315, 33432)]
            assert texts == ([author, f"by {author}"] if keep == "keep" else ["", ""])
            camera = {33434: 0.01, 36867: "2024:05:06 07:08:09"} if keep == "keep" else {}
            assert dict(found.get_ifd(ExifTags.IFD.Exif)) == camera


def test_the_author_of_a_tiff_goes_along() -> None:
    file = io.BytesIO()
    tags = [(315, 2, 0, "Zoë".encode(), True), (33432, 2, 0, "© Zoë".encode(), True), (305, 2, 0, "a program", True)]
    tifffile.imwrite(file, COLOURS, photometric="rgb", extratags=tags, software=False, metadata=None)
    found = Image.open(io.BytesIO(made({"cutout": {"exif": "keep"}}, matte(file.getvalue()))[0])).getexif()
    assert {tag: found[tag].encode("latin-1").decode() for tag in found} == {315: "Zoë", 33432: "© Zoë"}


def test_damaged_exif_is_left_out() -> None:
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + bytes(range(60)))
    assert made({"cutout": {"exif": "keep"}}, matte(file.getvalue())) == made({"cutout": {}}, matte(file.getvalue()))
    with pytest.raises(ValidationError, match="exif: it is kept in png, webp, avif, zip, not in tiff"):
        ProductSpec.model_validate({"cutout": {"format": "tiff", "exif": "keep"}}).build()
