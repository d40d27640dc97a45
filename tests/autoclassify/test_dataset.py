"""Listing data sets: folders, manifests, and what is wrong with them in one line."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.autoclassify.dataset import list_dataset
from hairline.autoclassify.files import open_folder
from hairline.stages.errors import HairlineError


def tree(folder: Path, **classes: int) -> Path:
    for label, count in classes.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{number}.JPG").write_bytes(b"x")
    return folder


def test_folders_are_classes_at_any_depth_and_other_files_are_left_alone(tmp_path: Path) -> None:
    folder = tree(tmp_path / "in", hats=3, shoes=4)
    (folder / "hats" / "winter").mkdir()
    (folder / "hats" / "winter" / "a.webp").write_bytes(b"x")
    (folder / "hats" / "notes.txt").write_text("no picture")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "a.jpg").write_bytes(b"x")
    table = list_dataset(str(folder))
    assert table.group_by("label").aggregate([("uri", "count")]).sort_by("label").to_pylist() == [
        {"label": "hats", "uri_count": 4},
        {"label": "shoes", "uri_count": 4},
    ]
    assert table["uri"].to_pylist() == sorted(table["uri"].to_pylist()) and all(table["etag"].to_pylist())


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_manifests_name_files_beside_them_and_may_say_the_split(tmp_path: Path, ending: str) -> None:
    tree(tmp_path, a=3, b=3)
    rows = [
        {"uri": f"{label}/{n}.JPG", "label": label, "split": ("train", "val", "test")[n]}
        for label in "ab"
        for n in range(3)
    ]
    path = tmp_path / f"labels.{ending}"
    if ending == "csv":
        path.write_text("uri,label,split\n" + "".join(f"{r['uri']},{r['label']},{r['split']}\n" for r in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    table = list_dataset(str(path))
    assert table["uri"].to_pylist() == sorted(f"{tmp_path}/{row['uri']}" for row in rows)
    assert sorted(table["split"].to_pylist()) == ["test", "test", "train", "train", "val", "val"]


def test_pictures_in_s3(bucket: str) -> None:
    from hairline.autoclassify.files import read, remote

    files, path = remote(bucket)
    for label in "ab":
        for number in range(3):
            files.pipe_file(f"{path}/in/{label}/{number}.jpg", f"{label}{number}".encode())
    table = list_dataset(f"{bucket}/in")
    assert table["uri"].to_pylist() == [f"{bucket}/in/{label}/{n}.jpg" for label in "ab" for n in range(3)]
    assert table["label"].to_pylist() == list("aaabbb") and all(table["etag"].to_pylist())
    assert read(table["uri"][4].as_py()) == b"b1"


def refused(dataset: Path | str) -> str:
    with pytest.raises(HairlineError) as caught:
        list_dataset(str(dataset))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_class_only(tmp_path: Path) -> None:
    assert "one class only, 'a'" in refused(tree(tmp_path / "in", a=5))


def test_a_class_with_one_picture(tmp_path: Path) -> None:
    assert "the class 'b' has 1 pictures, and 3 are the least" in refused(tree(tmp_path / "in", a=5, b=1))


def test_labels_that_differ_by_case_or_blanks(tmp_path: Path) -> None:
    folder = tree(tmp_path / "in", Dress=3, a=3)
    (folder / "Dress").rename(folder / "Summer Dress")
    tree(folder, summer_dress=3)
    assert "'Summer Dress' and 'summer_dress' differ by case or blanks alone" in refused(folder)


def test_pictures_without_a_class(tmp_path: Path) -> None:
    folder = tree(tmp_path / "in", a=3, b=3)
    (folder / "stray.png").write_bytes(b"x")
    assert "1 pictures lie in no class's folder and so have no label, such as stray.png" in refused(folder)


def test_an_empty_folder_and_none_at_all(tmp_path: Path) -> None:
    assert "holds no pictures" in refused(tmp_path)
    assert "is not there" in refused(tmp_path / "away")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url,label\na.jpg,a\n", "has no column 'uri'; did you mean url?"),
        ("uri,label\na.jpg,a\nb.jpg,\n", "1 rows have no label, the first is row 2"),
        ("uri,label\na.jpg,a\na.jpg,b\n", "names .*a.jpg more than once"),
        ("uri,label,split\na.jpg,a,trian\n", "split 'trian' is none of train, val, test"),
        ("", "cannot be read: Empty CSV file"),
    ],
)
def test_manifests_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(HairlineError, match=words):
        list_dataset(str(path))


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HairlineError, match="cannot be written"):
        open_folder(str(tmp_path / "file" / "out"))
    with pytest.raises(HairlineError, match="must be a folder"):
        open_folder("s3://bucket/out")
