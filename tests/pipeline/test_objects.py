"""Keys of a bucket, a page at a time."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from hairline.pipeline import objects as objects_module
from hairline.pipeline.listing import list_remote
from hairline.pipeline.manifest import read_manifest
from hairline.pipeline.manifest_files import Manifest
from hairline.pipeline.objects import facts, folders, objects
from hairline.pipeline.storage import filesystem

KEYS = [
    *(f"in/{i:02d}.jpg" for i in range(12)),
    *(f"in/a/{i:02d}.jpg" for i in range(25)),
    *(f"in/b/c/{i}/x.jpg" for i in range(9)),
    *("in/z", "in/ä.jpg", "in/猫/x.jpg", "inside/x.jpg", "in.jpg", "other/\U0001f408.jpg"),
]


class Counted:
    """The file system of S3, with every request noted."""

    def __init__(self, files: Any) -> None:
        self.files, self.asked = files, list[dict[str, Any]]()

    def call_s3(self, name: str, **arguments: Any) -> Any:
        assert name == "list_objects_v2"
        self.asked.append(arguments)
        return self.files.call_s3(name, **arguments)


@pytest.fixture
def files(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    monkeypatch.setattr(objects_module, "PAGE", 10)
    s3 = filesystem("s3")
    for key in KEYS:
        s3.pipe_file(f"{bucket[5:]}/{key}", key.encode())
    yield Counted(s3)


def test_all_keys_come_once_in_pages(files: Counted, bucket: str) -> None:
    name = bucket[5:]
    wanted = sorted((f"{name}/{key}" for key in KEYS if key.startswith("in/")), key=str.encode)
    assert [found.key for found in objects(files, f"{name}/in/")] == wanted
    found = list(folders(files, f"{name}/in/"))
    assert sorted((each.key for each in found), key=str.encode) == wanted
    assert all(each.size == len(each.key.encode()) - len(name) - 1 and len(each.etag) == 32 for each in found)


def test_folders_that_are_many_are_listed_together(
    files: Counted, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "FEW", 2)  # in/ has three
    found = list(folders(files, f"{bucket[5:]}/in/"))
    assert len(found) == len({each.key for each in found}) == 49
    assert len(files.asked) <= 1 + 5 + 3  # a look at its folders, 49 keys ten at a time, a look for other ways


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{i:04d}.jpg" for i in range(250)],
        [f"{stem}{i:03d}" for stem in ("a", "ab", "猫", "\U0010ffff") for i in range(60)],
        ["x" * i for i in range(1, 60)],  # each begins the next
        [f"{chr(200 + i)}.jpg" for i in range(100)],  # more ways to go on than are tried
    ],
    ids=["numbers", "stems", "each begins the next", "many"],
)
def test_a_folder_without_folders_is_split(files: Counted, bucket: str, names: list[str]) -> None:
    name = bucket[5:]
    for each in names:
        files.files.pipe_file(f"{name}/flat/{each}", b"")
    found = [each.key for each in folders(files, f"{name}/flat/")]
    assert len(found) == len(names)
    assert set(found) == {f"{name}/flat/{each}" for each in names}
    pages = [asked for asked in files.asked if asked["MaxKeys"] > 1]
    assert len(files.asked) - len(pages) <= 2 * objects_module.FEW  # looks for ways to split
    if names[0].startswith("img"):  # several ways on, none of which waits for another
        assert len({asked["Prefix"] for asked in pages}) > objects_module.AT_ONCE


def test_facts_of_neighbours_come_in_one_answer(files: Counted, bucket: str) -> None:
    name = bucket[5:]
    wanted = [f"{name}/{key}" for key in ("in/a/03.jpg", "in/a/04.jpg", "in/a/05.jpg", "in/z", "in/ä.jpg", "other/no")]
    found = facts(files, [*wanted, f"{name}/in/00.jpg", f"{name}/\ue000", f"{name}/other/\U0001f408.jpg"])
    assert found.keys() == {*wanted[:-1], f"{name}/in/00.jpg", f"{name}/other/\U0001f408.jpg"}
    assert found[wanted[3]].size == 4
    assert len(files.asked) <= 6  # nine keys in five stretches


def test_a_prefix_is_listed_whole(files: Counted, bucket: str) -> None:
    left_out: Counter[str] = Counter()
    ids = [source.id for source in list_remote(f"{bucket}/in", "out", left_out)]
    assert sorted(ids) == sorted(key[3:] for key in KEYS if key.startswith("in/")) and not left_out


def test_a_manifest_without_etags_costs_no_request_for_each_row(
    files: Counted, bucket: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "PAGE", 1000)
    keys = [key for key in KEYS if key.startswith("in/")]
    (tmp_path / "m.csv").write_text("id,uri\n" + "".join(f"{key},{bucket}/{key}\n" for key in keys))
    s3, asked = files.files, []
    real = s3._call_s3

    async def noted(method: str, *arguments: Any, **more: Any) -> Any:
        asked.append(method)
        return await real(method, *arguments, **more)

    monkeypatch.setattr(s3, "_call_s3", noted)
    (rows,) = read_manifest(Manifest(str(tmp_path / "m.csv"), "file"), "out", ())
    assert all(len(etag) == 32 for etag in rows["etag"].to_pylist()) and min(rows["size"].to_pylist()) > 3
    assert len(keys) == 49 and set(asked) <= {"list_objects_v2"} and len(asked) <= 3
