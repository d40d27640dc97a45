"""One picture to be read, and the rules that a listing and a manifest share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from .storage import CUTS, WORK, display

OWN = ("results", "runs", "report", "settings", "kept", WORK, CUTS)  # folders of a run beside its products


class Source(NamedTuple):
    """One picture to be read. `uri` holds bytes that are no UTF-8 as surrogates, as Python's paths do."""

    id: str
    uri: str
    etag: str = ""
    category: str = ""
    size: int = -1  # bytes; -1: not known
    problem: str = ""  # why it cannot be read, where that is known already; it ends as failed


def local_source(id: str, path: str, category: str = "") -> Source:
    """One file of this machine, whether or not it is there."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return Source(display(id), path, "", category)
    return Source(display(id), path, local_etag(facts), category, facts.st_size)


def local_etag(facts: os.stat_result) -> str:
    """Size and time of change, hex: changes whenever a file is written."""
    return f"{facts.st_size:x}-{facts.st_mtime_ns:x}"


def lies_among_results(source: str, output: str, products: Sequence[str]) -> bool:
    """Whether a source lies in one of the folders that a run writes."""
    return source.startswith(output + "/") and source[len(output) + 1 :].split("/", 1)[0] in {*products, *OWN}
