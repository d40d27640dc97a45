"""What happens to pictures on the page: where they come from, how they are taken off, what is kept, what is saved."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browser import BACKDROP_LOADED, Open, Page, asked, expect, pixels
from kit import Web
from serve_kit import Server, encoded, photo

GROUND = Image.fromarray(np.dstack([*np.mgrid[0:90, 0:200].astype(np.uint8), np.full((90, 200), 77, np.uint8)]))


def names(page: Page) -> list[str]:
    return [str(e.get_attribute("title")) for e in page.tab.locator(".thumb").all()]


def test_samples_can_be_tried(open_page: Open) -> None:
    page = open_page()
    for n, name in enumerate(("A cat", "Headphones", "A poster with three products and slogans"), 1):
        if n > 1:
            page.tab.get_by_role("button", name="Clear all").click()
        page.tab.get_by_role("button", name=name).click()
        page.done(1)
        assert page.state().startswith("ok")
    assert names(page) == ["poster.jpg"]
    expect(page.tab.locator(".facts")).to_contain_text("3 subjects")


def test_why_a_picture_is_not_cut_out_is_in_sight(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good, "no.jpg": b"x"})
    panel = page.tab.locator(".panel")
    page.tab.get_by_text("Options", exact=True).first.click()
    panel.evaluate("e => e.scrollTop = e.scrollHeight")
    expect(page.tab.locator(".verdict")).not_to_be_in_viewport()
    page.tab.locator(".thumb").nth(1).click()
    expect(page.tab.locator(".verdict")).to_contain_text("Not a picture")
    expect(page.tab.locator(".verdict")).to_be_in_viewport(ratio=1)
    panel.evaluate("e => e.scrollTop = 60")
    page.tab.locator(".thumb").first.click()  # there is nothing to read: the options stay where they are
    page.steady()
    assert panel.evaluate("e => e.scrollTop") == 60


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_an_address_is_fetched_by_the_service(
    way: str, open_page: Open, pictures_on_the_web: Web, good: bytes, tmp_path: Path, service: Server
) -> None:
    pictures_on_the_web.files["/a%20cat.jpg"] = pictures_on_the_web.files["/a cat.jpg"] = good
    page = open_page()
    address = f"{pictures_on_the_web.url}/a%20cat.jpg"
    page.give_text({"text/plain": address} if way == "paste" else {"text/uri-list": f"# a remark\r\n{address}"}, way)
    page.done(1)
    assert page.state().startswith("ok"), page.tab.locator("#found").inner_text()
    assert names(page) == ["a cat.jpg"]
    expect(page.tab.locator(".thumb img")).to_have_js_property("naturalWidth", 320)  # the cut-out: there is no file
    path = page.download("#download", tmp_path)
    assert path.name == "a cat.png" and path.read_bytes() == asked(service, "/v1/cutout", good)


def test_what_is_no_picture_is_refused_aloud(open_page: Open, pictures_on_the_web: Web) -> None:
    page = open_page()
    aloud = page.tab.locator("#toast[role=alert]")
    for text in ("good morning", "ftp://example.org/a.jpg", "javascript:alert(1)", "/etc/passwd"):
        page.give_text({"text/plain": text})
        expect(aloud).to_contain_text("neither a picture nor the address of one")
        expect(page.tab.locator("#strip li")).to_have_count(0)
    for address, heading in (
        ("http://169.254.169.254/a.jpg", "This address is refused"),
        (f"{pictures_on_the_web.url}/gone.jpg", "The picture could not be fetched"),
    ):
        page.give_text({"text/plain": address})
        expect(aloud).to_contain_text(heading)
        expect(page.tab.locator("#strip li").last).to_have_class(re.compile("^error"))
    page.tab.locator(".thumb").last.click()
    expect(page.tab.locator("#found")).to_contain_text("The picture could not be fetched")


def test_text_pasted_into_a_field_stays_there(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"cat.jpg": good})
    page.pick("White background")
    page.tab.locator(".product", has_text="White background").get_by_text("Options", exact=True).click()
    page.tab.get_by_label("Subject fills").first.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "http://127.0.0.1/a.jpg");
          field.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData }));
        }"""
    )
    expect(page.tab.locator("#strip li")).to_have_count(1)
    expect(page.tab.locator("#toast")).to_be_empty()


