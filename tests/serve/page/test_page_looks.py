"""How the page looks and is reached: on narrow screens, with fingers, in other colours, and what axe finds."""

from __future__ import annotations

import json
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import SMALL, Open, Page, expect

SIZES = {320: 640, 390: 844, 1280: 800}
LEAVES = "h1, h2, button, a, input, select, summary, label.pick, label.tick, .swatches label, .facts dd"
# every two things that are to be read or pressed and lie over each other, and every one that is cut off
CLASHES = """
(leaves) => {
  const scrolls = (e) => e.closest("#strip, #frame, #toast");
  const all = [...document.querySelectorAll(leaves)].filter((e) => e.checkVisibility() && !scrolls(e)
    && getComputedStyle(e).opacity !== "0" && getComputedStyle(e).clipPath === "none" && !e.matches(".skip"));
  const say = (e) => e.id || e.textContent.trim().slice(0, 30) || e.getAttribute("aria-label") || e.name || e.tagName;
  const found = [];
  const boxes = all.map((e) => {
    const { left, right, top, bottom } = e.getBoundingClientRect();
    const panel = e.closest(".panel")?.getBoundingClientRect(); // which may scroll, and shows a part
    const [from, to] = panel ? [Math.max(top, panel.top), Math.min(bottom, panel.bottom)] : [top, bottom];
    return { left, right, top: from, bottom: to };
  });
  all.forEach((e, n) => {
    const a = boxes[n];
    if (a.left < -0.5 || a.right > innerWidth + 0.5) found.push(`${say(e)} is cut off`);
    if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible"
      && getComputedStyle(e).textOverflow !== "ellipsis") found.push(`the text of ${say(e)} is cut off`);
    all.slice(n + 1).forEach((other, m) => {
      const b = boxes[n + 1 + m];
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
      if (over && !e.contains(other) && !other.contains(e)) found.push(`${say(e)} lies over ${say(other)}`);
    });
  });
  return found;
}
"""


def filled(page: Page, good: bytes, blurred: bytes) -> None:
    """A page with something of everything on it."""
    page.give(
        {"a very long file name that would not fit on any telephone.jpg": good, "soft.jpg": blurred, "c.jpg": b"x"}
    )
    page.pick("Cutout", "Mask", "White background")
    for summary in page.tab.get_by_text("Options", exact=True).all():
        summary.click()
    page.tab.locator("[name=backdrop][value=color]").check()
    page.steady()


@pytest.mark.parametrize("width", SIZES)
def test_nothing_overlaps_or_is_cut_off(width: int, open_page: Open, good: bytes, blurred: bytes) -> None:
    touch = width < 1000
    size = {"width": width, "height": SIZES[width]}
    page = open_page(viewport=size, is_mobile=touch, has_touch=touch)
    for fill in (False, True):
        if fill:
            filled(page, good, blurred)
        expect(page.tab.locator("header h1")).to_be_visible()
        assert page.tab.evaluate("document.documentElement.scrollWidth") == width
        assert page.tab.evaluate("window.visualViewport.scale") == 1
        assert page.tab.evaluate(CLASHES, LEAVES) == []
        assert page.tab.get_by_role("link", name="API").is_visible()
    page.tab.locator("[name=backdrop][value=photo]").check()
    expect(page.tab.locator("#photo")).to_be_visible()
    assert page.tab.evaluate(CLASHES, LEAVES) == []


