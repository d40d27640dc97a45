"""Corrections: a lost handle and a wrong blob are mended, and what is not touched stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from hairline.stages.correct import _core, correct, within
from hairline.stages.correction import Correction, read_boxes, read_places
from hairline.stages.errors import PictureError
from hairline.stages.fine import FineSettings, FineStage
from hairline.stages.imaging.png import encode_png
from hairline.stages.item import CoarseCrop, Item
from hairline.stages.request import RequestSpec

SIDE = 240
HANDLE = (195, 120)  # a place on it


def mug() -> tuple[np.ndarray, np.ndarray]:
    """A dark mug with a handle before a speckled wall, and its alpha."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(alpha, (150, 120), (45, 45), 0, 0, 360, 255, 14, cv2.LINE_AA)
    cv2.rectangle(alpha, (60, 50), (150, 190), 255, -1)
    wall = np.random.default_rng(0).normal(200, 6, (SIDE, SIDE, 3))
    share = alpha[..., None] / 255
    return (share * (40, 70, 120) + (1 - share) * wall).clip(0, 255).astype(np.uint8), alpha


@pytest.fixture(scope="module")
def stage() -> FineStage:
    made = FineStage(FineSettings())
    made.setup(torch.device("cpu"))
    return made


@pytest.fixture(scope="module")
def predict(stage: FineStage) -> Callable[[np.ndarray, CoarseCrop], np.ndarray]:
    return lambda rgb, crop: stage.predict_crop(rgb, crop, "general").alpha


def strokes(points: list[tuple[int, int]], kept: bool, width: int = 5) -> bytes:
    painted = np.zeros((SIDE, SIDE, 4), np.uint8)
    painted[..., :3] = 255 if kept else 0
    line = np.zeros((SIDE, SIDE), np.uint8)
    painted[..., 3] = cv2.polylines(line, [np.array(points, np.int32)], False, 255, width)
    return encode_png(painted)


def wrong(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).sum()) / 255


MARKS = {
    "a click": Correction(keep=(HANDLE,)),
    "a stroke": Correction(strokes=strokes([(168, 79), (190, 100), HANDLE, (190, 140), (168, 161)], True)),
}


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_a_lost_handle_comes_back_and_the_rest_stays(predict: Callable, marks: Correction) -> None:
    rgb, truth = mug()
    lost = truth.copy()
    lost[:, 151:] = 0
    lost[3, 7] = 9  # a wrong pixel far away, of which nobody said a word
    kept = lost.copy()
    found = correct(rgb, lost, marks, predict)
    assert wrong(found, truth) < 0.2 * wrong(lost, truth)
    assert found[120, 194] == 255
    assert np.array_equal(lost, kept)  # not written to
    assert np.array_equal(found[:, :130], lost[:, :130])
    assert np.array_equal(found, correct(rgb, lost, marks, predict))


BLOBS = {
    "apart, a click": ((215, 30), Correction(drop=((210, 30),))),
    "grown on, a click": ((45, 190), Correction(drop=((40, 195),))),
    "grown on, a stroke": ((45, 190), Correction(strokes=strokes([(30, 185), (40, 205), (52, 205)], False))),
}


@pytest.mark.parametrize(("at", "marks"), BLOBS.values(), ids=BLOBS)
def test_a_wrong_blob_goes(predict: Callable, at: tuple[int, int], marks: Correction) -> None:
    rgb, truth = mug()
    blotted = cv2.circle(truth.copy(), at, 18, 255, -1)
    found = correct(rgb, blotted, marks, predict)
    assert wrong(found, truth) < 0.25 * wrong(blotted, truth)
    assert np.array_equal(found[60:160, 100:180], blotted[60:160, 100:180])


def test_a_stroke_alone_is_taken_by_its_word(predict: Callable) -> None:
    rgb, truth = mug()
    marks = Correction(strokes=strokes([(100, 60), (100, 120)], False), follow=False)
    found = correct(rgb, truth, marks, predict)
    assert found[60:120, 100].max() == 0
    assert found[60:120, 125].min() == 255


def test_nothing_said_changes_nothing(predict: Callable) -> None:
    rgb, truth = mug()
    assert np.array_equal(correct(rgb, truth, Correction(), predict), truth)
    assert np.array_equal(correct(rgb, truth, MARKS["a stroke"], predict)[:, :130], truth[:, :130])


