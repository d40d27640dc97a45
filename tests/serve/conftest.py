"""Fixtures of the service's tests: pictures, and its page in a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from browser import Open, Page, launched
from serve_kit import Server, encoded, photo


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
