"""Fixtures of the service's tests: one real service for the whole session."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from browser import Open, Page, launched
from kit import Web
from serve_kit import Server, encoded, photo, serving


@pytest.fixture(scope="session")
def pictures_on_the_web() -> Iterator[Web]:
    """A web server on loopback that the service may fetch from."""
    server = Web()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="session")
def service(pictures_on_the_web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hairline serve service-laptop.yaml` with one process and small limits; `folder` holds its files."""
    folder = tmp_path_factory.mktemp("service")
    settings = [
        "pools.0.workers=1",
        "limits.max_pixels=4000000",
        "limits.max_bytes=4000000",
        f"fetch.allow=['127.0.0.1:{pictures_on_the_web.server.server_port}']",
        "fetch.seconds=3",
        "times.upload=3",
        f"jobs.folder={folder / 'jobs'}",
        f"access_log={folder / 'access.log'}",
    ]
    with serving("service-laptop.yaml", *settings) as server:
        server.folder = folder
        yield server


@pytest.fixture(scope="module")
def good() -> bytes:
    """A cat, which is cut out."""
    return photo("chelsea", 320, 240)


@pytest.fixture(scope="module")
def blurred(good: bytes) -> bytes:
    """A picture that is filtered."""
    small = Image.open(io.BytesIO(good)).resize((16, 12), Image.Resampling.BOX)
    return encoded(small.resize((320, 240), Image.Resampling.BICUBIC), "JPEG", quality=92)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def open_page(browser: Any, service: Server) -> Iterator[Open]:
    pages: list[Page] = []

    def open_one(**options: Any) -> Page:
        pages.append(Page(browser, service.url, **options))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()
