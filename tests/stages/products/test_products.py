import io
import time

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pydantic import ValidationError

import zoo
from hairline.stages.base import run_stage
from hairline.stages.item import Item, Subject
from hairline.stages.limits import Limits
from hairline.stages.products.registry import PRESETS, PRODUCTS
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.stage import ProductsSettings, ProductsStage

PHOTO = zoo.some_photographs()[0]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = [
    {"cutout": {}},
    {"cutout": {"compression": "small", "crop": True}},
    {"cutout": {"format": "webp"}},
    {"cutout": {"format": "webp", "quality": "lossless"}},
    {"mask": {}},
    {"white_background": {}},
    {"white_background": {"format": "jpeg", "canvas": [500, 400]}},
]


def disc(height, width, centre, radius, soft=3):
    alpha = np.zeros((height, width), np.uint8)
    cv2.circle(alpha, centre, radius, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(alpha, (0, 0), soft) if soft else alpha


ALPHA = disc(*PHOTO.shape[:2], (120, 140), 60)


def made(products, alpha=ALPHA, data=None, subjects=()):
    item = Item("a.png", "a.png", data=zoo.encode(PHOTO, "PNG") if data is None else data)
    item.alpha, item.subjects = alpha, list(subjects)
    run_stage(ProductsStage(ProductsSettings(products=products)), [item])
    return item


def decoded(output):
    return np.asarray(Image.open(io.BytesIO(output.data)))


def test_a_cutout_keeps_the_subject_and_hides_the_rest():
    item = made(["cutout"])
    image = decoded(item.outputs["cutout"])
    assert item.outputs["cutout"].ext == "png"
    assert np.array_equal(image[..., 3], ALPHA)
    assert np.array_equal(image[ALPHA == 255, :3], PHOTO[ALPHA == 255])
    assert not image[ALPHA == 0].any()


def test_hidden_colours_stay_when_asked_for():
    for options in ({}, {"format": "webp", "quality": "lossless"}):
        image = decoded(made([{"cutout": {"zero_hidden": False, **options}}]).outputs["cutout"])
        assert np.array_equal(image[ALPHA == 0, :3], PHOTO[ALPHA == 0])


def test_no_background_colour_in_the_edge():
    red, green = (np.broadcast_to(np.uint8(c), PHOTO.shape) for c in ([180, 30, 30], [20, 220, 40]))
    share = ALPHA[..., None] / 255
    data = zoo.encode(np.rint(share * red + (1 - share) * green).astype(np.uint8), "PNG")
    band = (ALPHA > 25) & (ALPHA < 255)
    image = decoded(made(["cutout"], data=data).outputs["cutout"])
    assert np.abs(image[band, :3].astype(int) - red[band]).mean() < 4
    white = decoded(made([{"white_background": {"canvas": "keep"}}], data=data).outputs["white_background"])
    assert np.abs(white - (share * red + 255 * (1 - share)))[ALPHA > 0].mean() < 3


def test_a_cropped_cutout():
    image = decoded(made([{"cutout": {"crop": True, "margin": 0.1}}]).outputs["cutout"])
    solid = np.argwhere(image[..., 3] >= 13)
    assert solid.min() in (12, 13, 14)  # a tenth of a disc 132 wide
    assert image.shape[0] == image.shape[1] <= 165
    assert (
        decoded(made([{"cutout": {"crop": True}}], np.full_like(ALPHA, 255)).outputs["cutout"]).shape[:2] == ALPHA.shape
    )


def test_the_mask_is_the_alpha():
    mask = decoded(made(["mask"]).outputs["mask"])
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, ALPHA)


def test_a_mask_of_a_jpeg_decodes_nothing():
    item = made(["mask"], data=zoo.encode(PHOTO, "JPEG"))
    assert item.picture._levels == {}


