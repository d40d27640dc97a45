"""The fine recipe's samples that the coarse network itself has looked at, without any training pictures."""

import cv2
import numpy as np
import pytest
import torch

from hairline.stages.coarse import CoarseSettings, CoarseStage
from hairline.stages.item import Item
from hairline.training import fine
from hairline.training.data import Foreground


@pytest.fixture(scope="module")
def sampler() -> fine.Sampler:
    rgba = np.zeros((300, 240, 4), np.uint8)
    cv2.ellipse(rgba, (120, 150), (100, 130), 0, 0, 360, (40, 160, 60, 255), -1, cv2.LINE_AA)
    made = fine.Sampler.__new__(fine.Sampler)
    made.foregrounds = {"product_simple": [Foreground(rgba, "product_simple", False)]}
    made.backgrounds = [np.full((200, 260, 3), 225, np.uint8)]
    made.queue = []
    return made


def test_the_answer_is_that_of_the_coarse_stage(sampler: fine.Sampler) -> None:
    image, _ = sampler.scene(np.random.default_rng(1), 400, "plain", (0.6, 0.7), 0.0)
    stage = CoarseStage(CoarseSettings(min_area=0, no_subject=1))
    stage.setup(torch.device("cpu"))
    item = Item("a", "a", data=cv2.imencode(".png", image[..., ::-1])[1].tobytes(), width=400, height=400)
    stage.process([item])
    for mine, its in zip(sampler._predict_coarse(image), (item.crops[0].alpha, item.crops[0].uncertainty), strict=True):
        off = np.abs(mine.astype(int) - cv2.resize(its, (400, 400)))
        assert off.mean() < 0.3 and off.max() < 32  # the stage shrinks the picture in other steps


def test_parts_lie_along_the_edge_and_fit_their_picture(sampler: fine.Sampler) -> None:
    rng, edges = np.random.default_rng(2), 0
    for size in (96, 64, 64, 64, 64, 64):
        sample = sampler.from_network(rng, size, "plain")
        assert sample["image"].shape == (3, size, size)
        for name in ("alpha", "coarse", "uncertainty"):
            assert sample[name].shape == (size, size) and sample[name].dtype == np.uint8
        inside = sample["alpha"] > 127
        edges += bool(inside.any() and not inside.all())
        if inside.any() and not inside.all():  # the same place in all maps
            assert sample["coarse"][inside].mean() > sample["coarse"][~inside].mean()
    assert edges >= 3


@pytest.mark.parametrize("detail", [fine.gradients, fine.laplacian])
def test_details_cost_nothing_where_they_are_right_and_something_where_they_are_lost(detail: fine.Detail) -> None:
    strands = torch.zeros(1, 1, 64, 64)
    strands[..., ::4] = 1
    assert detail(strands, strands) == 0 < detail(strands * 0.5, strands) < detail(strands * 0, strands)


def test_the_pyramid_prefers_strands_a_little_beside_their_place_to_none() -> None:
    strands = torch.zeros(1, 1, 64, 64)
    strands[..., 16:48:4] = 1
    aside = strands.roll(1, 3)
    ratios = [float(d(aside, strands) / d(strands * 0, strands)) for d in (fine.laplacian, fine.gradients)]
    assert ratios[0] < 0.75 < 0.95 < ratios[1]
