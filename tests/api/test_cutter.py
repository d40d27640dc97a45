"""`hairline.cut` and `hairline.Cutter`: the answers are those of the command and of a run, whatever the way in."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import torch
from PIL import Image, ImageCms

import hairline
from hairline.pipeline.fetch import fetch
from hairline.stages.limits import DEFAULT_LIMITS

PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def cutter() -> hairline.Cutter:
    return hairline.Cutter(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures: three subjects, one of them by EXIF on its side, a logo with alpha, nothing, and no picture."""
    folder = tmp_path_factory.mktemp("in")
    astronaut = Image.open(PHOTOS / "astronaut.png").convert("RGB")
    astronaut.resize((320, 320)).save(folder / "astronaut.jpg", quality=92)
    exif = Image.Exif()
    exif[0x0112] = 6
    astronaut.resize((300, 300)).crop((0, 0, 300, 260)).rotate(90, expand=True).save(folder / "turned.jpg", exif=exif)
    Image.open(PHOTOS / "coffee.png").convert("RGB").resize((300, 200)).save(folder / "coffee.png")
    logo = np.zeros((120, 160, 4), np.uint8)
    cv2.circle(logo, (80, 60), 40, (200, 40, 30, 255), -1, cv2.LINE_AA)
    Image.fromarray(logo).save(folder / "logo.png")
    Image.new("RGB", (200, 150), (120, 130, 140)).save(folder / "nothing.png")
    (folder / "letter.jpg").write_text("Dear customer, please find the picture attached")
    return folder


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of them."""
    out = tmp_path_factory.mktemp("out")
    products = [word for name in ("cutout", "mask", "white_background") for word in ("--product", name)]
    command = [sys.executable, "-m", "hairline", "cut", str(folder), "-o", str(out), *products]
    assert subprocess.run(command, capture_output=True).returncode == 3  # one is no picture
    return out


def test_answers_are_those_of_the_command(cutter: hairline.Cutter, folder: Path, written: Path) -> None:
    paths = sorted(folder.iterdir())
    cutouts = list(cutter.cut_many(paths))
    assert [cutout.name for cutout in cutouts] == [str(path) for path in paths]
    ok = {Path(cutout.name).name for cutout in cutouts if cutout.ok}
    assert ok >= {"astronaut.jpg", "coffee.png", "logo.png"}
    assert ok == {path.stem for path in (written / "mask").iterdir()}
    for cutout in cutouts:
        if not cutout.ok:
            continue
        name = Path(cutout.name).name
        for product, ending in (("cutout", "png"), ("mask", "png"), ("white_background", "png")):
            assert cutout.encode(product) == (written / product / f"{name}.{ending}").read_bytes(), (name, product)
        assert np.array_equal(cutout.alpha, np.asarray(Image.open(written / "mask" / f"{name}.png")))
        assert np.array_equal(cutout.rgba, np.asarray(Image.open(written / "cutout" / f"{name}.png")))
        assert np.array_equal(cutout.rgba[..., :3][cutout.alpha > 0], cutout.foreground[cutout.alpha > 0])
        assert cutout.alpha.shape == (cutout.height, cutout.width) and cutout.alpha.max() > 200


def test_what_is_not_ok_says_why(cutter: hairline.Cutter, folder: Path) -> None:
    letter, gone, nothing = cutter.cut_many([folder / "letter.jpg", folder / "gone.jpg", folder / "nothing.png"])
    assert (letter.status, letter.reason) == ("failed", "not_a_picture") and "Dear customer" in letter.detail
    assert (gone.status, gone.reason) == ("failed", "not_found") and "gone.jpg" in gone.detail
    assert nothing.status == "filtered" and nothing.reason in ("low_information", "no_subject")
    assert not nothing.ok and nothing.confidence is None and (nothing.width, nothing.height) == (200, 150)
    for use in ("alpha", "foreground", "rgba", "image"):
        with pytest.raises(hairline.PictureError, match="not_a_picture: looks like text"):
            getattr(letter, use)
    with pytest.raises(hairline.PictureError, match=nothing.reason):
        nothing.encode()


def test_rejects_are_kept_on_request(folder: Path) -> None:
    lenient = hairline.Cutter(threads=1, keep_rejects=True)
    dark = np.asarray(Image.open(folder / "astronaut.jpg")) // 24
    assert hairline.Cutter(threads=1).cut(dark).reason == "too_dark"
    assert lenient.cut(dark).status == "ok"


def test_every_way_in_gives_the_same(cutter: hairline.Cutter, folder: Path) -> None:
    path = folder / "coffee.png"
    expected, pixels = cutter.cut(path), np.asarray(Image.open(path))
    ways = {
        "text": str(path),
        "url": path.as_uri(),
        "bytes": path.read_bytes(),
        "memoryview": memoryview(path.read_bytes()),
        "PIL": Image.open(path),
        "RGB": pixels,
        "RGBA": np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]),
        "reversed twice": pixels[::-1].copy()[::-1],
    }
    for way, cutout in zip(ways, cutter.cut_many(ways.values()), strict=True):
        assert np.array_equal(cutout.alpha, expected.alpha), way
        assert cutout.encode() == expected.encode(), way
        assert (cutout.category, cutout.confidence, cutout.boxes) == (
            expected.category,
            expected.confidence,
            expected.boxes,
        )


def test_images_in_memory_keep_their_orientation_profile_and_transparency(cutter: hairline.Cutter) -> None:
    photo = Image.open(PHOTOS / "coffee.png").convert("RGB").resize((300, 200))
    turned = photo.rotate(90, expand=True)
    turned.getexif()[0x0112] = 6
    assert np.array_equal(cutter.cut(turned).alpha, cutter.cut(photo).alpha)
    for mode in ("L", "P", "CMYK", "YCbCr", "I;16"):
        image = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else photo
        image = image.convert(mode)
        file = io.BytesIO()
        (image.convert("RGB") if mode == "YCbCr" else image).save(file, "TIFF")
        as_file, as_image = cutter.cut_many([file.getvalue(), image])
        assert as_file.status == as_image.status and as_image.ok, mode
        assert np.array_equal(as_file.rgba, as_image.rgba), mode
    photo.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile = cutter.cut(photo)
    assert with_profile.icc_profile == with_profile.image.info["icc_profile"] == photo.info["icc_profile"]
    assert Image.open(io.BytesIO(with_profile.encode())).info["icc_profile"] == photo.info["icc_profile"]
    logo = Image.new("P", (120, 100), 0)
    logo.putpalette([255, 255, 255, 200, 30, 40])
    logo.paste(1, (20, 20, 100, 80))
    logo.info["transparency"] = 0
    alpha = cutter.cut(logo).alpha
    assert alpha[50, 60] == 255 and alpha[5, 5] == 0


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        (3, TypeError, "int is no picture: give a path or URL"),
        (torch.zeros(3, 3), TypeError, "Tensor is no picture"),
        (np.zeros((4, 4, 3)), ValueError, r"float64 \(4 x 4 x 3\) is no picture: give uint8"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"4 x 4 x 2 is no picture: give \[H, W\], \[H, W, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "0 x 4 x 3 holds no pixels"),
        (Image.new("RGB", (0, 4)), ValueError, "0 x 4 holds no pixels"),
    ],
)
def test_what_is_no_picture_is_told(cutter: hairline.Cutter, given: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        cutter.cut(given)  # type: ignore[arg-type]
    with pytest.raises(kind, match=says):
        list(cutter.cut_many([given]))  # type: ignore[list-item]


def test_an_image_that_pil_cannot_read_to_its_end_is_an_answer(cutter: hairline.Cutter, folder: Path) -> None:
    data = (folder / "coffee.png").read_bytes()
    broken = [Image.open(io.BytesIO(data[: len(data) // 2])), Image.open(folder / "coffee.png")]
    answers = list(cutter.cut_many(broken))
    assert [answer.status for answer in answers] == ["failed", "ok"]
    assert answers[0].reason == "truncated" and answers[0].detail.startswith("PIL cannot read PNG: ")


def test_a_cutter_that_is_pickled_says_what_to_do(cutter: hairline.Cutter) -> None:
    with pytest.raises(TypeError, match=r"make one in each process; for Ray Data there is hairline\.ray\.Cutter"):
        pickle.dumps(cutter)


def test_one_picture_is_not_several(cutter: hairline.Cutter) -> None:
    for one in ("a.jpg", Path("a.jpg"), b"abc", 3):
        with pytest.raises(TypeError, match="cut takes one"):
            cutter.cut_many(one)  # type: ignore[arg-type]


def test_threads_share_a_cutter(cutter: hairline.Cutter, folder: Path) -> None:
    paths = [folder / name for name in ("astronaut.jpg", "coffee.png", "logo.png", "turned.jpg")] * 3
    expected = [cutter.cut(path).encode() for path in paths[:4]] * 3
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda path: cutter.cut(path).encode(), paths))
    assert found == expected
    with ThreadPoolExecutor(3) as threads:
        several = threads.map(lambda _: [cutout.encode() for cutout in cutter.cut_many(paths[:4])], range(3))
        assert list(several) == [expected[:4]] * 3


def test_pictures_are_taken_as_they_are_needed(folder: Path) -> None:
    """Two batches at most are ahead, and a picture may be closed or changed once the next is asked for."""
    cutter = hairline.Cutter(threads=1, batch=2)
    pixels = np.asarray(Image.open(folder / "coffee.png")).copy()
    expected = cutter.cut(pixels).encode()
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            mine = pixels.copy()
            yield mine
            mine[:] = 0

    answers = cutter.cut_many(endless())
    assert taken == 0
    assert next(answers).encode() == expected and taken == 4
    assert [next(answers).encode() for _ in range(2)] == [expected] * 2 and taken == 6
    answers.close()  # type: ignore[attr-defined]


def test_the_callers_threads_are_its_own(cutter: hairline.Cutter, folder: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        cutter.cut(folder / "logo.png")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_function_uses_one_cutter(folder: Path) -> None:
    first, second = hairline.cut(folder / "logo.png"), hairline.cut(folder / "logo.png")
    assert first.encode() == second.encode()
    assert hairline.cutter._default is not None  # type: ignore[attr-defined]


def test_arrays_are_read_only(cutter: hairline.Cutter, folder: Path) -> None:
    cutout = cutter.cut(folder / "logo.png")
    for array in (cutout.alpha, cutout.foreground, cutout.rgba):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    assert cutout.image.mode == "RGBA" and cutout.image.size == (160, 120)


def test_large_arrays_are_no_large_files(folder: Path) -> None:
    small = hairline.Cutter(threads=1, limits={"max_bytes": 1000, "max_pixels": 70_000})
    assert small.cut(folder / "coffee.png").reason == "too_many_bytes"
    pixels = np.asarray(Image.open(folder / "coffee.png"))
    assert small.cut(pixels).ok
    assert small.cut(np.tile(pixels, (2, 1, 1))).reason == "too_many_pixels"
    assert len(fetch(str(folder / "coffee.png"), DEFAULT_LIMITS)[0]) > 1000


def test_a_correction_changes_what_it_touches(cutter: hairline.Cutter, folder: Path) -> None:
    path = folder / "astronaut.jpg"
    first = cutter.cut(path)
    strokes = np.zeros((320, 320, 4), np.uint8)
    strokes[200:220, 120:160, 3] = 255  # black: dropped
    mended = cutter.correct(path, first, strokes=strokes, follow=False)
    assert first.alpha[200:220, 120:160].max() == 255 and mended.alpha[200:220, 120:160].max() == 0
    assert np.array_equal(mended.alpha[:180], first.alpha[:180])
    assert "coarse" not in mended.seconds
    outside = cutter.correct(path, first, keep=[(320, 5)])
    assert (outside.status, outside.reason) == ("failed", "correction") and "320 x 320" in outside.detail
    with pytest.raises(ValueError, match="matte must be uint8"):
        cutter.correct(path, first.rgba)
    with pytest.raises(ValueError, match="strokes must be uint8"):
        cutter.correct(path, strokes=first.alpha)
