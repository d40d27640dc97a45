"""Files in an output that no run into it has made: they stay, and are counted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from . import decisions, kept, outdated
from .ledger import ROWS, Ledger
from .made import NOTES, products
from .presence import OURS
from .storage import Folder
from .tally import RUN

OWN = re.compile(
    rf"{ROWS.pattern}|{RUN.pattern}|report/(index|compare)\.html|{OURS.pattern}|{NOTES.pattern}"
    rf"|{kept.OURS.pattern}|{outdated.OURS.pattern}|{decisions.OURS.pattern}"
)
MOST = 200_000  # files that are looked at, and pictures that an output may have for that


def strangers(output: Folder, ledger: Ledger, folders: Iterable[str]) -> int | None:
    """How many files in the output no run into it has made. None where that would take looking at too many.

    Args:
        folders: in S3 only these are listed; here the whole output is walked, up to `MOST` files.
    """
    if ledger.rows(MOST) > MOST:
        return None
    known = {name for _, name, digest in products(ledger.read(["id", "outputs", "digests"])) if digest != ""}
    known |= decisions.corrected_products(output).keys()
    names = _walk(output) if output.local else (name for folder in folders for name in output.names(folder))
    return sum(name not in known and not OWN.fullmatch(name) for name in islice(names, MOST))


def _walk(output: Folder) -> Iterator[str]:
    for way, _, names in os.walk(output.root):
        inside = os.path.relpath(way, output.root)
        for name in names:
            yield name if inside == "." else f"{inside}/{name}"
