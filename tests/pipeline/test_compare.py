"""Two outputs side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hairline.pipeline.compare import difference, write_comparison
from hairline.stages.errors import HairlineError
from outputs import Output, Page


def two(tmp_path: Path) -> tuple[Output, Output]:
    return Output(tmp_path / "a"), Output(tmp_path / "b")


def test_tells_what_changed(tmp_path: Path) -> None:
    first, second = two(tmp_path)
    for number in range(5):
        first.ok(f"{number}.jpg", number)
        second.ok(f"{number}.jpg", number, inset=10 + (number == 3) * 8 + (number == 4) * 2)
    first.ok("turned.jpg")
    second.ended("turned.jpg", "filtered", "blurred")
    first.ok("only a.jpg")
    second.rows[0]["seconds"] = [("filter", 9.0)]
    to = str(tmp_path / "deep" / "compare.html")
    assert write_comparison(first.write(), second.write(), to) == to
    found = Page(Path(to).read_text("utf-8"))
    text = " ".join(found.text.split())
    assert "6 pictures are in both, 1 only in A." in text
    assert "1 of the 6 in both" in text and "filtered · blurred 1 turned.jpg" in text
    assert "5 pictures that are ok in both were compared: 3 have the same matte" in text
    assert text.index("3.jpg") < text.index("4.jpg")  # the larger difference first
    assert len(found.images) == 2 * 3 and all(src.startswith("data:") for src in found.images)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["compare.html"]


def test_same_outputs_and_default_place(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("a.jpg")
    place = output.write()
    page = write_comparison(place, place)
    assert page == f"{place}/report/compare.html"
    text = Page(Path(page).read_text("utf-8")).text
    assert "No matte differs." in text and "None: every picture has the same status" in text


def test_bucket_against_folder(tmp_path: Path, bucket: str) -> None:
    first, second = Output(tmp_path), Output(bucket)
    first.ok("a.jpg")
    second.ok("a.jpg", inset=20)
    write_comparison(first.write(), second.write())
    found = Page(second.folder.read("report/compare.html").decode())
    assert len(found.images) == 3 and "1 pictures that are ok in both" in " ".join(found.text.split())


def test_hostile_names_and_gone_products(tmp_path: Path) -> None:
    first, second = two(tmp_path)
    evil = "<script>alert(1).jpg"
    for output in (first, second):
        output.ok(evil)
    (tmp_path / "b" / "out" / "cutout" / f"{evil}.png").unlink()
    found = Page(Path(write_comparison(first.write(), second.write())).read_text("utf-8"))
    assert found.tags["script"] == 0 and "1 could not be read." in found.text


def test_plain_file_name_goes_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path)
    output.ok("a.jpg")
    place = output.write()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    write_comparison(place, place, "compare.html")
    assert [path.name for path in work.iterdir()] == ["compare.html"]


def test_needs_results(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="no results"):
        write_comparison(str(tmp_path), str(tmp_path))


def test_difference_is_the_mean_of_alpha() -> None:
    a, b = np.zeros((10, 20), np.uint8), np.zeros((10, 20), np.uint8)
    b[:, :5] = 255
    assert difference(a, b) == pytest.approx(0.25) and difference(a, a) == 0
    assert difference(a, np.full((5, 10), 51, np.uint8)) == pytest.approx(0.2)


@pytest.mark.parametrize("partitions", [1, 4])
def test_changes_are_grouped(tmp_path: Path, partitions: int) -> None:
    first, second = two(tmp_path)
    for output in (first, second):
        output.ok("x.jpg")
    for id, a, b in (("a", "", "too_dark"), ("b", "", ""), ("c", "too_dark", ""), ("d", "", "too_dark")):
        for output, reason in ((first, a), (second, b)):
            if reason:
                output.ended(id, "filtered", reason)
            else:
                output.rows.append({**output.rows[0], "id": id, "outputs": []})
    page = write_comparison(first.write(), second.write(partitions=partitions))
    words = " ".join(Page(Path(page).read_text("utf-8")).text.split())
    assert "3 of the 5 in both" in words
    assert words.index("ok filtered · too dark 2 a, d") < words.index("filtered · too dark ok 1 c")
