"""Weights for one catalog: what is sampled, kept apart, refused and written, once the whole way with drawn pictures."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.cli import main
from hairline.stages.errors import HairlineError
from hairline.training import coarse_samples, fine
from hairline.training.adapt import judging, learning, samples, sampling, teaching
from hairline.training.adapt.judging import Figures
from hairline.training.adapt.sampling import Looks
from hairline.training.adapt.teaching import Known
from hairline.training.adapt.work import Wish, Work
from hairline.training.data import Photo
from redness import redness


def drawn(rng: np.random.Generator, side: int = 64) -> np.ndarray:
    """A red ball beside a larger green one, BGR uint8 [side, side, 3]."""
    small = rng.integers(60, 160, (5, 5, 3), np.uint8)
    picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    cv2.circle(picture, (int(side * rng.uniform(0.6, 0.8)), side // 2), side // 4, (40, 190, 40), -1, cv2.LINE_AA)
    where = int(side * rng.uniform(0.2, 0.4)), int(side * rng.uniform(0.3, 0.7))
    cv2.circle(picture, where, side // 5, (30, 30, 230), -1, cv2.LINE_AA)
    return picture


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    folder = tmp_path / "catalog"
    (folder / "balls").mkdir(parents=True)
    for number in range(10):
        cv2.imwrite(str(folder / "balls" / f"{number:02}.png"), drawn(rng))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks see 64 pixels, a handful of pictures is enough to judge by, and only training is bound to time."""
    monkeypatch.delenv("HAIRLINE_DATA", raising=False)
    monkeypatch.setattr(coarse_samples, "SIZES", ((0.0, 64),))
    monkeypatch.setattr(fine, "SIZES", ((0.0, 64),))
    monkeypatch.setattr(fine, "SIZE", 64)
    monkeypatch.setattr(learning, "CROPS", 9)
    monkeypatch.setattr(learning, "SHARES", (0.5,))
    monkeypatch.setattr(samples, "FINE_DOUBT", 1.0)
    monkeypatch.setattr(judging, "FEWEST", 2)
    monkeypatch.setattr(sampling, "LOOK_SHARE", 1e6)
    monkeypatch.setattr(teaching, "LABEL_SHARE", 1e6)


def command(catalog: Path, teacher: str, output: Path, *more: str) -> list[str]:
    call = ["adapt", str(catalog), "--teacher", teacher, "-o", str(output), "--minutes", "0.1", "--pictures", "8"]
    return [*call, "--batch", "2", "--workers", "0", "--threads", "1", *more]


def test_the_whole_way_and_again(catalog: Path, tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    given, output = redness(tmp_path / "red.onnx"), tmp_path / "weights"
    call = command(catalog, given, output, "--trust-teacher")
    theirs = {path: path.stat().st_mtime_ns for path in catalog.rglob("*")}
    code = main(call)
    said = capsys.readouterr()
    assert code in (0, 3), said.err
    assert "passed over: broken.jpg" in said.err
    verdict = json.loads((output / "adapt.json").read_text())["verdict"]
    taken = {each["network"] for each in verdict["verdicts"] if each["better"]}
    assert {each["network"] for each in verdict["verdicts"]} == {"coarse", "fine"}
    assert {path.stem for path in output.glob("*.safetensors")} == taken and (code == 0) == bool(taken)
    for network in taken:
        assert f"weights: {output / network}.safetensors" in said.out
    with open(output / "work" / "labels" / "labels.csv", newline="") as file:
        parts = {row["source_path"]: row["split"] for row in csv.DictReader(file)}
    assert len(parts) == 8 and set(parts.values()) == {"train", "val", "test"}
    page = (output / "adapt.html").read_text()
    apart = [id for id, part in parts.items() if part == "test"]
    assert all(id in page for id in apart) and not any(id in page for id in parts if id not in apart)
    words = re.sub(r"data:image/jpeg;base64,[^\"]+|http-equiv", "", page)
    assert "http" not in words and "default-src 'none'" in words

    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != "adapt.json"}
    assert main(call) == code and capsys.readouterr().out == said.out  # nothing is done twice
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != "adapt.json"} == before
    assert main(command(catalog, "builtin", output)) == 2
    assert "was begun with teacher" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in catalog.rglob("*")} == theirs


