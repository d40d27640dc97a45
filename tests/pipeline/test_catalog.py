import csv
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import Web, as_nobody, fill, jpeg

from hairline.pipeline.catalog import Catalog, read_catalog
from hairline.pipeline.storage import filesystem
from hairline.stages.errors import HairlineError


def ids(catalog: Catalog) -> list[str]:
    return catalog.table["id"].to_pylist()


def test_a_folder_with_everything_in_it(tmp_path: Path) -> None:
    base = tmp_path / "in"
    (base / "a" / "b" / "c").mkdir(parents=True)
    for name in ("a/x.jpg", "a/b/x.jpg", "a/b/c/x.PNG", "no picture.txt", "noending", "猫 Ä.jpg", "#?%.jpg", "[x].jpg"):
        (base / name).write_bytes(b"1")
    (base / "empty.jpg").touch()
    for name in (".hidden", ".DS_Store", "Thumbs.db", "a/desktop.ini"):
        (base / name).write_bytes(b"1")
    (base / "__MACOSX").mkdir()
    (base / "__MACOSX" / "y.jpg").write_bytes(b"1")
    (base / ".git").mkdir()
    os.mkfifo(base / "pipe")
    (base / "dangling.jpg").symlink_to("/nowhere/at/all.jpg")
    (base / "self").symlink_to("self")
    (base / "link.jpg").symlink_to(base / "a" / "x.jpg")
    (base / "a" / "loop").symlink_to("..")
    outside = tmp_path / "outside"
    fill(outside, 1)
    (base / "linked folder").symlink_to(outside)
    catalog = read_catalog(str(base), str(tmp_path / "out"))
    wanted = ["#?%.jpg", "[x].jpg", "a/b/c/x.PNG", "a/b/x.jpg", "a/x.jpg", "dangling.jpg", "empty.jpg", "link.jpg",
              "linked folder/shelf 0/p0000.jpg", "no picture.txt", "noending", "self", "猫 Ä.jpg"]  # fmt: skip
    assert ids(catalog) == sorted(wanted)
    assert catalog.left_out == {"hidden": 3, "system": 3, "special": 1, "folder_loop": 1}
    facts = dict(zip(ids(catalog), catalog.table.to_pylist(), strict=True))
    assert facts["dangling.jpg"]["etag"] == "" and facts["dangling.jpg"]["size"] == -1
    status = (base / "a" / "x.jpg").stat()
    assert facts["a/x.jpg"]["etag"] == f"{status.st_size:x}-{status.st_mtime_ns:x}"
    assert facts["a/x.jpg"]["uri"] == os.fsencode(base / "a" / "x.jpg")


def test_names_that_are_no_utf8_are_escaped_and_stay_apart(tmp_path: Path) -> None:
    base = tmp_path / "in"
    base.mkdir()
    Path(os.fsdecode(os.fsencode(base) + b"/x\xff.jpg")).write_bytes(b"1")
    (base / "x\\xff.jpg").write_bytes(b"2")
    catalog = read_catalog(str(base), str(tmp_path / "out"))
    assert len(set(ids(catalog))) == 2 and "x\\xff.jpg" in ids(catalog)
    assert {Path(os.fsdecode(uri)).read_bytes() for uri in catalog.table["uri"].to_pylist()} == {b"1", b"2"}


def test_a_folder_without_permission_is_a_row(open_tmp: Path) -> None:
    closed = open_tmp / "in" / "closed"
    fill(closed, 1)
    fill(open_tmp / "in", 1)
    closed.chmod(0)
    with as_nobody():
        assert "closed" in ids(read_catalog(str(open_tmp / "in"), str(open_tmp / "out")))
    closed.chmod(stat.S_IRWXU)


def test_globs(tmp_path: Path) -> None:
    fill(tmp_path / "in", 6)
    (tmp_path / "in" / "top.jpg").write_bytes(b"1")
    found = {
        pattern: ids(read_catalog(f"{tmp_path}/in/{pattern}", "out")) for pattern in ("*.jpg", "**/*.jpg", "*/*3.jpg")
    }
    assert found["*.jpg"] == ["top.jpg"]
    assert len(found["**/*.jpg"]) == 7
    assert found["*/*3.jpg"] == ["shelf 0/p0003.jpg"]


