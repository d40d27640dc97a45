"""Builds the documentation site: python docs/make_site.py [FOLDER]   (default: site/)

Puts the pages together in a temporary folder (docs/*.md, the pages that docs/generate makes from the code, and the
files of the top that `TOP` names), lets Zensical build them strictly, checks what it built (check_site.py), and only
then replaces FOLDER. Needs the `docs` extra; nothing is fetched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from check_site import check
from generate import PAGES
from generate.api import openapi_json
from generate.markdown import anchor_of

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
TOP = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}
HOLDERS = {  # folder -> the page that shows its files, each below a heading
    "configs": "reference/configurations.md",
    "examples": "reference/examples.md",
    "stages/weights": "reference/models.md",
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MARK = "made by docs/make_site.py"  # in a folder that may be replaced


def main() -> int:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    if target.exists() and not (target / ".made").is_file() and (not target.is_dir() or any(target.iterdir())):
        sys.exit(f"make_site: {target} is there and was not {MARK}; name another folder")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        put_together(work)
        wrong = build(work)
        if wrong:
            sys.exit(f"{wrong}\nmake_site: the site was not built")
        (work / "site" / ".made").write_text(f"{MARK}\n", "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(work / "site", target)
    print(target / "index.html")
    return 0


def put_together(work: Path) -> None:
    """Everything that Zensical reads, in a folder: zensical.toml, pages/."""
    pages = work / "pages"
    shutil.copytree(DOCS / "images", pages / "images")
    shutil.copy(DOCS / "site.css", pages)
    shutil.copy(ROOT / "serve" / "page" / "icon.svg", pages / "images")
    for path in sorted(DOCS.glob("*.md")):
        _write(pages / path.name, pages, path.read_text("utf-8"), DOCS)
    for name, page in TOP.items():
        _write(pages / page, pages, (ROOT / name).read_text("utf-8"), ROOT)
    for name, make in PAGES.items():
        _write(pages / name, pages, make(), DOCS / "reference")
    (pages / "reference" / "openapi.json").write_text(openapi_json(), "utf-8")
    settings = (DOCS / "zensical.toml").read_text("utf-8")
    settings = settings.replace('base_path = ["examples"]', f"base_path = [{str(ROOT / 'examples')!r}]")
    settings = settings.replace('paths = ["."]', f"paths = [{str(ROOT)!r}]")
    listed = set(re.findall(r'"([\w/-]+\.md)"', settings))
    there = {str(path.relative_to(pages)) for path in pages.rglob("*.md")}
    if listed != there:
        sys.exit(f"make_site: docs/zensical.toml and the pages differ: {', '.join(sorted(listed ^ there))}")
    (work / "zensical.toml").write_text(settings, "utf-8")


def build(work: Path) -> str:
    """The site in work/site, from what `put_together` made; returns what is wrong with it, or nothing."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(work / "zensical.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return COLOURS.sub("", f"{done.stdout}{done.stderr}").partition("Traceback")[0]
    return "\n".join(check(work / "site"))


def _write(page: Path, pages: Path, text: str, folder: Path) -> None:
    """A page whose links to files of the repository lead to where those are on the site."""

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found["text"], found["target"], found["anchor"] or ""
        if ":" in target:
            return found[0]
        file = Path(os.path.normpath(folder / target)).relative_to(ROOT).as_posix()
        file, anchor = _on_the_site(file, anchor)
        return f"[{text}]({os.path.relpath(pages / file, page.parent)}{anchor})" if file else text

    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(LINK.sub(link, text), "utf-8")


def _on_the_site(file: str, anchor: str) -> tuple[str, str]:
    """Page and anchor of a file of the repository; empty where the site does not have it."""
    folder, _, name = file.rpartition("/")
    if file in TOP:
        return TOP[file], anchor
    if folder.split("/")[0] == "docs":
        return file.removeprefix("docs/"), anchor
    for holder, page in HOLDERS.items():
        if file == holder:
            return page, ""
        if folder == holder:
            return page, f"#{anchor_of(name.removesuffix('.md'))}"
    return "", ""


if __name__ == "__main__":
    sys.exit(main())
