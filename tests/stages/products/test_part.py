"""The product `part`: what it keeps, how it is cropped, what it says of its confidence, and whom it has no file for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from faces_kit import matte, portrait
from hairline.stages.errors import Refused
from hairline.stages.item import Item, Subject
from hairline.stages.products.part import Part, PartSettings
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.stage import ProductsSettings, ProductsStage
from shop_pictures import file_of


@pytest.fixture(scope="module")
def person():
    made = matte(*portrait())
    assert len(made.faces) == 1  # found once for all tests
    return made


def part(**options) -> Part:
    return Part(PartSettings(**options))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("name", ["portrait", "head", "face", "hair"])
def test_each_part_is_a_cutout_of_its_own_size(name, person):
    product = part(name=name)
    made = product.make(person)
    image = pixels(made.data)
    assert made.ext == "png" and image.shape[2] == 4
    assert image.shape[0] * image.shape[1] < person.alpha.size
    verdict = product.verify(made, "mine")
    assert (verdict.product, verdict.preset, verdict.verdict) == ("mine", name, "pass")


def test_uncropped_it_lies_where_it_was_and_nothing_else_is_left(person):
    sizes = {}
    for name in ("portrait", "head", "face"):
        image = pixels(part(name=name, crop=False).make(person).data)
        assert image.shape[:2] == person.alpha.shape and (image[..., 3] <= person.alpha).all()
        assert not image[image[..., 3] == 0].any()
        sizes[name] = int((image[..., 3] > 127).sum())
    assert sizes["face"] < sizes["head"] < sizes["portrait"]


def test_a_portrait_is_cut_straight_below(person):
    image = pixels(part(name="portrait").make(person).data)
    assert (image[-1, :, 3] > 127).any()


def test_the_other_formats(person):
    made = part(name="hair", format="webp").make(person)
    assert made.ext == "webp" and Image.open(io.BytesIO(made.data)).mode == "RGBA"


def test_where_it_is_not_sure_it_says_so(person):
    small = portrait()
    step = 7
    tiny = matte(*(np.ascontiguousarray(one[::step, ::step]) for one in small))
    product = part(name="face")
    verdict = product.verify(product.make(tiny), "face")
    assert verdict.verdict == "unknown"
    assert [check.name for check in verdict.checks if check.verdict == "unknown"] == ["face_width"]


def test_no_face_in_what_was_cut_out_is_refused(person):
    beside = np.zeros_like(person.alpha)
    beside[-200:, :200] = 255
    with pytest.raises(Refused, match="no_face"):
        part().make(matte(person.picture.rgb(), beside))


def test_a_subject_without_a_face_has_no_file():
    picture, alpha = portrait()
    item = Item("a", "a", data=file_of(picture))
    item.alpha = alpha
    height, width = alpha.shape
    item.subjects = [
        Subject((0, 0, width, height), alpha),
        Subject((0, height - 50, 50, height), alpha[-50:, :50] | 200),
    ]
    ProductsStage(
        ProductsSettings(products=[{"hair": {"per_subject": True}}, {"mask": {"per_subject": True}}])
    ).process_one(item)
    assert sorted(item.outputs) == ["hair", "hair-1", "mask", "mask-1", "mask-2"]
    assert [verdict.product for verdict in item.verdicts] == ["hair", "hair-1"]


@pytest.mark.parametrize("name", ["portrait", "head", "face", "hair"])
def test_parts_are_presets_too(name):
    spec = ProductSpec.model_validate(name)
    assert (spec.product, spec.settings.name) == ("part", name)