def test_what_is_removed_can_come_back(open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page()
    page.give({"a.jpg": good, "b.jpg": blurred, "c.jpg": good})
    page.tab.locator(".thumb").nth(1).click()
    page.tab.keyboard.press("Delete")
    expect(page.tab.locator("#strip li")).to_have_count(2)
    page.tab.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.tab.locator("#strip li")).to_have_count(3)
    assert names(page) == ["a.jpg", "b.jpg", "c.jpg"] and page.state(1) == "filtered selected"
    page.tab.get_by_role("button", name="Remove", exact=True).click()
    expect(page.tab.locator("#strip li")).to_have_count(2)
    page.tab.keyboard.press("Control+z")
    expect(page.tab.locator("#strip li")).to_have_count(3)
    page.tab.get_by_role("button", name="Clear all").click()
    expect(page.tab.locator("#choose")).to_be_visible()
    expect(page.tab.locator("#choose")).to_be_focused()
    page.tab.get_by_role("button", name="Undo").click()
    page.done(3)
    assert names(page) == ["a.jpg", "b.jpg", "c.jpg"]
    assert [page.state(n).split()[0] for n in range(3)] == ["ok", "filtered", "ok"]
    assert page.tab.locator("#after").evaluate("(image) => image.naturalWidth") == 320  # its URL is good still


