"""The editor on the page: brush, clicks, box, undo and redo, by mouse, by touch and by keyboard alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import SMALL, Open, Page, expect

ALPHA = """async () => {
  const image = document.querySelector("#after");
  await image.decode();
  const context = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
  return [...data].filter((_, at) => at % 4 === 3);
}"""


def alpha_of(page: Page) -> np.ndarray:
    """The alpha of the cut-out that the page shows, of a picture of 320 x 240: int [H, W]."""
    return np.array(page.tab.evaluate(ALPHA)).reshape(240, 320)


def opened(page: Page, good: bytes) -> np.ndarray:
    """Opens the editor over a cat of 320 x 240; gives the alpha before."""
    page.give({"cat.jpg": good})
    before = alpha_of(page)
    page.tab.get_by_role("button", name="Correct…").click()
    expect(page.tab.locator(".editor canvas")).to_be_visible()
    return before


def steps(page: Page, count: int) -> None:
    """Waits until so many corrections are there."""
    expect(page.tab.locator(".editor")).to_have_attribute("data-steps", str(count))
    expect(page.tab.locator(".editor")).to_have_attribute("aria-busy", "false")


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is on the screen."""
    box: Any = page.tab.locator(".editor canvas").bounding_box()
    scale = 0.94 * min(box["width"] / 320, box["height"] / 240)
    return box["x"] + box["width"] / 2 + (x - 160) * scale, box["y"] + box["height"] / 2 + (y - 120) * scale


def tool(page: Page, name: str) -> None:
    page.tab.get_by_role("button", name=name, exact=True).click()


def done(page: Page) -> np.ndarray:
    tool(page, "Done")
    expect(page.tab.locator("#found")).to_contain_text("corrected by you")
    page.steady()
    return alpha_of(page)


def test_a_stroke_erases_and_the_rest_stays(open_page: Open, good: bytes) -> None:
    page = open_page()
    before = opened(page, good)
    page.tab.get_by_label("Follow edges").uncheck()
    tool(page, "Erase")
    page.tab.mouse.move(*at(page, 150, 160))
    page.tab.mouse.down()
    page.tab.mouse.move(*at(page, 190, 160), steps=4)
    page.tab.mouse.up()
    steps(page, 1)
    expect(page.tab.locator(".editor-status")).to_contain_text("Mended in")
    after = done(page)
    assert before[158:163, 152:188].min() > 200 and after[158:163, 152:188].max() == 0
    assert np.array_equal(after[:, :120], before[:, :120]) and np.array_equal(after[:120], before[:120])
    page.kept(1)
    page.tab.reload()
    page.done(1)
    expect(page.tab.locator("#found")).to_contain_text("corrected by you")
    assert np.array_equal(alpha_of(page), after)


def test_by_keyboard_alone(open_page: Open, good: bytes) -> None:
    page = open_page()
    before = opened(page, good)
    press = page.tab.keyboard.press
    page.tab.locator(".editor canvas").focus()
    for key in ("f", "e", "Space", "ArrowRight", "ArrowRight", "Space"):
        press(key)
    steps(page, 1)
    press("Control+z")
    steps(page, 0)
    press("Control+Shift+Z")
    steps(page, 1)
    press("x")
    press("Space")
    press("Shift+ArrowRight")
    press("Escape")  # the box that was begun; the editor stays
    press("Escape")
    expect(page.tab.locator(".editor")).to_be_visible()
    page.tab.get_by_role("button", name="Done").press("Enter")
    expect(page.tab.locator("#found")).to_contain_text("corrected by you")
    page.steady()
    after = alpha_of(page)
    assert after[120, 160] == 0 < before[120, 160]
    assert np.array_equal(after[:60], before[:60])


def test_clicks_and_boxes(open_page: Open, good: bytes) -> None:
    page = open_page()
    opened(page, good)
    tool(page, "Keep")
    page.tab.mouse.click(*at(page, 6, 6))
    steps(page, 1)
    tool(page, "Box")
    page.tab.mouse.move(*at(page, 20, 20))
    page.tab.mouse.down()
    page.tab.mouse.move(*at(page, 150, 220), steps=3)
    page.tab.mouse.up()
    steps(page, 2)
    tool(page, "Undo")
    tool(page, "Undo")
    steps(page, 0)
    tool(page, "Redo")
    tool(page, "Redo")
    steps(page, 2)
    assert done(page)[:, 160:].max() == 0


def test_what_fails_is_told_and_taken_back(open_page: Open, good: bytes) -> None:
    page = open_page()
    before = opened(page, good)
    told = {"errors": [{"title": "No", "code": "no", "detail": "why"}]}
    page.tab.route("**/v1/correct", lambda route: route.fulfill(status=422, json=told))
    tool(page, "Drop")
    page.tab.mouse.click(*at(page, 160, 120))
    expect(page.tab.locator(".editor-status")).to_contain_text("That did not work. why")
    steps(page, 0)
    tool(page, "Done")
    expect(page.tab.locator(".editor")).to_have_count(0)
    assert np.array_equal(alpha_of(page), before)


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (820, "dark")])
def test_everybody_can_use_it(width: int, scheme: str, open_page: Open, good: bytes) -> None:
    size = {"width": width, "height": 700}
    page = open_page(viewport=size, color_scheme=scheme, has_touch=True, is_mobile=True, reduced_motion="reduce")
    opened(page, good)
    assert page.tab.evaluate(SMALL, 44) == []
    assert page.tab.evaluate("document.querySelector('.editor').scrollWidth <= innerWidth")
    found = Axe().run(page.tab).response
    assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
    page.tab.get_by_label("Follow edges").uncheck()
    page.tab.touchscreen.tap(*at(page, 160, 150))
    steps(page, 1)