@pytest.mark.parametrize("width", [320, 390])
def test_a_finger_hits_everything(width: int, open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page(viewport={"width": width, "height": SIZES[width]}, is_mobile=True, has_touch=True)
    assert page.tab.evaluate(SMALL, 44) == []
    filled(page, good, blurred)
    assert page.tab.evaluate(SMALL, 44) == []
    page.tab.get_by_role("button", name="Remove", exact=True).tap()
    expect(page.tab.get_by_role("button", name="Undo")).to_be_visible()
    assert page.tab.evaluate(SMALL, 44) == []


def test_with_a_mouse_nothing_is_smaller_than_its_pointer(open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page()
    filled(page, good, blurred)
    assert page.tab.evaluate(SMALL, 24) == []  # WCAG 2.2, 2.5.8


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(width, scheme, marks=() if number % 4 == 0 else pytest.mark.slow)  # each size, each scheme once
        for number, (width, scheme) in enumerate(product(SIZES, ("light", "dark", "forced")))
    ],
)
def test_axe_finds_nothing(width: int, scheme: str, open_page: Open, good: bytes, blurred: bytes) -> None:
    axe = Axe()
    colours = {"forced_colors": "active"} if scheme == "forced" else {"color_scheme": scheme}
    page = open_page(viewport={"width": width, "height": SIZES[width]}, reduced_motion="reduce", **colours)

    def look(where: str) -> None:
        told = axe.run(page.tab).response
        assert len(told["passes"]) > 10
        bad = [
            f"{where}: {one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for one in told["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert bad == []

    look("start")
    filled(page, good, blurred)
    for place in range(3):  # cut out, not usable, failed
        page.tab.locator(".thumb").nth(place).click()
        page.steady()
        look(page.state(place))
    page.tab.get_by_role("button", name="Remove", exact=True).click()
    expect(page.tab.locator("#toast")).to_contain_text("removed")
    look("toast")
    page.tab.route("**/v1/analyze", lambda route: route.fulfill(status=403, json={"errors": []}))
    page.give({"locked.jpg": good}, wait=False)
    expect(page.tab.get_by_role("dialog")).to_be_visible()
    look("dialog")
    page.tab.get_by_role("button", name="Cancel").click()
    expect(page.tab.locator("#strip li").last).to_contain_class("error")


def test_in_the_systems_own_colours(open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page(forced_colors="active", reduced_motion="reduce")
    filled(page, good, blurred)
    page.tab.locator(".thumb").first.click()
    page.tab.locator("#show-boxes").click()
    page.steady()

    def seen(selector: str, name: str, pseudo: str = "") -> str:
        style = "(e, [pseudo, name]) => getComputedStyle(e, pseudo || null)[name]"
        return str(page.tab.locator(selector).first.evaluate(style, [pseudo, name]))

    system = page.tab.evaluate(
        """() => Object.fromEntries(["Highlight", "Canvas", "CanvasText"].map((name) => {
          const probe = document.body.appendChild(document.createElement("div"));
          probe.style.backgroundColor = name;
          const found = getComputedStyle(probe).backgroundColor;
          probe.remove();
          return [name, found];
        }))"""
    )
    assert len(set(system.values())) == 3
    for pressed in ("#views [aria-pressed=true]", "#show-boxes"):  # which one is pressed is to be seen
        assert seen(pressed, "backgroundColor") == system["Highlight"]
    assert seen("#views [aria-pressed=false]", "backgroundColor") != system["Highlight"]
    for selector in ("#add", "#clear", "#remove", "#zoom", "#download", ".save"):
        assert seen(selector, "borderTopStyle") == "solid", selector
    badges = [page.tab.locator(".badge").nth(n) for n in range(3)]
    assert [e.evaluate("(e) => getComputedStyle(e, '::before').content") for e in badges] == ['"✓"', '"–"', '"!"']
    assert seen(".badge", "backgroundColor") == system["CanvasText"] and seen(".badge", "color") == system["Canvas"]
    assert seen(".divider", "display") == "block"
    assert seen(".divider span", "backgroundColor") == "rgb(255, 255, 255)"
    assert seen(".swatch.black", "backgroundColor") == "rgb(0, 0, 0)"
    assert seen(".swatches :checked + .swatch", "outlineColor") == system["Highlight"]
    assert seen(".meter i", "backgroundColor") == system["CanvasText"] != seen(".meter", "backgroundColor")
    page.tab.get_by_role("slider").focus()
    page.tab.keyboard.press("ArrowLeft")
    assert (seen(".divider span", "outlineStyle"), seen(".divider span", "outlineColor")) == (
        "solid",
        system["Highlight"],
    )
    for _ in range(12):  # focus is shown wherever it goes
        page.tab.keyboard.press("Tab")
        if not page.tab.evaluate(
            "document.activeElement.matches('#slider, [name=backdrop]')"
        ):  # shown by what stands for them
            assert seen(":focus", "outlineStyle") == "solid", page.tab.evaluate("document.activeElement.outerHTML")


def test_without_motion(open_page: Open, good: bytes) -> None:
    page = open_page(reduced_motion="reduce")
    page.tab.route("**/v1/analyze", lambda route: None)
    page.give({"cat.jpg": good}, wait=False)
    expect(page.tab.locator("#busy")).to_be_visible()
    assert page.tab.evaluate("document.getAnimations().length") == 0
    page.tab.unroute("**/v1/analyze")
    page.tab.reload()
    page.done(1)
    assert page.tab.evaluate("getComputedStyle(document.querySelector('#frame')).getPropertyValue('--split')") == "50%"
    assert page.tab.evaluate("document.getAnimations().length") == 0


def test_progress_is_told_to_screen_readers(open_page: Open, good: bytes, blurred: bytes) -> None:
    page = open_page()
    page.tab.evaluate(
        """() => {
          window.told = [];
          new MutationObserver(() => window.told.push(document.querySelector("#say").textContent))
            .observe(document.querySelector("#say"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    expect(page.tab.locator("#say")).to_have_attribute("aria-live", "polite")
    page.give({"a.jpg": good, "b.jpg": blurred})
    told = json.dumps(page.tab.evaluate("window.told"))
    for part in ("2 pictures added", "a.jpg: cut out", "b.jpg: not usable, Blurred", "1 to go"):
        assert part in told, told
    expect(page.tab.locator("#progress")).to_have_text("2 pictures")
