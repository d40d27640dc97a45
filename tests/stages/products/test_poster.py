"""Posters: what stands where, to the pixel; and what their verifier finds."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from hairline.stages.errors import PictureError
from hairline.stages.item import Item
from hairline.stages.products.base import Matte
from hairline.stages.products.layers import Layer
from hairline.stages.products.poster import Poster, PosterSettings, make_poster
from hairline.stages.products.poster_template import PosterTemplate, read_template
from hairline.stages.products.spec import ProductSpec
from hairline.stages.products.verify.poster import check_poster
from zoo import encode  # type: ignore[attr-defined]

TEMPLATE = """\
canvas: [300, 200]
background: {kind: color, color: "#ffffff"}
values: {note: ""}
subjects:
  - {box: [10, 20, 100, 160], anchor: bottom-right, scale: 0.5}
texts:
  - {name: title, text: "{title}", box: [120, 10, 170, 60], size: 30, smallest: 10, color: black}
  - {name: note, text: "{note}", box: [120, 80, 170, 30], size: 20, smallest: 10, color: black}
decorations:
  - {box: [0, 190, 300, 20], color: "#0000ff"}
"""
SUBJECT = Layer(np.full((40, 40, 3), (200, 0, 0), np.uint8), np.full((40, 40), 255, np.uint8))


def template(folder: Path, text: str = TEMPLATE) -> PosterTemplate:
    (folder / "t.yaml").write_text(text)
    return read_template(str(folder / "t.yaml"))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def failing(made: object) -> list[str]:
    return [check.name for check in made.checks if check.verdict != "pass"]  # type: ignore[attr-defined]


def test_everything_stands_in_its_place(tmp_path: Path) -> None:
    made = make_poster(template(tmp_path), {"picture": SUBJECT}, {"title": "Hello"})
    found = pixels(made.data)
    assert found.shape == (200, 300, 3) and made.ext == "png" and not failing(made)
    red = np.argwhere((found == (200, 0, 0)).all(2))
    assert red.min(0).tolist() == [130, 60] and red.max(0).tolist() == [179, 109]  # 50 x 50, at the lower right
    assert (found[190:] == (0, 0, 255)).all()
    ink = np.argwhere((found != 255).any(2)[:120])
    assert (ink >= (10, 120)).all() and (ink < (70, 290)).all()  # the note is empty, and left out
    assert make_poster(template(tmp_path), {"picture": SUBJECT}, {"title": "Hello"}).data == made.data


def test_what_has_more_z_lies_above(tmp_path: Path) -> None:
    over = TEMPLATE + '  - {box: [60, 130, 25, 50], color: "#00ff00", z: 11, opacity: 0.5}\n'
    made = make_poster(template(tmp_path, over), {"picture": SUBJECT}, {"title": "Hello"})
    assert np.abs(pixels(made.data)[150, 70].astype(int) - (100, 127, 0)).max() <= 1
    assert failing(made) == ["subject picture: hidden"]


FAULTS = {
    "text title: contrast": ("color: black}\n  - {name: note", 'color: "#bbbbbb"}\n  - {name: note'),
    "text title: size": ("size: 30, smallest: 10", "size: 50, smallest: 40"),
    "text title: letters": ('"{title}"', '"{title} \U00013000"'),
}


@pytest.mark.parametrize("check", FAULTS)
def test_the_verifier_finds_a_fault(tmp_path: Path, check: str) -> None:
    made = make_poster(
        template(tmp_path, TEMPLATE.replace(*FAULTS[check])), {"picture": SUBJECT}, {"title": "Long title"}
    )
    assert failing(made) == [check]


def test_contrast_is_measured_on_the_finished_file(tmp_path: Path) -> None:
    def measured(**changes: str) -> float:
        text = TEMPLATE
        for old, new in changes.items():
            text = text.replace({"ground": "#ffffff", "ink": "color: black"}[old], new)
        checks = make_poster(template(tmp_path, text), {"picture": SUBJECT}, {"title": "HHHH"}).checks
        return next(float(check.value) for check in checks if check.name == "text title: contrast")

    assert measured() == pytest.approx(21, abs=0.01)
    assert measured(ink='color: "#767676"') == pytest.approx(4.54, abs=0.01)  # by WCAG's own tables
    assert measured(ground="#808080", ink="color: white") == pytest.approx(3.95, abs=0.01)


def test_the_file_is_judged(tmp_path: Path) -> None:
    for kind, ending in (("jpeg", "jpg"), ("webp", "webp")):
        made = make_poster(template(tmp_path), {"picture": SUBJECT}, {"title": "Hello"}, kind)  # type: ignore[arg-type]
        assert made.ext == ending and not failing(made)
    wrong = check_poster(encode(np.zeros((10, 10, 3), np.uint8), "PNG"), "jpg", (300, 200))
    assert {check.name for check in wrong if check.verdict == "fail"} == {"ending", "width", "height", "profile"}


def test_a_row_must_say_what_the_template_takes(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"takes {title}, and there is no value"):
        make_poster(template(tmp_path), {"picture": SUBJECT}, {"title": ""})
    with pytest.raises(PictureError, match="a place for picture, and there is no picture"):
        make_poster(template(tmp_path), {}, {"title": "x"})


def test_as_a_product_of_a_job(tmp_path: Path) -> None:
    path = template(tmp_path).name
    spec = ProductSpec.model_validate({"poster": {"template": path, "values": {"title": "From the job"}}})
    assert spec.settings.columns == {"title": False, "note": False}
    assert spec.most_pixels(10, 10, 10**8) == 60_000
    rgba = np.zeros((60, 60, 4), np.uint8)
    rgba[10:50, 10:50] = (200, 0, 0, 255)
    item = Item("a", "a.png", data=encode(rgba, "PNG"), columns={"title": "From the row", "note": ""})
    product = spec.build()
    made = [product.make(Matte(item.picture, rgba[..., 3], each)) for each in (item, replace(item, columns={}))]
    texts = [
        make_poster(template(tmp_path), {"picture": SUBJECT}, {"title": t}) for t in ("From the row", "From the job")
    ]
    assert [pixels(m.data).tolist() for m in made] == [pixels(t.data).tolist() for t in texts]
    verdict = product.verify(made[0], "poster")
    assert verdict is not None and verdict.verdict == "pass" and verdict.preset == path
    again = ProductSpec.model_validate(spec.model_dump())
    assert isinstance(again.build(), Poster) and again == spec


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    two = template(tmp_path, TEMPLATE.replace("texts:", "  - {name: other, box: [0, 0, 9, 9]}\ntexts:")).name
    with pytest.raises(ValidationError, match="has 2 places for subjects, and a job fills one"):
        ProductSpec.model_validate({"poster": {"template": two}})
    with pytest.raises(ValidationError, match="template: unknown poster template 'x'"):
        ProductSpec.model_validate({"poster": {"template": "x"}})
    with pytest.raises(ValidationError, match="only those that come with Hairline"):
        PosterSettings.model_validate({"template": two}, context={"names_only": {"template"}})
    assert PosterSettings.model_validate(
        {"template": template(tmp_path).name}, context={"names_only": {"format"}}
    ).digest