@pytest.mark.parametrize(
    "alpha", [ALPHA, disc(*PHOTO.shape[:2], (300, 20), 50), disc(*PHOTO.shape[:2], (160, 120), 110)]
)
@pytest.mark.parametrize("options", [{}, {"canvas": [500, 300]}, {"canvas": [60, 90], "fill": 0.5}, {"fill": 1}])
def test_white_outside_centred_and_filling_its_share(alpha, options):
    dark = zoo.encode(PHOTO // 3, "PNG")
    image = decoded(made([{"white_background": options}], alpha, dark).outputs["white_background"])
    height, width = image.shape[:2]
    fill = options.get("fill", 0.85)
    assert (width, height) == tuple(options.get("canvas", (height, height)))
    ys, xs = np.nonzero((image < 243).any(axis=2))
    assert max((np.ptp(xs) + 1) / width, (np.ptp(ys) + 1) / height) == pytest.approx(fill, abs=0.03)
    assert (xs.min() + xs.max() + 1) / 2 == pytest.approx(width / 2, abs=2.5)
    assert (ys.min() + ys.max() + 1) / 2 == pytest.approx(height / 2, abs=2.5)
    assert (image[:2] == 255).all() or fill == 1


def test_the_square_around_a_thin_subject_stays_within_the_limits():
    data = zoo.encode(np.full((4, 9000, 3), 40, np.uint8), "PNG")
    item = Item("thin", "thin", data=data, limits=Limits(max_pixels=1_000_000))
    item.alpha = np.full((4, 9000), 255, np.uint8)
    run_stage(ProductsStage(ProductsSettings(products=["white_background"])), [item])
    image = decoded(item.outputs["white_background"])
    assert image.shape == (1000, 1000, 3)
    assert (image < 250).any(axis=(0, 2)).sum() == 850


@pytest.mark.parametrize("scale", [0.31, 1, 2.7])
def test_outside_the_subject_is_exactly_white(scale):
    alpha = disc(*PHOTO.shape[:2], (160, 120), 60, soft=0)
    side = round(121 / 0.5 * scale)
    options = {"canvas": [side, side], "fill": 0.5}
    image = decoded(
        made([{"white_background": options}], alpha, zoo.encode(PHOTO // 3, "PNG")).outputs["white_background"]
    )
    y, x = np.ogrid[:side, :side]
    outside = np.hypot(y - side / 2, x - side / 2) > 61.5 * scale + 2
    assert (image[outside] == 255).all()
    assert (image[~outside] < 200).mean() > 0.5


def test_kept_framing_is_exactly_white_where_alpha_is_zero():
    image = decoded(made([{"white_background": {"canvas": "keep"}}]).outputs["white_background"])
    assert (image[ALPHA == 0] == 255).all()
    assert np.array_equal(image[ALPHA == 255], PHOTO[ALPHA == 255])


def test_a_jpeg_is_exactly_white_in_every_block_without_subject():
    item = made([{"white_background": {"canvas": "keep", "format": "jpeg"}}])
    image = decoded(item.outputs["white_background"])
    assert item.outputs["white_background"].ext == "jpg"
    blocks = ALPHA.reshape(ALPHA.shape[0] // 8, 8, ALPHA.shape[1] // 8, 8).any(axis=(1, 3))
    touched = np.kron(blocks, np.ones((8, 8), bool))
    assert (image[~touched] == 255).all()
    assert (image[ALPHA == 0] >= 240).all()


@pytest.mark.parametrize("wanted", FORMATS)
def test_profile_and_resolution_are_kept_and_bytes_repeat(wanted):
    data = zoo.encode(PHOTO, "PNG", icc_profile=PROFILE, dpi=(300, 300))
    (output,) = made([wanted], data=data).outputs.values()
    image = Image.open(io.BytesIO(output.data))
    image.load()
    if "mask" not in wanted:
        assert image.info["icc_profile"] == PROFILE
    dpi = image.info.get("dpi") or (image.getexif()[0x011A], image.getexif()[0x011B])
    assert dpi == pytest.approx((300, 300), abs=0.01)
    assert made([wanted], data=data).outputs == {next(iter(wanted)): output}


@pytest.mark.parametrize("wanted", FORMATS)
def test_every_product_of_an_odd_picture(wanted):
    for name in ("one_pixel", "rgba", "cmyk_icc_jpeg", "grey_16_png", "strip_thin", "orientation_6"):
        data = zoo.KINDS[name].make(PHOTO, np.random.default_rng(0))
        item = Item(name, name, data=data, limits=Limits(max_pixels=1_000_000))
        item.alpha = np.full((item.picture.height, item.picture.width), 200, np.uint8)
        run_stage(ProductsStage(ProductsSettings(products=[wanted])), [item])
        if name == "strip_thin" and "webp" in str(wanted):
            assert (item.status, item.reason) == ("failed", "too_large_for_format")
        else:
            assert item.status == "pending", item.detail
            assert decoded(next(iter(item.outputs.values()))).size


def test_outputs_are_upright():
    data = zoo.oriented(PHOTO, 6)
    item = made(["cutout"], np.full((PHOTO.shape[1], PHOTO.shape[0]), 255, np.uint8), data)
    assert decoded(item.outputs["cutout"]).shape == (PHOTO.shape[1], PHOTO.shape[0], 4)


def test_what_the_source_hides_stays_hidden():
    item = made(["mask"], data=zoo.encode(zoo.rgba(PHOTO), "PNG"))
    assert np.array_equal(decoded(item.outputs["mask"]), np.minimum(ALPHA, zoo.alpha_of(PHOTO)))


def test_one_file_per_subject():
    second = disc(*PHOTO.shape[:2], (250, 80), 40)
    both = np.maximum(ALPHA, second)
    height, width = second.shape
    subjects = [Subject((0, 0, width, height), ALPHA), Subject((200, 20, 310, 140), second[20:140, 200:310])]
    assert not second[:, :200].any()
    item = made([{"cutout": {"per_subject": True}}, "mask"], both, subjects=subjects)
    assert sorted(item.outputs) == ["cutout", "cutout-1", "cutout-2", "mask"]
    assert np.array_equal(decoded(item.outputs["cutout-2"])[..., 3], second)


def test_an_empty_alpha_is_no_subject_and_a_missing_one_an_error():
    empty, missing = made(["cutout"], np.zeros_like(ALPHA)), made(["cutout"], None)
    assert (empty.status, empty.reason, empty.outputs) == ("filtered", "no_subject", {})
    assert (missing.status, missing.reason) == ("failed", "internal_error")


@pytest.mark.parametrize("preset", [name for name, how in PRESETS.items() if not PRODUCTS[how["product"]].of_faces])
def test_presets(preset):
    image = decoded(made([preset]).outputs[preset])
    assert image.ndim == 3 and image[..., :3].std() > 10  # a picture, and not of one colour


def test_a_name_of_ones_own():
    (spec,) = ProductsSettings(products=[{"thumbs": {"product": "shop_square", "fill": 0.5}}]).products
    assert (spec.name, spec.product) == ("thumbs", "white_background")
    assert (spec.settings.canvas, spec.settings.fill) == ((2000, 2000), 0.5)


def test_settings_survive_being_dumped():
    settings = ProductsSettings(products=["mask", {"web": {"product": "cutout", "format": "webp"}}])
    assert ProductsSettings.model_validate(settings.model_dump()) == settings
    assert ProductsSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("cutuot", "unknown product 'cutuot': did you mean 'cutout'?"),
        ({"cutout": {"formt": "png"}}, "unknown option 'formt': did you mean 'format'?"),
        ({"cutout": {"format": "gif"}}, "product cutout: format: Input should be 'png', 'webp', "),
        ({"mine": {"format": "png"}}, "a name of your own needs `product:`"),
        ({"cutout": "png"}, "options must be a mapping"),
        ({"results": {"product": "cutout"}}, "cannot be called 'results'"),
        ({"a/b": {"product": "cutout"}}, "pattern"),
        ({"product": "cutout", "format": "png"}, "a product is a name, or one name with its options"),
        (7, "valid dictionary"),
    ],
)
def test_mistakes_are_named(wanted, message):
    with pytest.raises(ValidationError) as error:
        ProductSpec.model_validate(wanted)
    assert message in str(error.value)


def test_two_products_of_one_name():
    with pytest.raises(ValidationError, match="two products are called 'mask'"):
        ProductsSettings(products=["mask", {"mask": {}}])


def test_every_product_is_reachable():
    for name, product in PRODUCTS.items():
        assert isinstance(ProductSpec.model_validate(name).build(), product)


def test_a_megapixel_cutout_costs_little_time():
    photo = cv2.resize(PHOTO, (1152, 896), interpolation=cv2.INTER_CUBIC)
    item = Item("a", "a", data=zoo.encode(photo, "JPEG"))
    item.alpha = disc(896, 1152, (500, 400), 300)
    stage = ProductsStage(ProductsSettings())
    item.picture.rgb()
    seconds = []
    for _ in range(5):
        started = time.process_time()
        stage.process_one(item)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.8  # seconds of the processor; 0.05 on a free core, colours included
