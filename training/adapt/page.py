"""The page of an adaptation: what came out and why, and the pictures kept apart, before and after, the worst first."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from ..data import U8, shrink
from ..sheets import GROUND, over
from .judging import Figures, means
from .teaching import Known
from .work import Work, write

PAGE = "adapt.html"
SIDE = 200  # of a picture on the page, pixels
SHOWN = 120  # pictures on it


def write_page(
    work: Work,
    facts: dict[str, Any],
    known: Sequence[Known],
    before: Sequence[tuple[U8, Figures]],
    after: Sequence[tuple[U8, Figures]],
    name: str = PAGE,
) -> Path:
    """Writes the page: one file that loads nothing.

    Args:
        facts: as `Work.verdict` has them.
        known: pictures kept apart.
        before, after: the matte of each, and its figures.
        name: of the file.
    """
    order = sorted(range(len(known)), key=lambda i: after[i][1].agreement)
    rows = []
    for i in order[:SHOWN]:
        rgb = known[i].photo.rgb
        mattes = (before[i][0], after[i][0], known[i].photo.alpha)
        rows.append(
            {
                "id": known[i].id,
                "category": known[i].photo.category,
                "corrected": known[i].corrected,
                "before": before[i][1].agreement,
                "after": after[i][1].agreement,
                "pictures": [_url(rgb), *(_url(over(rgb, a / np.float32(255), GROUND)) for a in mattes)],
            }
        )
    anchored = [i for i, each in enumerate(known) if each.anchored]
    corrected = [i for i, each in enumerate(known) if each.corrected]
    groups = {"all pictures kept apart": range(len(known)), "that the shipped weights had right": anchored}
    groups |= {"with a person's mask": corrected}
    tables = [
        (name, len(which), means([before[i][1] for i in which]), means([after[i][1] for i in which]))
        for name, which in groups.items()
        if len(which)
    ]
    loader = PackageLoader("hairline.training.adapt")
    environment = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template(PAGE).render(facts=facts, asked=work.asked, rows=rows, tables=tables)
    write(work.folder / name, page)
    return work.folder / name


def _url(rgb: U8) -> str:
    small = np.ascontiguousarray(shrink(rgb, SIDE)[..., ::-1])
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
