"""`hairline evaluate`: files in, figures or one clear line out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.cli import main
from hairline.pipeline.ledger import row, write_part
from hairline.pipeline.storage import Folder
from hairline.stages.item import Box, Item


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def disc(radius: int, side: int = 60) -> np.ndarray:
    return cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), radius, 255, -1)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    for name, radius in (("a", 20), ("shoes/b", 10)):
        write(truth / f"{name}.png", disc(radius))
        rgba = np.dstack([np.full((60, 60, 3), 90, np.uint8), disc(radius + (name != "a"))])
        write(predicted / f"{name}.jpg.png", rgba)  # named as products are
    return predicted, truth


def figures(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["evaluate", *map(str, arguments)]) == 2
    line = capsys.readouterr().err
    assert line.startswith("hairline: ") and line.count("\n") == 1
    return line


def test_mattes_by_name(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, *folders)
    assert found["pictures"] == 2 and set(found["each"]) == {"a", "shoes/b"}
    assert found["each"]["a"]["sad"] == 0 and found["each"]["a"]["iou"] == 1
    wrong = float((disc(11) != disc(10)).sum()) / 1000
    assert found["each"]["shoes/b"]["sad"] == pytest.approx(wrong)
    assert found["mean"]["sad"] == pytest.approx(wrong / 2)
    assert main(["evaluate", *map(str, folders)]) == 0
    shown = capsys.readouterr().out
    assert "transition band" in shown and "sad/1000" in shown
    assert all(name in shown for name in ("interior_soft", "holes", "specks"))


def test_trimaps_say_where_the_band_is(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    trimaps = folders[1].parent / "trimaps"
    for name in ("a", "shoes/b"):
        write(trimaps / f"{name}.png", np.where(np.arange(60) < 30, 128, 0)[None].repeat(60, 0).astype(np.uint8))
    found = figures(capsys, *folders, "--trimap", trimaps)["each"]["shoes/b"]
    left = (disc(11) != disc(10))[:, :30].sum()
    assert found["sad_band"] == pytest.approx(left / 1000) and found["mae_band"] == pytest.approx(left / 1800, abs=1e-6)
    (trimaps / "a.png").unlink()
    assert "no trimap" in refused(capsys, *folders, "--trimap", trimaps)


def test_what_does_not_match_is_said(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    predicted, truth = folders
    write(truth / "c.png", disc(5))
    assert "1 of 3 truths have no prediction" in refused(capsys, predicted, truth)
    found = figures(capsys, predicted, truth, "--missing", "empty")
    assert found["missing"] == 1 and found["each"]["c"]["iou"] == 0
    write(predicted / "c.png", disc(5, 50))
    assert "is 50x50 pixels large, but the truth" in refused(capsys, predicted, truth)
    write(predicted / "c.png", np.dstack([disc(5), disc(6), disc(7)]))
    assert "without transparency" in refused(capsys, predicted, truth)
    (predicted / "c.png").write_bytes(b"no picture")
    assert "can be read" in refused(capsys, predicted, truth)
    write(predicted / "c.webp", disc(5))
    assert "same name" in refused(capsys, predicted, truth)
    assert "does not exist" in refused(capsys, predicted, truth / "nowhere")
    assert "no pictures" in refused(capsys, predicted, _made(truth.parent / "empty"))


def test_sixteen_bits_and_grey_in_three_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "truth" / "a.png", disc(9))
    write(tmp_path / "predicted" / "a.png", (disc(9).astype(np.uint16) * 257)[..., None].repeat(3, 2))
    assert figures(capsys, tmp_path / "predicted", tmp_path / "truth")["mean"]["sad"] == 0


def test_boxes_in_coco_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found, own = tmp_path / "truth.json", tmp_path / "found.json", tmp_path / "own.json"
    boxes = [
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 50, 50]},
        {"image_id": 1, "category_id": 4, "bbox": [60, 0, 60, 10]},
        {"image_id": 2, "category_id": 3, "bbox": [5, 5, 20, 100]},
    ]
    listed = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "subject"}, {"id": 4, "name": "text"}],
        "annotations": [*boxes, {"image_id": 2, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1}],
    }
    truth.write_text(json.dumps(listed))
    found.write_text(json.dumps([{**box, "score": 0.9 - k / 10} for k, box in enumerate(boxes[:2])]))
    result = figures(capsys, found, truth)
    assert result["each"]["text"]["ap50"] == 1 and result["each"]["text"]["recall_by_ratio"] == {"3:1..6:1": 1.0}
    assert result["each"]["subject"]["boxes"] == 2 and result["each"]["subject"]["ap50"] == pytest.approx(
        51 / 101, abs=1e-4
    )
    own.write_text(
        json.dumps({"a.jpg": [{"x0": 0, "y0": 0, "x1": 50, "y1": 50, "label": "subject", "score": 0.9}], "b.jpg": []})
    )
    again = figures(capsys, own, truth)["each"]
    assert again["subject"] == result["each"]["subject"] and again["text"]["ap50"] == 0
    own.write_text(json.dumps({"c.jpg": []}))
    assert "not in the truth: c.jpg" in refused(capsys, own, truth)


def test_labels_and_severities_in_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = tmp_path / "truth.csv", tmp_path / "found.json"
    with open(truth, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "category", "class", "blur"])
        lines.writerows([["a", "food", 0, 0], ["b", "food", 3, 4], ["c", "animal", 1, 1], ["d", "", 2, 2]])
    rows = {
        "a": {"category": "food", "category_score": 0.9, "class": 0.0, "blur": 0.1},
        "b": {"category": "animal", "category_score": 0.9, "class": 2.0, "blur": 0.4},
        "c": {"category": "animal", "category_score": 0.9, "class": 1.0, "blur": 0.5},
        "d": {"category": "scene", "category_score": 0.9, "class": 2.0, "blur": 0.8},
    }
    found.write_text(json.dumps(rows))
    each = figures(capsys, found, truth)["each"]
    assert each["category"]["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert each["category"]["ece"] == pytest.approx(0.9 - 2 / 3, abs=1e-3) and each["category"]["rows"] == 3
    assert each["class"]["accuracy"] == 0.75 and each["class"]["kappa"] > 0.8
    assert each["blur"] == {"rows": 4, "positive": 2, "auc": 0.75}
    del rows["d"]
    found.write_text(json.dumps(rows))
    assert "1 of 4 rows of the truth have no prediction: d" in refused(capsys, found, truth)
    del rows["b"]["blur"], rows["c"]["blur"]
    found.write_text(json.dumps({**rows, "d": {"category": "scene"}}))
    assert "no column" in refused(capsys, found, truth)
    found.write_text("[1, 2]")
    assert "not a list of objects" in refused(capsys, found, truth)
    found.write_text("{")
    assert "cannot be read as JSON" in refused(capsys, found, truth)
    found.write_text('[{"id": "a"}, {"id": "a"}]')
    assert "stands there twice" in refused(capsys, found, truth)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_output_of_a_run_is_judged_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = []
    for name, category, blur in (("a.jpg", "food", 0.9), ("b.jpg", "animal", 0.1)):
        item = Item(name, name, category=category, category_score=0.8, quality={"blur": blur, "class": 1.0})
        item.boxes = [Box(0, 0, 50, 50, "subject", 0.9)]
        item.finish()
        items.append(row(item, {}, "f", "r"))
    write_part(Folder(str(tmp_path / "out")), items)
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps([{"id": "a.jpg", "category": "food", "blur": 3}, {"id": "b.jpg", "blur": 0}]))
    each = figures(capsys, tmp_path / "out", truth)["each"]
    assert each["category"]["accuracy"] == 1 and each["category"]["ece"] == pytest.approx(0.2, abs=1e-3)
    assert each["blur"]["auc"] == 1
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "subject"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50]}],
    }
    truth.write_text(json.dumps(coco))
    assert figures(capsys, tmp_path / "out", truth)["each"]["subject"]["ap50"] == 1
    assert "no results" in refused(capsys, _made(tmp_path / "no_run"), truth)
