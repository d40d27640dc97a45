"""What is released: the sdist holds everything, and the wheel that it builds works by itself."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from hairline import __version__
from serve_kit import end

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the release command made."""
    folder = tmp_path_factory.mktemp("dist")
    command = [str(ROOT / "scripts" / "release"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(map(str, folder.iterdir()))
    return folder


@pytest.fixture(scope="module")
def installed(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment into which the wheel was installed, from a folder far from the checkout.

    What hairline needs is borrowed from the environment of the tests; hairline itself is the wheel's.
    """
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = released.glob("*.whl")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, env=ENVIRONMENT, cwd=folder)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "borrowed.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    where = subprocess.run(
        [python, "-c", "import hairline, hairline.stages; print(hairline.__file__, hairline.stages.__file__)"],
        **{"capture_output": True, "text": True, "check": True, "env": ENVIRONMENT, "cwd": folder},
    )
    assert where.stdout.split() == [str(site / "hairline" / "__init__.py"), str(site / "hairline/stages/__init__.py")]
    return python.parent


def files_of_the_package() -> set[str]:
    found = set()
    for folder, below, names in os.walk(ROOT / "hairline", followlinks=True):
        below[:] = [name for name in below if name != "__pycache__"]
        found |= {str(Path(folder, name).relative_to(ROOT)) for name in names if not name.endswith((".pyc", ".pyo"))}
    return found


def test_sdist_and_wheel_hold_every_file(released: Path) -> None:
    wanted = files_of_the_package()
    assert {"hairline/stages/weights/index.json", "hairline/configs/laptop.yaml", "hairline/py.typed"} <= wanted
    (wheel,), (sdist,) = released.glob("*.whl"), released.glob("*.tar.gz")
    top = f"hairline_matting-{__version__}"
    assert wheel.name == f"{top}-py3-none-any.whl" and sdist.name == f"{top}.tar.gz"
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert in_wheel == wanted
    with tarfile.open(sdist) as archive:
        members = {member.name.removeprefix(f"{top}/"): member for member in archive.getmembers()}
    assert not [name for name, member in members.items() if member.issym()]
    assert wanted | {"README.md", "LICENSE", "pyproject.toml"} <= {n for n, m in members.items() if m.isfile()}


def test_the_command_and_the_demo(installed: Path, tmp_path: Path) -> None:
    said = subprocess.run([installed / "hairline", "--version"], capture_output=True, text=True, env=ENVIRONMENT)
    assert said.stdout == f"hairline {__version__}\n", said.stderr
    command = [installed / "hairline", "demo", "pictures"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pictures/out/report/index.html").is_file()
    assert len(list((tmp_path / "pictures/out/cutout").rglob("*.png"))) > 15
    (summary,) = (tmp_path / "pictures/out/runs").glob("*.json")
    assert json.loads(summary.read_text())["versions"]["hairline"] == __version__


@pytest.fixture
def service(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the installed service."""
    command = [installed / "hairline", "serve", "service-laptop.yaml", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=tmp_path)
    try:
        assert process.stdout and select.select([process.stdout], [], [], 120)[0]
        yield process.stdout.readline().split()[0].rstrip("/")
    finally:
        end(process)


def test_the_service(service: str) -> None:
    for _ in range(240):
        ready = requests.get(f"{service}/readyz", timeout=60).status_code
        if ready == 200:
            break
        assert ready == 503
        time.sleep(1)
    assert ready == 200
    assert "<html" in requests.get(f"{service}/", timeout=60).text
    assert requests.get(f"{service}/openapi.json", timeout=60).json()["openapi"]
    sample = (ROOT / "serve/page/samples/cat.jpg").read_bytes()
    answer = requests.post(f"{service}/v1/cutout", files={"image_file": sample}, timeout=120)
    assert answer.status_code == 200, answer.text
    cutout = Image.open(io.BytesIO(answer.content))
    assert cutout.mode == "RGBA" and cutout.size == Image.open(io.BytesIO(sample)).size
    assert 0.05 < sum(cutout.getchannel("A").histogram()[128:]) / (cutout.width * cutout.height) < 0.95
