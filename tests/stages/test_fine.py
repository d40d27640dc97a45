"""The fine stage: tiles, fusion, the band, sizes, and answers that do not depend on the batch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hairline.stages import fine
from hairline.stages.imaging.guided import upsample
from hairline.stages.item import CoarseCrop, Item
from hairline.stages.networks.batch import in_fixed_batches
from hairline.stages.networks.fine import FineNet

CPU = torch.device("cpu")


@given(
    st.integers(fine.TILE, 1500),
    st.integers(fine.TILE, 1500),
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=6),
)
def test_tiles_cover_the_band_well_inside(height: int, width: int, spots: list[tuple[float, float, float]]) -> None:
    band = np.zeros((height, width), np.uint8)
    for x, y, radius in spots:
        cv2.circle(band, (int(x * (width - 1)), int(y * (height - 1))), int(radius * 400), 1, 5)
    margin, inside = fine.OVERLAP // 2, np.zeros((height, width), bool)
    for y, x in fine.tile_corners(band > 0):
        assert 0 <= y <= height - fine.TILE and 0 <= x <= width - fine.TILE
        rows = slice(y + margin if y else 0, y + fine.TILE - (margin if y + fine.TILE < height else 0))
        columns = slice(x + margin if x else 0, x + fine.TILE - (margin if x + fine.TILE < width else 0))
        inside[rows, columns] = True
    assert inside[band > 0].all()


def test_tiles_are_few() -> None:
    band = np.zeros((1000, 1000), bool)
    assert fine.tile_corners(band) == []
    band[300:500, 700:900] = True  # fits into one tile, wherever it lies
    assert len(fine.tile_corners(band)) == 1
    band[:] = True
    assert len(fine.tile_corners(band)) == 25


def test_alpha_is_the_late_fusion_of_both_branches() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        matte = FineNet().eval()(torch.rand(2, 5, 64, 48))
    expected = matte.blend * matte.foreground + (1 - matte.blend) * (1 - matte.background)
    assert matte.alpha.shape == (2, 1, 64, 48)
    assert torch.allclose(matte.alpha, expected)
    assert float(matte.alpha.min()) >= 0 and float(matte.alpha.max()) <= 1


def test_guided_upsampling_follows_the_edge_of_the_picture() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(picture, (200, 200), 120, (230, 200, 60), -1)
    truth = (picture[..., 0] > 0).astype(np.float32)
    small = cv2.resize(truth, (50, 50), interpolation=cv2.INTER_AREA)
    bilinear = cv2.resize(small, (400, 400), interpolation=cv2.INTER_LINEAR)
    assert np.abs(upsample(small, picture) - truth).mean() < 0.35 * np.abs(bilinear - truth).mean()


def _disc_item(side: int, id: str = "disc", radius: float = 0.3) -> tuple[Item, np.ndarray]:
    """A ball on paper with its true alpha, and the coarse answer a good coarse network would give."""
    rng = np.random.default_rng(3)
    truth = np.zeros((side * 2, side * 2), np.uint8)
    cv2.circle(truth, (side, side), int(side * 2 * radius), 255, -1)
    truth = cv2.resize(truth, (side, side), interpolation=cv2.INTER_AREA)
    share = truth[..., None].astype(np.float32) / 255
    picture = share * (200, 60, 40) + (1 - share) * (225, 228, 230) + rng.normal(0, 2, (side, side, 3))
    png = cv2.imencode(".png", np.clip(picture, 0, 255).astype(np.uint8)[..., ::-1])[1].tobytes()
    small = cv2.GaussianBlur(cv2.resize(truth, (160, 160), interpolation=cv2.INTER_AREA), (0, 0), 1.2)
    unsure = (80 * (1 - np.abs(small / 127.5 - 1))).astype(np.uint8)
    item = Item(id, id, data=png, width=side, height=side)
    item.crops = [CoarseCrop((0, 0, side, side), small, unsure)]
    return item, truth


@pytest.fixture(scope="module")
def stage() -> fine.FineStage:
    stage = fine.FineStage(fine.FineSettings(max_side=700))
    stage.setup(CPU)
    return stage


@pytest.mark.parametrize("side", [96, 256, 500, 900])  # smaller than a tile, one tile, tiles, and above max_side
def test_a_clean_edge_is_found_to_the_pixel(stage: fine.FineStage, side: int) -> None:
    item, truth = _disc_item(side)
    stage.process([item])
    assert item.alpha is not None and item.alpha.shape == truth.shape
    error = np.abs(item.alpha.astype(int) - truth)
    coarse = cv2.resize(item.crops[0].alpha, (side, side), interpolation=cv2.INTER_LINEAR)
    assert error.mean() < np.abs(coarse.astype(int) - truth).mean()
    assert item.alpha[side // 2, side // 2] == 255 and item.alpha[2, 2] == 0
    assert item.confidence is not None and 0.5 < item.confidence <= 1


def test_what_coarse_doubts_lowers_the_confidence(stage: fine.FineStage) -> None:
    found = []
    for doubt in (0, 60, 160):
        item, _ = _disc_item(300)
        item.crops[0].uncertainty[10:30] = np.maximum(item.crops[0].uncertainty[10:30], doubt)
        stage.process([item])
        assert item.confidence is not None
        found.append(item.confidence)
    assert found[0] > found[1] > found[2] > 0


def test_an_empty_coarse_answer_stays_empty(stage: fine.FineStage) -> None:
    item, _ = _disc_item(300)
    item.crops[0].alpha[:] = 2
    item.crops[0].uncertainty[:] = 3
    stage.process([item])
    assert (item.status, item.reason) == ("filtered", "no_subject")


def test_an_answer_does_not_depend_on_its_batch(stage: fine.FineStage) -> None:
    sizes = (300, 420, 256)
    alone = []
    for side in sizes:
        item, _ = _disc_item(side)
        stage.process([item])
        alone.append(item.alpha)
    together = [_disc_item(side)[0] for side in sizes]
    stage.process(together)
    for a, item in zip(alone, together, strict=True):
        assert a is not None and item.alpha is not None
        assert np.array_equal(a, item.alpha)


def test_several_subjects_come_back_as_one_alpha_and_one_each(stage: fine.FineStage) -> None:
    left, truth = _disc_item(256)
    wide = np.hstack([left.picture.rgb(), left.picture.rgb()])
    item = Item("two", "two", data=cv2.imencode(".png", wide[..., ::-1])[1].tobytes(), width=512, height=256)
    crop = left.crops[0]
    item.crops = [CoarseCrop((x, 0, x + 256, 256), crop.alpha, crop.uncertainty) for x in (0, 256)]
    stage.process([item])
    assert item.alpha is not None and len(item.subjects) == 2
    assert [subject.box for subject in item.subjects] == [(0, 0, 256, 256), (256, 0, 512, 256)]
    assert np.array_equal(np.hstack([subject.alpha for subject in item.subjects]), item.alpha)
    assert np.abs(item.alpha.astype(int) - np.hstack([truth, truth])).mean() < 6


def test_fixed_batches_give_every_sample_its_own_answer() -> None:
    samples = torch.arange(5, dtype=torch.float32)[:, None]
    assert torch.equal(in_fixed_batches(lambda x: x * 2, samples, CPU, torch.float32), samples * 2)
