"""presets --sheet: pictures through presets, on one sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hairline.cli import main
from hairline.pipeline.preset_sheet import CAPTION, CELL, GAP
from shop_pictures import file_of


def test_a_row_for_each_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y, x = np.mgrid[:300, :300]
    picture = np.full((300, 300, 3), (200, 215, 225), np.uint8)
    picture[(y - 150) ** 2 + (x - 150) ** 2 < 90**2] = (190, 30, 20)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(file_of(picture))
    sheet = tmp_path / "sheet.png"
    given = ["--of", str(tmp_path / "a.png"), "--of", str(tmp_path / "b.png"), "--of", str(tmp_path / "none.png")]
    call = ["presets", "google_merchant", "transparent_square", "--sheet", str(sheet), *given]
    assert main(call) == 3
    assert "none.png  failed  not_found" in capsys.readouterr().out
    made = np.asarray(Image.open(sheet))
    assert made.shape == (2 * (CELL + CAPTION + GAP) + GAP, 3 * (CELL + GAP) + GAP, 3)
    middle = [made[GAP + CELL // 2, GAP + column * (CELL + GAP) + CELL // 2].astype(int) for column in range(3)]
    assert all(np.abs(colour - (190, 30, 20)).max() < 15 for colour in middle)
    assert (made[GAP + 4, GAP + CELL + GAP + 4] == 255).all()  # on white
    assert main(call) == 2 and "is there already" in capsys.readouterr().err
    assert main([*call[:2], "--sheet", str(tmp_path / "x.png")]) == 2 and "--of PICTURE" in capsys.readouterr().err
