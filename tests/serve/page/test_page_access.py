"""The web page for everybody: by keyboard, by screen reader, in the dark, on a phone."""

from __future__ import annotations

import re

import pytest

from browser import Open, expect, pixels


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
    expect(page.tab.locator("#picture-name")).to_have_text("b.jpg")
    press("Delete")
    expect(page.tab.locator("#picture-name")).to_have_text("a.jpg")
    press("Delete")
    expect(page.tab.locator("#choose")).to_be_visible()  # as it began


def test_the_focus_goes_on_to_the_picture_that_was_chosen(open_page: Open) -> None:
    page = open_page()
    page.tab.get_by_role("button", name="A cat").press("Enter")
    expect(page.tab.locator("#viewer")).to_be_focused()
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.closest('#viewer') !== null")
    page.done(1)


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
    expect(page.tab.locator("#say")).to_contain_text("cat.jpg: cut out")


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
    expect(tab.locator("#slider")).to_have_value(re.compile("^(78|79|80|81|82)$"))
    tab.locator("#product-list").scroll_into_view_if_needed()
    expect(tab.locator("#product-list")).to_be_visible()
