"""The web app in a real browser, from an example picture to a playing time-lapse, with a tiny family of networks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_family import write_tiny_family

from paints_undo.runs import RunFolder
from paints_undo.video import read_video

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACE = next(filter(None, map(shutil.which, BROWSERS)), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
MINUTE = 60_000  # milliseconds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(PLACE is None, reason="needs Chromium or Chrome, and none is on the PATH"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The program as a user starts it: (its address, the folder it keeps runs in)."""
    home = tmp_path_factory.mktemp("browser")
    family, out = write_tiny_family(home / "tiny"), home / "outputs"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(__file__).parent.parent / "gradio_app.py"
    command = [sys.executable, str(program), "--models", str(family), "--port", str(port), "--out", str(out)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(home / "gradio"), "OMP_NUM_THREADS": "1"}
    with open(home / "log", "w") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, env=environment)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(address, process, home / "log")
        assert not out.exists(), "nothing is made before the first result"
        yield address, out
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=10).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not answer in two minutes: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install -e .[dev])")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=PLACE, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def page(browser, server) -> Iterator:
    """The app in a fresh window that has asked no other host for anything and met no script error."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    strangers: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: strangers.append(request.url) if is_outside(request.url) else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(server[0])
    opened.wait_for_selector("#step-3 button", timeout=MINUTE)
    yield opened
    opened.close()
    assert strangers == [] and errors == []


def is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def choose_example(page, name: str) -> None:
    page.get_by_role("button", name=f"Example: {name}").click()
    page.wait_for_selector("#step-1 img[alt='The uploaded artwork']", timeout=MINUTE)
    page.wait_for_selector("#step-1 button.primary:enabled", timeout=MINUTE)


def set_number(page, label: str, value: int) -> None:
    box = page.get_by_label(f"number input for {label}", exact=True)
    box.fill(str(value))
    box.press("Tab")


def test_from_an_example_to_a_playing_video(page, server) -> None:
    from playwright.sync_api import expect

    expect(page.locator("h1")).to_have_text("Paints-UNDO")
    expect(page.locator("#family")).to_contain_text("Model family reference, on cpu in float32")
    names = ("Generate Prompt", "Generate Key Frames", "Generate Video")
    for name in names:
        expect(button(page, name)).to_be_disabled()

    choose_example(page, "girl")
    expect(button(page, names[0])).to_be_enabled()
    expect(button(page, names[1])).to_be_disabled()
    button(page, names[0]).click()
    expect(button(page, names[1])).to_be_enabled(timeout=MINUTE)
    assert len(page.get_by_label("Output Prompt").input_value()) > 3
    expect(button(page, names[2])).to_be_disabled()

    set_number(page, "Steps", 4)
    button(page, names[1]).click()
    page.wait_for_selector("#step-2 .status progress", timeout=MINUTE)
    expect(page.locator("#step-2 .status.done")).to_contain_text("6 key frames", timeout=2 * MINUTE)
    assert page.locator("#keyframes .thumbnail-item img").count() == 6
    expect(button(page, names[2])).to_be_enabled()

    set_number(page, "Sampling steps", 2)
    set_number(page, "FPS", 12)
    button(page, names[2]).click()
    expect(page.locator("#step-3 .status.done")).to_contain_text("105 frames", timeout=4 * MINUTE)
    page.wait_for_function("document.querySelector('#step-3 video')?.currentTime > 0.3", timeout=MINUTE)
    shape = page.evaluate("(v => [v.duration, v.videoWidth, v.videoHeight])(document.querySelector('#step-3 video'))")
    assert shape == [pytest.approx(105 / 12, abs=0.1), 128, 64]
    assert page.locator("#frames .thumbnail-item img").count() == 105

    finished = [folder for folder in server[1].iterdir() if (folder / "timelapse.mp4").exists()]
    assert len(finished) == 1 and RunFolder.open(finished[0]).finished
    assert read_video(finished[0] / "timelapse.mp4").shape == (105, 64, 128, 3)


def test_cancelling_and_a_new_picture_lock_the_steps_again(page) -> None:
    from playwright.sync_api import expect

    choose_example(page, "cat")
    page.get_by_label("Output Prompt").fill("a ginger cat")
    expect(button(page, "Generate Key Frames")).to_be_enabled()
    set_number(page, "Steps", 100)
    button(page, "Generate Key Frames").click()
    page.wait_for_selector("#step-2 .status progress[value]", timeout=MINUTE)
    expect(page.locator("#step-2 .status")).to_contain_text("left", timeout=MINUTE)
    expect(button(page, "Generate Prompt")).to_be_disabled()
    button(page, "Cancel").click()
    expect(page.locator("#step-2 .status")).to_contain_text("Cancelled", timeout=MINUTE)
    expect(button(page, "Cancel")).to_have_count(0)
    expect(button(page, "Generate Key Frames")).to_be_enabled()
    expect(button(page, "Generate Video")).to_be_disabled()

    choose_example(page, "house")
    expect(page.get_by_label("Output Prompt")).to_have_value("")
    expect(button(page, "Generate Key Frames")).to_be_disabled()
    expect(page.locator("#step-2 .status")).to_have_count(0)


def test_an_error_is_one_sentence_where_the_button_is(page) -> None:
    from playwright.sync_api import expect

    choose_example(page, "flower")
    page.get_by_label("Output Prompt").fill("x" * 10_001)
    expect(button(page, "Generate Key Frames")).to_be_enabled()
    button(page, "Generate Key Frames").click()
    expect(page.locator("#step-2 .status.failed")).to_contain_text("prompt has 10,001 characters", timeout=MINUTE)
    expect(button(page, "Generate Key Frames")).to_be_enabled()


@pytest.mark.parametrize(("width", "address"), [(390, ""), (1280, "?__theme=dark")])
def test_it_fits_a_phone_and_the_dark(browser, server, width: int, address: str) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 844})
    opened.goto(server[0] + address)
    opened.wait_for_selector("#step-3 button", timeout=MINUTE)
    opened.get_by_role("button", name="Example: house").wait_for(timeout=MINUTE)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = """[...document.querySelectorAll('input, textarea, button')].filter(element => element.offsetParent
        && !element.labels?.length && !element.ariaLabel && !element.title && !element.innerText.trim())
        .map(element => element.outerHTML.slice(0, 200))"""
    assert opened.evaluate(unnamed) == []
    background = opened.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert (sum(map(int, background.strip("rgba()").split(",")[:3])) < 150) == ("dark" in address)
    opened.close()
