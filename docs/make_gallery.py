"""Makes the files in docs/gallery: `python docs/make_gallery.py [--run FOLDER] [--browser PATH] [--no-app]`.

Draws one example with the mini family (or takes a finished run), writes its exports, small, and takes screenshots of
the player and of the export panel in a headless browser.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from take_screenshots import BROWSERS, opened, served

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from paints_undo.exports.formats import FORMATS, export  # noqa: E402
from paints_undo.exports.layers import lines_of  # noqa: E402
from paints_undo.exports.options import ExportOptions  # noqa: E402
from paints_undo.exports.pacing import Pacing  # noqa: E402
from paints_undo.exports.sheets import PAGE  # noqa: E402
from paints_undo.exports.source import Source  # noqa: E402
from paints_undo.provenance.metadata import read_record  # noqa: E402
from paints_undo.web.history import CARD, owner_of  # noqa: E402

FOLDER = Path(__file__).parent / "gallery"
EXAMPLE = ROOT / "paints_undo" / "examples" / "girl.png"
MOST_BYTES = 3 * 2**20  # of the whole folder
PACING = Pacing(fps=8, hold_end=2, curve="strokes")
# format -> longest side in pixels; what is not here is too large to be kept, or no picture
SIDES = {
    "mp4": 320,
    "gif": 136,
    "webp": 176,
    "html": 200,
    "steps": None,
    "contact": None,
    "heatmap": 512,
    "curves": None,
}


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a finished run, instead of a new one of the example")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    parser.add_argument("--no-app", action="store_true", help="leave out the screenshots of the export panel")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as out:
        run = options.run
        if run is None:
            command = [sys.executable, "-m", "paints_undo", "run", str(EXAMPLE), "--models", "mini", "--out", out]
            subprocess.run(command, cwd=ROOT, check=True)
            run = Path(out) / EXAMPLE.stem
        write_exports(Source.of_run(run, "Girl"), Path(out) / "exports")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 420, "height": 520})
            page.goto((FOLDER / FORMATS["html"].file).as_uri())
            page.locator("#scrubber").press("Home")
            for _ in range(40):
                page.keyboard.press("Control+y")
            keep(page, "player")
            if not options.no_app:
                panel(browser.new_page(viewport={"width": 1440, "height": 1000}), run, Path(out) / "app")
            browser.close()
    total = sum(file.stat().st_size for file in FOLDER.iterdir())
    assert total <= MOST_BYTES, f"docs/gallery has {total:,} bytes; at most {MOST_BYTES:,} shall be kept"


def write_exports(source: Source, out: Path) -> None:
    """The small ones whole; of the large ones a picture."""
    for name, side in SIDES.items():
        path = export(source, name, out, ExportOptions(PACING, side, "Girl"))[name]
        if name != "heatmap":
            assert path.suffix not in (".mp4", ".webp", ".gif") or read_record(path) is not None
        if path.suffix == ".png":
            small(Image.open(path).convert("RGB"), path.stem)
        else:
            shutil.copy(path, FOLDER / path.name)
    pages = export(source, "steps-png", out, ExportOptions(PACING, None, "Girl"))["steps-png"]
    sheet = Image.open(pages).convert("RGB")
    small(sheet.crop((0, 0, *PAGE)), "steps")
    small(enlargement(source), "enlargement")
    small(lines(source), "line-art")


def enlargement(source: Source) -> Image.Image:
    """Frames as they were drawn, enlarged plainly, above the same ones at the artwork's size."""
    size, places = source.sized(420), [int(share * (len(source.frames) - 1)) for share in (0.35, 0.6, 0.85, 0.93)]
    finished = list(source.finished_frames(size).chosen(places))
    frames = source.fit.uncover(source.frames)
    plain = [np.asarray(Image.fromarray(frames[n]).resize(size, 3)) for n in places]
    return Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in (plain, finished)]))


def lines(source: Source) -> Image.Image:
    """Line art of three keyframes on a checked ground, which shows what is transparent."""
    size = source.sized(420)
    *keyframes, _ = source.finished_keyframes(size)
    ground = Image.fromarray((np.indices((size[1], size[0])) // 12).sum(0).astype(np.uint8) % 2 * 25 + 225).convert(
        "RGB"
    )
    pictures = []
    for frame in keyframes[-3:]:
        drawn, layer = ground.copy(), Image.fromarray(lines_of(frame))
        drawn.paste(layer, (0, 0), layer)
        pictures.append(np.asarray(drawn))
    return Image.fromarray(np.concatenate(pictures, 1))


def panel(page: Page, run: Path, out: Path) -> None:
    """The export panel of the app, after an export of the run, which the app finds as one of this browser's own."""
    visitor, name = "gallery-of-the-docs", "20260101-000000-0123456789abcdef"
    shutil.copytree(run, out / name, ignore=shutil.ignore_patterns("exports"))
    card = {"owner": owner_of(visitor), "title": "Girl", "created": time.time(), "parent": None, "wanted": None}
    card |= {"state": "finished", "message": {"key": "", "values": {}}, "frames": 105}
    (out / name / CARD).write_text(json.dumps(card))
    kept = {"visitor": visitor, "run": name}
    page.add_init_script("".join(f"localStorage.setItem('paints-undo-{k}', '{v}');" for k, v in kept.items()))
    with served("mini", out):
        opened(page)
        page.locator("#export > button").first.click(timeout=60_000)
        for name in ("gif", "contact", "heatmap", "curves-png"):
            page.locator("#export label", has_text=f"{name}: ").first.click(timeout=60_000)
        page.locator("#export-now").click()
        page.locator("#export-files a, #export-gallery img").first.wait_for(timeout=300_000)
        page.wait_for_timeout(3000)
        keep(page.locator("#export"), "panel")


def keep(page: Any, name: str) -> None:
    time.sleep(1.5)  # pictures fade in
    small(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), name)


def small(picture: Image.Image, name: str) -> None:
    """Kept as a PNG of few colours."""
    picture.thumbnail((1000, 1400), Image.Resampling.LANCZOS)
    picture.quantize(96, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
