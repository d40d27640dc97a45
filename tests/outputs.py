"""Makes outputs of a run without running one: result rows and run summaries with real, small pictures."""

from __future__ import annotations

import io
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hairline.pipeline.ledger import write_part
from hairline.pipeline.storage import Folder

RUN = "20260101T120000Z-0000"


def picture(seed: int = 0, size: tuple[int, int] = (80, 60)) -> bytes:
    """A JPEG of a smooth random pattern."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return _encode(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), "JPEG")


def cutout(seed: int = 0, size: tuple[int, int] = (80, 60), inset: int = 10) -> bytes:
    """A PNG whose alpha is a rectangle, `inset` pixels from the frame."""
    image = Image.open(io.BytesIO(picture(seed, size))).convert("RGB")
    alpha = Image.new("L", size)
    alpha.paste(255, (inset, inset, size[0] - inset, size[1] - inset))
    image.putalpha(alpha)
    return _encode(image, "PNG")


def row(id: str, uri: str = "", **facts: Any) -> dict[str, Any]:
    """A results row; `facts` replaces any column."""
    plain = {
        "id": id,
        "uri": uri,
        "etag": "1",
        "status": "ok",
        "reason": "",
        "stage": "",
        "detail": "",
        "width": 80,
        "height": 60,
        "quality": [],
        "category": "",
        "category_score": 0.5,
        "boxes": [],
        "route": "general",
        "confidence": 0.9,
        "outputs": [],
        "seconds": [("filter", 0.25), ("fine", 0.5)],
        "attempts": 1,
        "fingerprint": "f",
        "run_id": RUN,
    }
    return {**plain, **facts}


class Output:
    """An output in the making, `root`/out, with its catalog beside it; on this machine or in S3."""

    def __init__(self, root: Path | str) -> None:
        self.folder, self.catalog = Folder(f"{root}/out"), Folder(f"{root}/catalog")
        self.rows: list[dict[str, Any]] = []

    def ok(self, id: str, seed: int = 0, inset: int = 10, **facts: Any) -> None:
        """Adds a picture that was cut out; its source and its cut-out are written."""
        uri = self.source(id, seed)
        self.folder.write(f"cutout/{id}.png", cutout(seed, inset=inset))
        outputs = [("cutout", self.folder.uri(f"cutout/{id}.png"))]
        self.rows.append(row(id, uri, outputs=outputs, **facts))

    def ended(self, id: str, status: str, reason: str, stage: str = "filter", **facts: Any) -> None:
        """Adds a picture that was filtered or failed; its source is written."""
        self.rows.append(row(id, self.source(id), status=status, reason=reason, stage=stage, **facts))

    def source(self, id: str, seed: int = 0) -> str:
        self.catalog.write(id, picture(seed))
        return self.catalog.uri(id)

    def write(self, run: dict[str, Any] | None = None, partitions: int = 1) -> str:
        """Writes results and the summary of a run; returns the output's path."""
        write_part(self.folder, self.rows, partitions)
        facts = {
            "run_id": RUN,
            "done": len(self.rows),
            "wall_s": 12.5,
            "pictures_per_s_steady": 4.5,
            "pictures_per_s_cold": 3.25,
            "throughput": [[8, 1], [9, 6], [10, 11]],
            "fingerprint": "f",
            "versions": {"hairline": "0"},
        }
        self.folder.write(f"runs/{RUN}.json", json.dumps({**facts, **(run or {})}).encode())
        return self.folder.root


def _encode(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


class Page(HTMLParser):
    """The elements of a page, its links and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.images: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            if name in ("href", "action"):
                self.links.append(value or "")
            if name in ("src", "srcset", "poster", "data"):
                self.images.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data + " "
