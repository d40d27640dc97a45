"""Manifests of every kind: JSON lines, folders of Parquet, Delta and Iceberg tables."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.pipeline.catalog import Catalog, read_catalog
from hairline.pipeline.manifest_files import kind
from hairline.pipeline.storage import filesystem
from hairline.stages.errors import HairlineError
from kit import fill

FACTS = ("uri", "etag", "size", "category")


def facts(catalog: Catalog) -> dict[str, tuple[object, ...]]:
    return {row["id"]: tuple(row[name] for name in FACTS) for row in catalog.table.to_pylist()}


def problems(catalog: Catalog) -> dict[str, str]:
    return {row["id"]: row["problem"] for row in catalog.table.to_pylist() if row["problem"]}


def table(*ids: str, **more: list[object]) -> pa.Table:
    return pa.table({"id": list(ids), "uri": [f"https://b/{id}.jpg" for id in ids], **more})


def test_json_lines_with_wrong_lines(tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    lines = [
        json.dumps({"id": "a", "uri": "in/shelf 0/p0000.jpg", "category": "animal"}),
        "",
        '{"id": "b", "uri": ',
        json.dumps(["c", "x.jpg"]),
        json.dumps({"id": 7, "uri": "https://b/7.jpg", "etag": "e7", "size": 12, "more": {"x": 1}}),
        json.dumps({"id": "d", "uri": None}),
        json.dumps({"id": "e", "uri": ["x.jpg"]}),
        json.dumps({"uri": "f.jpg"}),
        '{"id": "\\ud800", "uri": "g.jpg"}',
        json.dumps({"id": "h", "uri": "https://b/h.jpg", "size": -3}),
    ]
    for name in ("m.jsonl", "m.ndjson"):
        (tmp_path / name).write_text("\n".join(lines))
        catalog = read_catalog(str(tmp_path / name), "out")
        found = problems(catalog)
        assert found["row 3"].startswith("row 3: is no JSON: Expecting value at column ")
        assert {id: text for id, text in found.items() if id != "row 3"} == {
            "row 4": "row 4: it is no object",
            "d": "row 6: the uri is empty",
            "row 7": "row 7: the uri is no text",
            "row 8": "row 8: the id is empty",
            "row 9": "row 9: the id is no valid text",
            "h": "row 10: the size -3 is no number of bytes",
        }
        good = facts(catalog)
        assert good["7"] == (b"https://b/7.jpg", "e7", 12, "") and good["a"][3] == "animal" and good["a"][1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "url": "x"}', "no column uri; did you mean url"),
        ("", "is empty"),
        ('{"id": "a", "uri": "x"}\n{"id": "caf\xe9"}', "line 2 is no UTF-8"),
    ],
)
def test_json_lines_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.jsonl").write_bytes(text.encode("latin1"))
    with pytest.raises(HairlineError, match=message):
        read_catalog(str(tmp_path / "m.jsonl"), "out")


def test_what_a_manifest_says_of_a_file_is_taken(tmp_path: Path, bucket: str) -> None:
    """Also of an object that is not there: nothing is asked."""
    (tmp_path / "m.csv").write_text(f"id,uri,etag,size\na,{bucket}/a.jpg,e1,100\nb,b.jpg,e2,\nc,c.jpg,e3,ten\n")
    catalog = read_catalog(str(tmp_path / "m.csv"), "out")
    assert facts(catalog)["a"] == (f"{bucket}/a.jpg".encode(), "e1", 100, "")
    assert facts(catalog)["b"] == (f"{tmp_path}/b.jpg".encode(), "e2", -1, "")
    assert problems(catalog) == {"c": "row 4: the size ten is no number of bytes"}


def test_a_folder_of_parquet_files_with_hive_partitions(tmp_path: Path) -> None:
    base = tmp_path / "lake"
    for category, names in (("animal", "ab"), ("head%20shot", "c"), ("__HIVE_DEFAULT_PARTITION__", "d")):
        way = base / f"category={category}"
        way.mkdir(parents=True)
        pq.write_table(table(*names, etag=["e"] * len(names)), way / "part-0.parquet")
    pq.write_table(table("e", etag=["e"]).append_column("category", pa.array(["solid"])), base / "z.parquet")
    (base / "_SUCCESS").touch()
    (base / "_temporary").mkdir()
    (base / "_temporary" / "half.parquet").write_bytes(b"half")
    categories = {id: each[3] for id, each in facts(read_catalog(str(base), "out")).items()}
    assert categories == {"a": "animal", "b": "animal", "c": "head shot", "d": "", "e": "solid"}
    some = read_catalog(f"{base}/category=*/*.parquet", "out")
    assert sorted(facts(some)) == ["a", "b", "c", "d"]
    pq.write_table(table("a", etag=["e"]), base / "again.parquet")
    with pytest.raises(
        HairlineError, match=r"category=animal/part-0\.parquet, row 1: the id a stands in again\.parquet, row 1 already"
    ):
        read_catalog(str(base), "out")
    (base / "again.parquet").unlink()
    pq.write_table(pa.table({"id": ["x", None], "uri": [None, "y"], "etag": ["", ""]}), base / "broken.parquet")
    assert problems(read_catalog(str(base), "out")) == {
        "x": "broken.parquet, row 1: the uri is empty",
        "broken.parquet, row 2": "broken.parquet, row 2: the id is empty",
    }
    pq.write_table(pa.table({"id": ["x"], "url": ["y"]}), base / "broken.parquet")
    with pytest.raises(HairlineError, match="no column uri; did you mean url"):
        read_catalog(str(base), "out")


def test_a_folder_of_pictures_is_no_manifest(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    pq.write_table(table("a"), tmp_path / "in" / "list.parquet")
    assert kind(str(tmp_path / "in")) == "" and read_catalog(str(tmp_path / "in"), "out").total == 3
    assert kind(str(tmp_path / "nothing")) == "" == kind(str(tmp_path))


def test_several_csv_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,uri\n1,https://example.org/1\n,\n2,https://example.org/2\n")
    (tmp_path / "b.csv").write_text("uri;id\nhttps://example.org/3;3\n;4\n")
    catalog = read_catalog(f"{tmp_path}/*.csv", "out")
    assert [row["id"] for row in catalog.table.to_pylist()] == ["1", "2", "3", "4"]
    assert problems(catalog) == {"4": "b.csv, row 3: the uri is empty"}
    (tmp_path / "b.csv").write_text("uri;id\nhttps://example.org/3;1\n")
    with pytest.raises(HairlineError, match=r"b\.csv, row 2: the id 1 stands in a\.csv, row 2 already"):
        read_catalog(f"{tmp_path}/*.csv", "out")


def test_a_delta_table(tmp_path: Path) -> None:
    import deltalake

    fill(tmp_path / "t" / "in", 1)
    deltalake.write_deltalake(
        tmp_path / "t", table("a", "b", category=["x", "y"], size=[1, 2]), partition_by=["category"]
    )
    deltalake.write_deltalake(tmp_path / "t", table("c", category=["x"], size=[None]), mode="append")
    deltalake.DeltaTable(tmp_path / "t").delete("id = 'a'")
    found = facts(read_catalog(str(tmp_path / "t"), "out"))
    assert {id: each[3] for id, each in found.items()} == {"b": "y", "c": "x"}
    assert found["b"] == (b"https://b/b.jpg", "", 2, "y")
    deltalake.write_deltalake(tmp_path / "u", pa.table({"name": ["x"], "uri": ["y"]}))
    with pytest.raises(HairlineError, match="no column id"):
        read_catalog(str(tmp_path / "u"), "out")
    (tmp_path / "broken" / "_delta_log").mkdir(parents=True)
    with pytest.raises(HairlineError, match="deltalake cannot read it"):
        read_catalog(str(tmp_path / "broken"), "out")


def test_an_iceberg_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.utils.config import Config

    place = {"uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}/warehouse"}
    catalog = SqlCatalog("mine", **place)
    catalog.create_namespace("shop")
    rows = table("a", "b", etag=["e1", "e2"])
    made = catalog.create_table("shop.pictures", rows.schema)
    made.append(rows)
    made.append(table("c", etag=["e3"]))
    for key, value in {**place, "type": "sql"}.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__MINE__{key.upper()}", value)
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())  # read once, when it is imported
    latest = made.metadata_location.removeprefix("file://")
    for uri in ("iceberg://mine/shop.pictures", latest, str(Path(latest).parents[1])):
        found = facts(read_catalog(uri, "out"))
        assert {id: each[1] for id, each in found.items()} == {"a": "e1", "b": "e2", "c": "e3"}, uri
    with pytest.raises(HairlineError, match=r"iceberg://mine/shop\.none: pyiceberg cannot read it"):
        read_catalog("iceberg://mine/shop.none", "out")


@pytest.mark.parametrize(("package", "uri"), [("deltalake", "t"), ("pyiceberg.catalog", "v1.metadata.json")])
def test_readers_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, uri: str
) -> None:
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, package, None)
    name = package.partition(".")[0]
    with pytest.raises(HairlineError, match=rf"{name} is not installed: pip install 'hairline-matting\["):
        read_catalog(str(tmp_path / uri), "out")


def test_in_s3(bucket: str, tmp_path: Path) -> None:
    files = filesystem("s3")
    for name, ids in (("lake/category=x/a.parquet", "ab"), ("lake/category=y/b.parquet", "c")):
        pq.write_table(table(*ids, etag=["e"] * len(ids)), tmp_path / "m.parquet")
        files.pipe_file(f"{bucket[5:]}/{name}", (tmp_path / "m.parquet").read_bytes())
    files.pipe_file(f"{bucket[5:]}/lake/_SUCCESS", b"")
    whole = facts(read_catalog(f"{bucket}/lake", "out"))
    assert {id: each[3] for id, each in whole.items()} == {"a": "x", "b": "x", "c": "y"}
    assert facts(read_catalog(f"{bucket}/lake/*/b.parquet", "out")).keys() == {"c"}
    files.pipe_file(f"{bucket[5:]}/m.jsonl", b'{"id": "1", "uri": "lake/_SUCCESS"}')
    assert facts(read_catalog(f"{bucket}/m.jsonl", "out"))["1"][0] == f"{bucket}/lake/_SUCCESS".encode()
    with pytest.raises(HairlineError, match="cannot be read"):
        read_catalog(f"{bucket}/missing.jsonl", "out")
