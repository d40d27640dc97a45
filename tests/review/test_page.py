"""The page in a real Chromium: by keyboard, by two people, on small screens and in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import LONGEST_MS, WATCH, expect, launched
from review_kit import Reviewed, output, reviewed

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def review(tmp_path: Path) -> Iterator[Reviewed]:
    with reviewed(output(tmp_path).folder.root) as found:
        yield found


@pytest.fixture
def open_page(browser: Any, review: Reviewed) -> Iterator[Open]:
    """Opens the page as somebody; at the end nothing must have come from elsewhere, and nothing have gone wrong."""
    opened: list[Any] = []
    told: list[str] = []

    def open_one(who: str = "anna", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1180, "height": 760}, **options})
        context.add_init_script(f"localStorage.who ??= {who!r}; {WATCH}")
        tab = context.new_page()
        tab.set_default_timeout(LONGEST_MS)
        tab.on("request", lambda one: told.append(one.url) if not one.url.startswith((review.url, "blob:")) else None)
        tab.on("pageerror", lambda error: told.append(str(error)))
        tab.goto(review.url)
        expect(tab.locator("#desk")).to_be_visible()
        opened.append(tab)
        return tab

    yield open_one
    for tab in opened:
        told += tab.evaluate("window.violations")
        tab.context.close()
    assert told == []


def shows(tab: Any, id: str) -> None:
    expect(tab.locator("#picture-name")).to_have_text(id)
    expect(tab.locator("body")).to_have_attribute("data-shown", f"{id} cut")


def test_by_keyboard_alone(open_page: Open, review: Reviewed) -> None:
    tab = open_page()
    press = tab.keyboard.press
    shows(tab, "p05.jpg")
    expect(tab.locator("#facts")).to_contain_text("30\u00a0% of the subject's area")
    for key, id in (("a", "p04.jpg"), ("2", "p03.jpg"), ("s", "p02.jpg"), ("Enter", "p01.jpg")):
        press(key)
        shows(tab, id)
    press("u")
    shows(tab, "p02.jpg")
    press("r")
    expect(tab.locator("#reasons button").first).to_be_focused()
    press("Enter")
    shows(tab, "p01.jpg")
    press("g")
    expect(tab.locator("[name=ground][value=white]")).to_be_checked()
    press("v")
    expect(tab.locator("#slider")).to_be_visible()
    press("v")
    expect(tab.locator("body")).to_have_attribute("data-shown", "p01.jpg source")
    press("?")
    expect(tab.locator("#help")).to_be_visible()
    press("a")  # is no key in a dialog
    press("Escape")
    expect(tab.locator("#help")).to_be_hidden()
    press("a")
    expect(tab.locator("#picture-name")).to_have_text("p00.jpg")
    press("a")
    expect(tab.locator("#picture-name")).to_have_text("p03.jpg")  # which was skipped
    press("a")
    expect(tab.locator("#over-title")).to_have_text("All is reviewed")
    held = {id: (standing.top.verdict, standing.top.reason) for id, standing in review.desk.decisions.pictures()}  # type: ignore[union-attr]
    ok = ("accepted", "")
    expected = {"p05.jpg": ok, "p04.jpg": ("rejected", "background_left"), "p03.jpg": ok, "p01.jpg": ok, "p00.jpg": ok}
    assert held == {**expected, "p02.jpg": ("rejected", "missing_part")}


def test_two_people_share_the_work(open_page: Open, review: Reviewed) -> None:
    anna, ben = open_page("anna"), open_page("ben")
    for _ in range(3):
        for tab in (anna, ben):
            if tab.locator("#desk").is_visible():
                id = tab.locator("#picture-name").inner_text()
                tab.keyboard.press("a")
                expect(tab.locator("body")).not_to_have_attribute("data-picture", id)
    for tab in (anna, ben):
        expect(tab.locator("#over")).to_be_visible()
    made = [decision for id, _ in review.desk.decisions.pictures() for decision in review.desk.decisions.of(id)]
    assert sorted(each.id for each in made) == [f"p0{n}.jpg" for n in range(6)]
    assert {each.who for each in made} == {"anna", "ben"}


def test_who_is_second_is_told(open_page: Open, review: Reviewed) -> None:
    tab = open_page()
    shows(tab, "p05.jpg")
    review.desk.decide("p05.jpg", 0, "rejected", "ben", "edge", "k", "elsewhere")
    tab.keyboard.press("a")
    expect(tab.locator("#toast")).to_contain_text("ben: rejected (edge)")
    shows(tab, "p04.jpg")
    assert review.desk.decisions.standing("p05.jpg").top.who == "ben"  # type: ignore[union-attr]


def test_a_filter_and_a_picture_without_a_matte(open_page: Open) -> None:
    tab = open_page()
    tab.locator("#filters-open").click()
    tab.locator("#filter-reason").select_option("=too_dark")
    expect(tab.locator("#picture-name")).to_have_text("dark.jpg")
    expect(tab.locator("#accept")).to_contain_text("The filter is right")
    expect(tab.locator("body")).to_have_attribute("data-shown", "dark.jpg source")
    expect(tab.locator("#reasons button")).to_have_text(["It should have been cut out1"])


def test_a_stroke_corrects_and_the_next_picture_comes(open_page: Open, review: Reviewed) -> None:
    tab = open_page()
    shows(tab, "p05.jpg")
    tab.keyboard.press("c")
    expect(tab.locator("#editor button").first).to_be_focused()
    tab.keyboard.press("a")  # is no key of the review now
    canvas = tab.locator("#editor canvas").first
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.04, steps=4)
    tab.mouse.up()
    expect(tab.locator("#editor .editor")).to_have_attribute("data-steps", "1")
    tab.get_by_role("button", name="Done").click()
    shows(tab, "p04.jpg")
    held = review.desk.decisions.standing("p05.jpg")
    assert held.corrected and held.corrected.who == "anna" and len(held.corrected.products) == 2
    tab.keyboard.press("u")
    shows(tab, "p05.jpg")
    assert review.desk.decisions.standing("p05.jpg").corrected is None


@pytest.mark.parametrize(("width", "height"), [(360, 740), (820, 1180), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(width: int, height: int, scheme: str, open_page: Open) -> None:
    tab = open_page(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    shows(tab, "p05.jpg")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    if width > 400:
        tab.locator("#filters-open").click()
    else:
        tab.locator("#help-open").click()
    told = Axe().run(tab).response
    assert len(told["passes"]) > 10
    assert [(one["id"], node["html"][:200]) for one in told["violations"] for node in one["nodes"]] == []
