"""docs/page.webp, the README's picture of the page: the first example, decided, at a laptop's width.

.venv/bin/python benchmarks/page_picture.py    needs Chromium
"""

import io
import shutil
from pathlib import Path

from measured import served
from PIL import Image
from playwright.sync_api import sync_playwright

PORT = 7871


def main() -> None:
    """Take it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(PORT), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1366, "height": 860}, locale="en")
        page.goto(f"http://127.0.0.1:{PORT}")
        page.click("[data-index='0']")
        page.wait_for_selector(".lv-check h3", timeout=120_000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.save(Path(__file__).parents[1] / "docs" / "page.webp", "WEBP", quality=82, method=6)


if __name__ == "__main__":
    main()
