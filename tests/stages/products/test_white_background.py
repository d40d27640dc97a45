"""Pictures on white with presets: placing, shadows, colours, bytes."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pydantic import ValidationError

from hairline.stages.errors import HairlineError
from hairline.stages.products.preset_files import BUILTIN, read_preset
from hairline.stages.products.registry import PRODUCTS
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.stage import ProductsSettings
from shop_pictures import file_of, made, matte_of, pixels_of, thing

COLOURS, ALPHA = thing()
SHOPS = [name for name, path in BUILTIN.items() if path.parent.name == "white_background"]


def spec(**options: object) -> ProductSpec:
    return ProductSpec.model_validate({"white_background": options})


@pytest.mark.parametrize("name", SHOPS)
def test_what_a_preset_makes_keeps_its_rules(name: str) -> None:
    product = spec(preset=name).build()
    output = product.make(matte_of(COLOURS, ALPHA))
    verdict = product.verify(output, "white_background")
    assert verdict is not None and verdict.preset == name
    assert [check for check in verdict.checks if check.verdict != "pass"] == []


def test_options_go_before_a_presets_own_and_the_rules_are_kept_in_the_settings() -> None:
    settings = spec(preset="amazon", canvas=[1200, 1300]).settings
    assert settings.canvas == (1200, 1300) and settings.fill == 0.9
    assert settings.rules == read_preset("amazon").rules
    dumped = ProductsSettings(products=[{"white_background": {"preset": "amazon"}}])
    assert ProductsSettings.model_validate_json(dumped.model_dump_json()) == dumped


def test_a_presets_name_is_a_product() -> None:
    (wanted,) = ProductsSettings(products=["walmart"]).products
    assert (wanted.name, wanted.product, wanted.settings.canvas) == ("walmart", "white_background", (2200, 2200))


def test_a_request_may_name_no_file() -> None:
    with pytest.raises(ValidationError, match="only those that come with Hairline"):
        PRODUCTS["white_background"].Settings.model_validate(
            {"preset": "/etc/x.yaml"}, context={"names_only": {"preset"}}
        )


@pytest.mark.parametrize("name", ["amzon", "no/such.yaml"])
def test_an_unknown_preset_is_named(name: str) -> None:
    with pytest.raises((ValidationError, HairlineError), match=r"did you mean amazon|no/such\.yaml: cannot be read"):
        spec(preset=name)


def test_colours_at_the_edge_are_the_subjects_own() -> None:
    pixels = made(matte_of(COLOURS, ALPHA), canvas="keep", preset="generic_white", format="png")
    assert (pixels[ALPHA == 0] == 255).all()
    band = (ALPHA > 0) & (ALPHA < 255)
    share = ALPHA[band][:, None] / 255
    truth = COLOURS[band] * share + 255 * (1 - share)
    plain = matte_of(COLOURS, ALPHA).picture.rgb()[band] * share + 255 * (1 - share)
    assert np.abs(pixels[band] - truth).mean() < 0.6 * np.abs(plain - truth).mean()


@pytest.mark.parametrize("side", ["bottom", "left", "top", "right"])
def test_a_subject_that_is_cut_off_stands_at_that_edge(side: str) -> None:
    turns = {"bottom": 0, "right": 1, "top": 2, "left": 3}[side]  # quarter turns, counter-clockwise
    cut = slice(0, round(0.7 * len(ALPHA)))
    colours, alpha = (np.ascontiguousarray(np.rot90(a[cut], turns)) for a in (COLOURS, ALPHA))
    canvas = [900, 800]
    whole = made(matte_of(colours, alpha), canvas=canvas)
    anchored = np.rot90(made(matte_of(colours, alpha), canvas=canvas, cut_off="anchor"), -turns)
    assert (whole[[0, -1]] == 255).all() and (whole[:, [0, -1]] == 255).all()
    assert (anchored[-1] < 255).any(), "flush with the edge at which it is cut off"
    assert (anchored[0] == 255).all() and (anchored[:, [0, -1]] == 255).all()


def test_a_whole_series_stands_on_one_line_and_weighs_the_same() -> None:
    flat = cv2.resize(ALPHA, (700, 500)), cv2.resize(COLOURS, (700, 500))
    areas, feet = [], []
    for alpha, colours in ((ALPHA, COLOURS), flat):
        pixels = made(matte_of(colours, alpha), canvas=[800, 800], fill=0.75, scale_by="area", baseline=0.9)
        rows = np.flatnonzero((pixels < 250).any((1, 2)))
        feet.append(rows[-1] + 1)
        areas.append((pixels < 250).any(2).sum())
    assert abs(feet[0] - 720) <= 3 and abs(feet[1] - 720) <= 3
    assert 0.9 < areas[0] / areas[1] < 1.1


def test_the_pictures_of_a_group_have_one_look() -> None:
    series = {"shoes": {"scale_by": "width", "fill": 0.6, "baseline": 0.8}, "lamps": {"fill": 0.5}}
    spec = ProductSpec.model_validate(
        {"white_background": {"canvas": [800, 800], "fill": 0.9, "group": "line", "series": series}}
    )
    assert spec.settings.columns == {"line": True}
    found = {}
    for group in ("shoes", "lamps", "hats"):
        boxes = []
        for size in ((900, 300), (900, 400)):
            matte = matte_of(cv2.resize(COLOURS, size), cv2.resize(ALPHA, size))
            matte.item.columns = {"line": group}
            pixels = pixels_of(spec.build().make(matte).data)
            boxes.append(cv2.boundingRect((pixels < 250).any(2).astype(np.uint8)))
        found[group] = boxes
    assert all(abs(w - 480) <= 4 and abs(y + h - 640) <= 3 for _, y, w, h in found["shoes"])
    assert all(abs(max(w, h) - 400) <= 4 and abs(y + h / 2 - 400) <= 3 for _, y, w, h in found["lamps"])
    assert all(abs(max(w, h) - 720) <= 4 for _, _, w, h in found["hats"])  # the product's own
    assert ProductSpec.model_validate(spec.model_dump()) == spec
    for wrong in ({"group": "line"}, {"series": series}, {"group": "line", "series": series, "canvas": "square"}):
        with pytest.raises(ValueError, match="series"):
            ProductSpec.model_validate({"white_background": {"canvas": [800, 800], **wrong}})


def test_a_soft_shadow_lies_at_the_foot_and_nowhere_else() -> None:
    matte = matte_of(COLOURS, ALPHA)
    plain, shaded = (made(matte, canvas="keep", shadow=kind) for kind in ("none", "contact"))
    darker = (plain.astype(int) - shaded).max(2)
    rows = np.flatnonzero(darker.max(1) > 1)
    assert 30 < darker.max() < 90
    assert rows[0] > 0.7 * len(ALPHA)


def test_a_pictures_own_shadow_is_kept_where_the_ground_is_plain() -> None:
    shade = np.zeros(ALPHA.shape, np.float32)
    cv2.ellipse(shade, (350, 815), (260, 45), 0, 0, 360, 60.0, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 12)
    share = ALPHA[..., None].astype(np.float32) / 255
    ground = 235 - shade[..., None]
    picture = np.rint(COLOURS * share + ground * (1 - share)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, picture.shape, dtype=np.uint8)
    busy = np.where(share > 0, picture, noise)
    kept, none = (matte_of(COLOURS, ALPHA) for _ in range(2))
    kept.picture._data, none.picture._data = file_of(picture), file_of(busy.astype(np.uint8))
    shaded, white = (made(matte, canvas="keep", shadow="own") for matte in (kept, none))
    at = shade > 40
    at &= ALPHA == 0
    assert abs((255 - shaded[at].astype(float)).mean() - shade[at].mean() * 255 / 235) < 15
    assert (shaded[:300][ALPHA[:300] == 0] == 255).all()
    assert (white[ALPHA == 0] == 255).all()


def test_colours_of_another_profile_are_converted() -> None:
    swapped = file_of(COLOURS, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert Image.open(io.BytesIO(swapped)).info["icc_profile"]
    matte = matte_of(COLOURS, ALPHA, icc_profile=_wide())
    output = spec(canvas="keep", srgb=True).build().make(matte)
    pixels, inside = pixels_of(output.data), ALPHA == 255
    shown = ImageCms.profileToProfile(
        Image.fromarray(matte.picture.rgb()), io.BytesIO(_wide()), ImageCms.createProfile("sRGB")
    )
    assert np.abs(pixels[inside].astype(int) - np.asarray(shown)[inside]).max() <= 1
    assert np.abs(pixels[inside].astype(int) - COLOURS[inside]).max() > 5


def _wide() -> bytes:
    from hairline.stages.decode.colours import space_of_codes

    return space_of_codes(9, 13).profile


def test_bytes_are_met_by_quality_and_filled_up() -> None:
    noise = np.random.default_rng(0).integers(0, 255, COLOURS.shape, dtype=np.uint8)
    full = np.full_like(ALPHA, 0)
    full[60:-60, 60:-60] = 255
    large = spec(preset="taobao").build().make(matte_of(noise, full))
    assert 38_912 <= len(large.data) <= 300_000
    flat = spec(preset="taobao").build().make(matte_of(np.full_like(COLOURS, 90), full))
    assert len(flat.data) == 38_912
    assert pixels_of(flat.data).shape == (800, 800, 3)


def test_a_png_of_too_many_bytes_becomes_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1600, 1600, 3), dtype=np.uint8)
    full = np.zeros((1600, 1600), np.uint8)
    full[20:-20, 20:-20] = 255
    output = spec(preset="walmart").build().make(matte_of(noise, full))
    assert output.ext == "jpg" and len(output.data) <= 5_000_000
