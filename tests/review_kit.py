"""Outputs to review, and a review that runs in a thread of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvicorn

from hairline.pipeline.atomic import md5
from hairline.pipeline.storage import Folder
from hairline.review.app import build
from hairline.review.desk import Desk
from hairline.serve.keys import Keys
from hairline.serve.security import UVICORN
from hairline.serve.startup_checks import address, listen
from outputs import Output

STAGES = {"detect": {}, "coarse": {}, "fine": {}, "products": {"products": ["cutout", "mask"]}}
PARTS = {"limits": {}, "stages": STAGES, "weights": {}, "version": "0"}


def output(root: Path | str, pictures: int = 6, **facts: Any) -> Output:
    """One with pictures `p00.jpg`, …, the least certain last, and one that was filtered."""
    made = Output(root)
    for number in range(pictures):
        id = f"p{number:02}.jpg"
        given = {"confidence": 0.95 - 0.05 * number, "category": ("animal", "portrait")[number % 2], **facts}
        made.ok(id, number, **given)
        row = made.rows[-1]
        made.folder.write(f"mask/{id}.png", mask_of(made.folder, id))
        row["outputs"] = [(name, made.folder.uri(f"{name}/{id}.png")) for name in ("cutout", "mask")]
        row["digests"] = [(name, md5(made.folder.read(f"{name}/{id}.png"))) for name in ("cutout", "mask")]
    made.ended("dark.jpg", "filtered", "too_dark")
    made.folder.write("settings/f.json", json.dumps(PARTS).encode())
    made.write()
    return made


def mask_of(folder: Folder, id: str) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.open(BytesIO(folder.read(f"cutout/{id}.png"))).getchannel("A").save(buffer, "PNG")
    return buffer.getvalue()


def other_matte(left: int = 0) -> np.ndarray:
    """A matte uint8 [60, 80] that no picture of an output has."""
    alpha = np.zeros((60, 80), np.uint8)
    alpha[5:40, 5 + left : 50] = 255
    return alpha


class Reviewed:
    """A review that answers. `desk`: what it works on."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk, self.url = desk, url

    def ask(self, path: str, who: str = "anna", tab: str = "one", status: int = 200, **given: Any) -> Any:
        answer = requests.post(self.url + path, json={"who": who, "tab": tab, **given}, timeout=60)
        assert answer.status_code == status, answer.text
        return answer.json()


@contextmanager
def reviewed(root: str, keys: Path | None = None, **options: Any) -> Iterator[Reviewed]:
    """A review on a free port until the block ends."""
    desk = Desk(Folder(root, "cut-test"), **options)
    desk.products.finish()
    listener = listen("127.0.0.1", 0)
    app = build(desk, Keys(keys) if keys else None, "nobody")
    server = uvicorn.Server(uvicorn.Config(app, **UVICORN))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield Reviewed(desk, address(listener))
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
        desk.claims.free_all()
