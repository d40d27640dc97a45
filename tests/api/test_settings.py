"""Settings of a `Cutter`, and files of a `Cutout`: what is wrong is told in a line."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import hairline


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stages": {"filter": {"min_sied": 3}}}, "stages.filter.min_sied: unknown key; did you mean min_side"),
        ({"stages": {"filtr": {"min_side": 3}}}, "stages.filtr: no pool runs such a stage; did you mean filter"),
        ({"stages": {"filter": {"min_side": "big"}}}, "stages.filter.min_side: Input should be a valid integer"),
        ({"stages": 3}, "stages must be a mapping of settings, not int"),
        ({"stages": {"filter": 3}}, "stages.filter must be a mapping of settings, not int"),
        ({"limits": {"max_pixels": 0}}, "limits.max_pixels: Input should be greater than 0"),
        ({"stages": {"fine": {"weights": "/gone.safetensors"}}}, "weights not found: /gone.safetensors"),
        ({"job": "gone.yaml"}, "no job file gone.yaml; a file of your own, or one of"),
        ({"device": "mps"}, "unknown device 'mps': give auto, cpu, cuda, or one card as in cuda:1"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not there: torch finds"),
        ({"batch": 0}, "batch must be a whole number from 1 on, not 0"),
        ({"threads": 1.5}, "threads must be a whole number from 1 on, not 1.5"),
    ],
)
def test_mistakes_are_told(given: dict[str, Any], says: str) -> None:
    with pytest.raises(hairline.HairlineError) as error:
        hairline.Cutter(**given)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_job_files_settings_are_taken_and_come_second(tmp_path: Path) -> None:
    job = {
        "name": "mine",
        "input": "nowhere",
        "output": "nowhere",
        "products": ["mask"],
        "pools": [
            {"name": "first", "stages": ["filter", "classify", "detect"], "workers": 2},
            {"name": "second", "stages": ["coarse", "fine", "products"]},
        ],
        "stages": {"filter": {"min_side": 500}},
        "limits": {"max_pixels": 90_000},
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    strict = hairline.Cutter(path, threads=1)
    pixels = np.random.default_rng(0).integers(0, 255, (250, 300, 3), np.uint8)
    assert strict.cut(pixels).reason == "too_small"
    assert strict.cut(np.tile(pixels, (2, 2, 1))).reason == "too_many_pixels"
    mild = hairline.Cutter(path, threads=1, stages={"filter": {"min_side": 100}}, limits={"max_pixels": 10**6})
    assert mild.cut(pixels).reason != "too_small"
    assert mild.limits.max_pixels == 10**6 and mild.limits.max_side == 30_000


@pytest.fixture(scope="module")
def cutout() -> hairline.Cutout:
    pixels = np.zeros((90, 120, 4), np.uint8)
    pixels[20:70, 30:90] = (200, 40, 30, 255)
    found = hairline.Cutter(threads=1).cut(pixels)
    assert found.ok
    return found


def test_the_ending_says_the_format(cutout: hairline.Cutout, tmp_path: Path) -> None:
    assert cutout.save(tmp_path / "a.png").read_bytes() == cutout.encode()
    assert Image.open(cutout.save(str(tmp_path / "a.webp"))).format == "WEBP"
    white = cutout.save(tmp_path / "a.JPG", "white_background", canvas="keep")
    assert Image.open(white).format == "JPEG" and Image.open(white).size == (120, 90)
    assert Image.open(io.BytesIO(cutout.encode("shop_square"))).size == (2000, 2000)
    cropped = Image.open(cutout.save(tmp_path / "a.png", crop=True, margin=0))
    assert cropped.size == (60, 50)  # the file that was there is replaced


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.jpg", {}, "cutout does not come as .jpg: product cutout: format: Input should be 'png', 'webp', "),
        ("a", {}, "cutout does not come as a file without ending"),
        ("a.webp", {"product": "mask"}, "mask does not come as .webp, but as .png"),
        ("a.png", {"product": "msk"}, "unknown product 'msk': did you mean 'mask'?"),
        ("a.png", {"qualty": 3}, "product cutout: unknown option 'qualty': did you mean 'quality'?"),
        ("a.png", {"per_subject": True}, "per_subject makes several files"),
    ],
)
def test_wrong_files_are_not_written(
    cutout: hairline.Cutout, tmp_path: Path, name: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(hairline.HairlineError) as error:
        cutout.save(tmp_path / name, **options)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
