"""The web page in a real Chromium, before the real service."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Page, launched
from PIL import Image
from serve_kit import Server, encoded, photo

Open = Callable[..., Page]
NASTY = {
    "<img src=x onerror=alert(1)>.jpg": "_img src=x onerror=alert(1)_",
    "../../etc/passwd.jpg": "passwd",
    "C:\\evil\\con.jpg": "picture",
    "Größe 鞋子\u202egpj.jpg": "Größe 鞋子_gpj",
    "....jpg": "picture",
}


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


def pixels(page: Page, selector: str = "#frame") -> np.ndarray:
    shot = page.tab.locator(selector).screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def asked(service: Server, route: str, picture: bytes) -> bytes:
    """A product of a picture as the API gives it."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n' + picture + b"\r\n--x--\r\n"
    )
    request = urllib.request.Request(service.url + route, body, {"Content-Type": "multipart/form-data; boundary=x"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def test_several_pictures_from_drop_to_zip(
    open_page: Open, service: Server, good: bytes, blurred: bytes, tmp_path: Path
) -> None:
    cup = photo("coffee", 300, 200)
    page = open_page()
    assert page.tab.locator("#choose").is_visible() and page.tab.locator("#download").is_hidden()
    page.give({"cat.jpg": good, "soft.jpg": blurred, "cup.jpg": cup})
    assert [page.state(n).split()[0] for n in range(3)] == ["ok", "filtered", "ok"]
    page.pick("Cutout", "Mask", "White background")
    assert page.tab.locator("#views button").all_inner_texts() == ["Compare", "Cutout", "Mask", "White background"]
    path = page.download("#download", tmp_path)
    assert path.name == "hairline.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        expected = {
            f"{product}/{name}.png" for product in ("cutout", "mask", "white_background") for name in ("cat", "cup")
        }
        assert set(archive.namelist()) == expected
        for product in ("cutout", "mask", "white_background"):
            assert archive.read(f"{product}/cat.png") == asked(service, f"/v1/{product}", good)
    page.tab.locator(".product .save").first.wait_for(timeout=60_000)
    single = page.download(".product .save >> nth=1", tmp_path)
    assert single.name == "cat-mask.png" and single.read_bytes() == asked(service, "/v1/mask", good)


def test_the_slider_by_keyboard(open_page: Open, service: Server, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good}, way="paste")
    page.tab.locator("[name=backdrop][value=black]").check()
    slider = page.tab.get_by_role("slider", name="Before and after")
    slider.focus()
    assert slider.get_attribute("aria-valuetext") == "50 % original"
    for _ in range(3):
        page.tab.keyboard.press("ArrowLeft")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == ("47", "47 % original")
    page.tab.keyboard.press("End")
    before = pixels(page)
    page.tab.keyboard.press("Home")
    after = pixels(page)
    height, width = before.shape[:2]
    cutout = Image.open(io.BytesIO(asked(service, "/v1/cutout", good))).resize((width, height))
    alpha = np.asarray(cutout)[..., 3]
    original = np.asarray(Image.open(io.BytesIO(good)).resize((width, height))).astype(int)
    middle = (slice(20, -20), slice(20, -20))  # no rounded corners, no divider
    assert np.abs(before - original)[middle].mean() < 3
    nothing = (alpha == 0)[middle]
    assert nothing.mean() > 0.02
    assert after[middle][nothing].mean() < 4  # black, the backdrop
    solid = (alpha == 255)[middle]
    assert np.abs(after - before)[middle][solid].mean() < 5


def test_backdrops_and_what_lies_over_the_picture(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good})
    page.tab.get_by_role("slider").focus()
    page.tab.keyboard.press("Home")
    looks = []
    for name in ("checker", "white", "black", "color"):
        page.tab.locator(f"[name=backdrop][value={name}]").check()
        looks.append(pixels(page))
    page.tab.locator("#color").fill("#ff0000")
    looks.append(pixels(page))
    page.tab.set_input_files("#photo-file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": good})
    page.tab.locator("[name=backdrop][value=photo]").check()
    page.tab.wait_for_timeout(200)
    looks.append(pixels(page))
    assert all(np.abs(a - b).mean() > 1 for n, a in enumerate(looks) for b in looks[:n])
    page.tab.get_by_role("button", name="Boxes").click()
    label = page.tab.locator("#boxes .box.subject span").first
    assert label.inner_text().startswith("subject ")
    box, frame = page.tab.locator("#boxes .box").first.bounding_box(), page.tab.locator("#frame").bounding_box()
    assert frame["x"] - 2 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 2
    plain = pixels(page)
    page.tab.get_by_role("button", name="Unsure edges").click()
    page.tab.wait_for_timeout(300)
    assert np.abs(pixels(page) - plain).mean() > 0.5
    width = frame["width"]
    page.tab.get_by_role("button", name="1:1").click()
    assert page.tab.locator("#frame").bounding_box()["width"] == pytest.approx(320, abs=1) != width