def test_a_teacher_that_finds_nothing_is_refused_before_anything_is_learned(
    catalog: Path, tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "weights"
    call = command(catalog, redness(tmp_path / "blind.onnx", -60), output)
    assert main(call) == 3
    assert "finds nothing" in capsys.readouterr().out
    assert not list(output.rglob("*.safetensors")) and (output / "adapt.html").is_file()

    (output / "fine.safetensors").write_bytes(b"of an earlier verdict")
    assert main([*call, "--minutes", "0.2"]) == 3
    assert [path.name for path in output.rglob("*.safetensors")] == ["earlier-fine.safetensors"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--corrections", "nowhere"], "corrections nowhere: is no folder"),
        (["--teacher", "isnet-general-uze"], "did you mean isnet-general-use"),
        (["--minutes", "0"], "0 is no number above 0"),
        (["--output", "."], "holds other files"),
    ],
)
def test_mistakes_are_told_in_a_line(
    more: list[str], message: str, catalog: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(catalog.parent)
    assert main([*command(catalog, "builtin", tmp_path / "weights"), *more]) == 2
    said = capsys.readouterr().err.splitlines()
    assert message in said[-1]


def test_corrections_are_found_by_their_pictures_names(catalog: Path, tmp_path: Path, capsys) -> None:
    masks = tmp_path / "masks"
    (masks / "balls").mkdir(parents=True)
    for name in ("00.png", "01.png.png", "99.png"):
        cv2.imwrite(str(masks / "balls" / name), np.zeros((64, 64), np.uint8))
    found = teaching.corrections(str(masks))
    assert teaching.correction_of("balls/00.png", found) == masks / "balls" / "00.png"
    assert teaching.correction_of("balls/01.png", found) == masks / "balls" / "01.png.png"
    assert teaching.correction_of("balls/02.png", found) is None
    assert main(command(catalog, "builtin", tmp_path / "weights", "--corrections", str(masks))) == 2
    assert "99.png belongs to no picture" in capsys.readouterr().err


def looks(count: int, seed: int = 0) -> Looks:
    rng = np.random.default_rng(seed)
    return Looks(
        np.array([f"{number:03}" for number in range(count)]),
        np.array(["shoe" if number % 4 else "bag" for number in range(count)]),
        rng.random(count).astype(np.float32),
        rng.integers(0, 2**63, count).astype(np.uint64),
        rng.normal(size=(count, 32)).astype(np.float16),
    )


def test_near_duplicates_share_a_group() -> None:
    seen = looks(30)
    seen.features[7] = seen.features[3]
    seen.phash[11] = seen.phash[5] ^ np.uint64(1)
    groups = sampling.near_duplicates(seen)
    assert groups[7] == groups[3] and groups[11] == groups[5]
    assert len(set(groups.tolist())) == 28


def test_the_sample_is_spread_and_a_group_gives_few() -> None:
    seen = looks(200)
    groups = np.arange(200)
    groups[:60] = 0  # sixty pictures that look alike
    rows = sampling.choose(seen, groups, 40, wanted=["199"])
    assert len(set(rows)) == 40 and rows[0] == 199
    assert sum(groups[rows] == 0) <= sampling.PER_GROUP
    assert 12 <= sum(seen.category[rows] == "bag") <= 28  # a quarter of the catalog, about half of the sample
    low = np.quantile(seen.confidence, 1 / 3)
    assert 8 <= sum(seen.confidence[rows] <= low) <= 20


def test_a_group_is_never_torn_apart_and_all_parts_fill() -> None:
    groups = [number // 2 for number in range(100)]
    parts = sampling.split(groups)
    assert all(parts[row] == parts[row + 1] for row in range(0, 100, 2))
    for some in (parts, parts[:40]):
        assert abs(some.count("test") / len(some) - 0.3) < 0.05 and some.count("val") >= 2


def known(own: float = 0.5, sure: float = 0.5, corrected: bool = False, theirs: int = 0) -> Known:
    """A picture whose left half is the subject; of a corrected one the teacher has that, but for so many columns."""
    alpha = np.zeros((32, 32), np.uint8)
    alpha[:, :16] = 255
    said = alpha.copy()
    said[:, :theirs] = 0
    photo = Photo(np.zeros((32, 32, 3), np.uint8), alpha, "", False)
    return Known("", photo, "test", corrected, own, sure, said if corrected else None)


@pytest.mark.parametrize(
    ("pictures", "trusted", "message"),
    [
        ([known(own=0.3, sure=0.95)] * 6, False, "contradicts what is certain"),
        ([known(own=0.3, sure=0.95)] * 6, True, ""),
        ([known(own=0.8, sure=0.95)] * 6, False, ""),
        ([known(own=0.3, sure=0.95)] * 6 + [known(own=0.5, corrected=True)] * 5, False, ""),
        ([known(own=0.6, corrected=True, theirs=8)] * 5, True, "is no better than what there is"),
    ],
)
def test_a_teacher_is_judged(pictures: list[Known], trusted: bool, message: str, tmp_path: Path) -> None:
    work = Work.open(Wish("c", "t", tmp_path / "w"))
    found = teaching.objection(pictures, work, trusted)
    assert message in found and bool(found) == bool(message)


def figures(agreements: np.ndarray) -> list[Figures]:
    return [Figures(a, a, a) for a in agreements.tolist()]


def test_weights_are_taken_only_where_the_gain_is_no_chance() -> None:
    rng = np.random.default_rng(0)
    before, groups = rng.uniform(0.5, 0.9, 60), list(range(60))
    some = [known()] * 60

    def verdict(change: np.ndarray, pictures: list[Known] = some, of: list[int] = groups) -> str:
        found = judging.compare("coarse", figures(before), figures(before + change), pictures, of)
        assert found.better == found.why.startswith("better")
        return found.why

    assert verdict(rng.normal(0.02, 0.03, 60)).startswith("better")
    assert "chance" in verdict(rng.normal(0.002, 0.05, 60))
    assert "chance" in verdict(rng.normal(-0.02, 0.03, 60))
    assert "too small" in verdict(np.full(60, 0.001))
    gains = rng.normal(0.03, 0.03, 60)
    gains[:6] = -0.05
    assert "corrected" in verdict(gains, [known(corrected=True)] * 6 + some[6:])
    one = np.where(np.arange(60) < 30, 0.1, -0.02)  # half of the pictures are one and the same
    assert verdict(one).startswith("better") and "chance" in verdict(one, of=[0] * 30 + groups[30:])


def test_what_lies_beside_the_subject_is_a_background() -> None:
    from hairline.training.adapt.samples import clear_part

    photo = known().photo
    assert clear_part(photo) is None  # half of 32 pixels
    wide = Photo(np.zeros((200, 300, 3), np.uint8), np.zeros((200, 300), np.uint8), "", False)
    wide.alpha[50:, :100] = 255
    part = clear_part(wide)
    assert part is not None and part.shape == (200, 188, 3)


def test_a_folder_of_another_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(HairlineError, match="holds other files"):
        Work.open(Wish("c", "t", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_mistake_leaves_nothing_that_hinders_the_next_call(catalog: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "weights"
    assert main(command(catalog, str(tmp_path / "none.onnx"), output)) == 2
    assert "none.onnx" in capsys.readouterr().err and not list(output.iterdir())


def test_more_minutes_go_into_training_and_are_judged_again(tmp_path: Path) -> None:
    first = Work.open(Wish("c", "t", tmp_path / "w", minutes=10))
    first.training, first.verdict = {"coarse": 4.0, "fine": 2.0}, {"headline": "no"}
    first.save()
    assert Work.open(Wish("c", "t", tmp_path / "w", minutes=5)).verdict  # a smaller budget changes nothing
    more = Work.open(Wish("c", "t", tmp_path / "w", minutes=16))
    assert more.training == {"coarse": 8.0, "fine": 4.0} and not more.verdict


@pytest.mark.slow
def test_what_a_teacher_knows_is_learned(catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    for number in range(90):
        cv2.imwrite(str(catalog / "balls" / f"more-{number:02}.png"), drawn(rng, 256))
    monkeypatch.setattr(coarse_samples, "SIZES", ((0.0, 224),))
    call = command(catalog, redness(tmp_path / "red.onnx"), tmp_path / "weights", "--trust-teacher")
    assert main([*call, "--minutes", "6", "--pictures", "100", "--batch", "8", "--workers", "1"]) == 0
    verdict = json.loads((tmp_path / "weights" / "adapt.json").read_text())["verdict"]
    assert verdict["after"]["iou"] > verdict["before"]["iou"] + 0.1