def test_one_picture(tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    assert ids(read_catalog(str(tmp_path / "in" / "shelf 0" / "p0000.jpg"), str(tmp_path / "out"))) == ["p0000.jpg"]


def test_what_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="no such file or folder"):
        read_catalog(str(tmp_path / "nothing"), "out")
    with pytest.raises(HairlineError, match="no such file or folder"):
        read_catalog(str(tmp_path / "nothing" / "*.jpg"), "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(HairlineError, match=r"no pictures.*1 hidden"):
        read_catalog(str(tmp_path / "empty"), "out")


def test_output_and_input_stay_apart(tmp_path: Path) -> None:
    base = tmp_path / "in"
    fill(base, 3)
    fill(base / "out", 3)
    catalog = read_catalog(str(base), str(base / "out"))
    assert len(catalog.table) == 3 and catalog.left_out == {"output": 1}
    with pytest.raises(HairlineError, match="is the input itself"):
        read_catalog(str(base), str(tmp_path / "x" / ".." / "in"))
    with pytest.raises(HairlineError, match="where the results go"):
        read_catalog(str(base / "shelf 0"), str(base), ("shelf 0",))
    assert len(read_catalog(str(base / "shelf 0"), str(base), ("cutout",)).table) == 1


def write_csv(path: Path, header: list[str], *rows: list[str]) -> str:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def test_a_csv_manifest(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    rows = [
        ["b", "in/shelf 1/p0001.jpg", "animal"],
        ["a/ä", str(tmp_path / "in/shelf 0/p0000.jpg"), ""],
        ["c", "missing.jpg", ""],
        ["d", "https://example.org/x.jpg", ""],
        ["../e", "file:///etc/hostname", ""],
    ]
    catalog = read_catalog(write_csv(tmp_path / "m.csv", ["id", "uri", "category"], *rows), str(tmp_path / "out"))
    assert ids(catalog) == ["../e", "a/ä", "b", "c", "d"]
    facts = {row["id"]: row for row in catalog.table.to_pylist()}
    assert facts["b"]["uri"] == os.fsencode(tmp_path / "in/shelf 1/p0001.jpg")
    assert facts["b"]["category"] == "animal" and facts["b"]["etag"]
    assert facts["c"]["etag"] == "" and facts["d"]["etag"] == ""
    assert facts["../e"]["uri"] == b"/etc/hostname"


def test_a_parquet_manifest_with_numbers_for_ids(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["x.jpg", "y.jpg"], "id": [7, 8], "more": [1.0, 2.0]}), tmp_path / "m.parquet")
    assert ids(read_catalog(str(tmp_path / "m.parquet"), "out")) == ["7", "8"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (["id", "url"], [["a", "b"]], "no column uri; did you mean url?"),
        (["name", "uri"], [["a", "b"]], "no column id"),
        (["id", "uri"], [["a", "b"], ["", "c"]], "row 3: the id is empty"),
        (["id", "uri"], [["a", "b"], ["c", ""]], "row 3: the uri is empty"),
        (["id", "uri"], [["a", "b"], ["c", "d"], ["a", "e"]], "row 4: the id a stands in row 2 already"),
        (["id", "uri"], [], "no pictures"),
        (["id", "uri"], [["a", "out/cutout/a.png"]], "row 2: .*where the results go"),
    ],
)
def test_wrong_manifests(tmp_path: Path, header: list[str], rows: list[list[str]], message: str) -> None:
    place = write_csv(tmp_path / "m.csv", header, *rows)
    with pytest.raises(HairlineError, match=message):
        read_catalog(place, str(tmp_path / "out"), ("cutout",))


def test_manifests_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(jpeg(0))
    (tmp_path / "m.csv").write_bytes(jpeg(0))
    for name in ("m.parquet", "m.csv", "missing.csv"):
        with pytest.raises(HairlineError, match="cannot be read"):
            read_catalog(str(tmp_path / name), "out")


def test_over_http(web: Web) -> None:
    web.files["/m.csv"] = b"id,uri\na,pictures/a.jpg\n"
    catalog = read_catalog(f"{web.url}/m.csv", "out")
    assert catalog.table["uri"].to_pylist() == [f"{web.url}/pictures/a.jpg".encode()]
    with pytest.raises(HairlineError, match="cannot be listed"):
        read_catalog(f"{web.url}/", "out")
    assert ids(read_catalog(f"{web.url}/pictures/a.jpg?size=2", "out")) == ["a.jpg"]


def test_in_s3(bucket: str, tmp_path: Path) -> None:
    files = filesystem("s3")
    for key in (
        "in/a.jpg",
        "in/b c/猫.jpg",
        "in/[x]*.jpg",
        "in/.hidden",
        "in/Thumbs.db",
        "in/out/cutout/a.png",
        "other/x.jpg",
    ):
        files.pipe_file(f"{bucket[5:]}/{key}", b"picture")
    catalog = read_catalog(f"{bucket}/in", f"{bucket}/in/out")
    assert ids(catalog) == ["[x]*.jpg", "a.jpg", "b c/猫.jpg"]
    assert catalog.left_out == {"hidden": 1, "system": 1, "output": 1}
    facts = {row["id"]: row for row in catalog.table.to_pylist()}
    assert len(facts["a.jpg"]["etag"]) == 32 and facts["a.jpg"]["size"] == 7
    assert facts["a.jpg"]["uri"] == f"{bucket}/in/a.jpg".encode()
    assert ids(read_catalog(f"{bucket}/in/**/*.jpg", "out")) == ["[x]*.jpg", "a.jpg", "b c/猫.jpg"]
    manifest = write_csv(tmp_path / "m.csv", ["id", "uri"], ["1", f"{bucket}/in/a.jpg"], ["2", f"{bucket}/in/no.jpg"])
    etags = [row["etag"] for row in read_catalog(manifest, "out").table.to_pylist()]
    assert etags == [facts["a.jpg"]["etag"], ""]
    with pytest.raises(HairlineError, match="no such bucket"):
        read_catalog(f"{bucket}-not/in", "out")
    with pytest.raises(HairlineError, match="no pictures"):
        read_catalog(f"{bucket}/nothing", "out")
