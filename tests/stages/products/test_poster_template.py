"""Templates: what is wrong is told with file, line and key; what they name counts as part of them."""

from pathlib import Path

import pytest
import yaml

from hairline.stages.errors import HairlineError, PictureError
from hairline.stages.products.poster_template import BUILTIN, filled, placeholders, read_template, template_as

GOOD = """\
canvas: [200, 100]
values: {note: ""}
subjects:
  - {box: [0, 0, 100, 100]}
texts:
  - text: "{title} {note}"
    box: [100, 0, 100, 100]
decorations:
  - box: [0, 0, 200, 10]
    color: red
"""
WRONG = [
    ("canvas: [200, 100]", "canvas: [200, 0]", ":1: canvas.1: Input should be greater than 0"),
    ("values:", "value:", ":2: value: unknown key; did you mean values?"),
    ("box: [0, 0, 100, 100]", "bx: [0, 0, 100, 100]", ":4: subjects.0.bx: unknown key; did you mean box?"),
    ("[0, 0, 100, 100]", "[0, 0, 300, 100]", ":4: subjects.0.box: [0, 0, 300, 100] leaves the canvas of 200 x 100"),
    ('"{title} {note}"', '"{title"', ":6: texts.0.text: "),
    ('"{title} {note}"', '"{price:.2f}"', ":6: texts.0.text: a brace holds the name of a column, as in {title}"),
    ("color: red", "color: rosy", ":10: decorations.0.color: 'rosy' is no colour: write '#rrggbb' in quotes"),
    ("    color: red", "    color: red\n    file: a.svg", ":9: decorations.0: needs either a file or a color"),
    ("    color: red", "    file: none.svg", ":10: decorations.0.file: "),
    ("    color: red", "    file: bad.svg", ":10: decorations.0.file: bad.svg is no SVG that can be drawn"),
    ("    color: red", "    file: bad.png", ":10: decorations.0.file: bad.png is no picture that can be read"),
    (
        "    box: [100,",
        "    font: Noto Sns\n    box: [100,",
        ":7: texts.0.font: no font 'Noto Sns' is installed; did you",
    ),
    ("    box: [100,", "    font: bad.ttf\n    box: [100,", ":7: texts.0.font: bad.ttf cannot be read as a font"),
    ("values:", "background: {kind: picture}\nvalues:", ":2: background: kind picture needs the path of one"),
    ("  - {box", "  - {box: [0, 0, 9, 9]}\n  - {box", ":5: subjects.1.name: two places take the picture of the column"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bad.svg", "bad.png", "bad.ttf"):
        (tmp_path / name).write_text("<svg")
    return tmp_path


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_mistake_is_told_with_its_line(folder: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = folder / "t.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(HairlineError) as told:
        read_template(str(path))
    assert f"{path}{message}" in str(told.value)


def test_no_such_template(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="unknown poster template 'product_crd'; did you mean product_card"):
        read_template("product_crd")
    (tmp_path / "t.yaml").write_text("canvas: [10, 10]")
    with pytest.raises(HairlineError, match="neither subjects nor texts"):
        read_template(str(tmp_path / "t.yaml"))


def test_the_digest_is_of_all_that_it_names(folder: Path) -> None:
    path = folder / "t.yaml"
    (folder / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
    )
    path.write_text(GOOD.replace("color: red", "file: a.svg"))
    first = read_template(str(path))
    assert template_as(str(path), first.digest).digest == first.digest
    path.write_text("# only a comment more\n" + path.read_text())
    assert read_template(str(path)).digest == first.digest
    (folder / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v8z"/></svg>'
    )
    second = read_template(str(path))
    assert second.digest != first.digest
    template_as.cache_clear()
    with pytest.raises(PictureError, match="not what the run began with"):
        template_as(str(path), first.digest)


def test_columns(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(GOOD)
    assert read_template(str(tmp_path / "t.yaml")).columns == {"title": True, "note": False}
    assert placeholders("{a} {{b}} {c}") == ["a", "c"] and filled(" {a} {{b}} ", {"a": "x"}) == "x {b}"


@pytest.mark.parametrize("path", [*BUILTIN.values(), *Path("examples/posters").glob("*.yaml")], ids=lambda p: p.stem)
def test_those_that_come_with_hairline(path: Path) -> None:
    template = read_template(str(path))
    assert template.data.title and template.data.subjects and yaml.safe_load(path.read_text(encoding="utf-8"))
