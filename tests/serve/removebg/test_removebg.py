"""Walks the contract of `POST /v1.0/removebg` and `GET /v1.0/account`: every parameter, every error, every form."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import zipfile

import numpy as np
import pytest
from PIL import Image

from kit import Web
from removebg_kit import PATH, ask, code
from serve_kit import Server, array, encoded, flat, opened, photo

FACTS = ("X-Width", "X-Height", "X-Foreground-Top", "X-Foreground-Left", "X-Foreground-Width", "X-Foreground-Height")


@pytest.fixture(scope="module")
def plain(service: Server) -> np.ndarray:
    """RGBA of the whole picture without its background, uint8 [320, 320, 4]."""
    answer = ask(service, size="full")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/png"
    for name in FACTS:
        assert int(answer.headers[name]) >= 0
    assert (answer.headers["X-Width"], answer.headers["X-Height"]) == ("320", "320")
    assert answer.headers["X-Type"] == "person" and float(answer.headers["X-Credits-Charged"]) == 0
    result = array(answer.content)
    assert result.shape == (320, 320, 4) and result[..., 3].min() == 0 and result[..., 3].max() == 255
    return result


# --- how a picture may come, and how the result goes


def test_forms_of_a_request_give_the_same_bytes(service: Server, pictures_on_the_web: Web, plain: np.ndarray) -> None:
    text = base64.b64encode(photo()).decode()
    pictures_on_the_web.files["/a.jpg"] = photo()
    url = pictures_on_the_web.url + "/a.jpg"
    answers = [
        ask(service, size="full"),
        service.post(PATH, data={"image_file_b64": text, "size": "full"}),
        service.post(PATH, json={"image_file_b64": text, "size": "full"}),
        service.post(PATH, json={"image_file_b64": "data:image/jpeg;base64," + text, "size": "full"}),
        service.post(PATH, files={"image_file_b64": (None, text), "size": (None, "full")}),
        service.post(PATH, data={"image_url": url, "size": "full"}),
        service.post(PATH, json={"image_url": url, "size": "full"}),
    ]
    assert [a.status_code for a in answers] == [200] * len(answers)
    assert len({a.content for a in answers}) == 1
    assert np.array_equal(array(answers[0].content), plain)


def test_json_answer(service: Server, plain: np.ndarray) -> None:
    answer = ask(service, headers={"Accept": "application/json"}, size="full")
    data = answer.json()["data"]
    assert np.array_equal(array(base64.b64decode(data["result_b64"])), plain)
    assert data["foreground_width"] == int(answer.headers["X-Foreground-Width"]) > 0


def test_curl_lines_of_the_documentation(service: Server, tmp_path) -> None:
    (tmp_path / "file.jpg").write_bytes(photo())
    line = ["curl", "-sS", "-H", "X-Api-Key: INSERT_YOUR_API_KEY_HERE", "-F", "image_file=@file.jpg", "-F", "size=auto"]
    line += ["-f", service.url + PATH, "-o", "no-bg.png"]
    subprocess.run(line, check=True, cwd=tmp_path)
    assert Image.open(tmp_path / "no-bg.png").size == (320, 320)


# --- parameters


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("preview", 500),
        ("small", 500),
        ("regular", 500),
        ("medium", 800),
        ("hd", 800),
        ("full", 800),
        ("4k", 800),
        ("auto", 800),
    ],
)
def test_size(service: Server, size: str, expected: int) -> None:
    answer = ask(service, photo(width=800, height=800), size=size)
    assert opened(answer.content).size == (expected, expected)
    assert answer.headers["X-Width"] == answer.headers["X-Height"] == str(expected)


def test_size_is_preview_by_default(service: Server) -> None:
    assert opened(ask(service, photo(width=800, height=800)).content).size == (500, 500)


@pytest.mark.parametrize(
    ("kind", "level", "expected"),
    [
        ("auto", "1", "person"),
        ("auto", "2", "person"),
        ("auto", "latest", "person"),
        ("auto", "none", None),
        ("person", "1", "person"),
        ("product", "1", "product"),
        ("car", "1", "car"),
        ("car", "2", "car"),
        ("animal", "1", "animal"),
        ("graphic", "2", "graphics"),
        ("graphic", "1", "other"),
        ("transportation", "2", "transportation"),
    ],
)
def test_type_and_level(service: Server, kind: str, level: str, expected: str | None) -> None:
    answer = ask(service, type=kind, type_level=level)
    assert answer.status_code == 200
    assert answer.headers.get("X-Type") == expected


def test_format(service: Server, plain: np.ndarray) -> None:
    assert ask(service, format="png", size="full").headers["Content-Type"] == "image/png"
    jpg = ask(service, format="jpg", size="full")
    assert jpg.headers["Content-Type"] == "image/jpeg"
    empty = plain[..., 3] == 0
    assert array(jpg.content)[empty].mean() > 250  # white where nothing is
    assert ask(service, format="auto").headers["Content-Type"] == "image/png"
    assert ask(service, format="auto", bg_color="00f").headers["Content-Type"] == "image/jpeg"
    zipped = ask(service, format="zip", size="full")
    assert zipped.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]
        assert np.array_equal(array(archive.read("alpha.png")), plain[..., 3])
        assert array(archive.read("color.jpg")).shape == (320, 320, 3)


def test_roi_keeps_what_lies_inside(service: Server) -> None:
    inside = array(ask(service, roi="0px 0px 160px 320px", size="full").content)
    assert inside.shape == (320, 320, 4)
    assert inside[:, 160:, 3].max() == 0 and inside[:, :160, 3].max() == 255
    same = array(ask(service, roi="0% 0% 50% 100%", size="full").content)
    assert np.array_equal(same, inside)


def test_crop_and_margin(service: Server, plain: np.ndarray) -> None:
    answer = ask(service, crop="true", size="full")
    width, height = opened(answer.content).size
    solid = plain[..., 3] >= 13
    ys, xs = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    assert (width, height) == (xs[-1] - xs[0] + 1, ys[-1] - ys[0] + 1)
    wide = ask(service, crop="true", crop_margin="30px", size="full")
    assert opened(wide.content).size == (width + 60, height + 60)
    assert (wide.headers["X-Foreground-Left"], wide.headers["X-Foreground-Top"]) == ("30", "30")
    two = opened(ask(service, crop="true", crop_margin="10px 20px", size="full").content)
    assert two.size == (width + 40, height + 20)
    four = ask(service, crop="true", crop_margin="1px 2px 3px 4px", size="full")
    assert opened(four.content).size == (width + 6, height + 4)
    assert (four.headers["X-Foreground-Left"], four.headers["X-Foreground-Top"]) == ("4", "1")
    share = opened(ask(service, crop="true", crop_margin="10%", size="full").content)
    assert share.size == (width + 2 * round(width / 10), height + 2 * round(height / 10))
    assert opened(ask(service, crop_margin="30px", size="full").content).size == (320, 320)  # only with crop


def test_scale_and_position(service: Server) -> None:
    half = ask(service, scale="50%", size="full")
    facts = {name: int(half.headers[name]) for name in FACTS}
    assert opened(half.content).size == (320, 320)
    assert max(facts["X-Foreground-Width"], facts["X-Foreground-Height"]) in range(157, 162)
    middle = facts["X-Foreground-Left"] + facts["X-Foreground-Width"] / 2
    assert abs(middle - 160) <= 2  # a scaled subject is centred
    corner = ask(service, scale="50%", position="0% 100%", size="full")
    assert int(corner.headers["X-Foreground-Left"]) <= 1
    bottom = int(corner.headers["X-Foreground-Top"]) + int(corner.headers["X-Foreground-Height"])
    assert bottom >= 319
    both = ask(service, scale="50%", position="100%", size="full")
    assert int(both.headers["X-Foreground-Left"]) + int(both.headers["X-Foreground-Width"]) >= 319
    for name in ("original", "center"):
        assert ask(service, position=name).status_code == 200
    assert ask(service, scale="original").status_code == 200


def test_channels(service: Server, plain: np.ndarray) -> None:
    alpha = opened(ask(service, channels="alpha", size="full").content)
    assert alpha.mode == "L" and np.array_equal(np.asarray(alpha), plain[..., 3])
    assert opened(ask(service, channels="rgba", size="full").content).mode == "RGBA"


@pytest.mark.parametrize(
    ("color", "rgba"),
    [
        ("81d4fa", (0x81, 0xD4, 0xFA, 255)),
        ("fff", (255, 255, 255, 255)),
        ("#00ff00", (0, 255, 0, 255)),
        ("green", (0, 128, 0, 255)),
        ("81d4fa77", (0x81, 0xD4, 0xFA, 0x77)),
        ("f007", (255, 0, 0, 0x77)),
    ],
)
def test_background_color(service: Server, plain: np.ndarray, color: str, rgba: tuple[int, ...]) -> None:
    found = np.asarray(opened(ask(service, bg_color=color, format="png", size="full").content).convert("RGBA"))
    empty, full = plain[..., 3] == 0, plain[..., 3] == 255
    assert (np.abs(found[empty].astype(int) - rgba) <= 1).all()
    assert np.array_equal(found[full], plain[full])


def test_background_image(service: Server, pictures_on_the_web: Web, plain: np.ndarray) -> None:
    stripes = np.zeros((100, 400, 3), np.uint8)
    stripes[:, 150:250] = (0, 0, 255)  # of the middle 100 columns, all that a square shows
    stripes[:, :150] = (255, 0, 0)
    background = encoded(Image.fromarray(stripes), "PNG")
    empty = plain[..., 3] == 0
    found = ask(service, bg_image_file=background, format="png", size="full")  # type: ignore[arg-type]
    assert (array(found.content)[empty][:, :3] == (0, 0, 255)).mean() > 0.97
    pictures_on_the_web.files["/b.png"] = background
    by_url = ask(service, bg_image_url=pictures_on_the_web.url + "/b.png", format="png", size="full")
    assert by_url.content == found.content


def test_semitransparency(service: Server, plain: np.ndarray) -> None:
    assert np.array_equal(array(ask(service, semitransparency="true", size="full").content), plain)
    without = array(ask(service, semitransparency="false", size="full").content)[..., 3]
    assert (without >= plain[..., 3]).all()
    half = (plain[..., 3] > 20) & (plain[..., 3] < 235)
    assert ((without > 20) & (without < 235)).sum() <= half.sum()


def test_shadow_is_for_cars(service: Server, plain: np.ndarray) -> None:
    assert np.array_equal(array(ask(service, add_shadow="true", size="full").content), plain)
    bare = array(ask(service, photo("motorcycle_left"), type="car", size="full").content)
    dark = array(ask(service, photo("motorcycle_left"), type="car", add_shadow="true", size="full").content)
    below = (bare[..., 3] == 0) & (dark[..., 3] > 0)
    assert below.any() and dark[below][:, :3].max() < 10
    assert ask(service, add_shadow="true", shadow_method="legacy").status_code == 200


# --- errors


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "huge"),
        ("type", "ghost"),
        ("type_level", "3"),
        ("format", "gif"),
        ("roi", "0 0 10 -10"),
        ("roi", "0% 0% 10%"),
        ("crop", "maybe"),
        ("crop_margin", "-1px"),
        ("crop_margin", "60%"),
        ("crop_margin", "501px"),
        ("crop_margin", "1px 2px 3px"),
        ("scale", "5%"),
        ("scale", "101%"),
        ("scale", "10px"),
        ("position", "left"),
        ("position", "101%"),
        ("position", "1% 2% 3%"),
        ("channels", "red"),
        ("add_shadow", "2"),
        ("semitransparency", "no way"),
        ("bg_color", "nocolor"),
        ("bg_color", "12345"),
        ("bg_image_url", "not a url"),
        ("bg_image_url", "file:///etc/passwd"),
        ("shadow_method", "new"),
    ],
)
def test_wrong_parameters(service: Server, field: str, value: str) -> None:
    assert code(ask(service, **{field: value})) == f"invalid_{field}"


def test_sources(service: Server) -> None:
    assert code(service.post(PATH, data={"size": "auto"})) == "missing_source"
    assert code(service.post(PATH)) == "missing_source"
    text = base64.b64encode(photo()).decode()
    assert code(ask(service, image_file_b64=text)) == "multiple_sources"
    assert code(ask(service, bg_color="red", bg_image_url="https://example.org/")) == "multiple_bg_sources"
    assert code(service.post(PATH, data={"image_url": "not a url"})) == "invalid_image_url"
    assert code(service.post(PATH, data={"image_url": "http://169.254.169.254/"})) == "invalid_image_url"


def test_downloads_that_fail(service: Server, pictures_on_the_web: Web) -> None:
    gone = pictures_on_the_web.url + "/gone.jpg"
    assert code(service.post(PATH, data={"image_url": gone})) == "failed_image_download"
    assert code(ask(service, bg_image_url=gone)) == "failed_bg_download"


def test_pictures_that_are_none(service: Server) -> None:
    assert code(ask(service, b"%PDF-1.7 nothing")) == "invalid_file_type"
    assert code(ask(service, b"\0\0\0\x18ftypmp42" + b"\0" * 64)) == "invalid_file_type"
    assert code(ask(service, photo()[:3000])) == "failed_to_read_image"
    assert code(service.post(PATH, data={"image_file_b64": "not base64!"})) == "failed_to_read_image"
    bmp = bytearray(encoded(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = bytes(8)
    assert code(ask(service, bytes(bmp))) in ("invalid_dimensions", "failed_to_read_image")
    assert code(ask(service, flat(3000, 1500))) == "resolution_too_high"
    assert code(ask(service, photo() + b"\0" * 5_000_000)) == "file_too_large"
    assert code(ask(service, flat())) == "unknown_foreground"
    assert code(ask(service, bg_image_file=b"none")) == "failed_to_read_image"  # type: ignore[arg-type]


def test_roi_outside_or_empty(service: Server) -> None:
    assert code(ask(service, roi="0px 0px 400px 100px")) == "roi_exceeds_bounds"
    assert code(ask(service, roi="0% 0% 101% 100%")) == "roi_exceeds_bounds"
    assert code(ask(service, roi="10px 10px 10px 100px")) == "roi_region_empty"


def test_account(service: Server) -> None:
    attributes = service.get("/v1.0/account").json()["data"]["attributes"]
    assert attributes["api"]["sizes"] == "all" and attributes["api"]["free_calls"] > 0
    assert set(attributes["credits"]) == {"total", "subscription", "payg", "enterprise"}


def test_bodies_that_are_wrong(service: Server) -> None:
    for kind, body in [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"nonsense"),
        ("text/plain", b"hello"),
    ]:
        answer = service.post(PATH, data=body, headers={"Content-Type": kind})
        assert answer.status_code == 400, (kind, body)
        assert json.loads(answer.text)["errors"][0]["code"] in (
            "invalid_request",
            "unsupported_media_type",
            "missing_source",
        )
