"""Makes docs/images/page.png: the web page of a running service with pictures that this project draws itself.

    hairline serve service-laptop.yaml &
    python docs/make_page_image.py http://127.0.0.1:8000 demo/catalog/designs/*.jpg demo/catalog/products/*.jpg

Needs playwright and a Chromium of the system.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

url, *pictures = sys.argv[1:]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1180, "height": 740}, reduced_motion="reduce")
    page.goto(url)
    page.wait_for_selector(".pick", state="attached")
    page.set_input_files("#files", pictures)
    for box in page.locator(".pick input").all():
        box.check()
    page.wait_for_function("() => !document.querySelector('#strip .waiting, #strip .working')", timeout=300_000)
    expect(page.locator(".save")).to_have_count(page.locator(".pick").count(), timeout=300_000)
    page.locator("#show-boxes").click()
    expect(page.locator("#boxes")).to_be_visible()
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    browser.close()
shot.quantize(256, dither=Image.Dither.NONE).save(Path(__file__).parent / "images" / "page.png", optimize=True)
