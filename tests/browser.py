"""A real Chromium for the tests of the page, and eyes on what the page asks for and complains about."""

from __future__ import annotations

import base64
import io
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from serve_kit import Server

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PENDING = "#strip li.waiting, #strip li.working"
LONGEST_MS = 90_000  # until what a test waits for has come; nothing is slower on two busy cores
UNTIL = """
async ([argument, longest]) => {
  const predicate = PREDICATE, end = performance.now() + longest;
  while (!(await predicate(argument))) { // Playwright's own wait_for_function takes a promise for a yes
    if (performance.now() > end) throw new Error(`it did not come to that: ${predicate}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
"""
STEADY = """
async () => {
  const images = [...document.querySelectorAll("#frame img:not([hidden])")];
  if (!document.querySelector("#busy").hidden) return false;
  if (document.querySelector("#product-list").getAttribute("aria-busy") === "true") return false;
  return Promise.all(images.map((image) => image.decode())).then(() => true, () => false);
}
"""
KEPT = """
(count) => document.body.dataset.kept === "all" && new Promise((resolve, reject) => {
  const opening = indexedDB.open("hairline");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const database = opening.result;
    const asking = database.transaction("pictures").objectStore("pictures").getAll();
    asking.onsuccess = () => {
      database.close();
      resolve(asking.result.length === count);
    };
  };
})
"""
DROP = """
([files, name, text]) => {
  const transfer = new DataTransfer();
  for (const [type, data] of Object.entries(text)) transfer.setData(type, data);
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
# what is pressed, and smaller than a fingertip; a control in a label is as large as that
SMALL = """
(least) => [...document.querySelectorAll("button, a, input, select, summary, [role=button]")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.matches("#slider, .skip, noscript a"))
  .map((e) => [e, (e.labels?.[0]?.contains(e) && e.labels[0] || e).getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < least - 0.5)
  .map(([e, { width, height }]) => `${e.outerHTML.slice(0, 90)} ${Math.round(width)} x ${Math.round(height)}`)
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
        self.tab.set_default_timeout(LONGEST_MS)
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
        self.tab.evaluate(DROP, [data, way, {}])
        if wait:
            self.done(before + len(files))

    def give_text(self, text: dict[str, str], way: str = "paste") -> None:
        """Pastes or drops text, such as an address, by its type."""
        self.tab.evaluate(DROP, [[], way, text])

    def done(self, count: int) -> None:
        """Waits until so many pictures are there, all have ended, and the selected one is shown with its products."""
        expect(self.tab.locator("#strip li")).to_have_count(count)
        expect(self.tab.locator(PENDING)).to_have_count(0)
        self.steady()

    def steady(self) -> None:
        """Waits until everything that is to be shown is shown."""
        self.tab.evaluate(UNTIL.replace("PREDICATE", f"({STEADY.strip()})"), [None, LONGEST_MS])

    def kept(self, count: int) -> None:
        """Waits until so many pictures are kept for the next visit, and nothing of them is still to be written."""
        self.tab.evaluate(UNTIL.replace("PREDICATE", f"({KEPT.strip()})"), [count, LONGEST_MS])

    def pick(self, *names: str) -> None:
        """Chooses exactly these products."""
        for box in self.tab.locator(".product").all():
            box.locator(".pick input").set_checked(box.locator(".pick").inner_text().strip() in names)
        self.steady()

    def state(self, place: int = 0) -> str:
        """How a picture has ended; of those that `done` has waited for."""
        return str(self.tab.locator("#strip li").nth(place).get_attribute("class"))

    def download(self, button: str, folder: Path) -> Path:
        with self.tab.expect_download() as waiting:
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


expect.set_options(timeout=LONGEST_MS)
Open = Callable[..., Page]


def pixels(page: Page, selector: str = "#frame") -> np.ndarray:
    """What is to be seen, uint8 values as int [h, w, 3], once everything is there."""
    page.steady()
    shot = page.tab.locator(selector).screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


BACKDROP_LOADED = """async () => {
  const url = getComputedStyle(document.querySelector(".backdrop")).backgroundImage.match(/blob:[^"]+/);
  const image = new Image();
  image.src = url[0];
  await image.decode();
  return true;
}"""


def asked(service: Server, route: str, picture: bytes) -> bytes:
    """A product of a picture as the API gives it."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n' + picture + b"\r\n--x--\r\n"
    )
    request = urllib.request.Request(service.url + route, body, {"Content-Type": "multipart/form-data; boundary=x"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())