def test_options_of_a_product(open_page: Open, good: bytes, tmp_path: Path) -> None:
    page = open_page()
    page.give({"cat.jpg": good})
    page.pick("White background")
    row = page.tab.locator(".product", has_text="White background")
    row.get_by_text("Options", exact=True).click()
    row.get_by_label("Format").select_option("jpeg")
    row.get_by_label("Canvas").select_option("…")
    row.get_by_label("Width in pixels").fill("300")
    row.get_by_label("Height in pixels").fill("200")
    row.get_by_label("Height in pixels").blur()
    page.tab.wait_for_function("() => document.querySelector('.save')?.download.endsWith('.jpg')", timeout=60_000)
    page.tab.wait_for_timeout(1500)  # the last of several changes
    path = page.download(".save", tmp_path)
    image = Image.open(path)
    assert (path.name, image.format, image.size) == ("cat-white_background.jpg", "JPEG", (300, 200))
    page.tab.locator("#views button", has_text="White background").click()
    page.tab.wait_for_function("() => document.getElementById('after').naturalWidth === 300", timeout=60_000)


def test_a_reject_says_why_and_can_be_overruled(open_page: Open, blurred: bytes) -> None:
    page = open_page()
    page.give({"soft.jpg": blurred})
    found = page.tab.locator("#found")
    assert "out of focus" in found.inner_text() and "Use a sharper picture" in found.inner_text()
    assert page.tab.locator("#slider").is_hidden() and page.tab.locator("#download").is_disabled()
    page.tab.get_by_role("button", name="Cut out anyway").click()
    page.done(1)
    assert page.state().split()[0] in ("ok", "filtered")  # with a subject, or for the want of one
    assert "out of focus" not in found.inner_text()


def test_files_that_are_no_pictures_say_what_to_do(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give(
        {
            "letter.jpg": b"Dear customer,\n" * 99,
            "half.jpg": good[: len(good) // 2],
            "none.jpg": b"",
            "big.jpg": bytes(5 << 20),
        }
    )
    said = []
    for thumb in page.tab.locator(".thumb").all():
        thumb.click()
        said.append(page.tab.locator("#found .verdict").inner_text())
    for text, part in zip(said, ("Not a picture", "Cut short", "", "too large"), strict=True):
        assert part.lower() in text.lower() and text.count("\n") >= 1, text


def test_errors_of_the_service(open_page: Open, good: bytes) -> None:
    page = open_page()
    answers = iter(
        [
            lambda route: route.abort(),
            lambda route: route.fulfill(status=500, json={"errors": [{"title": "x", "code": "y"}]}),
            lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}, json={"errors": []}),
        ]
    )

    def answer(route: Any) -> None:
        next(answers, lambda r: r.continue_())(route)

    page.tab.route("**/v1/analyze", answer)
    page.give({"cat.jpg": good})
    assert "No connection" in page.tab.locator("#found").inner_text()
    page.tab.get_by_role("button", name="Try again").click()
    page.done(1)
    assert "has a problem" in page.tab.locator("#found").inner_text()
    page.tab.get_by_role("button", name="Try again").click()  # is told to wait, and does
    page.tab.wait_for_function("() => document.querySelector('#strip li').className.startsWith('ok')", timeout=60_000)
    answers = iter([lambda route: route.fulfill(status=504, json={"errors": []})])
    page.pick("Cutout", "Mask")
    page.tab.locator("#products").get_by_role("button", name="Try again").first.click()
    page.tab.wait_for_function("() => document.querySelectorAll('.save').length === 2", timeout=60_000)


def test_a_service_with_keys_asks_for_one(open_page: Open, good: bytes) -> None:
    page = open_page()
    used: list[str] = []

    def guarded(route: Any) -> None:
        used.append(route.request.headers.get("x-api-key", ""))
        if used[-1] == "hl_right":
            route.continue_()
        else:
            route.fulfill(status=403, json={"errors": [{"title": "Missing API Key", "code": "auth_failed"}]})

    page.tab.route("**/v1/analyze", guarded)
    page.give({"cat.jpg": good}, wait=False)
    dialog = page.tab.get_by_role("dialog", name="This service asks for a key")
    for key in ("hl_wrong", "hl_right"):
        dialog.wait_for()
        page.tab.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Use it").click()
    page.done(1)
    assert page.state().startswith("ok") and used == ["", "hl_wrong", "hl_right"]


