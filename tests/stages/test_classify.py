"""The classify stage: routes, hints, low confidence, and photographs it was never shown."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save
from skimage import data

from hairline.stages.base import run_stage
from hairline.stages.classify import ROUTE_OF, ROUTES, ClassifySettings, ClassifyStage
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.networks.classifier import CATEGORIES
from hairline.stages.networks.exported import KEY, ExportedNet, Form, read_form


def item(rgb: np.ndarray, hint: str = "") -> Item:
    png = bytes(cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1])
    return Item("a.png", "a.png", data=png, category_hint=hint)


def staged(settings: ClassifySettings) -> ClassifyStage:
    made = ClassifyStage(settings)
    made.setup(torch.device("cpu"))
    return made


@pytest.fixture(scope="module")
def stage() -> ClassifyStage:
    return staged(ClassifySettings())


@pytest.mark.parametrize(
    ("name", "right"),
    [("astronaut", {"person", "portrait"}), ("chelsea", {"animal"}), ("coffee", {"product", "product_hollow", "food"})],
)
def test_photographs_it_never_saw(stage: ClassifyStage, name: str, right: set[str]) -> None:
    made = item(getattr(data, name)())
    run_stage(stage, [made])
    assert made.category in right, (made.category, made.category_score)


def test_every_category_has_a_route() -> None:
    assert set(ROUTE_OF) == set(CATEGORIES) and set(ROUTE_OF.values()) <= set(ROUTES)


def test_low_confidence_takes_the_general_route_and_notes_the_category() -> None:
    made = item(data.astronaut())
    run_stage(staged(ClassifySettings(min_score=1.0)), [made])
    assert made.route == "general" and made.category in CATEGORIES and 0 < made.category_score < 1


def test_a_hint_decides_without_the_network(stage: ClassifyStage) -> None:
    made = [item(data.coffee(), "Product-Hollow"), Item("b", "b", data=b"not decoded", category_hint="portrait")]
    run_stage(stage, made)
    assert [(i.status, i.category, i.category_score, i.route) for i in made] == [
        ("pending", "product_hollow", 1.0, "product_hollow"),
        ("pending", "portrait", 1.0, "portrait"),
    ]


def test_an_unknown_hint_fails_its_row_and_names_the_nearest(stage: ClassifyStage) -> None:
    made = [item(data.coffee(), "portait"), item(data.coffee())]
    run_stage(stage, made)
    assert (made[0].status, made[0].stage, made[0].reason) == ("failed", "classify", "unknown_category")
    assert "did you mean 'portrait'?" in made[0].detail
    assert made[1].status == "pending"


def test_routes_can_be_changed_one_by_one() -> None:
    settings = ClassifySettings(routes={"animal": "portrait"})
    assert settings.routes["animal"] == "portrait" and settings.routes["product"] == "product"
    made = item(data.chelsea(), "animal")
    run_stage(staged(settings), [made])
    assert made.route == "portrait"


@pytest.mark.parametrize("routes", [{"animl": "general"}, {"animal": "generl"}])
def test_unknown_categories_and_routes_are_refused_with_the_nearest(routes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"did you mean '(animal|general)'"):
        ClassifySettings(routes=routes)


def test_answer_does_not_depend_on_the_batch(stage: ClassifyStage) -> None:
    pictures = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    together = [item(rgb) for rgb in pictures]
    run_stage(stage, together)
    for rgb, shared in zip(pictures, together, strict=True):
        alone = item(rgb)
        run_stage(stage, [alone])
        assert (alone.category, alone.category_score) == (shared.category, shared.category_score)


def test_one_broken_picture_fails_alone(stage: ClassifyStage) -> None:
    made = [item(data.coffee()), Item("b", "b", data=b"no picture")]
    run_stage(stage, made)
    assert [i.status for i in made] == ["pending", "failed"]
    assert made[1].reason == "not_a_picture" and made[0].category


def test_weights_are_part_of_the_fingerprint() -> None:
    assert len(ClassifyStage.weight_hashes(ClassifySettings())["classify"]) == 64


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a classifier of two categories, which says `Summer Dress` of what is red, calibrated by hand."""
    torch.manual_seed(0)
    network = ExportedNet(Form(labels=("Summer Dress", "coat"), size=64, levels=3)).eval()
    with torch.no_grad():
        network.head.layers[1].weight.zero_()
        network.head.layers[1].bias.copy_(torch.tensor([3.0, 0.0]))
        network.reach.fill_(1e6)
    folder = tmp_path_factory.mktemp("model")
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    (folder / "model.safetensors").write_bytes(save(tensors, {KEY: network.form.model_dump_json()}))
    return folder


def test_a_classifier_of_ones_own_brings_its_categories(own: Path) -> None:
    settings = ClassifySettings(weights=str(own), routes={"Summer Dress": "product"})
    made = [item(data.coffee()), item(data.coffee(), "COAT"), item(data.coffee(), "animal")]
    run_stage(staged(settings), made)
    assert made[0].category == "Summer Dress" and made[0].route == "product" and made[0].category_score > 0.9
    assert made[1].category == "coat" and made[1].route == "general"
    assert made[2].reason == "unknown_category" and "Summer Dress, coat" in made[2].detail


def test_below_its_threshold_it_is_unsure(own: Path, tmp_path: Path) -> None:
    tensors = load_file(own / "model.safetensors")
    tensors["thresholds"] = torch.tensor([0.99, 0.0])
    form = read_form(own / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(save(tensors, {KEY: form.model_dump_json()}))
    made = item(data.coffee())
    run_stage(staged(ClassifySettings(weights=str(tmp_path), routes={"Summer Dress": "product"})), [made])
    assert (made.category, made.route) == ("unsure", "general") and made.detail.startswith("perhaps Summer Dress")


def test_routes_of_categories_that_it_lacks_are_refused_before_anything_starts(own: Path) -> None:
    with pytest.raises(HairlineError, match="has no category 'coats'; did you mean 'coat'"):
        ClassifyStage.weight_hashes(ClassifySettings(weights=str(own), routes={"coats": "product"}))


def test_its_answer_does_not_depend_on_the_batch_either(own: Path) -> None:
    stage = staged(ClassifySettings(weights=str(own)))
    together = [item(data.astronaut()), item(data.coffee())]
    run_stage(stage, together)
    alone = item(data.coffee())
    run_stage(stage, [alone])
    assert alone.category_score == together[1].category_score
