"""ID photos: the head where the preset wants it, what is forbidden left alone, faults refused with their reason."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from faces_kit import GROUND, matte, portrait
from hairline.stages.base import run_stage
from hairline.stages.errors import Refused
from hairline.stages.faces.find import Face, find_faces
from hairline.stages.faces.head import SKULL
from hairline.stages.item import Output
from hairline.stages.products.base import Matte
from hairline.stages.products.id_photo import IdPhoto, IdPhotoSettings
from hairline.stages.products.preset_files import BUILTIN, read_preset
from hairline.stages.products.stage import ProductsSettings, ProductsStage
from shop_pictures import pixels_of

PRESETS = [name for name, path in BUILTIN.items() if path.parent.name == "id_photo"]
BLUE = (0, 0, 255)


@pytest.fixture(scope="module")
def sitting() -> Matte:
    return matte(*portrait())


@pytest.fixture(scope="module")
def face(sitting: Matte) -> Face:
    return sitting.faces[0]


def product(**options: object) -> IdPhoto:
    return IdPhoto(IdPhotoSettings.model_validate({"max_enlarge": 8, **options}))


def made(of: Matte, **options: object) -> Output:
    return product(**options).make(of)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_met(sitting: Matte, name: str) -> None:
    """Also the ban on another background, which is asked for here."""
    forbidden = read_preset(name).rules.operations.background == "forbidden"
    wanted = product(preset=name, **({"background": BLUE} if forbidden else {}))
    output = wanted.make(sitting)
    assert output.facts == {"background_kept": forbidden}
    corner = pixels_of(output.data)[:8, :8].reshape(-1, 3).astype(int)
    assert np.abs(corner - (GROUND if forbidden else wanted.settings.background)).max() <= 4
    verdict = wanted.verify(output, name)
    assert verdict is not None
    missed = [check for check in verdict.checks if check.verdict == "fail"]
    assert not missed, missed
    with Image.open(io.BytesIO(output.data)) as image:
        size, dpi = image.size, image.info["dpi"]
    low, high = wanted.settings.size, wanted.settings.largest or wanted.settings.size
    assert low[0] <= size[0] <= high[0] and size[0] * low[1] == pytest.approx(size[1] * low[0], rel=0.002)
    assert dpi == (wanted.settings.dpi, wanted.settings.dpi)


def test_head_and_eyes_lie_where_they_are_wanted(sitting: Matte, face: Face) -> None:
    for head, eyes in ((0.72, 0.5), (0.78, 0.56)):
        pixels = pixels_of(made(sitting, preset="schengen_visa", head=head, eyes=eyes, format="png").data)
        (found,) = find_faces(pixels)
        height = pixels.shape[0]
        assert (1 + SKULL) * (found.chin - found.middle)[1] / height == pytest.approx(head, abs=0.02)
        assert 1 - found.middle[1] / height == pytest.approx(eyes, abs=0.02)
        assert abs(found.roll) < 1.5


def test_a_leaning_head_is_made_upright() -> None:
    (found,) = find_faces(pixels_of(made(matte(*portrait(12.0)), preset="icao").data))
    assert abs(found.roll) < 1.5
    with pytest.raises(Refused, match="face_tilted"):
        made(matte(*portrait(12.0)), preset="us_visa")


def test_the_new_ground_is_exactly_its_colour(sitting: Matte) -> None:
    pixels = pixels_of(made(sitting, preset="icao", format="png", background=[10, 200, 30]).data)
    assert (pixels[:20, :20] == (10, 200, 30)).all() and (pixels[:20, -20:] == (10, 200, 30)).all()


def test_a_us_photo_does_not_depend_on_the_matte_at_its_edge(sitting: Matte) -> None:
    other = Matte(sitting.picture, cv2.erode(sitting.found, np.ones((1, 7), np.uint8)), sitting.item)
    options = {"preset": "us_passport", "background": [0, 0, 255]}
    assert made(other, **options).data == made(sitting, **options).data


def test_pixels_of_a_us_photo_are_the_pictures_own() -> None:
    picture, alpha = portrait()
    noise = np.random.default_rng(0).integers(-6, 6, picture.shape)
    picture = np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)
    pixels = pixels_of(made(matte(picture, alpha), preset="us_visa", size=[300, 300], format="png").data)
    assert 300 < pixels.shape[0] == pixels.shape[1] < 1200
    found = np.argwhere((picture == pixels[0, 0]).all(2))
    n = len(pixels)
    assert any(np.array_equal(picture[y : y + n, x : x + n], pixels) for y, x in found)


def test_bytes_are_met_from_both_sides(sitting: Matte) -> None:
    low = made(sitting, preset="nz_visa")
    assert 512 * 1024 <= len(low.data) <= 3_000_000
    assert 14 * 1024 <= len(made(sitting, preset="cn_id_card").data) <= 20_000
    visa = made(sitting, preset="us_visa")
    assert len(visa.data) <= 240_000 and pixels_of(visa.data).size / len(visa.data) <= 20


def test_a_sheet_holds_the_photo_itself(sitting: Matte) -> None:
    wanted = product(preset="uk_passport", sheet="10x15", format="png")
    output = wanted.make(sitting)
    with Image.open(io.BytesIO(output.data)) as image:
        assert image.size == (3543, 2362) and image.info["dpi"] == pytest.approx((600, 600), abs=0.1)
    photo = pixels_of(made(sitting, preset="uk_passport", format="png").data)
    plan = wanted.settings.plan()
    sheet = pixels_of(output.data)
    assert all((sheet[y : y + 1062, x : x + 826] == photo).all() for x, y in plan.corners) and len(plan.corners) == 8
    verdict = wanted.verify(output, "sheet")
    assert verdict is not None and not [check for check in verdict.checks if check.verdict == "fail"]


def crop(x0: int, y0: int, x1: int, y1: int) -> Matte:
    picture, alpha = portrait()
    return matte(np.ascontiguousarray(picture[y0:y1, x0:x1]), np.ascontiguousarray(alpha[y0:y1, x0:x1]))


def changed(how: str, face: Face) -> Matte:
    picture, alpha = portrait()
    picture = picture.copy()
    if how == "dark":
        picture = (picture * 0.1).astype(np.uint8)
    elif how == "blurred":
        picture = cv2.GaussianBlur(picture, (0, 0), 0.035 * face.width).astype(np.uint8)
    elif how == "glasses":
        for eye in face.eyes:
            cv2.ellipse(
                picture, [int(v) for v in eye], [int(face.width * v) for v in (0.2, 0.15)], 0, 0, 360, (20,) * 3, -1
            )
    elif how == "mask":
        outline = face.points[[234, 132, 172, 150, 152, 379, 397, 361, 454, 280, 5, 50], :2]
        cv2.fillPoly(picture, [np.rint(outline).astype(np.int32)], (110, 170, 215))
    elif how == "two":
        picture, alpha = (np.concatenate([one, one[:, ::-1]], 1) for one in (picture, alpha))
    return matte(np.ascontiguousarray(picture), np.ascontiguousarray(alpha))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("dark", "face_too_dark"),
        ("blurred", "face_blurred"),
        ("glasses", "face_occluded"),
        ("mask", "face_occluded"),
        ("two", "several_faces"),
    ],
)
def test_faults_of_the_face_are_refused(face: Face, how: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        made(changed(how, face), preset="icao")
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("box", "options", "reason"),
    [
        ((150, 800, 1100, 1280), {}, "no_face"),
        ((150, 320, 1100, 1280), {}, "head_cut_off"),
        ((150, 200, 1100, 625), {}, "no_room"),
        ((480, 200, 740, 1280), {"preset": "us_visa"}, "no_room"),
        ((150, 200, 1100, 1280), {"size": [2000, 2571], "max_enlarge": 1.5}, "face_too_small"),
        ((150, 200, 1100, 1280), {"max_turn": 0.05}, "face_turned"),
    ],
)
def test_faults_of_the_frame_are_refused(
    box: tuple[int, int, int, int], options: dict[str, object], reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        made(crop(*box), **{"preset": "icao", **options})
    assert refused.value.reason == reason and refused.value.detail


def test_in_a_run_a_refused_picture_is_filtered() -> None:
    stage = ProductsStage(ProductsSettings(products=["cutout", {"id_photo": {"preset": "icao"}}]))
    item = crop(150, 800, 1100, 1280).item
    run_stage(stage, [item])
    assert (item.status, item.stage, item.reason, item.outputs) == ("filtered", "products", "no_face", {})


def test_the_networks_are_part_of_the_fingerprint_only_where_they_are_used() -> None:
    with_faces = ProductsSettings(products=["cutout", "us_visa"])
    assert set(ProductsStage.weight_hashes(with_faces)) == {"face-detect", "face-mesh"}
    assert ProductsStage.weight_hashes(ProductsSettings(products=["cutout"])) == {}


def test_without_a_preset_it_is_made_as_icao_says_and_judged_by_nobody(sitting: Matte) -> None:
    wanted = product()
    output = wanted.make(sitting)
    assert pixels_of(output.data).shape == (531, 413, 3) and wanted.verify(output, "id_photo") is None
