"""The web page in a real Chromium, before the real service."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser import BACKDROP_LOADED, Open, asked, expect, pixels
from serve_kit import Server, encoded, photo

NASTY = {
    "<img src=x onerror=alert(1)>.jpg": "_img src=x onerror=alert(1)_",
    "../../etc/passwd.jpg": "passwd",
    "C:\\evil\\con.jpg": "picture",
    "Größe 鞋子\u202egpj.jpg": "Größe 鞋子_gpj",
    "....jpg": "picture",
}
UNSURE_DRAWN = """() => {
  const canvas = document.querySelector("#unsure");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, n) => n % 4 === 3 && value);
}"""


def test_several_pictures_from_drop_to_zip(
    open_page: Open, service: Server, good: bytes, blurred: bytes, tmp_path: Path
) -> None:
    cup = photo("coffee", 300, 200)
    page = open_page()
    expect(page.tab.locator("#choose")).to_be_visible()
    expect(page.tab.locator("#download")).to_be_hidden()
    page.give({"cat.jpg": good, "soft.jpg": blurred, "cup.jpg": cup})
    assert [page.state(n).split()[0] for n in range(3)] == ["ok", "filtered", "ok"]
    page.pick("Cutout", "Mask", "White background")
    expect(page.tab.locator("#views button")).to_have_text(["Compare", "Cutout", "Mask", "White background"])
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
    expect(page.tab.locator(".product .save")).to_have_count(3)
    single = page.download(".product .save >> nth=1", tmp_path)
    assert single.name == "cat-mask.png" and single.read_bytes() == asked(service, "/v1/mask", good)


def test_the_slider_by_keyboard(open_page: Open, service: Server, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good}, way="paste")
    page.tab.locator("[name=backdrop][value=black]").check()
    slider = page.tab.get_by_role("slider", name="Before and after")
    slider.focus()
    expect(slider).to_have_attribute("aria-valuetext", "50 % original")
    for _ in range(3):
        page.tab.keyboard.press("ArrowLeft")
    expect(slider).to_have_value("47")
    expect(slider).to_have_attribute("aria-valuetext", "47 % original")
    page.tab.keyboard.press("End")
    expect(slider).to_have_value("100")
    before = pixels(page)
    page.tab.keyboard.press("Home")
    expect(slider).to_have_value("0")
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
    slider = page.tab.get_by_role("slider", name="Before and after")
    slider.focus()
    page.tab.keyboard.press("Home")
    expect(slider).to_have_value("0")
    looks = []
    for name in ("checker", "white", "black", "color"):
        page.tab.locator(f"[name=backdrop][value={name}]").check()
        looks.append(pixels(page))
    page.tab.locator("#color").fill("#ff0000")
    looks.append(pixels(page))
    page.tab.set_input_files("#photo-file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": good})
    page.tab.locator("[name=backdrop][value=photo]").check()
    page.tab.evaluate(BACKDROP_LOADED)
    looks.append(pixels(page))
    assert all(np.abs(a - b).mean() > 1 for n, a in enumerate(looks) for b in looks[:n])
    page.tab.get_by_role("button", name="Boxes").click()
    label = page.tab.locator("#boxes .box.subject span").first
    expect(label).to_have_text(re.compile("^subject "))
    box, frame = page.tab.locator("#boxes .box").first.bounding_box(), page.tab.locator("#frame").bounding_box()
    assert frame["x"] - 2 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 2
    plain = pixels(page)
    page.tab.get_by_role("button", name="Unsure edges").click()
    page.tab.wait_for_function(UNSURE_DRAWN)
    assert np.abs(pixels(page) - plain).mean() > 0.5
    width = frame["width"]
    page.tab.get_by_role("button", name="1:1").click()
    expect(page.tab.locator("#zoom")).to_have_attribute("aria-pressed", "true")
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
    page.steady()  # after the last of several changes
    path = page.download(".save", tmp_path)
    image = Image.open(path)
    assert (path.name, image.format, image.size) == ("cat-white_background.jpg", "JPEG", (300, 200))
    page.tab.locator("#views button", has_text="White background").click()
    expect(page.tab.locator("#after")).to_have_js_property("naturalWidth", 300)


def test_a_reject_says_why_and_can_be_overruled(open_page: Open, blurred: bytes) -> None:
    page = open_page()
    page.give({"soft.jpg": blurred})
    found = page.tab.locator("#found")
    expect(found).to_contain_text("out of focus")
    expect(found).to_contain_text("Use a sharper picture")
    expect(page.tab.locator("#slider")).to_be_hidden()
    expect(page.tab.locator("#download")).to_be_disabled()
    page.tab.get_by_role("button", name="Cut out anyway").click()
    expect(found).not_to_contain_text("out of focus")
    page.done(1)
    assert page.state().split()[0] in ("ok", "filtered")  # with a subject, or for the want of one
    expect(found).not_to_contain_text("out of focus")


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
    verdict = page.tab.locator("#found .verdict")
    thumbs = page.tab.locator(".thumb")
    for place, part in enumerate(("Not a picture", "Cut short", "", "too large")):
        thumbs.nth(place).click()
        expect(thumbs.nth(place)).to_have_attribute("aria-current", "true")
        expect(verdict).to_contain_text(part, ignore_case=True)
        expect(verdict.locator("p")).not_to_have_count(0)  # beside the heading, what it means
        assert all(text.strip() for text in verdict.locator("h3, p").all_inner_texts())


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
    found = page.tab.locator("#found")
    expect(found).to_contain_text("No connection")
    found.get_by_role("button", name="Try again").click()
    expect(found).to_contain_text("has a problem")
    found.get_by_role("button", name="Try again").click()  # is told to wait, and does
    expect(page.tab.locator("#strip li")).to_have_class(re.compile("^ok"))
    page.done(1)
    answers = iter([lambda route: route.fulfill(status=504, json={"errors": []})])
    page.pick("Cutout", "Mask")
    page.tab.locator("#products").get_by_role("button", name="Try again").first.click()
    expect(page.tab.locator(".save")).to_have_count(2)


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
        expect(dialog).to_be_visible()
        asked = len(used)
        page.tab.get_by_label("API key").fill(key)
        with page.tab.expect_response("**/v1/analyze"):
            dialog.get_by_role("button", name="Use it").click()
        assert used[asked:] == [key]
    page.done(1)
    assert page.state().startswith("ok") and used == ["", "hl_wrong", "hl_right"]


def test_names_are_text_and_stay_inside_the_zip(open_page: Open, good: bytes, tmp_path: Path) -> None:
    page = open_page()
    page.give({**dict.fromkeys(NASTY, good), "cat.jpg": good, "CAT.png": good})
    expect(page.tab.locator("#strip img")).to_have_count(len(NASTY) + 2)  # nothing came of the markup in the first name
    page.tab.locator(".thumb").first.click()
    expect(page.tab.locator("#picture-name")).to_have_text(next(iter(NASTY)))
    with zipfile.ZipFile(page.download("#download", tmp_path)) as archive:
        names = archive.namelist()
    expected = [f"{name}.png" for name in NASTY.values()]
    assert names[:2] == expected[:2] and names[2:5] == ["picture.png", expected[3], "picture (2).png"]
    assert names[5:] == ["cat.png", "CAT (2).png"]


def test_a_format_that_the_browser_cannot_show(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.tif": encoded(Image.open(io.BytesIO(good)), "TIFF"), "odd.tif": b"II*\0nothing"})
    assert page.state().startswith("ok")
    expect(page.tab.locator("#after")).to_be_visible()
    expect(page.tab.locator("#slider")).to_be_hidden()
    # the cut-out stands in for it
    expect(page.tab.locator(".thumb img").first).to_have_js_property("naturalWidth", 320)
    page.tab.locator(".thumb").nth(1).click()
    expect(page.tab.locator("#message")).to_contain_text("cannot show")
    page.tab.locator(".thumb").first.click()
    expect(page.tab.locator("#message")).to_be_hidden()
    page.steady()
    assert page.tab.locator("#frame").bounding_box()["width"] > 200
