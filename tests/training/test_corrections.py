"""Fine, learned on from what people corrected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.stages.errors import HairlineError
from hairline.training import cli
from hairline.training.corrections import CARD, FEWEST, PAGE, read_corrections


def corrections(folder: Path, count: int, side: int = 96) -> Path:
    """Discs before noise, with their mattes."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(count):
        picture = cv2.resize(rng.integers(0, 90, (6, 6, 3), np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
        at = (rng.uniform(0.35, 0.65, 2) * side).astype(int).tolist()
        matte = cv2.circle(np.zeros((side, side), np.uint8), at, side // 4, 255, -1, cv2.LINE_AA)
        picture[matte > 127] = rng.integers(150, 255, 3)
        names = {"picture": f"pictures/{number}.png", "matte": f"mattes/{number}.png"}
        for name, pixels in zip(names.values(), (picture, matte), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), pixels)
        lines.append(
            json.dumps({"id": f"{number}.jpg", "category": "", "route": ("general", "portrait")[number % 2], **names})
        )
    (folder / "corrections.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_read(tmp_path: Path) -> None:
    found = read_corrections(corrections(tmp_path, 2 * FEWEST))
    assert len(found) == 2 * FEWEST and found[0].rgb.shape == (96, 96, 3) and found[0].alpha.shape == (96, 96)
    assert {each.route for each in read_corrections(tmp_path, "portrait")} == {"portrait"}


def test_what_cannot_be_learned_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="5 corrections of the route portrait: 6 are needed"):
        read_corrections(corrections(tmp_path / "few", 2 * FEWEST - 2), "portrait")
    (tmp_path / "few" / "mattes" / "0.png").write_bytes(b"")
    with pytest.raises(HairlineError, match=r"0\.png is damaged or gone"):
        read_corrections(tmp_path / "few")
    with pytest.raises(HairlineError, match="cannot be read"):
        read_corrections(tmp_path)
    with pytest.raises(HairlineError, match="only fine learns from them"):
        cli.main(["coarse", "--corrections", str(tmp_path)])


@pytest.mark.slow
def test_from_corrections_to_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corrections(tmp_path / "in", 10, 256)
    run = ["--minutes", "0.05", "--run", str(tmp_path / "run"), "--workers", "0", "--batch", "2"]
    assert cli.main(["fine", "--corrections", "OUT", *run], lambda output, to: shutil.copytree(folder, to)) == 0
    said = capsys.readouterr().out
    assert "corrections kept apart, before -> after" in said and "20 are needed to judge by" in said
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"fine.safetensors", CARD, PAGE} <= made
    assert "| edge |" in (tmp_path / "run" / CARD).read_text()