def test_boxes_leave_nothing_outside() -> None:
    alpha = np.full((100, 100), 255, np.uint8)
    found = within(alpha, [(0, 0, 20, 20), (50, 50, 100, 100)])
    assert found[10, 10] == found[70, 70] == 255
    assert found[10, 50] == found[90, 10] == 0


def test_the_stage_mends_the_matte_so_far(stage: FineStage) -> None:
    rgb, truth = mug()
    lost = truth.copy()
    lost[:, 151:] = 0
    item = Item("mug", "", data=encode_png(rgb))
    marks = Correction(keep=(HANDLE,), matte=encode_png(lost))
    item.request, item.done = RequestSpec((), correction=marks), marks.answered("")
    stage.process([item])
    assert item.alpha is not None
    assert wrong(item.alpha, truth) < 0.2 * wrong(lost, truth)
    assert item.confidence is None


REFUSED = {
    "outside": (Correction(keep=((240, 5),)), "keep 240,5 lies outside: the picture has 240 x 240 pixels"),
    "before": (Correction(drop=((5, -1),)), "drop 5,-1 lies outside"),
    "flat": (Correction(boxes=((9, 9, 9, 30),)), "has no extent"),
    "upside down": (Correction(boxes=((9, 30, 20, 9),)), "has no extent"),
    "too wide": (Correction(boxes=((9, 9, 241, 30),)), "reaches outside"),
    "too many": (Correction(keep=((1, 1),) * 65), "at most 64"),
    "another size": (Correction(matte=encode_png(np.zeros((9, 8), np.uint8))), "matte: 8 x 9 pixels, but"),
    "no PNG": (Correction(strokes=b"GIF89a" + bytes(99)), "strokes: this is no PNG"),
    "damaged": (Correction(matte=encode_png(np.zeros((SIDE, SIDE), np.uint8))[:60]), "matte: the PNG is damaged"),
    "opaque": (Correction(strokes=encode_png(np.zeros((SIDE, SIDE), np.uint8))), "no transparency"),
    "box and matte": (Correction(boxes=((0, 0, 9, 9),), matte=encode_png(mug()[1])), "without the matte"),
}


@pytest.mark.parametrize(("marks", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_for_the_picture_is_refused(marks: Correction, told: str) -> None:
    with pytest.raises(PictureError, match=told) as caught:
        marks.check(SIDE, SIDE)
        marks.matte_so_far() if marks.matte else marks.painted()
    assert caught.value.reason == "correction"


def test_a_cut_out_is_a_matte_too() -> None:
    rgb, truth = mug()
    assert np.array_equal(Correction(matte=encode_png(np.dstack([rgb, truth]))).matte_so_far(), truth)
    assert np.array_equal(Correction(matte=encode_png(truth)).matte_so_far(), truth)
    assert np.array_equal(Correction(matte=encode_png(np.dstack([truth] * 3))).matte_so_far(), truth)


def test_places_are_read_in_every_form() -> None:
    assert read_places(["1,2", "3, 4.5"], "keep") == ((1, 2), (3, 4.5))
    assert read_places(["[[1, 2], [3, 4]]", "5,6 7,8"], "keep") == ((1, 2), (3, 4), (5, 6), (7, 8))
    assert read_boxes(["1,2,3,4"]) == ((1, 2, 3, 4),)


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1,nan", "inf,1", "1,2;x", "0x10,3"])
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"keep: .* is not x,y"):
        read_places([text], "keep")


def test_a_text_of_a_million_places_is_not_read() -> None:
    with pytest.raises(ValueError, match="at most 64 of x,y"):
        read_places(["5,5 " * 1_000_000], "keep")


def test_a_stroke_as_wide_as_the_picture(predict: Callable[[np.ndarray, CoarseCrop], np.ndarray]) -> None:
    rgb, alpha = mug()
    painted = np.zeros((SIDE, SIDE, 4), np.uint8)
    painted[..., 3] = 255
    assert not correct(rgb, alpha, Correction(strokes=encode_png(painted)), predict).any()


def test_of_a_wide_stroke_the_inner_half_is_found_in_steps() -> None:
    stroke = np.zeros((700, 700), bool)
    stroke[100:600, 50:650] = True
    core = _core(stroke)
    depth = cv2.distanceTransform(stroke.astype(np.uint8), cv2.DIST_L2, 5)
    inner = depth >= depth.max() / 2
    assert (core & inner).sum() / (core | inner).sum() > 0.98