def test_a_picture_removed_in_the_middle_comes_back_and_ends(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({f"{n}.jpg": good for n in range(5)}, wait=False)
    page.tab.get_by_role("button", name="Clear all").click()
    page.tab.get_by_role("button", name="Undo").click()
    page.done(5)
    assert [page.state(n).split()[0] for n in range(5)] == ["ok"] * 5


def test_results_outlive_a_reload(
    open_page: Open, pictures_on_the_web: Web, good: bytes, blurred: bytes, tmp_path: Path
) -> None:
    pictures_on_the_web.files["/web.jpg"] = good
    page = open_page()
    page.give({"a.jpg": good, "soft.jpg": blurred, "gone.jpg": good})
    page.give_text({"text/plain": f"{pictures_on_the_web.url}/web.jpg"})
    page.done(4)
    page.pick("Mask")
    page.tab.locator(".thumb").nth(2).click()
    page.tab.keyboard.press("Delete")
    page.tab.locator(".thumb").first.click()
    page.steady()
    mask = page.download(".save", tmp_path).read_bytes()
    found = page.tab.locator("#found").inner_text()
    page.kept(3)
    page.tab.route("**/v1/analyze", lambda route: route.abort())  # nothing is asked for again
    page.tab.reload()
    page.done(3)
    assert names(page) == ["a.jpg", "soft.jpg", "web.jpg"]
    assert [page.state(n).split()[0] for n in range(3)] == ["ok", "filtered", "ok"]
    expect(page.tab.locator("#found")).to_have_text(found, use_inner_text=True)
    page.pick("Mask")
    assert page.download(".save", tmp_path).read_bytes() == mask
    page.tab.get_by_role("button", name="Clear all").click()
    page.kept(0)
    page.tab.reload()
    expect(page.tab.locator("#choose")).to_be_visible()


def test_what_was_waiting_goes_on_after_a_reload(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.tab.route("**/v1/analyze", lambda route: None)  # never answered
    page.give({"a.jpg": good, "b.jpg": good}, wait=False)
    page.kept(2)
    page.tab.unroute("**/v1/analyze")
    page.tab.reload()
    page.done(2)
    assert [page.state(n).split()[0] for n in range(2)] == ["ok", "ok"]


def test_no_more_is_kept_than_there_is_room_for(open_page: Open) -> None:
    page = open_page()
    page.tab.route(
        "**/v1/analyze", lambda route: route.fulfill(status=400, json={"errors": [{"title": "no", "code": "x"}]})
    )
    page.tab.set_input_files("#files", [])
    page.tab.evaluate(
        """() => {
          const transfer = new DataTransfer();
          for (let n = 0; n < 6; n += 1) transfer.items.add(new File([new Uint8Array(60e6)], `${n}.jpg`));
          dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
        }"""
    )
    expect(page.tab.locator("#toast")).to_contain_text("no room to keep more")
    expect(page.tab.locator("#strip li")).to_have_count(6)  # they are there until then
    page.kept(4)


def test_the_backdrop_that_is_shown_is_what_is_saved(
    open_page: Open, service: Server, good: bytes, tmp_path: Path
) -> None:
    page = open_page()
    page.give({"a.jpg": good, "b.jpg": good})
    plain = asked(service, "/v1/cutout", good)
    cutout = np.asarray(Image.open(io.BytesIO(plain))).astype(float)
    alpha = cutout[..., 3:] / 255
    page.tab.set_input_files(
        "#photo-file", {"name": "b.png", "mimeType": "image/png", "buffer": encoded(GROUND, "PNG")}
    )
    # as `cover` has it: 200 x 90 over 320 x 240 is enlarged 240 / 90 times
    photo_ground = np.asarray(GROUND.resize((533, 240), Image.Resampling.BILINEAR)).astype(float)[:, 106:426]
    page.tab.locator("#views button", has_text="Cutout").click()
    for name, ground, near in (
        ("white", 255.0, 1.5),
        ("black", 0.0, 1.5),
        ("color", np.array([18.0, 52.0, 86.0]), 1.5),
        ("photo", photo_ground, 4.0),
    ):
        page.tab.locator(f"[name=backdrop][value={name}]").check()
        if name == "color":
            page.tab.locator("#color").fill("#123456")
        page.steady()
        path = page.download(".save", tmp_path)
        saved = Image.open(path).convert("RGB")
        expected = cutout[..., :3] * alpha + ground * (1 - alpha)
        assert saved.size == (320, 240) and np.abs(np.asarray(saved) - expected).max() <= near, name
        if name == "photo":
            page.tab.evaluate(BACKDROP_LOADED)
        shown = pixels(page)[20:-20, 20:-20]
        whole = np.asarray(saved.resize(page_size(page), Image.Resampling.BILINEAR)).astype(int)[20:-20, 20:-20]
        assert np.abs(shown - whole).mean() < 2, name
        with zipfile.ZipFile(page.download("#download", tmp_path)) as archive:
            assert archive.namelist() == ["a.png", "b.png"]
            assert {archive.read(one) for one in archive.namelist()} == {path.read_bytes()}
    page.tab.locator("[name=backdrop][value=checker]").check()
    page.steady()
    assert page.download(".save", tmp_path).read_bytes() == plain


def page_size(page: Page) -> tuple[int, int]:
    height, width = pixels(page).shape[:2]
    return width, height


def test_the_backdrop_leaves_opaque_products_and_is_a_photo_only_with_one(
    open_page: Open, service: Server, good: bytes, tmp_path: Path
) -> None:
    page = open_page()
    page.give({"a.jpg": good})
    page.tab.locator("[name=backdrop][value=black]").check()
    for title, route in (("Mask", "/v1/mask"), ("White background", "/v1/white_background")):
        page.pick(title)
        assert page.download(".save", tmp_path).read_bytes() == asked(service, route, good)
    page.pick("Cutout")
    page.tab.locator("[name=backdrop][value=photo]").check()  # none has been chosen yet
    page.steady()
    expect(page.tab.locator("#saved-as")).to_contain_text("transparent")
    expect(page.tab.get_by_role("button", name="Choose photo")).to_be_visible()
    assert page.download(".save", tmp_path).read_bytes() == asked(service, "/v1/cutout", good)


def test_a_photo_larger_than_its_frame(open_page: Open, good: bytes) -> None:
    page = open_page()
    page.give({"wide.jpg": photo("chelsea", 640, 160)})
    frame = page.tab.locator("#frame").bounding_box()
    assert frame["width"] / frame["height"] == pytest.approx(4, rel=0.02)
