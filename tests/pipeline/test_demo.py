"""The demo's catalog: every file is what its name says, as far as that can be told without the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hairline.configs.job import load_job
from hairline.pipeline import demo
from hairline.pipeline.demo_catalog import expected, make_catalog
from hairline.stages.decode.picture import Picture
from hairline.stages.errors import HairlineError, PictureError
from hairline.stages.reasons import MEANINGS


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    names = make_catalog(folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == names
    return folder


def names(folder: Path, part: str = "") -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / part).rglob("*.*"))


def test_is_about_forty_pictures_of_every_kind(catalog: Path) -> None:
    found = names(catalog)
    assert 38 <= len(found) <= 50
    outcomes = {expected(name) for name in found}
    assert outcomes <= {"ok", *MEANINGS}
    rejects = {"too_dark", "over_exposed", "blurred", "occluded", "low_information", "too_small", "no_subject"}
    assert rejects | {"ok", "truncated", "empty_file", "not_a_picture", "too_many_pixels"} <= outcomes


def test_damaged_files_fail_as_their_names_say(catalog: Path) -> None:
    for name in names(catalog, "damaged"):
        with pytest.raises(PictureError) as error:
            Picture((catalog / name).read_bytes()).rgb()
        assert error.value.reason == expected(name), name


def test_all_others_can_be_read(catalog: Path) -> None:
    for name in names(catalog):
        if not name.startswith("damaged/"):
            assert Picture((catalog / name).read_bytes()).rgb().std() > 1


def test_formats_are_what_they_say(catalog: Path) -> None:
    turned = Picture((catalog / "formats/turned by EXIF.ok.jpg").read_bytes())
    plain = Picture((catalog / "photographs/cat.ok.jpg").read_bytes())
    assert (turned.width, turned.height) == (plain.width, plain.height)
    assert np.abs(turned.rgb().astype(int) - plain.rgb()).mean() < 3
    assert Image.open(catalog / "formats/CMYK.ok.jpg").mode == "CMYK"
    assert Image.open(catalog / "formats/palette.ok.png").mode == "P"
    assert (catalog / "formats/16 bits.ok.png").read_bytes()[24] == 16
    assert Picture((catalog / "formats/WebP.ok.webp").read_bytes()).format == "WEBP"
    assert Picture((catalog / "formats/AVIF.ok.avif").read_bytes()).format == "AVIF"


def test_products_on_white_stand_on_pure_white(catalog: Path) -> None:
    white = [name for name in names(catalog, "products") if "white" in name]
    assert len(white) >= 2
    for name in white:
        assert Picture((catalog / name).read_bytes()).rgb()[:40, :40].min() == 255, name


def test_soft_backgrounds_keep_the_subject_sharp(catalog: Path) -> None:
    soft = Picture((catalog / "photographs/portrait, soft background.ok.jpg").read_bytes()).rgb().astype(int)
    sharp = Picture((catalog / "photographs/astronaut.ok.png").read_bytes()).rgb().astype(int)
    face, flag = (slice(60, 160), slice(190, 260)), (slice(100, 300), slice(10, 60))
    assert np.abs(soft[face] - sharp[face]).mean() < 4
    assert np.abs(np.diff(soft[flag], axis=1)).mean() < 0.6 * np.abs(np.diff(sharp[flag], axis=1)).mean()


def test_job_is_valid_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_picture(folder: Path) -> list[str]:
        folder.mkdir(parents=True)
        (folder / "a.ok.png").write_bytes(b"")
        return ["a.ok.png"]

    monkeypatch.setattr(demo, "make_catalog", one_picture)  # the real one has its own tests above
    console = Console(quiet=True)
    path = demo.make_demo(str(tmp_path / "dem o"), console)
    job = load_job(str(path))
    assert job.input == str(tmp_path / "dem o" / "catalog") and job.output == str(tmp_path / "dem o" / "out")
    path.write_text(path.read_text("utf-8").replace("cutout", "mask"), "utf-8")
    assert demo.make_demo(str(tmp_path / "dem o"), console) == path
    assert "mask" in path.read_text("utf-8")


def test_expected_is_read_from_the_name() -> None:
    assert expected("a/b c.too_dark.jpg") == "too_dark" and expected("x.ok.png") == "ok"


def test_files_that_are_not_the_demos_stay(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("input: mine\n")
    with pytest.raises(HairlineError, match="is not the demo's job"):
        demo.make_demo(str(tmp_path), Console(quiet=True))
    assert (tmp_path / "job.yaml").read_text() == "input: mine\n"
    mine = tmp_path / "photographs/cat.ok.jpg"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(HairlineError, match=r"cat\.ok\.jpg: is there and is no picture of the demo"):
        make_catalog(tmp_path)
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    assert make_catalog(tmp_path) == make_catalog(tmp_path)
