"""What the quality and classifier recipes are made of, without any training pictures."""

import numpy as np
import pytest
import torch

from hairline.stages.filter import FilterSettings, FilterStage, probabilities
from hairline.stages.item import Item
from hairline.stages.networks.classifier import CATEGORIES
from hairline.stages.networks.quality import DEFECTS
from hairline.training import categories, classify, quality
from hairline.training.data import Row
from hairline.training.replay import Replay


def severities(**given: int) -> dict[str, int]:
    return dict.fromkeys(quality.NAMES, 0) | given


def test_strong_defects_hide_what_cannot_be_told_any_more() -> None:
    known = dict(zip(DEFECTS, quality.labels(severities(low_information=3, occlusion=2))[0].tolist(), strict=True))
    assert known["low_information"] == 3
    assert known["blur"] == known["exposure_dark"] == known["occlusion"] == quality.UNKNOWN
    known = dict(zip(DEFECTS, quality.labels(severities(exposure_dark=4, blur=1))[0].tolist(), strict=True))
    assert known["exposure_dark"] == 4 and known["blur"] == quality.UNKNOWN and known["exposure_over"] == 0


def test_overall_class_is_that_of_the_worst_defect() -> None:
    assert [quality.labels(severities(blur=s))[1] for s in range(5)] == [0, 1, 2, 3, 3]
    assert quality.labels(severities(blur=1, noise=4))[1] == 3


def test_drawn_severities_are_possible() -> None:
    rng = np.random.default_rng(0)
    drawn = [quality.draw_severities(rng, subject=False) for _ in range(300)]
    assert not any(d["occlusion"] for d in drawn)
    assert not any(d["exposure_dark"] and d["exposure_over"] for d in drawn)
    clean = np.mean([max(d.values()) == 0 for d in drawn])
    assert 0.25 < clean < 0.5
    assert {d["blur"] for d in drawn} == set(range(5))


def test_loss_ignores_unknown_severities() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, image: torch.Tensor, signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.defects, torch.zeros(1, 3)

    model = Fixed()
    batch = {
        "image": torch.zeros(1, 3, 8, 8),
        "signals": torch.zeros(1, 1),
        "severity": torch.tensor([[0, 0, -1, 0, 0]]),
        "overall": torch.tensor([0]),
    }
    model.defects = torch.full((1, 5, 4), -3.0)
    before = quality.loss(model, batch)
    model.defects[0, 2] = 9.0
    assert quality.loss(model, batch) == before
    model.defects[0, 1] = 9.0
    assert quality.loss(model, batch) > before


def test_training_and_the_filter_stage_show_the_network_the_same() -> None:
    import cv2
    from skimage import data

    rgb = np.ascontiguousarray(data.coffee()[:384, :500])
    stage = FilterStage(FilterSettings())
    stage.setup(torch.device("cpu"))
    item = Item("a", "a", data=bytes(cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1]))
    stage.process([item])
    given = quality.inputs(rgb)
    network = stage.networks["quality"]
    image = torch.from_numpy(given["image"])[None].float() / 255
    with torch.no_grad():
        pooled = network.pool(image.to(next(network.encoder.parameters()).dtype)).float()
        found = probabilities(*network.head(pooled, torch.from_numpy(given["signals"])[None]))
    assert found
    for name, value in found.items():
        assert item.quality[name] == pytest.approx(value, abs=1e-4), name


def test_replay_mixes_old_samples_in_and_remembers_only_so_many() -> None:
    made: list[int] = []

    def make(rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        made.append(len(made))
        return {"image": np.full((3, 4, 4), len(made) % 256, np.uint8), "label": np.array(len(made))}

    replay, rng = Replay(make, fresh=0.5, kept=600), np.random.default_rng(0)
    shown = [int(replay(rng, 0.0)["label"]) for _ in range(3000)]
    assert len(replay.old) == 600
    assert 0.5 < len(made) / 3000 < 0.65  # the first 500 are all new
    assert len(set(shown)) == len(made)


def row(path: str, category: str, kind: str = "render") -> Row:
    return Row(f"foregrounds/x/{path}", category, "", kind, "train", "")


@pytest.mark.parametrize(
    ("path", "category", "expected"),
    [
        ("gazebo_models_suv_03.webp", "product_simple", "vehicle"),
        ("gazebo_models_bowl_04.webp", "product_simple", "product"),
        ("gazebo_models_house_1_02.webp", "product_simple", ""),
        ("gazebo_models_table_02.webp", "product_hollow", "product_hollow"),
        ("gazebo_models_bus_stop_02.webp", "product_hollow", "product_hollow"),
        ("1f0cf.webp", "cartoon:object", "cartoon"),
        ("kenney_sprite_0037.webp", "plant_hollow", ""),
    ],
)
def test_categories_of_foregrounds(path: str, category: str, expected: str) -> None:
    assert categories.category_of(row(path, category)) == expected


def test_renders_of_one_model_stay_on_one_side() -> None:
    for model in ("gazebo_models_suv", "gazebo_models_bowl", "bookstore-world_retail_ChairB_01"):
        assert len({categories.split_of(row(f"{model}_{n:02}.webp", "product_simple")) for n in range(9)}) == 1
    assert categories.split_of(row("wm_cat.webp", "animal", "pseudo_grabcut")) == "train"
    assert set(categories.OF_COCO.values()) <= set(CATEGORIES)


def test_what_has_no_category_is_to_get_equal_odds() -> None:
    class Says(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.logits

    model, images = Says(), torch.zeros(2, 3, 8, 8)
    outside = {"image": images, "category": torch.tensor([classify.NONE, classify.NONE])}
    model.logits = torch.zeros(2, len(CATEGORIES))
    even = classify.loss(model, outside)
    model.logits = torch.eye(len(CATEGORIES))[:2] * 5
    assert classify.loss(model, outside) > even
    known = {"image": images, "category": torch.tensor([0, 1])}
    assert classify.loss(model, known) < even
