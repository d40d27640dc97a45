"""hairline poster: a poster for each row, whatever is wrong with the others."""

import json
from pathlib import Path

import numpy as np
import pytest

from hairline.cli import main
from hairline.pipeline.posters import read_rows
from hairline.stages.errors import HairlineError
from hairline.stages.products.poster_template import read_template
from shop_pictures import file_of, pixels_of

TEMPLATE = """\
canvas: [280, 80]
values: {note: ""}
subjects:
  - {name: left, box: [0, 0, 40, 80]}
  - {name: right, box: [240, 0, 40, 80]}
texts:
  - {text: "{title}", box: [40, 0, 200, 60], size: 30, smallest: 12}
  - {text: "{note}", box: [40, 60, 200, 20], size: 12, smallest: 8}
"""
ROWS = """\
id,left,right,title
one,red.png,blue.png,Uno
two,blue.png,none.png,Dos
three,red.png,red.png,
four,red.png,blue.png,"حار, 4"
one,red.png,red.png,Again
,red.png,blue.png,Six
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        rgba = np.zeros((60, 60, 4), np.uint8)
        rgba[10:50, 15:45] = (*colour, 255)
        (tmp_path / f"{name}.png").write_bytes(file_of(rgba))
    (tmp_path / "pair.yaml").write_text(TEMPLATE)
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def test_a_poster_for_each_row(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["poster", str(shop / "pair.yaml"), "--rows", str(shop / "rows.csv"), "-o", str(shop / "out"), "--json"]
    assert main(call) == 3
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in told] == ["one", "two", "three", "four", "one~6", "row-0007"]
    assert [row["status"] for row in told] == ["ok", "failed", "failed", "ok", "failed", "ok"]
    assert "none.png: not_found" in told[1]["detail"] and "takes {title}" in told[2]["detail"]
    assert told[4]["detail"] == "row 6: the id one stands in row 2 already"
    assert {row["verdict"] for row in told} == {"pass", ""} and told[0]["checks"][2]["value"] == 280
    made = sorted((shop / "out" / "pair").iterdir())
    assert [path.stem for path in made] == ["four", "one", "row-0007"]
    pixels = pixels_of(made[1].read_bytes())
    assert (
        pixels.shape == (80, 280, 3) and tuple(pixels[40, 20]) == (200, 0, 0) and tuple(pixels[40, 260]) == (0, 0, 200)
    )

    (shop / "rows.csv").write_text(ROWS.replace("Uno", "Una"), encoding="utf-8")
    before = {path: path.read_bytes() for path in made}
    made[0].write_bytes(b"retouched by hand")
    assert main(call) == 3
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "was not made by a cut" in told[3]["detail"] and made[0].read_bytes() == b"retouched by hand"
    assert made[1].read_bytes() != before[made[1]] and made[2].read_bytes() == before[made[2]]


def test_a_photograph_is_cut_out_first(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y, x = np.mgrid[:240, :240]
    photograph = np.full((240, 240, 3), (200, 215, 225), np.uint8)
    photograph[(y - 120) ** 2 + (x - 120) ** 2 < 70**2] = (190, 30, 20)
    (shop / "disc.png").write_bytes(file_of(photograph))
    (shop / "rows.jsonl").write_text(json.dumps({"left": "disc.png", "right": "blue.png", "title": 4.5}))
    call = ["poster", str(shop / "pair.yaml"), "--rows", str(shop / "rows.jsonl"), "-o", str(shop / "out")]
    assert main([*call, "--format", "jpeg", "--set", "stages.filter.min_side=32"]) == 0, capsys.readouterr().out
    pixels = pixels_of((shop / "out" / "pair" / "row-0001.jpg").read_bytes())
    assert np.abs(pixels[40, 20].astype(int) - (190, 30, 20)).max() < 12 and (pixels[3, 20] > 240).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("id,left,rigth,title\n1,a,b,c\n", "no column right, which a place for a picture .* takes; did you mean rigth"),
        ("left,right,titel\na,b,c\n", "no column title, which a text .* takes; did you mean titel"),
        ("left,right,title\n", "there are none below the head"),
    ],
)
def test_a_table_that_does_not_fit(shop: Path, rows: str, message: str) -> None:
    (shop / "r.csv").write_text(rows)
    with pytest.raises(HairlineError, match=message):
        read_rows(str(shop / "r.csv"), read_template(str(shop / "pair.yaml")))


def test_other_mistakes(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["poster", str(shop / "pair.yaml"), "--rows", str(shop / "none.csv"), "-o", str(shop / "out")]) == 2
    assert "none.csv: cannot be read: No such file" in capsys.readouterr().err
    assert main(["poster", "pair.yml", "--rows", str(shop / "rows.txt"), "-o", str(shop / "out")]) == 2
    assert "pair.yml: cannot be read" in capsys.readouterr().err
    assert main(["poster", str(shop / "pair.yaml"), "--rows", str(shop / "rows.txt"), "-o", str(shop / "out")]) == 2
    assert "must be a table of rows, .csv, .jsonl" in capsys.readouterr().err


def test_a_single_place_takes_the_column_uri_too(shop: Path) -> None:
    (shop / "r.csv").write_text("id,uri,title\n1,/a/b.png,c\n2,,d\n")
    (shop / "one.yaml").write_text(TEMPLATE.replace("  - {name: right, box: [240, 0, 40, 80]}\n", ""))
    first, second = read_rows(str(shop / "r.csv"), read_template(str(shop / "one.yaml")))
    assert first.pictures == {"left": "/a/b.png"} and second.problem == "row 3: the column uri names no picture"
