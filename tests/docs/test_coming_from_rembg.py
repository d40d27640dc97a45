"""The page for those who come from rembg: all code that stands there runs, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from hairline.configs.pipeline import PipelineConfig
from hairline.stages.documents import Document
from hairline.stages.networks.user_model import UserModelSettings
from serve_kit import serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coming-from-rembg.md").read_text("utf-8")
SERVICE = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with input.jpg, photos/ and the command."""
    sample = Image.open(ROOT / "serve/page/samples/cat.jpg")
    sample.thumbnail((320, 320))
    (tmp_path / "photos").mkdir()
    for name in ("input.jpg", "photos/a.jpg", "photos/b.jpg"):
        sample.save(tmp_path / name)
    Image.new("RGB", (200, 150), (120, 130, 140)).save(tmp_path / "photos/nothing.jpg")
    command = tmp_path / "bin" / "hairline"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hairline "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    return done.stdout


def test_python(folder: Path) -> None:
    code = blocks("python")
    assert len(code) == 4
    said = run(folder, sys.executable, "-c", "\n".join(code))
    assert said.startswith("ok  animal ") and "photos/nothing.jpg filtered " in said
    made = {str(path.relative_to(folder)) for path in folder.rglob("*.png")} | {"on-white.jpg"}
    assert made == {"output.png", "mask.png", "photos/a.out.png", "photos/b.out.png", "on-white.jpg"}
    assert Image.open(folder / "output.png").mode == "RGBA" and Image.open(folder / "mask.png").mode == "L"
    assert Image.open(folder / "on-white.jpg").size == Image.open(folder / "input.jpg").size


@pytest.mark.slow
def test_command_line(folder: Path) -> None:
    code = [block for block in blocks("sh") if "hairline cut" in block]
    assert len(code) == 2
    run(folder, "bash", "-euc", "\n".join(code))
    assert (folder / "out/cutout/input.jpg.png").read_bytes() == (folder / "output.png").read_bytes()
    assert (folder / "all/cutout/input.jpg.png").read_bytes() == (folder / "output.png").read_bytes()
    assert (folder / "out/mask/input.jpg.png").is_file() and (folder / "results/report/index.html").is_file()
    assert sorted(path.name for path in (folder / "results/cutout").iterdir()) == ["a.jpg.png", "b.jpg.png"]


@pytest.mark.slow
def test_server(folder: Path) -> None:
    (code,) = (block for block in blocks("sh") if SERVICE in block)
    assert code.count("curl") == 3 and shutil.which("curl")
    with serving("service-laptop.yaml") as server:
        run(folder, "bash", "-euc", code.replace(SERVICE, server.url.rstrip("/")))
    for name, mode in (("output.png", "RGBA"), ("mask.png", "L"), ("on-blue.jpg", "RGB")):
        image = Image.open(folder / name)
        assert image.size == Image.open(folder / "input.jpg").size and image.mode == mode, name
    corner = np.asarray(Image.open(folder / "on-blue.jpg"))[:8, -8:].astype(int)
    assert np.abs(corner - (0x81, 0xD4, 0xFA)).max() <= 3  # a JPEG


def test_model_settings_are_right() -> None:
    (text,) = blocks("yaml")
    assert Document("page", text).data.keys() <= PipelineConfig.model_fields.keys()
    model = UserModelSettings.model_validate(yaml.safe_load(text)["stages"]["coarse"]["model"])
    assert model.size == 320


def test_names_in_the_tables_are_there() -> None:
    import hairline

    named = set(re.findall(r"(?:`|hairline\.cut\(\w+\)|cutout)\.(\w+)", PAGE))
    assert {"encode", "save", "image", "rgba", "alpha", "foreground", "status", "reason", "detail"} <= named
    assert not [name for name in named if name not in {*dir(hairline.Cutout), *hairline.Cutout.__dataclass_fields__}]
