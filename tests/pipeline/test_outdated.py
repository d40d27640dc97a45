"""Which rows an old job's settings leave as they are, and where the others start."""

from pathlib import Path

import pytest

from hairline.configs.fingerprint import fingerprint, ingredients
from hairline.configs.job import load_job
from hairline.pipeline.outdated import Outdated, save_ingredients, start_of
from hairline.pipeline.storage import Folder

OLD, NEW = (
    ingredients(load_job("laptop.yaml", ["input=a", "output=b", *changes]))
    for changes in ([], ["stages.fine.max_side=3000", "products=mask"])
)


@pytest.fixture
def output(tmp_path: Path) -> Folder:
    folder = Folder(str(tmp_path / "out"))
    save_ingredients(folder, fingerprint(OLD), OLD)
    return folder


@pytest.mark.parametrize(
    ("status", "stage", "reason", "first"),
    [
        ("ok", "", "", "fine"),
        ("filtered", "filter", "blurred", None),
        ("filtered", "coarse", "no_subject", None),
        ("filtered", "fine", "no_subject", "fine"),
        ("failed", "fetch", "not_found", None),
        ("failed", "filter", "not_a_picture", None),
        ("failed", "filter", "crashed_worker", "fine"),
        ("failed", "coarse", "out_of_memory", "fine"),
        ("failed", "write", "occupied", "fine"),
        ("failed", "somebody_elses", "odd", "fine"),
    ],
)
def test_what_ended_before_the_change_stays(output: Folder, status: str, stage: str, reason: str, first: str) -> None:
    outdated = Outdated(output, NEW, fingerprint(NEW))
    assert outdated.first_stage(fingerprint(OLD), status, stage, reason) == first
    assert outdated.first_stage(fingerprint(NEW), status, stage, reason) is None
    assert outdated.keys == ["stages.fine.max_side"]


def test_settings_that_nobody_knows_any_more(output: Folder) -> None:
    outdated = Outdated(output, NEW, fingerprint(NEW))
    assert outdated.first_stage("0" * 64, "filtered", "filter", "blurred") == "filter"
    output.write(f"settings/{'1' * 64}.json", b"{}")
    assert outdated.first_stage("1" * 64, "ok", "", "") == "filter"
    assert outdated.keys == ["settings that are not known any more"]


def test_a_stage_can_be_forced(output: Folder) -> None:
    forced = Outdated(output, NEW, fingerprint(NEW), force="coarse")
    assert forced.first_stage(fingerprint(NEW), "ok", "", "") == "coarse"
    assert forced.first_stage(fingerprint(NEW), "filtered", "filter", "blurred") is None
    assert forced.first_stage(fingerprint(OLD), "ok", "", "") == "coarse"
    assert (
        Outdated(output, NEW, fingerprint(NEW), force="products").first_stage(fingerprint(OLD), "ok", "", "") == "fine"
    )


def test_where_a_picture_can_start() -> None:
    order = ["filter", "coarse", "fine", "products"]
    assert start_of(["fine", "products"], "products", order) == "products"
    assert start_of(["fine", "products"], "fine", order) == "fine"
    assert start_of(["fine", "products"], "coarse", order) == ""
    assert start_of(["fine"], "products", order) == "fine"
    assert start_of([], "products", order) == ""
