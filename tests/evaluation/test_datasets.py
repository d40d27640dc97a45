"""Public sets by name, cut out here or judged as given, and the page with the worst first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.cli import main
from hairline.evaluation.datasets import LAYOUTS, find, saliency
from hairline.evaluation.pairs import match
from hairline.stages.errors import HairlineError


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def disc(radius: int, side: int = 96) -> np.ndarray:
    return cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), radius, 255, -1)


def archive(folder: Path, name: str) -> Path:
    """A set of two pictures, laid out as its authors do; its outermost folder."""
    layout = LAYOUTS[name]
    inside = folder.joinpath(*layout.within)
    for stem, radius in (("a", 30), ("b", 20)):
        colours = np.dstack([np.where(disc(radius) > 0, shade, 235) for shade in (40, 60, 190)]).astype(np.uint8)
        write(inside / layout.pictures / f"{stem}.jpg", colours)
        write(inside / layout.truth / f"{stem}.png", disc(radius))
        if layout.trimap:
            write(inside / layout.trimap / f"{stem}.png", np.where(np.arange(96) < 48, 128, 0)[None].repeat(96, 0))
    return folder / layout.within[0]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_is_found_from_any_of_its_folders(tmp_path: Path, name: str) -> None:
    archive(tmp_path, name)
    layout = LAYOUTS[name]
    inner = tmp_path.joinpath(*layout.within)
    for depth in range(len(layout.within) + 1):
        parts = find(name, tmp_path.joinpath(*layout.within[:depth]))
        assert parts.pictures == inner / layout.pictures and parts.truth == inner / layout.truth
        assert parts.trimap == (inner / layout.trimap if layout.trimap else None)


def test_what_is_not_there_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match=r"looked for AM-2k/validation/\{original, mask\} there"):
        find("am2k", tmp_path)
    with pytest.raises(HairlineError, match="did you mean aim500"):
        find("aim-500", tmp_path)


def test_a_set_judged_with_its_trimaps_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, predicted, page = archive(tmp_path, "aim500"), tmp_path / "mine", tmp_path / "page.html"
    write(predicted / "a.png", disc(31))
    write(predicted / "b.png", disc(10))
    command = ["evaluate", str(predicted), str(root), "--dataset", "aim500", "--html", str(page), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["each"]["b"]["sad_band"] == pytest.approx((disc(20) != disc(10))[:, :48].sum() / 1000)
    text = page.read_text()
    assert re.findall("<h3>(.*)</h3>", text) == ["b", "a"]  # the worst first
    assert text.count("<img") == 10 and "http" not in text  # picture, cut out, matte, truth, difference; nothing loaded
    assert main(command) == 0  # its own page may be replaced
    capsys.readouterr()
    for path in (tmp_path / "AIM-500" / "mask").iterdir():
        path.rename(path.with_name(f"{path.stem}.jpg.png"))  # named as products are
        (predicted / path.name).rename(predicted / f"{path.stem}.jpg.png")
    command = ["evaluate", str(predicted), str(tmp_path / "AIM-500" / "mask"), "--html", str(page)]
    assert main([*command, "--pictures", str(tmp_path / "AIM-500" / "original")]) == 0
    assert page.read_text().count("<img") == 10
    capsys.readouterr()
    page.write_text("my notes")
    assert main(command) == 2 and "no page of hairline evaluate" in capsys.readouterr().err
    assert page.read_text() == "my notes"


def test_a_set_cut_out_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, mattes, job = archive(tmp_path, "p3m500-np"), tmp_path / "mattes", tmp_path / "quick.yaml"
    job.write_text("pools: [{name: all, stages: ['quick_stages:Find', products]}]")
    command = ["evaluate", str(root), "--dataset", "p3m500-np", "--job", str(job), "--mattes", str(mattes), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 2 and found["missing"] == 0
    assert found["each"]["b"]["iou"] == pytest.approx((disc(20) > 0).mean(), abs=1e-4)  # everything was taken
    assert {path.name: int(cv2.imread(str(path), 0).min()) for path in mattes.iterdir()} == {"a.png": 200, "b.png": 200}
    assert main(command) == 2 and "nothing is replaced" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "or --pictures to cut out"),
        (["--mattes", "MINE"], "or --pictures to cut out"),
        (["--pictures", "NONE"], "is no folder"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    write(tmp_path / "truth" / "a.png", disc(9))
    assert (
        main(["evaluate", str(tmp_path / "truth"), *(word.replace("NONE", str(tmp_path / "x")) for word in more)]) == 2
    )
    assert said in capsys.readouterr().err


def test_published_figures_of_segmentation(tmp_path: Path) -> None:
    write(tmp_path / "truth" / "a.png", disc(20))
    write(tmp_path / "same" / "a.png", disc(20))
    write(tmp_path / "other" / "a.png", disc(12))
    pytest.importorskip("py_sod_metrics", reason="it cannot be installed beside our OpenCV")
    same, other = (saliency(match(tmp_path / name, tmp_path / "truth")) for name in ("same", "other"))
    assert set(same) == {"max_f", "weighted_f", "s_measure", "mean_e"}
    assert same["max_f"] == pytest.approx(1, abs=1e-3) and same["weighted_f"] == pytest.approx(1, abs=1e-3)
    assert all(other[name] < same[name] for name in same)
