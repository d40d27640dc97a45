"""Helpers of the pipeline's tests: small pictures and catalogs, jobs of small stages, a web server that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest


def jpeg(seed: int, width: int = 96, height: int = 64, dark: bool = False) -> bytes:
    """A colourful picture, or a nearly black one."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", picture // 40 if dark else picture)[1].tobytes()


def fill(folder: Path, pictures: int, start: int = 0) -> None:
    """Puts pictures into a tree; every seventh is dark."""
    for i in range(start, start + pictures):
        path = folder / f"shelf {i % 3}" / f"p{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(i, dark=i % 7 == 3))


def small_job(**changes: object) -> dict[str, object]:
    """A job of two small stages, as plain data."""
    pool = {"name": "all", "stages": ["own_stages:Judge", "own_stages:Invert"], "batch": 4}
    return {"products": ["negative"], "pools": [pool], **changes}


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything; to see what a user sees, root becomes one for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own that is soon full; skips the test where nothing can be mounted."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        if not mounted:
            pytest.skip("mounting is not possible here")
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def hairline(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    command = [sys.executable, "-c", "import sys; from hairline.cli import main; sys.exit(main())"]
    environ = {**os.environ, **environment}
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        env=environ,
        timeout=300,
        text=True,
        errors="backslashreplace",
    )


class Web:
    """A web server that can be told how to fail.

    Attributes:
        files: path -> body.
        failures: path -> statuses to answer first, one per request; 0 breaks the connection.
        requests: paths in the order in which they were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failures: dict[str, list[int]] = {}
        self.requests: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.requests.append(self.path)
                failures = web.failures.get(self.path, [])
                status = failures.pop(0) if failures else (200 if self.path in web.files else 404)
                body = web.files.get(self.path, b"")
                if status == 0:  # promise more than comes
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body) + 100))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if status == 200 else 0))
                self.end_headers()
                if status == 200:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
