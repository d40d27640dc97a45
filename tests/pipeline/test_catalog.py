import csv
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.pipeline.catalog import Catalog, read_catalog
from hairline.pipeline.storage import filesystem
from hairline.stages.errors import HairlineError
from kit import Web, as_nobody, fill, jpeg


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
        (["ID", "uri"], [["a", "b"]], "no column id; there is ID, uri"),
        (["id", "uri"], [["a", "b"], ["c", "d"], ["a", "e"]], "row 4: the id a stands in row 2 already"),
        (["id", "uri"], [], "no pictures"),
        (["id", "uri"], [["a", "out/cutout/a.png"]], "row 2: .*where the results go"),
    ],
)
def test_wrong_manifests(tmp_path: Path, header: list[str], rows: list[list[str]], message: str) -> None:
    place = write_csv(tmp_path / "m.csv", header, *rows)
    with pytest.raises(HairlineError, match=message):
        read_catalog(place, str(tmp_path / "out"), ("cutout",))


def problems(catalog: Catalog) -> dict[str, str]:
    return {row["id"]: row["problem"] for row in catalog.table.to_pylist() if row["problem"]}


def test_rows_that_name_no_picture_fail_by_themselves(tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    good = "in/shelf 0/p0000.jpg"
    lines = [
        "id,uri",
        f"a,{good}",
        "b,https://example.org/x,y.jpg",
        ",in/y.jpg",
        "d,",
        "e",
        "",
        ",",
        'f,"https://example.org/x,y.jpg"',
        "g,ftp://example.org/x.jpg",
        "h,gopher://example.org/x.jpg",
        "i,file://other/x.jpg",
        "row 4,in/z.jpg",
        "a,too,many",
    ]
    (tmp_path / "m.csv").write_text("\r\n".join(lines))
    catalog = read_catalog(str(tmp_path / "m.csv"), "out")
    facts = {row["id"]: row for row in catalog.table.to_pylist()}
    found = problems(catalog)
    assert set(facts) - set(found) == {"a", "f", "row 4"}
    assert facts["f"]["uri"] == b"https://example.org/x,y.jpg"
    assert found["b"] == "row 3: it has 3 fields, and the head 2; what holds a comma goes in double quotes"
    assert found["row 4~"] == "row 4: the id is empty"
    assert found["d"] == "row 5: the uri is empty"
    assert found["e"] == "row 6: it has 1 field, and the head 2"
    assert found["g"].startswith("row 10: ftp://: no such kind of storage here")
    assert found["h"].startswith("row 11: gopher://: no such kind of storage here")
    assert "row 12: file://other/x.jpg: files of the machine other cannot be read" in found["i"]
    assert found["row 14"].startswith("row 14: it has 3 fields")
    again = read_catalog(str(tmp_path / "m.csv"), "out").table
    assert again.equals(catalog.table)  # ids and etags are the same each time
    (tmp_path / "m.csv").write_text("\n".join(lines).replace("ftp://", "https://"))
    mended = {row["id"]: row for row in read_catalog(str(tmp_path / "m.csv"), "out").table.to_pylist()}
    assert mended["g"]["etag"] != facts["g"]["etag"] and mended["h"]["etag"] == facts["h"]["etag"]


def test_nulls_in_a_parquet_manifest(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", None, "c", None], "uri": ["x.jpg", "y.jpg", None, None]})
    pq.write_table(table, tmp_path / "m.parquet")
    catalog = read_catalog(str(tmp_path / "m.parquet"), "out")
    assert problems(catalog) == {
        "row 2": "row 2: the id is empty", "c": "row 3: the uri is empty", "row 4": "row 4: the id is empty",
    }  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"id,uri,category\r\n1,a.jpg,animal\r\n",
        b"\xef\xbb\xbfid,uri,category\n1,a.jpg,animal\n",
        b"id;uri;category\r\n1;a.jpg;animal\r\n;;\r\n",
        b"category\turi\tid\nanimal\ta.jpg\t1",
        b"id, uri, category\n1, a.jpg, animal\n",
        "id\turi\tcategory\r\n1\ta.jpg\tanimal\r\n".encode("utf-16"),
        b"\xfe\xff" + "id,uri,category\n1,a.jpg,animal\n".encode("utf-16-be"),
    ],
)
def test_manifests_as_spreadsheets_save_them(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.csv").write_bytes(data)
    (row,) = read_catalog(str(tmp_path / "m.csv"), "out").table.to_pylist()
    assert (row["id"], row["uri"], row["category"]) == ("1", os.fsencode(tmp_path / "a.jpg"), "animal")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"id,uri\n1,a.jpg\n2,caf\xe9.jpg\n", "line 3 is no UTF-8; save it as UTF-8"),
        (b'id,uri\n1,a.jpg\n2,"b.jpg\n3,c.jpg\n', "row 3: cannot be read: unexpected end of data"),
        (b"id|uri\n1|a.jpg\n", "no column id"),
    ],
)
def test_manifests_that_cannot_be_read(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(HairlineError, match=message):
        read_catalog(str(tmp_path / "m.csv"), "out")


def test_file_urls_are_decoded_everywhere(tmp_path: Path) -> None:
    base = tmp_path / "my pictures"
    fill(base, 1)
    (base / "50%.jpg").write_bytes(b"1")
    url = f"file://{tmp_path}/my%20pictures"
    assert ids(read_catalog(url, "out")) == ["50%.jpg", "shelf 0/p0000.jpg"]
    assert ids(read_catalog(url.replace("file://", "file://localhost"), "out")) == ["50%.jpg", "shelf 0/p0000.jpg"]
    assert ids(read_catalog(f"{url}/shelf%200/*.jpg", "out")) == ["p0000.jpg"]
    assert ids(read_catalog(f"{url}/50%25.jpg", "out")) == ["50%.jpg"]
    with pytest.raises(HairlineError, match="is the input itself"):
        read_catalog(url, str(base))
    assert read_catalog(url, f"{url}/shelf%200").left_out == {"output": 1}
    write_csv(base / "m.csv", ["id", "uri"], ["1", f"{url}/50%25.jpg"], ["2", "50%.jpg"], ["3", "x%20y.jpg"])
    uris = read_catalog(f"{url}/m.csv", "out").table["uri"].to_pylist()
    assert uris == [os.fsencode(base / name) for name in ("50%.jpg", "50%.jpg", "x%20y.jpg")]
    with pytest.raises(HairlineError, match="files of the machine server cannot be read"):
        read_catalog("file://server/pictures", "out")


def test_names_that_look_like_globs(tmp_path: Path) -> None:
    base = tmp_path / "in"
    for name in ("photos [1]/a.jpg", "photos [1]/b[1].jpg", "photos 1/c.jpg", "b1.jpg", "b[1].jpg", "d1.jpg"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(b"1")
    found = {place: ids(read_catalog(f"{base}/{place}", "out")) for place in (
        "photos [1]/*.jpg", "photos [1]", "b[1].jpg", "d[1].jpg", "*/b[1].jpg", "photos [1]/b[1].jpg", "photos [12]/*"
    )}  # fmt: skip
    assert found == {
        "photos [1]/*.jpg": ["a.jpg", "b[1].jpg"],
        "photos [1]": ["a.jpg", "b[1].jpg"],
        "b[1].jpg": ["b[1].jpg"],
        "d[1].jpg": ["d1.jpg"],
        "*/b[1].jpg": ["photos [1]/b[1].jpg"],
        "photos [1]/b[1].jpg": ["b[1].jpg"],
        "photos [12]/*": ["photos 1/c.jpg"],
    }


def test_what_systems_and_network_disks_leave_behind(tmp_path: Path) -> None:
    base = tmp_path / "in"
    inside = ("@eaDir", "#recycle", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information", "#snapshot")
    hidden = (".@__thumb", ".Trash-1000", ".snapshot", ".Spotlight-V100")
    for folder in (*inside, *hidden):
        fill(base / "album" / folder, 2)
    for name in (".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini", "a.jpg"):
        (base / "album" / name).write_bytes(b"1")
    catalog = read_catalog(str(base), "out")
    assert ids(catalog) == ["album/a.jpg"]
    assert catalog.left_out == {"system": len(inside) + 2, "hidden": len(hidden) + 2}
    assert len(read_catalog(str(base / "album" / "#recycle"), "out").table) == 2  # asked for by name


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
    assert ids(read_catalog(f"{bucket}/in/[x]*.jpg", "out")) == ["[x]*.jpg"]
    files.pipe_file(f"{bucket[5:]}/photos [1]/y.jpg", b"picture")
    assert ids(read_catalog(f"{bucket}/photos [1]", "out")) == ["y.jpg"]
    assert ids(read_catalog(f"{bucket}/photos [1]/*.jpg", "out")) == ["photos [1]/y.jpg"]
    manifest = write_csv(tmp_path / "m.csv", ["id", "uri"], ["1", f"{bucket}/in/a.jpg"], ["2", f"{bucket}/in/no.jpg"])
    etags = [row["etag"] for row in read_catalog(manifest, "out").table.to_pylist()]
    assert etags == [facts["a.jpg"]["etag"], ""]
    with pytest.raises(HairlineError, match="no such bucket"):
        read_catalog(f"{bucket}-not/in", "out")
    with pytest.raises(HairlineError, match="no pictures"):
        read_catalog(f"{bucket}/nothing", "out")
