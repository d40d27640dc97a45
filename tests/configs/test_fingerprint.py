"""Where two jobs begin to differ."""

import copy
from typing import Any

import pytest

from hairline.configs.fingerprint import Change, fingerprint, first_change, ingredients
from hairline.configs.job import load_job

JOB = ingredients(load_job("laptop.yaml", ["input=a", "output=b"]))


def changed(*path: str, to: object) -> dict[str, Any]:
    parts = copy.deepcopy(JOB)
    inner = parts
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return parts


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (changed("version", to="0"), Change("filter", "version")),
        (changed("engine", to="other 1"), Change("filter", "engine")),
        (changed("limits", "max_pixels", to=1), Change("filter", "limits.max_pixels")),
        (changed("stages", "fine", "max_side", to=1), Change("fine", "stages.fine.max_side")),
        (changed("stages", "products", "products", to=[]), Change("products", "products")),
        (changed("weights", "coarse", "mine", to="00"), Change("coarse", "weights.coarse.mine")),
        (changed("weights", "classify", to={"x": "y"}), Change("classify", "weights.classify")),
    ],
)
def test_the_first_stage_that_differs(before: dict[str, Any], change: Change) -> None:
    assert fingerprint(before) != fingerprint(JOB)
    assert first_change(before, JOB) == change


def test_settings_from_before_there_were_engines_are_of_torch() -> None:
    before = {key: value for key, value in JOB.items() if key != "engine"}
    assert first_change(before, {**JOB, "engine": "torch"}) is None
    assert first_change(before, {**JOB, "engine": "other 1"}) == Change("filter", "engine")


def test_the_same_and_other_stages() -> None:
    assert first_change(copy.deepcopy(JOB), JOB) is None
    fewer = copy.deepcopy(JOB)
    del fewer["stages"]["detect"], fewer["weights"]["detect"]
    assert first_change(fewer, JOB) == Change("detect", "pools: other stages, or in another order")
    del fewer["stages"]["products"]
    longer = {**JOB, "stages": {**fewer["stages"], "mine": {}}, "weights": {**JOB["weights"], "mine": {}}}
    assert first_change(longer, {**longer, "stages": fewer["stages"]}) is not None
