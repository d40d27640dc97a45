"""Writes rendered manifests into a folder, where they replace what was rendered before and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ..configs.documents import read_config
from ..configs.job import Job, check
from ..configs.service import Service, check_service
from ..stages.documents import Document
from ..stages.errors import HairlineError
from .manifests import render

RECORD = ".rendered.json"  # name -> SHA-256 of what was rendered there


def render_into(path: str, changes: Sequence[str], folder: str, force: bool = False) -> tuple[list[str], list[str]]:
    """Renders a job or service file into a folder.

    Args:
        path: a job file, or a service file; the latter has no `output`.
        force: also over files that were not rendered, or were changed since.

    Returns:
        The files' names, and notes on what was left out.

    Raises:
        HairlineError: the file is wrong, the folder cannot be written, or files that are not ours stand in the way.
    """
    config, document = load(path, changes)
    rendered = render(config, document)
    target = Path(folder)
    before = _record(target)
    foreign = [name for name in rendered.files if not force and not _ours(target / name, before.get(name))]
    if foreign:
        raise HairlineError(
            f"--output {folder}: {', '.join(sorted(foreign))} {'is' if len(foreign) == 1 else 'are'} there and not as "
            "rendered here; give another folder, or --force to replace them"
        )
    try:
        for name, text in rendered.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(text, encoding="utf-8")
        digests = {name: _digest(text.encode()) for name, text in rendered.files.items()}
        (target / RECORD).write_text(json.dumps({**before, **digests}, indent=1), encoding="utf-8")
    except OSError as error:
        raise HairlineError(f"--output {folder}: cannot be written: {error.strerror}") from error
    return sorted(rendered.files), rendered.notes


def load(path: str, changes: Sequence[str]) -> tuple[Job | Service, Document]:
    """A job or a service, whichever the file is: a job has an input or output, a service has neither."""
    document = read_config(path, changes)
    if {"input", "output"} & document.data.keys():
        return check(document), document
    return check_service(document), document


def _ours(file: Path, digest: str | None) -> bool:
    """Whether a file is not there, or is what was rendered."""
    try:
        return _digest(file.read_bytes()) == digest
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _record(folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
