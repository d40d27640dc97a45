"""The files of examples/, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from serve_kit import Server, array, flat, photo, serving

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    environ = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environ, cwd=cwd)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A high picture, a wide one, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "high.jpg").write_bytes(photo("astronaut", 320, 320))
    (folder / "wide.jpg").write_bytes(photo("chelsea", 420, 300))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_every_example_is_tested() -> None:
    tested = "".join(path.read_text("utf-8") for path in EXAMPLES.parent.glob("tests/**/test_*.py"))
    for path in EXAMPLES.iterdir():
        if path.is_file():
            assert path.name in tested or f'"{path.stem}"' in tested, f"no test runs {path.name}"


@pytest.mark.parametrize("name", ["upright.py", "silhouette.py"])
def test_a_part_of_ones_own_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= 25


def test_a_stage_and_a_product_of_ones_own(photos: Path, tmp_path: Path) -> None:
    where = ["--input", photos, "--output", tmp_path / "out"]
    done = run("-m", "hairline", "run", EXAMPLES / "own-parts.yaml", *where, PYTHONPATH=_with(EXAMPLES))
    assert done.returncode == 3, done.stdout + done.stderr
    rows = {row["id"]: row for row in pq.read_table(tmp_path / "out" / "results").to_pylist()}
    assert (rows["wide.jpg"]["status"], rows["wide.jpg"]["reason"]) == ("filtered", "not_upright")
    assert (rows["wide.jpg"]["stage"], rows["wide.jpg"]["detail"]) == ("upright", "420x300")
    assert rows["high.jpg"]["status"] == "ok" and rows["broken.jpg"]["status"] == "failed"
    made = np.asarray(Image.open(tmp_path / "out" / "shadow_play" / "high.jpg.png"))
    cutout = np.asarray(Image.open(tmp_path / "out" / "cutout" / "high.jpg.png"))
    assert made.shape == (320, 320, 4) and (made[..., :3] == (120, 20, 40)).all()
    assert (made[..., 3] == cutout[..., 3]).all() and made[..., 3].max() == 255 and made[..., 3].min() == 0


@pytest.mark.parametrize(
    ("product", "told"),
    [
        ('{product: "silhouette:Shadow"}', "has no attribute 'Shadow'"),
        ('{product: "silhouete:Silhouette"}', "No module named 'silhouete'"),
        ('{product: "silhouette:Output"}', "is no class derived from Product"),
        ('{product: "silhouette:Silhouette", colour: [0, 0, 0]}', "did you mean 'color'?"),
        ('{product: "silhouette:Silhouette", color: [0, 0]}', "color: "),
    ],
)
def test_a_product_that_is_wrong_is_one_line(tmp_path: Path, product: str, told: str) -> None:
    where = ["--input", tmp_path, "--output", tmp_path / "out", "--set", f"products=[{{own: {product}}}]"]
    done = run("-m", "hairline", "plan", "laptop.yaml", *where, PYTHONPATH=_with(EXAMPLES))
    assert done.returncode == 2 and told in done.stderr and "own" in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("hairline: ")


def test_from_folder_to_report(photos: Path, tmp_path: Path) -> None:
    done = run(EXAMPLES / "folder_to_report.py", photos, tmp_path / "out")
    assert done.returncode == 3, done.stdout + done.stderr  # one file is no picture
    assert "\n2 ok\n" in done.stdout and "\n1 failed\n" in done.stdout
    assert "broken.jpg: failed, not_a_picture" in done.stdout
    first = done.stdout.partition("least certain:\n")[2].splitlines()[:2]
    assert all(Path(line.split()[-1]).is_file() for line in first)
    assert float(first[0].split()[0]) <= float(first[1].split()[0])
    assert Path(done.stdout.splitlines()[-1]).name == "index.html" and Path(done.stdout.splitlines()[-1]).is_file()
    assert (tmp_path / "out" / "shop_square" / "high.jpg.png").is_file()


def test_from_folder_to_report_stops_where_the_plan_does(tmp_path: Path) -> None:
    done = run(EXAMPLES / "folder_to_report.py", tmp_path / "nothing", tmp_path / "out")
    assert done.returncode != 0 and "nothing" in done.stderr and not (tmp_path / "out").exists()


def test_what_the_page_from_python_shows(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "from-python.md").read_text("utf-8")
    blocks = [block for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "--8<--" not in block]
    assert len(blocks) == 2
    for name in ("cat.jpg", "dog.jpg"):
        (tmp_path / name).write_bytes(photo("chelsea", 320, 240))
    done = run("-c", "\n".join(blocks), cwd=tmp_path, PYTHONPATH=_with(EXAMPLES.parent))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ok ") and array((tmp_path / "cat.png").read_bytes()).shape == (240, 320, 4)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    jobs = tmp_path_factory.mktemp("service") / "jobs"
    with serving("service-laptop.yaml", "pools.0.workers=1", f"jobs.folder={jobs}") as server:
        yield server


def test_the_client(service: Server, photos: Path, tmp_path: Path) -> None:
    done = run(EXAMPLES / "client.py", photos / "high.jpg", tmp_path / "high.png", "--url", service.url)
    assert done.returncode == 0, done.stderr
    category, confidence, target = done.stdout.split()
    assert category and 0 < float(confidence) <= 1
    rgba = array(Path(target).read_bytes())
    assert rgba.shape == (320, 320, 4) and rgba[..., 3].max() == 255 and rgba[..., 3].min() == 0


def test_the_client_tells_errors(service: Server, tmp_path: Path) -> None:
    (tmp_path / "flat.png").write_bytes(flat())
    done = run(EXAMPLES / "client.py", tmp_path / "flat.png", tmp_path / "out.png", "--url", service.url)
    assert done.returncode == 1 and "low_information" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out.png").exists()


def _with(folder: Path) -> str:
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
