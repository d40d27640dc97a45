"""Files that the site shows as they are: configurations, examples, model cards."""

from __future__ import annotations

import ast
import re

from .markdown import fence, heading, page
from .subjects import CONFIGURATIONS, EXAMPLES, MODEL_CARDS

SECTION = re.compile(r"^# --8<-- .*\n", re.MULTILINE)  # marks a part that a page shows
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "sh"}


def configurations() -> str:
    parts: list[str] = []
    for path in CONFIGURATIONS:
        parts += [heading(2, path.name), fence(path.read_text("utf-8"), "yaml")]
    return page(
        "# Configurations",
        "These come with Hairline and are named without a path: `hairline run laptop.yaml …`, "
        "`hairline serve service-laptop.yaml`. Copy one to make it your own, or change single keys with `--set`.",
        *parts,
    )


def examples() -> str:
    parts: list[str] = []
    for path in EXAMPLES:
        text = SECTION.sub("", path.read_text("utf-8"))
        parts += [heading(2, path.name), fence(text, LANGUAGES[path.suffix])]
        if path.suffix == ".py" and not ast.get_docstring(ast.parse(text)):
            raise ValueError(f"{path}: an example says what it shows in its docstring")
    return page(
        "# Examples",
        "Whole files from the folder `examples/`. The tests run each of them as it stands.",
        *parts,
    )


def models() -> str:
    """The cards below one another, their headings one level deeper."""
    parts: list[str] = []
    for path in MODEL_CARDS:
        text = path.read_text("utf-8").partition("\n")[2]  # after its title
        deeper = re.sub(r"^#", "##", text, flags=re.MULTILINE)
        parts += [heading(2, path.stem), deeper]
    return page(
        "# Model cards",
        "One for each file of weights that comes with Hairline: what it was trained on, how, and how well it does. "
        "[Accuracy](../accuracy.md) has the figures side by side.",
        *parts,
    )
