"""Cut-outs in Ray programs of one's own: with real Ray, as the examples show."""

from __future__ import annotations

import importlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import ray
import requests
import skimage
from PIL import Image

import hairline
from hairline.cluster.nodes import Node
from hairline.cluster.session import Cluster

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PHOTOS = Path(skimage.__file__).parent / "data"
SMALL = {"small": {"product": "white_background", "canvas": [64, 64]}}
ONE = ray.data.ActorPoolStrategy(size=1)


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    """A Ray of this module's own: one that is started plainly would turn on tokens for every later test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "examples"), os.environ["PYTHONPATH"]]))
        with Cluster(Node(2)).session():
            yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    for name, size in (("astronaut", (256, 256)), ("coffee", (300, 200))):
        Image.open(PHOTOS / f"{name}.png").convert("RGB").resize(size).save(folder / f"{name}.jpg")
    for number in range(4):
        (folder / f"z{number}.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def cutter() -> hairline.Cutter:
    return hairline.Cutter(threads=1)


def test_a_column_of_bytes(session: None, folder: Path, cutter: hairline.Cutter) -> None:
    pictures = ray.data.read_binary_files(str(folder), include_paths=True)
    options = {"products": ["cutout", SMALL], "prefix": "cut_"}
    cut = pictures.map_batches(
        hairline.ray.Cutter, fn_constructor_kwargs=options, batch_size=2, num_cpus=1, compute=ONE
    ).materialize()
    assert str(cut.schema().types[cut.schema().names.index("cut_boxes")]).startswith("list<")
    rows = {Path(row["path"]).name: row for row in cut.take_all()}
    assert set(rows) == {path.name for path in folder.iterdir()}
    for name, row in rows.items():
        expected = cutter.cut(folder / name)
        assert row["bytes"] == (folder / name).read_bytes()
        for fact in ("status", "reason", "width", "height", "category"):
            assert row[f"cut_{fact}"] == getattr(expected, fact), (name, fact)
        if expected.ok:
            assert row["cut_cutout"] == expected.encode()
            assert Image.open(io.BytesIO(row["cut_small"])).size == (64, 64)
            assert row["cut_confidence"] == pytest.approx(expected.confidence)
            assert [box["label"] for box in row["cut_boxes"]] == [box.label for box in expected.boxes]
        else:
            assert row["cut_cutout"] == b"" and np.isnan(row["cut_confidence"]) and len(row["cut_boxes"]) == 0
    assert rows["astronaut.jpg"]["cut_status"] == "ok" and rows["z0.jpg"]["cut_reason"] == "not_a_picture"


def test_columns_of_paths_and_of_pixels(session: None, folder: Path, cutter: hairline.Cutter) -> None:
    path = folder / "coffee.jpg"
    pixels = np.asarray(Image.open(path))
    given = ray.data.from_items([{"uri": str(path), "image": pixels}, {"uri": str(path), "image": pixels[:150]}])
    for column, expected in (("uri", [path, path]), ("image", [pixels, pixels[:150]])):
        cut = given.map_batches(
            hairline.ray.Cutter, fn_constructor_args=[column], batch_size=2, num_cpus=1, compute=ONE
        )
        assert [row["cutout"] for row in cut.take_all()] == [cutter.cut(each).encode() for each in expected]


@pytest.mark.parametrize(
    ("options", "batch", "says"),
    [
        ({"products": ["msk"]}, {}, "unknown product 'msk': did you mean 'mask'"),
        ({"products": ["cutout", "cutout"]}, {}, "two columns would be called cutout"),
        ({"products": [{"status": {"product": "mask"}}]}, {}, "two columns would be called status"),
        ({"stages": {"filtr": {}}}, {}, "stages.filtr: no pool runs such a stage"),
        ({}, {"image": np.zeros(1)}, "no column 'bytes', only image; name yours with column="),
        ({}, {"bytes": np.zeros(1), "status": np.zeros(1)}, "columns status are there already; give ours a prefix="),
        ({}, [b"abc"], "takes batches in the format numpy, not list"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], batch: Any, says: str) -> None:
    with pytest.raises(hairline.HairlineError) as error:
        hairline.ray.Cutter(**options)(batch)
    assert says in str(error.value)


def test_boxes_are_lists_whatever_their_number(folder: Path) -> None:
    photo = (folder / "astronaut.jpg").read_bytes()
    answer = hairline.ray.Cutter(products=["mask"])({"bytes": np.array([photo] * 3, object)})
    assert answer["boxes"].shape == (3,) and [type(boxes) for boxes in answer["boxes"]] == [list] * 3
    assert answer["boxes"][0] and answer["boxes"][0] == answer["boxes"][2]
    assert answer["mask"][0] == answer["mask"][1]


def test_an_empty_batch_and_a_product_that_does_not_fit() -> None:
    cutter = hairline.ray.Cutter("image", products=[{"cutout": {"format": "webp"}}], keep_rejects=True)
    empty = cutter({"image": np.empty(0, object)})
    assert {len(column) for column in empty.values()} == {0} and "cutout" in empty
    long = np.full((70, 16_400, 4), (200, 40, 30, 0), np.uint8)
    cv2.ellipse(long, (8_200, 35), (8_100, 30), 0, 0, 360, (200, 40, 30, 255), -1)
    answer = cutter({"image": np.array([long])})
    assert (answer["status"][0], answer["reason"][0]) == ("failed", "too_large_for_format")
    assert answer["cutout"][0] == b"" and np.isnan(answer["confidence"][0])


def test_the_example_of_ray_data(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "ray_data.py"), str(folder), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert sorted(row["status"] for row in rows) == ["failed"] * 4 + ["ok"] * 2
    assert all(bool(row["cutout"]) == bool(row["thumbnail"]) == (row["status"] == "ok") for row in rows)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray Serve's own settings
def test_the_example_of_ray_serve(
    session: None, folder: Path, cutter: hairline.Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray import serve

    monkeypatch.syspath_prepend(str(ROOT / "examples"))  # serve_app.py
    app = importlib.import_module("serve_app").app
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    try:
        serve.run(app)
        url, photo = f"http://127.0.0.1:{port}/", folder / "coffee.jpg"
        expected = hairline.Cutter(threads=1, keep_rejects=True).cut(photo).encode()
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: requests.post(url, data=photo.read_bytes(), timeout=120), range(4)))
        assert [(answer.status_code, answer.content == expected) for answer in answers] == [(200, True)] * 4
        answer = requests.post(url, data=b"no picture", timeout=120)
        assert answer.status_code == 422 and answer.json()["reason"] == "not_a_picture"
    finally:
        serve.shutdown()
