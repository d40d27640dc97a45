"""The coarse stage: crops in, coarse alphas out, and what counts as no subject."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from hairline.stages import coarse
from hairline.stages.errors import HairlineError
from hairline.stages.item import Box, Item


def _item(picture: np.ndarray, *boxes: Box) -> Item:
    png = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    return Item("x", "x", data=png, width=picture.shape[1], height=picture.shape[0], boxes=list(boxes))


def _mug() -> tuple[np.ndarray, np.ndarray]:
    from hairline.training.synth.render_products import render_product

    rgba = render_product("mug", np.random.default_rng(1), 300)
    height, width = rgba.shape[:2]
    picture, alpha = np.full((400, 560, 3), 245, np.float32), np.zeros((400, 560), np.float32)
    share = rgba[..., 3:].astype(np.float32) / 255
    y, x = (400 - height) // 2, (560 - width) // 2
    picture[y : y + height, x : x + width] = rgba[..., :3] * share + 245 * (1 - share)
    alpha[y : y + height, x : x + width] = share[..., 0]
    return picture.astype(np.uint8), alpha


@pytest.fixture(scope="module")
def stage() -> coarse.CoarseStage:
    stage = coarse.CoarseStage(coarse.CoarseSettings())
    stage.setup(torch.device("cpu"))
    return stage


def test_a_product_on_paper_is_found(stage: coarse.CoarseStage) -> None:
    picture, truth = _mug()
    item = _item(picture)
    stage.process([item])
    assert item.status == "pending" and len(item.crops) == 1
    found = cv2.resize(item.crops[0].alpha, (560, 400), interpolation=cv2.INTER_LINEAR) > 127
    overlap = (found & (truth > 0.5)).sum() / (found | (truth > 0.5)).sum()
    assert overlap > 0.75


@pytest.mark.parametrize("tone", [0, 128, 250, 255])
def test_an_empty_wall_holds_no_subject(stage: coarse.CoarseStage, tone: int) -> None:
    noise = np.random.default_rng(0).normal(tone, 3, (300, 400, 3))
    item = _item(np.clip(noise, 0, 255).astype(np.uint8))
    stage.process([item])
    assert (item.status, item.reason) == ("filtered", "no_subject")


def test_each_subject_gets_its_own_crop(stage: coarse.CoarseStage) -> None:
    picture, _ = _mug()
    pair = np.hstack([picture, picture])
    boxes = [Box(x + 150, 60, x + 410, 340, "subject", 0.9) for x in (0, 560)]
    item = _item(pair, *boxes, Box(10, 10, 90, 30, "text", 0.9))
    stage.process([item])
    assert len(item.crops) == 2
    for box, crop in zip(boxes, sorted(item.crops, key=lambda c: c.box[0]), strict=True):
        x0, y0, x1, y1 = crop.box
        assert x0 <= box.x0 and y0 <= box.y0 and x1 >= box.x1 and y1 >= box.y1


def test_an_answer_does_not_depend_on_its_batch(stage: coarse.CoarseStage) -> None:
    picture, _ = _mug()
    alone, first, second = _item(picture), _item(picture), _item(picture[:, ::-1])
    stage.process([alone])
    stage.process([second, first])
    assert np.array_equal(alone.crops[0].alpha, first.crops[0].alpha)
    assert np.array_equal(alone.crops[0].uncertainty, first.crops[0].uncertainty)


def test_missing_damaged_and_foreign_weights_say_so(tmp_path: Path) -> None:
    missing = coarse.CoarseSettings(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(HairlineError, match="weights not found"):
        coarse.CoarseStage.weight_hashes(missing)
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(HairlineError, match="sha256"):
        coarse.CoarseStage.weight_hashes(coarse.CoarseSettings(weights=str(path), sha256="0" * 64))
    with pytest.raises(HairlineError, match="do not fit"):
        coarse.CoarseStage(coarse.CoarseSettings(weights=str(path))).setup(torch.device("cpu"))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_aera"):
        coarse.CoarseSettings.model_validate({"min_aera": 0.1})


class _Eyes(torch.nn.Module):
    """Sees a subject at the left from afar, and stripes near."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side = x.shape[-1] // 2
        columns = torch.arange(side)
        if x.shape[-1] < 300:
            answer = torch.where(columns < side // 2, 6.0, -6.0)
        else:
            answer = torch.where(columns % 2 == 0, 3.0, -3.0)
        return torch.stack([answer, answer / 6])[None, :, None].expand(len(x), 2, side, side).to(x.dtype)


def test_what_belongs_together_is_seen_from_afar_and_where_it_ends_near() -> None:
    picture = np.full((100, 150, 3), 90, np.uint8)  # one colour: nothing to settle doubt by
    ((alpha, error),) = coarse.predict_alpha(_Eyes(), [picture], torch.device("cpu"))
    logits = np.log(np.clip(alpha, 1, 254) / (255.0 - np.clip(alpha, 1, 254)))
    middle = logits[40:120]
    assert middle[:, 10:60].mean() > 4 and middle[:, 100:150].mean() < -4
    assert np.abs(np.diff(middle[:, 10:60], axis=1)).mean() > 1
    assert error[80, 20] != error[80, 140]
