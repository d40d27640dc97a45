"""Checks a built site: every link to a page, a file or an anchor leads somewhere, and nothing is loaded from outside.

    python docs/check_site.py [FOLDER]

Zensical checks the links that stand in Markdown; this looks at the HTML, so that generated pages, docstrings, the
navigation and what the theme puts in count too.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("use", "href")}
HARMLESS = {"canonical", "alternate", "license", "next", "prev"}  # links in the head that nothing is loaded for
OUTSIDE = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)")


class Page(HTMLParser):
    """One page: its anchors, where it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        for name, value in values.items():
            if (tag, name) in LOADED and values.get("rel") not in HARMLESS:
                self.loaded.append(value)


def check(site: Path) -> list[str]:
    """What is wrong, a line each."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong = [] if pages else [f"{site}: no pages"]
    for path, page in pages.items():
        here = path.relative_to(site)
        for address in page.loaded:
            if urlsplit(address).netloc:
                wrong.append(f"{here}: loads {address}")
        for address in dict.fromkeys([*page.links, *page.loaded]):
            found = urlsplit(address)
            if found.scheme or found.netloc or here.name == "404.html":  # whose links depend on where it is shown
                continue
            target = (path.parent / unquote(found.path)).resolve() if found.path else path
            if not target.exists():
                wrong.append(f"{here}: {address}: there is no such page or file")
            elif target in pages and found.fragment and unquote(found.fragment) not in pages[target].anchors:
                wrong.append(f"{here}: {address}: the page has no such anchor")
    for path in sorted(site.rglob("*.css")):
        wrong += [f"{path.relative_to(site)}: loads {address}" for address in OUTSIDE.findall(path.read_text("utf-8"))]
    return wrong


if __name__ == "__main__":
    found = check(Path(sys.argv[1] if len(sys.argv) > 1 else "site").resolve())
    sys.exit("\n".join(found) or 0)
