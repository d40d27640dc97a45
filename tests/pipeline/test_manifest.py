"""Columns of a manifest that products ask for: they come with the picture, and count for its version."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hairline.pipeline.catalog import read_catalog
from hairline.pipeline.source import as_sources, item_of
from hairline.stages.errors import HairlineError
from hairline.stages.limits import Limits

WANTED = {"title": True, "price": False}
ROWS = [
    {"id": "a", "uri": "https://b/a.jpg", "etag": "1", "title": "Mug, blue", "price": 18.5, "more": "x"},
    {"id": "b", "uri": "https://b/b.jpg", "etag": "2", "title": "كوب", "price": None, "more": "y"},
]


def write(folder: Path, kind: str, rows: list[dict[str, object]]) -> str:
    path = folder / f"m.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        lines = [";".join(rows[0]), *(";".join(str(each or "") for each in row.values()) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8-sig")
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_come_with_the_picture(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, ROWS)
    first, second = as_sources(read_catalog(path, "out", (), WANTED).table)
    assert item_of(first, Limits()).columns == {"title": "Mug, blue", "price": "18.5"}
    assert item_of(second, Limits()).columns == {"title": "كوب", "price": ""}
    plain = as_sources(read_catalog(path, "out").table)
    assert [each.etag for each in plain] == ["1", "2"] and item_of(plain[0], Limits()).columns == {}
    assert first.etag.startswith("1+") and second.etag.startswith("2+")
    write(tmp_path, kind, [{**ROWS[0], "title": "Mug, green"}, {**ROWS[1], "more": "z"}])
    changed, same = as_sources(read_catalog(path, "out", (), WANTED).table)
    assert changed.etag != first.etag and same.etag == second.etag


def test_a_column_that_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", [{"id": "a", "uri": "https://b/a.jpg", "titel": "x"}])
    with pytest.raises(HairlineError, match="no column title, which a product takes; did you mean titel"):
        read_catalog(path, "out", (), WANTED)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"x")
    with pytest.raises(HairlineError, match="is no manifest, and a product takes its column title"):
        read_catalog(str(tmp_path / "in"), str(tmp_path / "out"), (), WANTED)
    assert read_catalog(str(tmp_path / "in"), str(tmp_path / "out"), (), {"price": False}).total == 1
