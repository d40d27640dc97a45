"""Presets are data: a new one needs no code, a wrong one names file, line and why."""

from pathlib import Path

import pytest

from hairline.stages.errors import HairlineError
from hairline.stages.products.preset_files import BUILTIN, read_preset

TEXT = BUILTIN["amazon"].read_text("utf-8")


@pytest.mark.parametrize("name", BUILTIN)
def test_every_rule_of_every_preset_has_a_source_a_date_and_a_status(name: str) -> None:
    told = read_preset(name).as_data()
    assert told["rules"] and told["title"]
    for rule in told["rules"].values():
        assert rule["source"] and rule["date"] >= "2026-01-01" and rule["status"] in ("verified", "unverified")
    assert BUILTIN[name].read_text("utf-8").startswith("# ")


def test_one_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "my-shop.yaml"
    file.write_text(TEXT.replace("fill: 0.9", "fill: 0.7").replace("title: Amazon", "title: My shop"), "utf-8")
    preset = read_preset(str(file))
    assert (preset.name, preset.make["fill"], preset.title) == (str(file), 0.7, "My shop, main picture")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  fill: {min: 0.85", "  fil: {min: 0.85", "rules.fil: unknown key; did you mean fill?"),
        (
            'status: unverified, note: "RGB',
            'status: sure, note: "RGB',
            "rules.white.status: Input should be 'verified'",
        ),
        (
            "source: guides, status: unverified}\n  subj",
            "source: gides, status: unverified}\n  subj",
            "none of the preset's",
        ),
        ("  fill: 0.9 ", "  fill: lots ", "make.fill: Input should be a valid number"),
        (
            "max: 1, source: guides, status: unverified}",
            "max: 0.5, source: guides, status: unverified}",
            "larger than max",
        ),
        ("product: white_background", "product: mask", "'mask' has no presets"),
        ("title: Amazon", "titel: Amazon", "unknown key; did you mean title?"),
    ],
)
def test_a_mistake_names_file_line_and_why(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "wrong.yaml"
    assert old in TEXT
    file.write_text(TEXT.replace(old, new), "utf-8")
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    with pytest.raises(HairlineError) as error:
        read_preset(str(file))
    assert str(error.value).startswith(f"{file}:{line}: ") and message in str(error.value)
