"""A real Chromium for the tests of the page, and eyes on what the page asks for and complains about."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DONE = """
(count) => {
  const all = [...document.querySelectorAll("#strip li")];
  return all.length === count && all.every((e) => !/waiting|working/.test(e.className));
}
"""
DROP = """
([files, name]) => {
  const transfer = new DataTransfer();
  for (const [file, type, data] of files)
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], file, {type}));
  const options = {bubbles: true, cancelable: true};
  if (name === "paste") dispatchEvent(new ClipboardEvent(name, {...options, clipboardData: transfer}));
  else for (const step of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(step, {...options, dataTransfer: transfer}));
}
"""
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => {
  window.violations.push(`${e.violatedDirective} ${e.blockedURI}`);
});
"""


def chromium() -> str:
    """The browser's path; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    return found


class Page:
    """A tab with the page open. Attribute `tab` is Playwright's page."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url = url
        self.context = browser.new_context(**{"viewport": {"width": 1180, "height": 760}, **options})
        self.tab = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.tab.add_init_script(WATCH)
        self.tab.goto(url)
        self.tab.wait_for_selector(".product", state="attached")

    def give(self, files: dict[str, bytes], way: str = "drop", wait: bool = True) -> None:
        """Drops or pastes files, and waits until every picture on the page has ended."""
        before = self.tab.locator("#strip li").count()
        data = [[name, "image/jpeg", base64.b64encode(content).decode()] for name, content in files.items()]
        self.tab.evaluate(DROP, [data, way])
        if wait:
            self.done(before + len(files))

    def done(self, count: int) -> None:
        self.tab.wait_for_function(DONE, arg=count, timeout=90_000)
        self.tab.wait_for_timeout(1100)  # the reveal

    def pick(self, *names: str) -> None:
        """Chooses exactly these products."""
        for box in self.tab.locator(".product").all():
            box.locator(".pick input").set_checked(box.locator(".pick").inner_text().strip() in names)

    def state(self, place: int = 0) -> str:
        return str(self.tab.locator("#strip li").nth(place).get_attribute("class"))

    def download(self, button: str, folder: Path) -> Path:
        with self.tab.expect_download(timeout=90_000) as waiting:
            self.tab.locator(button).click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def close(self) -> None:
        """Checks what must hold on every page: nothing from elsewhere, no breach of its own policy, no error."""
        violations = self.tab.evaluate("window.violations")
        elsewhere = [url for url in self.requests if not url.startswith((self.url, "blob:", "data:"))]
        self.context.close()
        assert (elsewhere, violations, self.errors) == ([], [], [])


@contextmanager
def launched() -> Iterator[Any]:
    """A headless Chromium."""
    path = chromium()
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: dev)")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


Open = Callable[..., Page]


def pixels(page: Page, selector: str = "#frame") -> np.ndarray:
    shot = page.tab.locator(selector).screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
