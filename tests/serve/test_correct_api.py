"""`POST /v1/correct`: corrections one after the other, products of a corrected matte, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serve_kit import Server, array, encoded, photo

WIDTH, HEIGHT = 320, 240
Files = dict[str, Any]


@pytest.fixture(scope="module")
def picture() -> bytes:
    return photo("chelsea", WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def matte(service: Server, picture: bytes) -> bytes:
    """The matte before anybody corrects it, which is that of the other routes."""
    found = service.post("/v1/correct", files={"image_file": picture}, data={"product": "alpha"})
    assert found.status_code == 200
    assert np.array_equal(array(found.content), array(service.post("/v1/mask", files={"image_file": picture}).content))
    return found.content


def stroke(kept: bool) -> bytes:
    painted = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    painted[..., :3] = 255 if kept else 0
    painted[150:170, 160:200, 3] = 255
    return encoded(Image.fromarray(painted), "PNG")


def test_one_correction_after_the_other(service: Server, picture: bytes, matte: bytes) -> None:
    def after(so_far: bytes, kept: bool) -> bytes:
        files = {"image_file": picture, "matte_file": so_far, "strokes_file": stroke(kept)}
        answer = service.post("/v1/correct", files=files, data={"product": "alpha", "follow": "false"})
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/png"
        return answer.content

    erased = after(matte, kept=False)
    assert array(erased)[150:170, 160:200].max() == 0
    restored = after(erased, kept=True)
    assert array(restored)[150:170, 160:200].min() == 255
    for one in (erased, restored):
        assert np.array_equal(array(one)[:, :120], array(matte)[:, :120])
        assert np.array_equal(array(one)[:110], array(matte)[:110])


def test_products_of_a_corrected_matte(service: Server, picture: bytes, matte: bytes) -> None:
    half = array(matte).copy()
    half[:, 200:] = 0
    given = {"image_file": picture, "matte_file": encoded(Image.fromarray(half), "PNG")}
    form = {"product": "cutout", "options": '{"format": "webp", "zero_hidden": true}', "category": "animal"}
    made = service.post("/v1/correct", files=given, data=form)
    assert made.headers["Content-Type"] == "image/webp" and made.headers["X-Hairline-Category"] == "animal"
    assert np.array_equal(array(made.content)[..., 3], half)
    told = service.post("/v1/correct", files=given, data={"include": "alpha,cutout"}).json()
    assert told["status"] == "ok" and told["images"].keys() == {"alpha", "cutout"}
    assert np.array_equal(array(base64.b64decode(told["images"]["alpha"]["data"])), half)
    text = {f"{name}_b64": base64.b64encode(data).decode() for name, data in given.items()}
    assert service.post("/v1/correct", json=text | {"product": "alpha"}).content == encoded_alpha(service, given)


def encoded_alpha(service: Server, files: Files) -> bytes:
    return service.post("/v1/correct", files=files, data={"product": "alpha"}).content


def test_a_box_leaves_nothing_outside(service: Server, picture: bytes) -> None:
    form = {"box": "20,20,150,220", "product": "alpha"}
    alpha = array(service.post("/v1/correct", files={"image_file": picture}, data=form).content)
    assert alpha[:, 160:].max() == 0 and alpha[:, :150].max() == 255


REFUSED: dict[str, tuple[Files, dict[str, str], int, str, str]] = {
    "outside": ({}, {"keep": "320,5"}, 422, "correction", "keep 320,5 lies outside: the picture has 320 x 240"),
    "no extent": ({}, {"box": "9,9,9,90"}, 422, "correction", "has no extent"),
    "no number": ({}, {"drop": "1,x"}, 400, "invalid_drop", "is not x,y"),
    "half a box": ({}, {"box": "1,2,3"}, 400, "invalid_box", "is not x0,y0,x1,y1"),
    "box and matte": ({"matte_file": 0}, {"box": "9,9,90,90"}, 422, "correction", "without the matte"),
    "a small matte": ({"matte_file": b""}, {}, 422, "correction", "matte: 8 x 6 pixels, but the picture has"),
    "no PNG": ({"strokes_file": photo()}, {}, 422, "correction", "strokes: this is no PNG"),
    "no product": ({}, {"product": "nothing"}, 400, "invalid_product", "known are alpha, "),
    "both": ({}, {"product": "mask", "include": "alpha"}, 400, "invalid_product", "one or the other"),
    "unsure": ({}, {"include": "unsure"}, 400, "invalid_include", "/v1/analyze"),
    "no option": ({}, {"product": "mask", "options": '{"x": 1}'}, 400, "unknown_parameter", ""),
    "no base64": ({}, {"matte_file_b64": "???"}, 400, "invalid_matte", "base64"),
}


@pytest.mark.parametrize(("files", "form", "status", "code", "detail"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    files: Files,
    form: dict[str, str],
    status: int,
    code: str,
    detail: str,
    service: Server,
    matte: bytes,
    picture: bytes,
) -> None:
    small = encoded(Image.new("L", (8, 6)), "PNG")
    sent = {name: {0: matte, b"": small}.get(data, data) for name, data in files.items()}
    answer = service.post("/v1/correct", files={"image_file": picture, **sent}, data=form)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (status, code)
    assert detail in error.get("detail", "")


def test_nothing_given(service: Server) -> None:
    assert service.post("/v1/correct", data={"keep": "1,1"}).json()["errors"][0]["code"] == "missing_source"
