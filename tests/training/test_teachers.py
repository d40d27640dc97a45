"""Masks by teachers: made with a real ONNX model, read, weighed by doubt, and never over better ones."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.cli import main
from hairline.training import coarse_samples, data, label, shards
from redness import redness


def scene(where: tuple[int, int], radius: int, shade: int = 220) -> np.ndarray:
    """A red ball on grey, BGR uint8 [120, 160, 3]."""
    picture = np.full((120, 160, 3), 120, np.uint8)
    cv2.circle(picture, where, radius, (30, 30, shade), -1, cv2.LINE_AA)
    return picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "toy").mkdir(parents=True)
    cv2.imwrite(str(folder / "toy" / "left.png"), scene((50, 60), 30))
    cv2.imwrite(str(folder / "right.png"), scene((110, 60), 20))
    cv2.imwrite(str(folder / "nothing.png"), scene((0, 0), 0, 120))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    return folder


def test_photographs_are_labelled_voted_on_and_listed(photos: Path, tmp_path: Path, capsys) -> None:
    models = [redness(tmp_path / "sure.onnx"), redness(tmp_path / "timid.onnx", -14)]
    command = ["train", "label", str(photos), "-o", str(tmp_path / "out"), "--licence", "CC0", "--validation", "0"]
    command += ["--most-doubt", "0.8"]
    command += [part for model in models for part in ("--model", model)]
    assert main(command) == 0
    assert "left out" in capsys.readouterr().out  # the broken one, by name
    with open(tmp_path / "out" / "labels.csv", newline="") as file:
        rows = {row["source_path"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"toy/left.png", "right.png", "nothing.png"}
    assert rows["toy/left.png"]["category"] == "toy" and rows["right.png"]["category"] == "other"
    assert {row["mask_kind"] for row in rows.values()} == {"teacher_sure+timid"}
    assert {row["split"] for row in rows.values()} == {"train"} and rows["right.png"]["licence"] == "CC0"
    row = rows["toy/left.png"]
    mask, weight, photo = (cv2.imread(str(tmp_path / "out" / row[n]), 0) for n in ("mask_path", "weight_path", "path"))
    assert mask.shape == weight.shape == photo.shape == (120, 160)
    truth = np.zeros((120, 160), np.uint8)
    cv2.circle(truth, (50, 60), 30, 1, -1)
    inner, outer = cv2.erode(truth, None, iterations=5) > 0, cv2.dilate(truth, None, iterations=5) == 0
    # 20 * (220 - 30) / 255 = 14.9: the timid model says 0.71 of red, the sure one 1, so the mean of the votes is 0.86
    assert mask[inner].mean() == pytest.approx(255 * 0.86, abs=4) and mask[outer].max() < 4
    # they differ from their mean by 0.145, twice that is missing from the weight
    assert weight[inner].mean() == pytest.approx(255 * (1 - 2 * 0.145), abs=6) and weight[outer].min() > 250
    alpha = mask / 255
    expected = 2 * np.minimum(alpha, 1 - alpha).sum() / alpha.sum()
    assert float(row["doubt"]) == pytest.approx(expected, abs=0.02)
    assert data.rejects(tmp_path / "out") == {rows["nothing.png"]["path"]: "no subject"}
    assert cv2.imread(str(tmp_path / "out" / "sheets" / "000.jpg")) is not None


def test_labelling_goes_on_where_it_was_and_keeps_what_was_rejected_by_hand(photos: Path, tmp_path: Path) -> None:
    command = ["train", "label", str(photos), "--model", redness(tmp_path / "red.onnx"), "-o", str(tmp_path / "out")]
    assert main(command) == 0
    rejects, labels = tmp_path / "out" / "rejects.txt", tmp_path / "out" / "labels.csv"
    first = labels.read_text().splitlines()[1].partition(",")[0]
    rejects.write_text(f"{first}\tthe shadow came along\n")
    mask = tmp_path / "out" / first.replace("photos/", "masks/").replace(".webp", ".png")
    mask.unlink()  # it is not made again
    shutil.copy(photos / "right.png", photos / "new.png")
    before = labels.read_text()
    assert main(command) == 0
    assert labels.read_text().startswith(before) and "new.png" in labels.read_text()
    assert not mask.exists() and data.rejects(tmp_path / "out")[first] == "the shadow came along"


def test_our_own_weights_are_a_teacher(photos: Path, tmp_path: Path) -> None:
    assert main(["train", "label", str(photos / "toy"), "--model", "builtin", "-o", str(tmp_path / "out")]) == 0
    mask = cv2.imread(str(next((tmp_path / "out" / "masks").iterdir())), 0)
    assert mask[60, 50] > 200 and mask[10, 150] < 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "none.onnx"}, "weights not found: none.onnx"),
        ({"model": "model.bin"}, "the ending must be one of"),
        ({"photos": "nowhere"}, "nowhere is no folder of photographs"),
    ],
)
def test_mistakes_are_told_in_a_line(change: dict, message: str, photos: Path, tmp_path: Path, capsys) -> None:
    given = {"photos": str(photos), "model": redness(tmp_path / "red.onnx")} | change
    assert main(["train", "label", given["photos"], "--model", given["model"], "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1


def test_a_misspelt_key_of_a_described_model_is_told(photos: Path, tmp_path: Path, capsys) -> None:
    described = Path(redness(tmp_path / "red.onnx"))
    described.write_text(described.read_text().replace("size", "sise"))
    assert main(["train", "label", str(photos), "--model", str(described), "-o", str(tmp_path / "out")]) == 2
    assert "red.yaml: sise" in capsys.readouterr().err


def test_the_close_look_follows_what_was_found() -> None:
    asked: list[tuple[int, int]] = []

    def teacher(rgb: np.ndarray) -> np.ndarray:
        asked.append(rgb.shape[:2])
        return (rgb[..., 0] > 180).astype(np.float32)

    rgb = np.ascontiguousarray(scene((110, 60), 20)[..., ::-1])
    found = label.votes(rgb, [teacher])
    assert asked[:2] == [(120, 160)] * 2 and len(asked) == 3
    assert asked[2][0] < 70 and asked[2][1] < 70
    assert found.shape == (3, 120, 160) and np.ptp(found, 0).max() == 0  # all three say the same


# --- what training reads -----------------------------------------------------------------------------------------

BASE = "path,source_path,category,mask_path,mask_kind,split,licence\n"
TAUGHT = "path,mask_path,category,mask_kind,doubt,split,licence,source_repo,source_path,author\n"


@pytest.fixture
def taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with three photographs of its own and a teacher's folder in it: masks white there, black here."""
    root = tmp_path / "data"
    for path in ("photos_masks/masks", "teacher/photos", "teacher/masks"):
        (root / path).mkdir(parents=True)
    lines, theirs = [], []
    for name, kind, split, doubt in (
        ("program", "pseudo_grabcut", "train", 0.05), ("unsure", "pseudo_grabcut", "train", 0.3),
        ("human", "human_polygon_refined", "train", 0.01), ("judged", "pseudo_grabcut", "val", 0.01),
    ):  # fmt: skip
        cv2.imwrite(str(root / f"photos_masks/{name}.png"), scene((80, 60), 30))
        cv2.imwrite(str(root / f"photos_masks/masks/{name}.png"), np.zeros((120, 160), np.uint8))
        cv2.imwrite(str(root / f"teacher/masks/{name}.png"), np.full((120, 160), 255, np.uint8))
        lines.append(f"photos_masks/{name}.png,,animal,photos_masks/masks/{name}.png,{kind},{split},CC0\n")
        theirs.append(f"../photos_masks/{name}.png,masks/{name}.png,animal,teacher_x,{doubt},{split},CC0,,,\n")
    for name, licence, repo in (
        ("free", "CC0", "a/b"), ("bought", "Unsplash", "a/b"), ("demo", "CC0", "scikit-image/scikit-image"),
    ):  # fmt: skip
        cv2.imwrite(str(root / f"teacher/photos/{name}.png"), scene((80, 60), 30))
        cv2.imwrite(str(root / f"teacher/masks/{name}.png"), np.full((120, 160), 200, np.uint8))
        theirs.append(f"photos/{name}.png,masks/{name}.png,product,teacher_x,0.2,train,{licence},{repo},,\n")
    (root / "labels.csv").write_text(BASE + "".join(lines))
    (root / "teacher" / "labels.csv").write_text(TAUGHT + "".join(theirs))
    monkeypatch.setenv("HAIRLINE_DATA", str(root))
    monkeypatch.delenv("HAIRLINE_LABELS", raising=False)
    data.rows.cache_clear()
    yield root
    data.rows.cache_clear()


