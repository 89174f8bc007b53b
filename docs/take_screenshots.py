"""Takes the screenshots in docs/screenshots: `python docs/take_screenshots.py [--models FAMILY] [--browser PATH]`.

Starts the web app, goes through its three steps in a headless browser and keeps what it looks like on the way. The
pictures show what the chosen model family really draws.
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
HOUR = 3_600_000  # milliseconds; the published family on a CPU needs its time


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="auto", help="the model family, as for gradio_app.py")
    parser.add_argument("--sampling-steps", type=int, help="of both stages, for a quicker look than the family's own")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as out,
        served(options.models, Path(out) / "outputs"),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        visitor = browser.new_context(viewport={"width": 1440, "height": 900})
        _on_a_desk(visitor, options.sampling_steps)
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


def _on_a_desk(visitor: BrowserContext, sampling_steps: int | None) -> None:
    page = opened(visitor.new_page())
    _keep(page, "empty")
    with page.expect_file_chooser() as chooser:
        page.locator("#pick").click()
    chooser.value.set_files(ROOT / "paints_undo" / "examples" / "girl.png")
    _press(page, "prompt")
    if sampling_steps:
        for title in page.get_by_role("button", name="Settings").all()[:2]:
            title.click()
        for label in ("Steps", "Sampling steps"):
            page.get_by_label(f"number input for {label}", exact=True).fill(str(sampling_steps))
    _press(page, "keyframes")
    page.locator("#generate-video:enabled").click(timeout=HOUR)
    page.wait_for_selector("#job-bar[value]", timeout=HOUR)
    page.wait_for_selector("#strip .segment.ready", timeout=HOUR)
    page.evaluate("scrollTo(0, 0)")
    _keep(page, "running")
    page.locator("#generate-video:enabled").wait_for(timeout=HOUR)
    _look_at(page, 0.72)
    _keep(page, "finished")
    page.locator("#strip [data-id=keyframe-800]").click()
    page.get_by_role("button", name="Lock", exact=True).click()
    page.locator("#strip [data-id=keyframe-900]").click()
    page.get_by_role("button", name="Re-roll", exact=True).click()
    page.get_by_text("gets a new seed").wait_for()
    page.locator("#compare").click()
    _look_at(page, 0.8)
    _keep(page, "timeline")
    page.locator("#strip [data-id=keyframe-600]").click()
    page.get_by_role("button", name="Undo further from here").click()
    page.get_by_text("starts at key frame 600").wait_for()
    page.locator("#open-history").click()
    page.locator("#runs .run").nth(1).wait_for()
    _keep(page, "history")
    page.locator("#runs .run").first.get_by_role("button", name="Open", exact=True).click()
    page.locator("#strip [data-id=segment-2]").wait_for()
    page.wait_for_timeout(1000)


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
        if width > 500:
            page.locator("#strip [data-id=segment-2]").click()
        _look_at(page, 0.6)
        if width < 500:
            page.evaluate("document.querySelector('#player').scrollIntoView()")
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


def _press(page: Page, step: str) -> None:
    button = page.locator(f"#generate-{step}:enabled")
    button.click(timeout=HOUR)
    page.wait_for_selector(f"#generate-{step}:disabled", timeout=60_000)
    button.wait_for(timeout=HOUR)


def _look_at(page: Page, part: float) -> None:
    """The player at a part of the film; its first frames are nearly blank."""
    page.evaluate(
        """part => { const bar = document.querySelector("#scrubber");
        bar.value = Math.round(bar.max * part); bar.dispatchEvent(new Event("input")); scrollTo(0, 0); }""",
        part,
    )


def _keep(page: Page, name: str) -> None:
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
