"""docs/page.webp, the README's picture of the page: the first example, decided, at a laptop's width.

    .venv/bin/python benchmarks/page_picture.py    needs Chromium

To be taken again when the page looks different.
"""

import io
from pathlib import Path

from measured import chromium, served
from PIL import Image

PORT = 7871


def main() -> None:
    """Take it."""
    with served(PORT), chromium("--disable-gpu") as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 860}, locale="en")
        page.goto(f"http://127.0.0.1:{PORT}")
        page.click("[data-index='0']")
        page.wait_for_selector(".lv-awaited", timeout=120_000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.save(Path(__file__).parents[1] / "docs" / "page.webp", "WEBP", quality=82, method=6)


if __name__ == "__main__":
    main()
