"""Pieces of Markdown that the pages are put together from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OUTSIDE_CODE = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"[\\*_<>\[\]|{}&]")


def code(text: object) -> str:
    """Text as it is typed; a bar would end a table's cell."""
    return f"`{text}`".replace("|", "\\|")


def prose(text: str) -> str:
    """Plain text on one line; `words` in backticks stay code, all else means nothing to Markdown."""
    parts = OUTSIDE_CODE.split(" ".join(text.split()))
    return "".join(
        part.replace("|", "\\|") if part.startswith("`") else SPECIAL.sub(lambda one: f"&#{ord(one[0])};", part)
        for part in parts
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing where it has no rows."""
    lines = [" | ".join(row) for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {line} |" for line in (" | ".join(head), " | ".join("---" for _ in head), *lines)) + "\n"


def page(*parts: str) -> str:
    """A page of parts that are not empty, a blank line between two."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def fence(text: str, language: str) -> str:
    """A block of code; a fence longer than any inside."""
    return f"````{language}\n{text.rstrip()}\n````"


def anchor_of(name: str) -> str:
    """The anchor of a file's heading."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def heading(level: int, name: str) -> str:
    """A heading that reads as code, with an anchor that does not depend on how Markdown makes those."""
    return f"{'#' * level} `{name}` {{ #{anchor_of(name)} }}"
