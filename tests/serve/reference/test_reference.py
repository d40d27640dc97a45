"""The API's page: all routes are there, its samples run, nothing comes from elsewhere, narrow and dark work."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.requests import Request

from hairline.serve.openapi import describe_api
from hairline.serve.reference import STYLE, base_of, render
from hairline.serve.reference.samples import LANGUAGES, Call
from hairline.stages.products.registry import PRODUCTS
from hairline.stages.products.spec import ProductSpec
from serve_kit import Server, flat, photo

API = describe_api({name: ProductSpec.model_validate(name) for name in PRODUCTS})
SAMPLE = re.compile(r'<pre tabindex="0" data-language="(\w+)"><code>(.*?)</code></pre>', re.DOTALL)
ARTICLE = re.compile(r'<article class="card" id="(\w+)".*?</article>', re.DOTALL)
OPERATIONS = [each["operationId"] for methods in API["paths"].values() for each in methods.values()]


def samples(page: str) -> dict[tuple[str, str], str]:
    """(route, language) -> the sample's text."""
    return {
        (article[1], language): html.unescape(text)
        for article in ARTICLE.finditer(page)
        for language, text in SAMPLE.findall(article[0])
    }


def test_every_route_has_every_sample() -> None:
    found = samples(render(API, "http://127.0.0.1:8000", keys=False))
    assert set(found) == {(route, language) for route in OPERATIONS for language in LANGUAGES}


def test_with_keys_the_samples_bring_one() -> None:
    found = samples(render(API, "http://127.0.0.1:8000", keys=True))
    for language in LANGUAGES:
        assert "HAIRLINE_KEY" in found["cutout", language] and "HAIRLINE_KEY" not in found["health", language]


def test_nothing_is_inline_or_from_elsewhere() -> None:
    page = render(API, "http://127.0.0.1:8000", keys=False)
    assert not re.search(r"<script|<style|style=|\son[a-z]+=|javascript:", page)
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', page)) == {
        "/",
        "/page/icon.svg",
        "/docs/style.css",
        "/openapi.json",
    }
    assert "url(" not in STYLE.read_text("utf-8") and "@import" not in STYLE.read_text("utf-8")


def test_values_of_samples_are_quoted() -> None:
    call = Call("post", "http://a/", [("image_file", "my cat.jpg")], {"canvas": '[1, "$(rm)"]'}, "out.png")
    found = call.samples()
    assert "'image_file=@my cat.jpg'" in found["curl"] and "'canvas=[1, \"$(rm)\"]'" in found["curl"]
    compile(found["Python"], "sample", "exec")


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("shop.example:8443", "http://shop.example:8443"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("<b>", "http://127.0.0.1:8000"),
        ("$(rm)", "http://127.0.0.1:8000"),
        ("a;b", "http://127.0.0.1:8000"),
        ("a:999999", "http://127.0.0.1:8000"),
        ("", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_is_the_one_asked_and_nothing_worse(host: str, base: str) -> None:
    scope = {"type": "http", "scheme": "http", "path": "/", "headers": [(b"host", host.encode())]}
    assert base_of(Request(scope), "127.0.0.1:8000") == base


def test_the_page_shows_the_address_that_was_asked(service: Server) -> None:
    assert f"{service.url}/v1/cutout" in service.get("/docs").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_samples_run(language: str, service: Server, tmp_path: Path) -> None:
    """All of them, as they stand on the page; a job's id is that of a job that there is."""
    for name in ("cat.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo("chelsea", 320, 240))
    (tmp_path / "mask.png").write_bytes(flat(320, 240))
    if language == "JavaScript" and not shutil.which("node"):
        pytest.skip("no Node.js on this machine")
    job = service.post("/v1/jobs", files={"image_file": photo()}, data={"product": "cutout"}).json()["id"]
    while service.get(f"/v1/jobs/{job}").json()["status"] != "done":
        time.sleep(0.1)
    for (route, used), text in samples(service.get("/docs").text).items():
        if used != language:
            continue
        text = text.replace("0123456789abcdef0123456789abcdef", job)
        file = tmp_path / {"curl": "sample.sh", "Python": "sample.py", "JavaScript": "sample.mjs"}[language]
        file.write_text(text)
        program = {"curl": "bash", "Python": sys.executable, "JavaScript": "node"}[language]
        done = subprocess.run([program, str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        if route.endswith(("id_photo", "part")):  # of a cat: the sample asks, and is told
            assert done.returncode and "422" in done.stdout + done.stderr, (route, done.stderr[-1000:])
            continue
        assert done.returncode == 0, (route, done.stdout[-500:], done.stderr[-1000:])
        saved = re.search(r"result\.\w+", text)
        if saved and saved[0].endswith(".svg"):
            assert "<path" in (tmp_path / saved[0]).read_text()
        elif saved:
            with Image.open(tmp_path / saved[0]) as image:
                image.load()
            (tmp_path / saved[0]).unlink()
        else:
            assert done.stdout.strip(), route


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (320, "dark"), (1180, "light"), (1180, "dark")])
def test_it_fits_and_can_be_read(width: int, scheme: str, browser: Any, service: Server) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab = context.new_page()
    elsewhere, errors = [], []
    tab.on("request", lambda request: elsewhere.append(request.url) if service.url not in request.url else None)
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.goto(f"{service.url}/docs")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    if width < 860:  # a finger does not scroll five lines sideways: they wrap
        assert tab.evaluate("[...document.querySelectorAll('pre')].every((e) => e.scrollWidth <= e.clientWidth)")
    paper, low = tab.evaluate(CONTRAST)
    assert (paper > 0.5) == (scheme == "light") and low == []
    assert tab.locator("article").count() == len(OPERATIONS)
    assert (elsewhere, errors) == ([], [])
    context.close()


# the page's own luminance, and texts whose contrast to what lies behind them is less than 4.5 (WCAG 2.2, 1.4.3)
CONTRAST = """
() => {
  const parts = (color) => color.match(/[0-9.]+/g).map(Number);
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const one of document.querySelectorAll("body *")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [a, b] = [luminance(parts(getComputedStyle(one).color)), luminance(behind(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.push(`${one.tagName} ${one.textContent.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return [luminance(behind(document.body)), low];
}
"""
