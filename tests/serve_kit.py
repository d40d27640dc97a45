"""Helpers of the service's tests: a running `hairline serve`, pictures, requests."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import requests
import skimage
from PIL import Image

HERE = Path(__file__).parent
PHOTOS = Path(skimage.__file__).parent / "data"


class Server:
    """A running service. `post` and `get` go to it; every answer is checked for what all answers have."""

    folder: Path  # of its files, where the fixture says so

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url

    def post(self, path: str, **options: object) -> requests.Response:
        return _checked(requests.post(self.url + path, timeout=120, **options))  # type: ignore[arg-type]

    def get(self, path: str, **options: object) -> requests.Response:
        return _checked(requests.get(self.url + path, timeout=60, **options))  # type: ignore[arg-type]

    def line(self, seconds: float = 240) -> str:
        """The next line on standard output."""
        assert self.process.stdout
        ready = select.select([self.process.stdout], [], [], seconds)[0]
        return self.process.stdout.readline() if ready else ""


def _checked(answer: requests.Response) -> requests.Response:
    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    if answer.status_code >= 400 and not answer.url.endswith("/readyz"):  # not ready is a state, not an error
        errors = answer.json()["errors"]
        assert errors and all(e["title"] and e["code"] for e in errors)
        assert "Traceback" not in answer.text and "/hairline/" not in answer.text
    return answer


@contextmanager
def serving(path: str | Path, *changes: str, **environment: str) -> Iterator[Server]:
    """Runs `hairline serve` on a free port until the block ends."""
    command = [sys.executable, "-m", "hairline", "serve", str(path)]
    for change in ("port=0", *changes):
        command += ["--set", change]
    environ = {**os.environ, **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1, env=environ)
    server = Server(process, "")
    try:
        first = server.line()
        assert first.startswith("http://"), f"the service did not start: {first!r}"
        server.url = first.split()[0]
        yield server
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a service as its operator would; it must go in order."""
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(120) == 0
    finally:
        process.kill()


@lru_cache
def photo(name: str = "astronaut", width: int = 320, height: int = 320) -> bytes:
    """A photograph with a subject, as JPEG."""
    return encoded(Image.open(PHOTOS / f"{name}.png").convert("RGB").resize((width, height)), "JPEG", quality=92)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def flat(width: int = 200, height: int = 150, color: tuple[int, int, int] = (120, 130, 140)) -> bytes:
    """A picture of nothing."""
    return encoded(Image.new("RGB", (width, height), color), "PNG")


def array(data: bytes) -> np.ndarray:
    return np.asarray(opened(data))
