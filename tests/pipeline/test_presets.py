"""`hairline presets` and `hairline verify`."""

import json
from pathlib import Path

import numpy as np
import pytest

from hairline.cli import main
from hairline.stages.decode.colours import srgb_profile
from hairline.stages.products.preset_files import BUILTIN
from shop_pictures import file_of, made, matte_of, thing


def test_presets_are_listed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in BUILTIN)
    assert main(["presets", "--json"]) == 0
    found = {preset["name"]: preset for preset in json.loads(capsys.readouterr().out)}
    assert list(found) == list(BUILTIN)
    rule = found["walmart"]["rules"]["bytes"]
    assert rule["max"] == 5_000_000 and rule["status"] == "verified" and rule["url"].startswith("https://")
    assert main(["presets", "amazon"]) == 0
    assert "white: min 1.0  (unverified, " in capsys.readouterr().out


def test_files_are_judged_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = made(matte_of(*thing()), preset="generic_white", canvas=[1200, 1200])
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(file_of(sound, icc_profile=srgb_profile()))
    bad.write_bytes(file_of(np.minimum(sound, 249)))
    assert main(["verify", str(good), "--preset", "generic_white"]) == 0
    assert capsys.readouterr().out.startswith(f"{good}: pass\n")
    assert main(["verify", str(good), str(bad), "--preset", "generic_white", "--json"]) == 3
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["preset"], first["verdict"]) == (str(good), "generic_white", "pass")
    wrong = {check["name"]: check for check in second["checks"] if check["verdict"] == "fail"}
    assert second["verdict"] == "fail" and set(wrong) >= {"white", "profile"}
    assert wrong["white"]["value"] == 0 and wrong["white"]["bound"] == "at least 1"


def test_posters_are_judged_by_their_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("title: own\ncanvas: [40, 30]\nsubjects: [{name: it, box: [0, 0, 9, 9]}]\n")
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(file_of(np.zeros((30, 40, 3), np.uint8), icc_profile=srgb_profile()))
    bad.write_bytes(file_of(np.zeros((30, 41, 3), np.uint8)))
    assert main(["verify", str(good), str(bad), "--preset", str(own), "--json"]) == 3
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["preset"], first["verdict"]) == (str(own), "pass")
    assert {check["name"] for check in second["checks"] if check["verdict"] == "fail"} == {"width", "profile"}
    assert main(["verify", str(good), "--preset", "product_card"]) == 3  # of 1080 by 1080


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "x.png", "--preset", "amzon"], "unknown preset 'amzon'; did you mean amazon?"),
        (["verify", "/no/such.png", "--preset", "amazon"], "/no/such.png: cannot be read"),
        (["presets", "/no/such.yaml"], "/no/such.yaml: cannot be read"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
