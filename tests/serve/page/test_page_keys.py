"""The page before a service that wants keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from browser import Page, expect
from hairline.serve.keys import add_key
from serve_kit import Server, serving

WRONG = "hl_" + "x" * 43


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A service of quick stages and the one key that it takes."""
    folder = tmp_path_factory.mktemp("keyed")
    settings = {
        "products": ["cutout"],
        "pools": [{"name": "all", "stages": ["quick_stages:Find", "products"], "workers": 1, "cpus": 0.25}],
        "keys": str(folder / "keys.json"),
        "jobs": {"folder": str(folder / "jobs")},
        "access_log": str(folder / "log"),
    }
    key = add_key(folder / "keys.json", "somebody", 600, 8)
    (folder / "service.yaml").write_text(yaml.safe_dump(settings))
    with serving(folder / "service.yaml") as server:
        yield server, key


def test_enter_uses_the_key_and_a_wrong_one_is_told(browser: Any, keyed: tuple[Server, str], good: bytes) -> None:
    server, key = keyed
    page = Page(browser, server.url)
    page.give({"a.jpg": good, "b.jpg": good}, wait=False)
    dialog = page.tab.get_by_role("dialog", name="This service asks for a key")
    field, told = page.tab.get_by_label("API key"), dialog.locator("#key-wrong[role=alert]")
    expect(dialog).to_be_visible()
    expect(field).to_be_focused()
    field.fill(WRONG)
    page.tab.keyboard.press("Enter")
    expect(told).to_contain_text("does not know this key")
    expect(dialog).to_be_visible()
    expect(field).to_have_value(WRONG)
    expect(field).to_be_focused()
    field.fill("ключ")
    page.tab.keyboard.press("Enter")
    expect(told).to_contain_text("one word of plain letters")
    expect(field).to_have_value("ключ")
    field.fill(key)
    expect(told).to_be_empty()
    page.tab.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.done(2)
    assert [page.state(n).split()[0] for n in range(2)] == ["ok", "ok"]
    page.close()


def test_who_has_no_key_can_say_so(browser: Any, keyed: tuple[Server, str], good: bytes) -> None:
    server, key = keyed
    page = Page(browser, server.url)
    for way in ("Cancel", "Escape"):
        page.give({f"{way}.jpg": good}, wait=False)
        dialog = page.tab.get_by_role("dialog")
        expect(dialog).to_be_visible()
        if way == "Escape":
            page.tab.keyboard.press("Escape")
        else:
            dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(page.tab.locator("#strip li").last).to_have_class(re.compile("^error"))
    page.tab.locator("#found").get_by_role("button", name="Try again").click()
    page.tab.get_by_label("API key").fill(key)
    page.tab.get_by_role("button", name="Use it").click()
    expect(page.tab.locator("#strip li").first).to_have_class(re.compile("^ok"))
    page.close()


def test_a_connection_that_breaks_is_told_in_the_dialog(
    browser: Any, keyed: tuple[Server, str], good: bytes, tmp_path: Path
) -> None:
    server, key = keyed
    page = Page(browser, server.url)
    page.give({"a.jpg": good}, wait=False)
    page.tab.get_by_label("API key").fill(key)
    page.tab.route("**/v1.0/account", lambda route: route.abort())
    page.tab.keyboard.press("Enter")
    expect(page.tab.get_by_role("dialog").get_by_role("alert")).to_contain_text("cannot be reached")
    page.tab.unroute("**/v1.0/account")
    page.tab.keyboard.press("Enter")
    page.done(1)
    assert page.state().startswith("ok")
    page.close()
