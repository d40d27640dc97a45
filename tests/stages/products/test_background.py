"""New backgrounds: what lies behind, colours at the edge, light, shadow, presets and their rules."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from hairline.stages.errors import PictureError
from hairline.stages.products.preset_files import BUILTIN
from hairline.stages.products.registry import PRODUCTS
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.verify.background import check_background
from shop_pictures import file_of, made, matte_of, thing

COLOURS, ALPHA = thing()
PRESETS = [name for name, path in BUILTIN.items() if path.parent.name == "background"]
BAND = (ALPHA > 0) & (ALPHA < 255)


def spec(**options: object) -> ProductSpec:
    return ProductSpec.model_validate({"background": options})


def test_colours_at_the_edge_hold_nothing_of_the_old_background() -> None:
    pixels = made(matte_of(COLOURS, ALPHA), "background", color=[250, 20, 30]).astype(float)
    assert (pixels[ALPHA == 0] == (250, 20, 30)).all()
    share = ALPHA[BAND][:, None] / 255
    truth = COLOURS[BAND] * share + np.array((250, 20, 30)) * (1 - share)
    plain = matte_of(COLOURS, ALPHA).picture.rgb()[BAND] * share + np.array((250, 20, 30)) * (1 - share)
    assert np.abs(pixels[BAND] - truth).mean() < 0.6 * np.abs(plain - truth).mean()


def test_a_gradient_goes_the_way_it_is_told() -> None:
    down = made(matte_of(COLOURS, ALPHA), "background", kind="gradient", color=[200, 0, 0], color2=[0, 0, 200])
    assert down[2, :, 0].mean() > 195 and down[-3, :, 2].mean() > 195
    across = made(
        matte_of(COLOURS, ALPHA), "background", kind="gradient", color=[200, 0, 0], color2=[0, 0, 200], angle=0
    )
    assert across[:, 1, 0].mean() > 195 and across[:, -2, 2].mean() > 195


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[:, :50], picture[:, 50:] = (250, 200, 0), (0, 80, 250)
    (tmp_path / "beach.png").write_bytes(file_of(picture))
    return tmp_path / "beach.png"


def test_a_picture_fills_the_canvas_or_shows_whole(beach: Path) -> None:
    options = {"kind": "picture", "picture": str(beach), "canvas": [100, 100], "fill": 0.2}
    left = made(matte_of(COLOURS, ALPHA), "background", **options, position=[0, 0.5])
    right = made(matte_of(COLOURS, ALPHA), "background", **options, position=[1, 0.5])
    whole = made(matte_of(COLOURS, ALPHA), "background", **options, fit="contain", color=[9, 9, 9])
    assert tuple(left[0, 90]) == (250, 200, 0) and tuple(right[0, 10]) == (0, 80, 250)
    assert tuple(whole[5, 50]) == (9, 9, 9) and tuple(whole[30, 5]) == (250, 200, 0)
    assert tuple(whole[30, 95]) == (0, 80, 250)


def test_another_picture_of_the_same_name_is_another_setting(beach: Path) -> None:
    before = spec(kind="picture", picture=str(beach))
    product = before.build()
    beach.write_bytes(file_of(np.full((9, 9, 3), 7, np.uint8)))
    assert spec(kind="picture", picture=str(beach)).settings != before.settings
    with pytest.raises(PictureError, match="changed since"):
        product.make(matte_of(COLOURS, ALPHA))


def test_the_blurred_original_has_no_shine_of_its_subject() -> None:
    white = np.full_like(COLOURS, 255)
    pixels = made(matte_of(white, ALPHA, ground=(20, 60, 20)), "background", kind="blur", blur=0.05)
    assert np.abs(pixels[ALPHA == 0].astype(int) - (20, 60, 20)).max() <= 3
    assert (pixels[ALPHA == 255] == 255).all()


def test_without_a_background_there_is_alpha_and_nothing_hidden() -> None:
    output = spec(kind="transparent", canvas=[300, 300], shadow="contact").build().make(matte_of(COLOURS, ALPHA))
    rgba = np.asarray(Image.open(io.BytesIO(output.data)))
    assert rgba.shape == (300, 300, 4)
    assert (rgba[rgba[..., 3] == 0] == 0).all() and (rgba[150, 150, 3]) == 255
    assert 0 < rgba[276, 150, 3] < 255, "the shadow below its foot"


def test_light_moves_towards_the_background_and_no_further_than_it_may() -> None:
    dark = {"color": [10, 10, 60], "canvas": "keep"}
    plain, lit = (made(matte_of(COLOURS, ALPHA), "background", **dark, light=light) for light in (0, 1))
    inside = ALPHA == 255
    moved = plain[inside].astype(float).mean() - lit[inside].astype(float).mean()
    assert 10 < moved < 45
    assert (plain[~inside & (ALPHA == 0)] == lit[~inside & (ALPHA == 0)]).all()


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_makes_keeps_its_rules(name: str) -> None:
    product = spec(preset=name).build()
    verdict = product.verify(product.make(matte_of(COLOURS, ALPHA)), "background")
    assert verdict is not None and verdict.verdict == "pass", verdict


def test_rules_that_are_broken_are_told() -> None:
    rules = spec(preset="transparent_square").settings.rules
    checks = check_background(file_of(COLOURS, "JPEG"), "png", rules)
    failed = {check.name for check in checks if check.verdict == "fail"}
    assert failed == {"ending", "width", "height", "clear", "colours", "profile"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "picture"}, "kind picture needs the path of one"),
        ({"kind": "picture", "picture": "/no/such.jpg"}, "/no/such.jpg cannot be read: No such file"),
        ({"kind": "transparent", "format": "jpeg"}, "a jpeg has no transparency"),
        ({"kind": "blur", "canvas": [9, 9]}, "leave it at keep"),
    ],
)
def test_mistakes_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec(**options)


def test_a_request_cannot_name_a_file(beach: Path) -> None:
    with pytest.raises(ValidationError, match="a request cannot name a file"):
        PRODUCTS["background"].Settings.model_validate(
            {"kind": "picture", "picture": str(beach)}, context={"names_only": {"picture"}}
        )
