"""Takes the screenshots in docs/screenshots: `python docs/take_screenshots.py [--browser PATH]`.

Starts the web app, has it draw an example in strokes in a headless browser and keeps what it looks like on the way.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "screenshots"
PORT = 7899
ADDRESS = f"http://127.0.0.1:{PORT}/"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LARGEST_FILE = 200_000  # bytes
HOUR = 3_600_000  # milliseconds; a busy machine needs its time


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as out,
        served("strokes", Path(out) / "outputs"),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        visitor = browser.new_context(viewport={"width": 1440, "height": 900})
        _on_a_desk(visitor)
        _elsewhere(browser, visitor.storage_state())


@contextmanager
def served(models: str, out: Path) -> Iterator[None]:
    """The web app answers at ADDRESS, or soon will, until the block ends; out: the folder of its runs."""
    command = [sys.executable, str(ROOT / "gradio_app.py"), "--models", models, "--port", str(PORT)]
    server = subprocess.Popen([*command, "--out", str(out)])
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def _on_a_desk(visitor: BrowserContext) -> None:
    page = opened(visitor.new_page())
    page.wait_for_function("document.querySelector('#show').currentTime > 5", timeout=60_000)
    _keep(page, "empty")
    page.get_by_role("button", name="Example: girl").click()
    page.wait_for_function("/Stroke [3-9]/.test(document.querySelector('#where').textContent)", timeout=HOUR)
    _keep(page, "running")
    page.locator("#download").wait_for(timeout=HOUR)
    page.locator("#phases span").first.wait_for(timeout=60_000)
    _look_at(page, 0.45)
    _keep(page, "finished")
    _side_by_side(page)
    page.locator("#strip [data-id=keyframe-540]").click()
    page.get_by_role("button", name="Lock", exact=True).click()
    page.get_by_text("Key frame 540 locked").wait_for()
    page.locator("#compare").click()
    _look_at(page, 0.35)
    _keep(page, "timeline", "#timeline")
    page.get_by_role("button", name="Undo further from here").click()
    page.get_by_text("starts at key frame 540").wait_for()
    page.locator("#open-history").click()
    page.locator("#runs .run").nth(1).wait_for()
    _keep(page, "history")
    page.locator("#runs .run").first.get_by_role("button", name="Open", exact=True).click()
    page.locator("#strip [data-id=keyframe-540] .badge").wait_for()
    page.locator("#download").wait_for(timeout=HOUR)
    page.wait_for_timeout(1000)


def _side_by_side(page: Page) -> None:
    """Old beside new after a re-roll, which is taken back; then four seeds."""
    page.locator("#reroll-all").click()
    page.locator("#choice img").first.wait_for(timeout=HOUR)
    _keep(page, "reroll", "#choice")
    page.locator("#choice-back").click()
    page.locator("#download").wait_for(timeout=HOUR)
    page.locator("#four").click()
    page.locator("#shelf li.finished").nth(3).wait_for(timeout=HOUR)
    page.wait_for_timeout(9000)
    _keep(page, "four", "#shelf")
    page.locator("#shelf header .close").click()


def _elsewhere(browser: Browser, kept: StorageState) -> None:
    """The same run on a phone, in the dark and in Japanese."""
    for name, width, height, query, locale in (
        ("phone", 390, 844, "", "en-US"),
        ("dark", 1440, 900, "?__theme=dark", "en-US"),
        ("japanese", 1440, 900, "", "ja-JP"),
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=locale, storage_state=kept, has_touch=width < 500
        )
        page = opened(context.new_page(), query)
        page.locator("#strip img").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        _look_at(page, 0.6)
        _keep(page, name)


def opened(page: Page, query: str = "") -> Page:
    """The page with the app in it, ready."""
    for _ in range(240):
        try:
            page.goto(ADDRESS + query)
            break
        except Exception:  # playwright's own error type says only that nobody answers yet
            time.sleep(0.5)
    page.wait_for_selector("[data-ready=true]", state="attached", timeout=120_000)
    return page


def _look_at(page: Page, part: float) -> None:
    """The player at a part of the film; its first frames are nearly blank."""
    page.evaluate(
        """part => { const bar = document.querySelector("#scrubber");
        bar.value = Math.round(bar.max * part); bar.dispatchEvent(new Event("input")); scrollTo(0, 0); }""",
        part,
    )


def _keep(page: Page, name: str, centre: str | None = None) -> None:
    if centre:
        page.evaluate("place => document.querySelector(place).scrollIntoView({block: 'center'})", centre)
    time.sleep(1.5)  # pictures fade in
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if picture.width > 1000:
        picture = picture.resize((1200, picture.height * 1200 // picture.width), Image.Resampling.LANCZOS)
    file = FOLDER / f"{name}.png"
    for colours in (256, 128, 64, 32):
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < LARGEST_FILE:
            break


if __name__ == "__main__":
    main()
