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
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

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
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(ROOT / "gradio_app.py"), "--models", options.models, "--port", str(PORT)]
        server = subprocess.Popen([*command, "--out", str(Path(out) / "outputs")])
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
                _on_a_desk(browser, options.sampling_steps)
                for name, width, query in (("phone", 390, ""), ("dark", 1280, "?__theme=dark")):
                    page = _open(browser, width, query)
                    _choose(page, "cat")
                    _keep(page, name)
        finally:
            server.terminate()
            server.wait()


def _on_a_desk(browser: Browser, sampling_steps: int | None) -> None:
    page = _open(browser, 1280)
    _keep(page, "empty")
    _choose(page, "girl")
    page.get_by_role("button", name="Generate Prompt").click()
    page.wait_for_selector("#step-1 .status.done", timeout=HOUR)
    _keep(page, "prompt")
    if sampling_steps:
        for label in ("Steps", "Sampling steps"):
            page.get_by_label(f"number input for {label}", exact=True).fill(str(sampling_steps))
    page.get_by_role("button", name="Generate Key Frames").click()
    page.wait_for_selector("#step-2 .status progress[value]", timeout=HOUR)
    _keep(page, "drawing")
    page.wait_for_selector("#step-2 .status.done", timeout=HOUR)
    page.get_by_role("button", name="Generate Video").click()
    page.wait_for_selector("#step-3 .status.done", timeout=HOUR)
    page.wait_for_function("document.querySelector('#step-3 video')?.currentTime > 0")
    # The end shows most of the picture; the first frames are nearly blank.
    page.evaluate("(v => { v.pause(); v.currentTime = v.duration * 0.8 })(document.querySelector('#step-3 video'))")
    _keep(page, "finished")


def _open(browser: Browser, width: int, query: str = "") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for _ in range(240):
        try:
            page.goto(ADDRESS + query)
            break
        except Exception:  # playwright's own error type says only that nobody answers yet
            time.sleep(0.5)
    page.get_by_role("button", name="Example: girl").wait_for(timeout=60_000)
    return page


def _choose(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Example: {name}").click()
    page.wait_for_selector("#step-1 button.primary:enabled", timeout=60_000)


def _keep(page: Page, name: str) -> None:
    time.sleep(1.5)  # pictures fade in
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    if picture.width > 1000:
        picture = picture.resize((960, picture.height * 960 // picture.width), Image.Resampling.LANCZOS)
    file = FOLDER / f"{name}.png"
    for colours in (256, 128, 64, 32):
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < LARGEST_FILE:
            break


if __name__ == "__main__":
    main()
