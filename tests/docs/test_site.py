"""The documentation site: built strictly, complete, and loading nothing from outside."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from check_site import check
from generate import PAGES, settings
from generate.subjects import MEANINGS, PRODUCTS, SCHEMA, STAGES, command_line, stage_class
from make_site import DOCS, ROOT, TOP, build, put_together

LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ +(.*?)(?: +\{ *#([\w-]+) *\})?$", re.MULTILINE)


def make_site(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOCS / "make_site.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = make_site(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    sources = [path.name for path in DOCS.glob("*.md")]
    wanted = {name.replace(".md", ".html") for name in (*sources, *TOP.values(), *PAGES)}
    assert {str(path.relative_to(site)) for path in site.rglob("*.html")} == {*wanted, "404.html"}
    assert (site / "search.json").stat().st_size > 100_000
    assert json.loads((site / "reference" / "openapi.json").read_text("utf-8"))["openapi"].startswith("3.1")


def test_code_of_the_examples_is_on_the_pages(site: Path) -> None:
    shown = {
        str(path.relative_to(site)): re.sub(r"<[^>]+>", "", path.read_text("utf-8")) for path in site.glob("**/*.html")
    }
    assert not [name for name, text in shown.items() if re.search(r"--8 ?&lt; ?--", text)], "a file is not put in"
    assert "class UprightStage(EachStage[UprightSettings]):" in shown["own-stage.html"]
    assert "class Silhouette(Product[SilhouetteSettings]):" in shown["products.html"]
    assert all("shadow_play:" in shown[name] for name in ("own-stage.html", "products.html"))
    assert "fn_constructor_kwargs" in shown["from-python.html"] and "serve.batch" in shown["from-python.html"]
    assert "pq.read_table" in shown["reference/results.html"]


def test_docstrings_are_read_as_they_are_meant(site: Path) -> None:
    text = (site / "reference" / "python.html").read_text("utf-8")
    assert not re.findall(r">(\w+),</span></code></td>", text), "of `a, b: what` only a is taken for a name"
    assert text.count("Raises:") > 10


def test_a_site_is_replaced_and_nothing_else_is(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "old.html").write_text("")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("")
    assert make_site(tmp_path / "site").returncode == 0
    assert not (tmp_path / "site" / "old.html").exists()
    refused = make_site(tmp_path / "notes")
    assert refused.returncode == 1 and "name another folder" in refused.stderr
    assert (tmp_path / "notes" / "mine.txt").exists()


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    put_together(tmp_path)
    with open(tmp_path / "pages" / "catalog.md", "a") as page:
        page.write("\n[gone](nowhere.md) and [lost](service.md#nowhere)\n")
    wrong = build(tmp_path)
    assert "page does not exist" in wrong and "anchor does not exist" in wrong and "catalog.md" in wrong


@pytest.mark.parametrize(
    ("put_in", "told"),
    [
        ('<a href="nowhere.html">x</a>', "nowhere.html: there is no such page or file"),
        ('<a href="service.html#nowhere">x</a>', "service.html#nowhere: the page has no such anchor"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
        ('<img src="gone.png">', "gone.png: there is no such page or file"),
    ],
)
def test_what_a_check_finds(site: Path, tmp_path: Path, put_in: str, told: str) -> None:
    shutil.copytree(site, tmp_path / "site")
    page = tmp_path / "site" / "catalog.html"
    page.write_text(page.read_text("utf-8").replace("</body>", f"{put_in}</body>"), "utf-8")
    assert check(tmp_path / "site") == [f"catalog.html: {told}"]


def test_every_setting_is_described() -> None:
    pages = {name: PAGES[f"reference/{name}.md"]() for name in ("job-file", "service-file", "stages", "products")}
    bare = [(name, row) for name, text in pages.items() for row in re.findall(r"^\| `.*\|  \|$", text, re.MULTILINE)]
    assert not bare, "a Field of these has no description"
    for name in STAGES:
        if name != "products":
            text = pages["stages"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            assert all(f"`{key}`" in text for key in stage_class(name).Settings.model_fields)
    for name, product in PRODUCTS.items():
        text = pages["products"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert all(f"`{key}`" in text for key in product.Settings.model_json_schema()["properties"])


def test_bounds_and_defaults_are_those_of_the_code() -> None:
    text = settings.stages()
    assert "| `min_score` | number from 0 to 1 | `0.75` |" in text  # classify
    assert "| `max_side` | integer from 256 | `2048` |" in text  # fine
    service = settings.service_file()
    assert "| `max_pixels` | integer above 0 | `50000000` |" in service  # a service's own, and not a job's
    assert "| `max_pixels` | integer above 0 | `100000000` |" in settings.job_file()


def test_every_command_and_option_is_there() -> None:
    text = PAGES["reference/command-line.md"]()
    commands = next(action for action in command_line()._actions if action.dest == "command").choices
    assert len(commands) >= 10  # type: ignore[arg-type]
    every = {}
    for name, parser in commands.items():  # type: ignore[union-attr]
        subs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        below = {f"{name} {action}": parser for sub in subs for action, parser in sub.choices.items()}
        every |= below or {name: parser}
    assert "cluster render" in every
    for name, parser in every.items():
        section = text.partition(f"\n## hairline {name}\n")[2].partition("\n## ")[0]
        assert section, name
        options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
        assert all(f"`{option}" in section for option in options), name


def test_every_column_and_reason_is_there() -> None:
    assert all(f"| `{name}` |" in PAGES["reference/results.md"]() for name in SCHEMA.names)
    assert all(f"`{name}`" in PAGES["reference/reasons.md"]() for name in MEANINGS)


TEXTS = [*(ROOT / name for name in ("README.md", *TOP)), *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_hold_in_the_repository_too(path: Path) -> None:
    """Where no site is built: files are there, generated pages have a name, and headings are there."""
    for target, anchor in LINK.findall(path.read_text("utf-8")):
        if ":" in target:
            continue
        place = (path.parent / target).resolve() if target else path
        name = str(place.relative_to(DOCS)) if place.is_relative_to(DOCS) else ""
        assert place.exists() or name in PAGES, f"{target} does not exist"
        if anchor and place.suffix == ".md" and place.exists():
            headings = HEADING.findall(place.read_text("utf-8"))
            anchors = {given or re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text, given in headings}
            assert anchor in anchors, f"{target}#{anchor}: no such heading"
