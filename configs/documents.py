"""Job and service files, by their path or by the name of one that comes with Hairline."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from ..stages.documents import Document, read_text
from ..stages.errors import HairlineError


def find_config(path: str) -> Path:
    """The file itself, or else the built-in configuration of that name."""
    file = Path(path).expanduser()
    if file.exists():
        return file
    builtin = {entry.name: entry for entry in files("hairline.configs").iterdir() if entry.name.endswith(".yaml")}
    name = path if path.endswith(".yaml") else f"{path}.yaml"
    if name in builtin:
        return Path(str(builtin[name]))
    raise HairlineError(f"no job file {path}; a file of your own, or one of {', '.join(sorted(builtin))}")


def read_config(path: str, changes: Iterable[str] = ()) -> Document:
    """Reads a job or service file and applies changes to it; nothing is checked yet.

    Args:
        path: a file, or the name of a configuration that comes with Hairline.
        changes: `a.b=c` each, applied in their order.

    Raises:
        HairlineError: there is no such file, it cannot be read or is no YAML, or a change leads nowhere.
    """
    file = find_config(path)
    document = Document(str(file), read_text(file))
    for change in changes:
        document.set(change)
    return document
