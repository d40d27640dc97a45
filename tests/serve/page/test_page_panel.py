"""What the page says of a picture: how sure it is, how many subjects, and its products' options in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from browser import Open, asked, expect
from serve_kit import Server


def test_a_doubtful_result_has_no_green_badge(open_page: Open, good: bytes) -> None:
    page = open_page()
    sure = iter([0.4, 0.99])

    def answer(route: Any) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"confidence": next(sure)})

    page.tab.route("**/v1/analyze", answer)
    page.give({"doubtful.jpg": good})
    page.give({"sure.jpg": good})
    colours = [
        badge.evaluate("(e) => getComputedStyle(e).backgroundColor") for badge in page.tab.locator(".badge").all()
    ]
    tones = [
        page.tab.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{tone}')").lstrip("#")
        for tone in ("filtered", "ok")
    ]
    assert colours == [f"rgb({int(t[:2], 16)}, {int(t[2:4], 16)}, {int(t[4:], 16)})" for t in tones]
    expect(page.tab.locator(".thumb").first).to_have_attribute("aria-label", "doubtful.jpg: cut out, with doubts")
    expect(page.tab.locator("#found")).to_contain_text("Cut out, with doubts")
    expect(page.tab.locator(".thumb").nth(1)).to_have_attribute("aria-label", "sure.jpg: cut out")


PERSON = {"x0": 10, "y0": 10, "x1": 60, "y1": 95, "label": "subject", "score": 0.9}
FACE = {"x0": 20, "y0": 12, "x1": 45, "y1": 40, "label": "subject", "score": 0.7}
OTHER = {"x0": 110, "y0": 10, "x1": 150, "y1": 95, "label": "subject", "score": 0.6}
EMPTY = {"x0": 170, "y0": 20, "x1": 195, "y1": 90, "label": "subject", "score": 0.5}
PAIR = {"x0": 8, "y0": 8, "x1": 152, "y1": 96, "label": "subject", "score": 0.45}
SLOGAN = {"x0": 60, "y0": 0, "x1": 110, "y1": 20, "label": "text", "score": 0.9}
BADGE = {"x0": 150, "y0": 0, "x1": 170, "y1": 20, "label": "logo", "score": 0.9}


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([], 1),  # nothing was detected: the whole picture is looked at, and holds one
        ([PERSON], 1),
        ([PERSON, FACE], 1),  # a part of it
        ([FACE, PERSON, OTHER], 2),
        ([PERSON, SLOGAN, BADGE, SLOGAN], 1),
        ([PAIR, PERSON, OTHER], 2),  # a box around both
        ([PERSON, OTHER, EMPTY, SLOGAN], 2),  # of the third nothing was left
    ],
)
def test_subjects_are_counted_and_not_boxes(boxes: list[dict[str, Any]], count: int, open_page: Open) -> None:
    page = open_page()
    code = """async (answer) => {
      const canvas = new OffscreenCanvas(answer.width, answer.height), context = canvas.getContext("2d");
      context.fillRect(12, 12, 46, 82);
      context.fillRect(112, 12, 36, 82);
      const { countSubjects } = await import("/page/subjects.js");
      return countSubjects(answer, await canvas.convertToBlob());
    }"""
    assert page.tab.evaluate(code, {"boxes": boxes, "status": "ok", "width": 200, "height": 100}) == count
    assert page.tab.evaluate(code, {"boxes": boxes, "status": "filtered", "width": 200, "height": 100}) == 0


def test_what_is_left_out_is_told_apart(open_page: Open, good: bytes) -> None:
    page = open_page()

    def answer(route: Any) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"boxes": [*told["boxes"], SLOGAN, SLOGAN, BADGE]})

    page.tab.route("**/v1/analyze", answer)
    page.give({"cat.jpg": good})
    facts = page.tab.locator(".facts > div")
    expect(facts.filter(has_text="Cut out")).to_contain_text("1 subject")
    expect(facts.filter(has_text="Left out")).to_contain_text("2 pieces of text, 1 logo")


def test_options_are_said_in_plain_words(open_page: Open, good: bytes, service: Server, tmp_path: Path) -> None:
    page = open_page()
    page.give({"cat.jpg": good})
    row = page.tab.locator(".product", has_text="Cutout")
    row.get_by_text("Options", exact=True).click()
    margin = row.get_by_label("Space around it")
    expect(margin).to_have_value("5")
    expect(row.locator(".typed", has=page.tab.get_by_label("Space around it"))).to_contain_text("%")
    row.get_by_label("Trim to the subject").check()
    margin.fill("1")  # more would reach the frame
    margin.blur()
    page.steady()
    said = row.inner_text().lower()
    for jargon in ("alpha", "zero_hidden", "zero hidden", "0.05", "share of", "of webp\n"):
        assert jargon not in said, jargon
    saved = page.download(".save", tmp_path).read_bytes()
    same = service.post("/v1/cutout", files={"image_file": good}, data={"crop": "true", "margin": "0.01"}).content
    assert saved == same != asked(service, "/v1/cutout", good)
    row.get_by_role("checkbox", name="Cutout").uncheck()

    row = page.tab.locator(".product", has=page.tab.get_by_text("Background", exact=True))
    row.get_by_role("checkbox", name="Background").check()
    row.get_by_text("Options", exact=True).click()
    kind = row.get_by_label("Background", exact=True).last
    assert "A picture" not in kind.inner_text()  # no request can name a file
    kind.select_option("Gradient")
    row.get_by_label("Second colour").fill("#102030")
    row.get_by_label("Canvas").select_option("Own size…")
    row.get_by_label("Stands at").first.select_option("Number…")
    row.get_by_role("spinbutton", name="Stands at").fill("90")
    page.steady()
    saved = page.download(".save", tmp_path).read_bytes()
    options = {"kind": "gradient", "color2": "[16, 32, 48]", "canvas": "[1600, 1600]", "baseline": "0.9"}
    assert saved == service.post("/v1/background", files={"image_file": good}, data=options).content
    row.get_by_role("checkbox", name="Background").uncheck()

    row = page.tab.locator(".product", has=page.tab.get_by_text("Poster", exact=True))
    row.get_by_role("checkbox", name="Poster").check()
    row.get_by_text("Options", exact=True).click()
    row.get_by_label("Texts: Title").fill("مرحبا")
    row.get_by_label("Texts: Title").blur()
    page.steady()
    saved = page.download(".save", tmp_path).read_bytes()
    answer = service.post("/v1/poster", files={"image_file": good}, data={"values": json.dumps({"title": "مرحبا"})})
    assert saved == answer.content and answer.headers["X-Hairline-Verdict"] == "pass"


def test_what_service_says_of_its_options_is_all_shown(open_page: Open, service: Server) -> None:
    page = open_page()
    products = json.loads(service.get("/v1/products").text)["products"]
    fields = page.tab.locator(".field")
    expect(fields).to_have_count(sum(len(product["options"]["properties"]) for product in products))
    for text in fields.locator("label").all_text_contents():
        assert text.strip() and "_" not in text, text