def whites(split: str) -> dict[str, bool]:
    """Which photographs have the teacher's white mask."""
    return {Path(p.path).stem: bool(p.alpha.mean() > 127) for p in data.photos(split)["animal"]}


def test_a_sure_teacher_takes_the_place_of_programs_alone_and_only_in_training(taught: Path) -> None:
    assert whites("train") == {"program": True, "unsure": False, "human": False}
    assert whites("val") == {"judged": False}
    assert {p.path.rsplit("/", 1)[-1]: p.doubt for p in data.taught("train")["product"]} == {
        "free.png": 0.2, "bought.png": 0.2,
    }  # fmt: skip
    assert [p.path for p in data.taught("val")["animal"]] == ["photos_masks/judged.png"]


def test_stock_photographs_can_be_left_out(taught: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIRLINE_STOCK", "0")
    assert [p.path for p in data.taught("train")["product"]] == ["teacher/photos/free.png"]


def test_labels_of_ones_own_are_read_with_their_weights_and_without_rejects(
    taught: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    command = ["train", "label", str(photos), "--model", redness(tmp_path / "red.onnx"), "-o", str(out)]
    assert main([*command, "--validation", "0", "--category", "vase"]) == 0
    monkeypatch.setenv("HAIRLINE_LABELS", str(out))
    found = data.taught("train")
    assert len(found["toy"]) == 1 and len(found["vase"]) == 1  # the one without a subject is rejected
    assert found["toy"][0].weight is not None and found["toy"][0].weight.shape == found["toy"][0].alpha.shape
    monkeypatch.setenv("HAIRLINE_LABELS", str(tmp_path / "nowhere"))
    with pytest.raises(data.HairlineError, match="HAIRLINE_LABELS"):
        data.taught("train")


def test_what_a_teacher_doubts_counts_less() -> None:
    alpha = np.array([[0, 0.5, 1]], np.float32)
    sure, unsure = coarse_samples.taught_trust(alpha, 0.02), coarse_samples.taught_trust(alpha, 0.4)
    assert sure[0, 0] == sure[0, 2] > 0.9 and sure[0, 1] < 0.4
    assert (unsure < sure * 0.5).all()


def test_only_sure_and_whole_subjects_are_cut_out() -> None:
    rgb, alpha = scene((80, 60), 30)[..., ::-1].copy(), np.zeros((120, 160), np.uint8)
    cv2.circle(alpha, (80, 60), 30, 255, -1, cv2.LINE_AA)
    veil = np.maximum(alpha, 40)
    made = coarse_samples.cut_out(data.Photo(rgb, veil, "product", False, True, 0.03), "product_photo")
    assert made is not None and made.category == "product_photo" and made.pseudo
    assert made.rgba.shape[:2] == (61, 61) and made.rgba[0, 0, 3] == 0  # the veil is gone
    assert np.abs(made.rgba[30, 30, :3].astype(int) - (220, 30, 30)).max() <= 2
    assert coarse_samples.cut_out(data.Photo(rgb, veil, "product", False, True, 0.2), "product_photo") is None
    cut = np.roll(alpha, 60, 1)
    assert coarse_samples.cut_out(data.Photo(rgb, cut, "product", False, True, 0.03), "product_photo") is None


def test_a_teachers_masks_travel(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whites("train"), sorted(p.path for p in data.taught("train")["product"])
    shards.unpack(shards.pack(tmp_path / "shards", 1), tmp_path / "there")
    monkeypatch.setenv("HAIRLINE_DATA", str(tmp_path / "there"))
    data.rows.cache_clear()
    assert (whites("train"), sorted(p.path for p in data.taught("train")["product"])) == before