def test_names_are_text_and_stay_inside_the_zip(open_page: Open, good: bytes, tmp_path: Path) -> None:
    page = open_page()
    page.give({**dict.fromkeys(NASTY, good), "cat.jpg": good, "CAT.png": good})
    assert page.tab.locator("#strip img").count() == len(NASTY) + 2  # nothing came of the markup in the first name
    page.tab.locator(".thumb").first.click()
    assert page.tab.locator("#picture-name").inner_text() == next(iter(NASTY))
    with zipfile.ZipFile(page.download("#download", tmp_path)) as archive:
        names = archive.namelist()
    expected = [f"{name}.png" for name in NASTY.values()]
    assert names[:2] == expected[:2] and names[2:5] == ["picture.png", expected[3], "picture (2).png"]
    assert names[5:] == ["cat.png", "CAT (2).png"]


def test_by_keyboard_alone(open_page: Open, good: bytes) -> None:
    page = open_page()
    press = page.tab.keyboard.press
    page.give({"a.jpg": good, "b.jpg": good})
    reached = []
    for _ in range(25):
        press("Tab")
        reached.append(
            page.tab.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.name"
            )
        )
    for name in ("add", "download", "slider", "backdrop", "show-boxes", "zoom", "thumb"):
        assert name in reached, reached
    page.tab.locator(".thumb").first.focus()
    press("ArrowRight")
    assert page.tab.locator("#picture-name").inner_text() == "b.jpg"
    press("Delete")
    assert page.tab.locator("#picture-name").inner_text() == "a.jpg"
    press("Delete")
    assert page.tab.locator("#choose").is_visible()  # as it began


def test_everything_has_a_name(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good})
    nameless = page.tab.evaluate(
        """() => {
          const all = [...document.querySelectorAll("button, a, input, select, summary, img, section, nav, aside")];
          const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim()
            || e.labels?.length || e.alt !== undefined;
          return all.filter((e) => e.checkVisibility() && !named(e)).map((e) => e.outerHTML);
        }"""
    )
    assert nameless == []
    assert "cat.jpg: cut out" in page.tab.locator("#say").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(scheme: str, open_page: Open, good: bytes) -> None:
    page = open_page(color_scheme=scheme)
    page.give({"cat.jpg": good})
    colours = page.tab.evaluate(
        """() => {
          const root = getComputedStyle(document.documentElement), canvas = new OffscreenCanvas(1, 1).getContext("2d");
          const names = ["page", "card", "ink", "mute", "failed", "accent", "on-accent"];
          return Object.fromEntries(names.map((name) => {
            canvas.fillStyle = root.getPropertyValue(`--${name}`);
            canvas.fillRect(0, 0, 1, 1);
            return [name, [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)];
          }));
        }"""
    )
    light = {name: luminance(colour) for name, colour in colours.items()}
    assert (light["page"] < 0.1) == (scheme == "dark")
    assert pixels(page, "body")[5, 5].tolist() == colours["page"]
    for text, ground in [
        ("ink", "page"),
        ("mute", "page"),
        ("mute", "card"),
        ("on-accent", "accent"),
        ("failed", "card"),
    ]:
        assert contrast(light[text], light[ground]) >= 4.5, (text, ground)


def luminance(colour: list[int]) -> float:
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: float, b: float) -> float:
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def test_on_a_phone(open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, device_scale_factor=2)
    tab = page.tab
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    page.give({"a very long file name that would not fit on any telephone.jpg": good, "soft.jpg": blurred})
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    for selector in ("#add", "#download", "#show-boxes", "#zoom", "#views button"):
        box = tab.locator(selector).first.bounding_box()
        assert box["height"] >= 30 and box["x"] >= 0 and box["x"] + box["width"] <= 360, selector
    frame = tab.locator("#frame").bounding_box()
    tab.touchscreen.tap(frame["x"] + 0.8 * frame["width"], frame["y"] + frame["height"] / 2)
    assert int(tab.locator("#slider").input_value()) == pytest.approx(80, abs=2)
    tab.locator("#product-list").scroll_into_view_if_needed()
    assert tab.locator("#product-list").is_visible()


def test_a_format_that_the_browser_cannot_show(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.tif": encoded(Image.open(io.BytesIO(good)), "TIFF"), "odd.tif": b"II*\0nothing"})
    assert page.state().startswith("ok")
    assert page.tab.locator("#after").is_visible() and page.tab.locator("#slider").is_hidden()
    assert page.tab.evaluate("document.querySelector('.thumb img').naturalWidth") == 320  # the cut-out stands in for it
    page.tab.locator(".thumb").nth(1).click()
    assert "cannot show" in page.tab.locator("#message").inner_text()
    page.tab.locator(".thumb").first.click()
    assert page.tab.locator("#message").is_hidden() and page.tab.locator("#frame").bounding_box()["width"] > 200
