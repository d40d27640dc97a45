"""The filter stage on good and on spoilt photographs, with the network and by the signals alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save
from skimage import data

from hairline.stages.base import run_stage
from hairline.stages.checkpoints import FOLDER
from hairline.stages.errors import HairlineError
from hairline.stages.filter import FilterSettings, FilterStage, Thresholds
from hairline.stages.imaging import signals
from hairline.stages.item import Item
from hairline.stages.networks.exported import KEY, ExportedNet, Form
from hairline.stages.networks.quality import CLASSES, DEFECTS


def item(rgb: np.ndarray, name: str = "a.png") -> Item:
    return Item(name, name, data=bytes(cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1]))


@pytest.fixture(scope="module", params=["builtin", "none"])
def stage(request: pytest.FixtureRequest) -> FilterStage:
    made = FilterStage(FilterSettings(weights=request.param))
    made.setup(torch.device("cpu"))
    return made


@pytest.fixture(scope="module")
def network() -> FilterStage:
    made = FilterStage(FilterSettings())
    made.setup(torch.device("cpu"))
    return made


def run(stage: FilterStage, rgb: np.ndarray) -> Item:
    made = item(rgb)
    run_stage(stage, [made])
    return made


def disk(shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    ys, xs = np.mgrid[:height, :width]
    return np.clip(0.36 * min(height, width) - np.hypot(ys - height / 2, xs - width / 2), 0, 1)[..., None]


def on(level: int, subject: np.ndarray) -> np.ndarray:
    share = disk(subject.shape[:2])
    return (level * (1 - share) + subject * share).astype(np.uint8)


def bokeh(rgb: np.ndarray) -> np.ndarray:
    share = disk(rgb.shape[:2])
    return (cv2.GaussianBlur(rgb, (0, 0), 9) * (1 - share) + rgb * share).astype(np.uint8)


def stops(rgb: np.ndarray, by: float) -> np.ndarray:
    """More or less light, as a camera sees it: clipped, then rounded."""
    light = np.clip(signals.LINEAR[rgb] * 2.0**by, 0, 1)
    return (np.searchsorted(signals.LINEAR, light.ravel()).reshape(rgb.shape).clip(0, 255)).astype(np.uint8)


PHOTOS = {"astronaut": data.astronaut(), "cat": data.chelsea(), "cup": data.coffee(), "rocket": data.rocket()}
FLAT = np.full((400, 500, 3), 120, np.uint8)
GOOD = {
    **PHOTOS,
    "cup on pure white": on(255, PHOTOS["cup"]),
    "astronaut on black": on(0, PHOTOS["astronaut"]),
    "cat before a soft background": bokeh(PHOTOS["cat"]),
}
SPOILT = {
    "far too dark": (stops(PHOTOS["cup"], -6), "too_dark"),
    "dark": (stops(PHOTOS["astronaut"], -5.5), "too_dark"),
    "burnt out": (stops(PHOTOS["cat"], 4), "over_exposed"),
    "burnt out cup": (stops(PHOTOS["cup"], 4), "over_exposed"),
    "out of focus": (cv2.GaussianBlur(PHOTOS["cat"], (0, 0), 9), "blurred"),
    "moved": (cv2.blur(PHOTOS["astronaut"], (45, 45)), "blurred"),
    "flat": (FLAT, "low_information"),
    "fog": ((PHOTOS["cup"] * 0.03 + 190).astype(np.uint8), "low_information"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_pictures_pass(stage: FilterStage, name: str) -> None:
    found = run(stage, GOOD[name])
    assert found.status == "pending", (found.reason, found.detail)
    assert (found.width, found.height) == GOOD[name].shape[1::-1]


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_pictures_end_with_their_reason(stage: FilterStage, name: str) -> None:
    rgb, reason = SPOILT[name]
    found = run(stage, rgb)
    assert (found.status, found.stage, found.reason) == ("filtered", "filter", reason), found.quality


def test_quality_holds_signals_probabilities_and_the_class(network: FilterStage) -> None:
    good, bad = run(network, PHOTOS["cup"]).quality, run(network, SPOILT["out of focus"][0]).quality
    assert set(good) == {*signals.NAMES, *DEFECTS, *CLASSES, "class", "graphic"}
    assert sum(good[name] for name in CLASSES) == pytest.approx(1, abs=1e-5)
    assert good["class"] < bad["class"]
    assert all(isinstance(value, float) for value in good.values())


def test_hands_before_the_subject_raise_occlusion_on_average(network: FilterStage) -> None:
    from hairline.training.synth.occlude import occlude

    places = {"cup": (300, 200, 170, 130), "cat": (230, 150, 170, 120), "astronaut": (220, 250, 140, 230)}
    plain, covered = [], []
    for name, (x, y, a, b) in places.items():
        rgb = PHOTOS[name].astype(np.float32) / 255
        subject = np.zeros(rgb.shape[:2], np.float32)
        cv2.ellipse(subject, (x, y), (a, b), 0, 0, 360, 1.0, -1)
        plain.append(run(network, PHOTOS[name]).quality["occlusion"])
        for seed in range(6):
            hidden = occlude(rgb, subject, 4, np.random.default_rng(seed), [])
            covered.append(run(network, (hidden * 255).astype(np.uint8)).quality["occlusion"])
    assert np.mean(covered) > 1.1 * np.mean(plain)


def test_answer_does_not_depend_on_the_batch(network: FilterStage) -> None:
    pictures = [*PHOTOS.values(), SPOILT["dark"][0], SPOILT["out of focus"][0]]
    together = [item(rgb) for rgb in pictures]
    run_stage(network, together)
    for rgb, shared in zip(pictures, together, strict=True):
        alone = run(network, rgb)
        assert alone.quality == shared.quality and alone.reason == shared.reason


def test_a_cut_out_that_is_burnt_out_in_part_passes_with_a_word(network: FilterStage) -> None:
    """Two fifths of it are without a trace of drawing: the network has no doubt, the clipping has."""
    cat = data.chelsea()
    alpha = np.zeros(cat.shape[:2], np.uint8)
    cv2.ellipse(alpha, (225, 150), (190, 126), 0, 0, 360, 255, -1)
    words = []
    for white in (0, 195):
        picture = cat.copy()
        picture[:, :white] = 255
        item = Item("cat", "", data=cv2.imencode(".png", np.dstack([picture[..., ::-1], alpha]))[1].tobytes())
        network.process([item])
        assert not item.ended
        words.append((item.quality["subject_clip_high"] > 0.3, "excused" in item.quality, item.detail[:12]))
    assert words == [(False, False, ""), (True, True, "over_exposed")]


def test_one_broken_picture_fails_alone(network: FilterStage) -> None:
    items = [item(PHOTOS["cup"]), Item("b", "b", data=b"no picture"), item(PHOTOS["cat"])]
    run_stage(network, items)
    assert [i.status for i in items] == ["pending", "failed", "pending"]
    assert items[1].stage == "filter" and items[1].reason == "not_a_picture"


def test_too_small_is_by_the_shorter_side() -> None:
    stage = FilterStage(FilterSettings(weights="none", min_side=100))
    stage.setup(torch.device("cpu"))
    assert run(stage, PHOTOS["cup"][:99]).reason == "too_small"
    assert run(stage, PHOTOS["cup"][100:200]).status == "pending"


def test_reasons_can_be_switched_off_and_thresholds_moved() -> None:
    dark = stops(PHOTOS["cup"], -6)
    for settings in (
        FilterSettings(weights="none", reject=("blurred", "too_small")),
        FilterSettings(weights="none", thresholds=Thresholds(too_dark=1, low_information=1)),
    ):
        stage = FilterStage(settings)
        stage.setup(torch.device("cpu"))
        found = run(stage, dark)
        assert found.status == "pending" and found.quality["exposure_dark"] > 0.5


def test_misspelt_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        FilterSettings(reject=("blury",))  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Thresholds(blured=0.4)  # type: ignore[call-arg]


def test_weights_are_part_of_the_fingerprint() -> None:
    assert FilterStage.weight_hashes(FilterSettings(weights="none")) == {}
    assert len(FilterStage.weight_hashes(FilterSettings())["quality"]) == 64


@pytest.fixture
def grades(tmp_path: Path) -> Path:
    """A classifier of ordered classes that finds every picture fair."""
    network = ExportedNet(Form(labels=("bad", "fair", "good"), ordered=True, size=64, levels=3)).eval()
    with torch.no_grad():
        network.head.layers[1].weight.zero_()
        network.head.layers[1].bias.fill_(2.0)
        network.head.steps.first.fill_(0.0)
        network.head.steps.gaps.fill_(4.0)
        network.reach.fill_(1e6)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    (tmp_path / "model.safetensors").write_bytes(save(tensors, {KEY: network.form.model_dump_json()}))
    return tmp_path


def graded(**settings: object) -> Item:
    stage = FilterStage(FilterSettings(**settings))
    stage.setup(torch.device("cpu"))
    png = bytes(cv2.imencode(".png", np.ascontiguousarray(data.coffee()[..., ::-1]))[1])
    made = Item("a", "a", data=png)
    run_stage(stage, [made])
    return made


def test_grades_of_ones_own_are_noted_and_the_lowest_that_passes_decides(grades: Path) -> None:
    made = graded(quality_weights=str(grades))
    assert made.status == "pending" and 0.7 < made.quality["grade"] < 1.3
    assert abs(sum(made.quality[f"grade_{name}"] for name in ("bad", "fair", "good")) - 1) < 1e-5
    assert graded(quality_weights=str(grades), min_grade="fair").status == "pending"
    ended = graded(quality_weights=str(grades), min_grade="good")
    assert (ended.status, ended.reason) == ("filtered", "low_grade") and "good or better" in ended.detail


def test_grades_that_are_none_are_refused_before_anything_starts(grades: Path) -> None:
    for settings, words in (
        ({"min_grade": "fair"}, "needs quality_weights"),
        ({"quality_weights": str(grades), "min_grade": "great"}, "great is none of bad, fair, good"),
        ({"quality_weights": "builtin"}, "not found"),
        ({"quality_weights": str(FOLDER / "quality.safetensors")}, "no classifier of ordered classes"),
    ):
        with pytest.raises(HairlineError, match=words):
            FilterStage.weight_hashes(FilterSettings(**settings))
