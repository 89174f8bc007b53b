"""The web app in a real browser: quickly with an engine that only pretends to draw, once with tiny real networks."""

from __future__ import annotations

import base64
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
from fake_engine import FakeEngine
from tiny_family import write_tiny_family

import gradio_app
from paints_undo import examples
from paints_undo.runs import RunFolder
from paints_undo.video import read_video

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACE = next(filter(None, map(shutil.which, BROWSERS)), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
MINUTE = 60_000  # milliseconds
STEPS = ("Generate Prompt", "Generate Key Frames", "Generate Video")
CAT = Path(examples.__file__).parent / "cat.png"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(PLACE is None, reason="needs Chromium or Chrome, and none is on the PATH"),
]


class Desk:
    """The app with an engine that pretends, and windows on it that ask no other host and meet no script error."""

    def __init__(self, browser, out: Path) -> None:
        self.engine, self.out, self._browser = FakeEngine(), out, browser
        app = gradio_app.build_app(lambda: self.engine, out)
        options = gradio_app._arguments(["--out", str(out)])
        _, self.address, _ = app.launch(prevent_thread_lock=True, quiet=True, **gradio_app.launch_settings(options))
        self._app = app
        self._visits: list = []
        self.complaints: list[str] = []

    def visit(self, query: str = "", width: int = 1280, **options):
        """A window of a visitor who has not been here before."""
        context = self._browser.new_context(viewport={"width": width, "height": 900}, **options)
        self._visits.append(context)
        return self.open(context, query)

    def open(self, context, query: str = ""):
        """One more tab of the same visitor."""
        page = context.new_page()
        page.on("request", lambda request: self._note_stranger(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.address + query)
        page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
        return page

    def _note_stranger(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.complaints.append(url)

    def close(self) -> None:
        for context in self._visits:
            context.close()
        self._app.close(verbose=False)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install -e .[dev])")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=PLACE, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def desk(browser, tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(browser, tmp_path / "outputs")
    yield opened
    opened.close()
    assert opened.complaints == []


def expect(locator):
    from playwright.sync_api import expect

    return expect(locator)


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def choose_example(page, name: str) -> None:
    page.get_by_role("button", name=f"Example: {name}").click()
    expect(page.locator("#generate-prompt")).to_be_enabled(timeout=MINUTE)


def press(page, name: str, done: str) -> None:
    """One of the three buttons, and what the page says in the end."""
    expect(button(page, name)).to_be_enabled(timeout=MINUTE)
    button(page, name).click()
    expect(page.locator("#job-what")).to_contain_text(done, timeout=MINUTE)
    expect(button(page, name)).to_be_enabled(timeout=MINUTE)


def draw_all(page, example: str = "girl") -> None:
    choose_example(page, example)
    press(page, STEPS[0], "Prompt written")
    press(page, STEPS[1], "6 key frames are ready")
    press(page, STEPS[2], "105 frames")


def item(page, name: str):
    return page.locator(f"#strip [data-id={name}]")


def states(page, kind: str) -> list[str]:
    """The states of the keyframes or segments on the timeline, from the white canvas to the artwork."""
    script = "(found) => found.map(one => ['ready', 'missing', 'drawing'].find(state => one.classList.contains(state)))"
    return page.locator(f"#strip li.{kind} button").evaluate_all(script)


def test_the_three_buttons_lead_to_a_playing_video(desk: Desk) -> None:
    page = desk.visit()
    expect(page.locator("h1")).to_have_text("Paints-UNDO")
    assert [one.inner_text() for one in page.locator("#steps button.primary").all()] == list(STEPS)
    for name in STEPS:
        expect(button(page, name)).to_be_disabled()
    choose_example(page, "girl")
    expect(button(page, STEPS[1])).to_be_disabled()
    press(page, STEPS[0], "Prompt written")
    assert page.get_by_label("Output Prompt").input_value().startswith("1girl, solo")
    expect(page.locator("#tokens")).to_contain_text("6 of 75 tokens")
    expect(button(page, STEPS[2])).to_be_disabled()
    press(page, STEPS[1], "6 key frames are ready")
    assert states(page, "keyframe") == ["ready"] * 6 and states(page, "segment") == ["missing"] * 7
    press(page, STEPS[2], "105 frames")
    assert states(page, "segment") == ["ready"] * 7
    assert page.locator("#scrubber").get_attribute("max") == "105", "the artwork itself comes last"
    place = int(page.locator("#scrubber").input_value())
    page.wait_for_function(f"document.querySelector('#scrubber').value != {place}", timeout=MINUTE)  # it plays
    expect(page.locator("#download")).to_be_visible()


def test_a_replaced_keyframe_redraws_only_its_segments(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
    desk.engine.keyframes_drawn, desk.engine.segments_drawn = (), []
    item(page, "keyframe-800").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Use my picture").click()
    chooser.value.set_files(str(CAT))
    expect(page.locator("#job-what")).to_contain_text("Key frame 800 is now your picture", timeout=MINUTE)
    assert states(page, "segment").count("missing") == 2 and states(page, "keyframe") == ["ready"] * 6
    press(page, STEPS[2], "105 frames")
    assert desk.engine.keyframes_drawn == () and len(desk.engine.segments_drawn) == 2

    page.get_by_role("button", name="Re-roll", exact=True).click()
    expect(page.locator("#job-what")).to_contain_text("new seed", timeout=MINUTE)
    assert states(page, "keyframe").count("missing") == 1 and states(page, "segment").count("missing") == 2
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_role("button", name="Re-roll", exact=True)).to_be_disabled()
    page.get_by_label("Operation step, 0 to 999").fill("700")
    page.get_by_role("button", name="Add a key frame", exact=True).click()
    expect(item(page, "keyframe-700")).to_be_visible(timeout=MINUTE)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(item(page, "keyframe-700")).to_have_count(0, timeout=MINUTE)


def test_cancel_and_continue(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.05
    page = desk.visit()
    choose_example(page, "cat")
    page.get_by_label("Output Prompt").fill("a ginger cat")
    button(page, STEPS[1]).click()
    expect(page.locator("#job-what")).to_contain_text("sampling", timeout=MINUTE)
    expect(page.locator("#live img")).to_be_visible(timeout=MINUTE)
    assert page.locator("#job").get_attribute("class") == "job", "work under way is no failure"
    expect(button(page, STEPS[0])).to_be_disabled()
    button(page, "Pause").click()
    expect(button(page, "Continue")).to_be_visible(timeout=MINUTE)
    button(page, "Continue").click()
    expect(button(page, "Pause")).to_be_visible(timeout=MINUTE)
    started = time.monotonic()
    button(page, "Cancel").click()
    expect(page.locator("#job-what")).to_contain_text("Cancelled", timeout=MINUTE)
    assert time.monotonic() - started < 3
    expect(button(page, STEPS[1])).to_be_enabled(timeout=MINUTE)
    desk.engine.seconds_per_step = 0
    press(page, STEPS[1], "6 key frames are ready")


def test_a_closed_tab_loses_nothing(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.01
    page = desk.visit()
    choose_example(page, "house")
    page.get_by_label("Output Prompt").fill("a house")
    button(page, STEPS[1]).click()
    expect(page.locator("#job-what")).to_contain_text("sampling", timeout=MINUTE)
    context = page.context
    page.close()
    again = desk.open(context)
    expect(again.get_by_label("Output Prompt")).to_have_value("a house", timeout=MINUTE)
    expect(again.locator("#job-what")).to_contain_text("6 key frames are ready", timeout=MINUTE)
    assert states(again, "keyframe") == ["ready"] * 6


def test_a_dropped_video_restores_everything(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "flower")
    page.get_by_label("Output Prompt").fill("a flower in a pot")
    page.get_by_label("number input for Stage 1 Seed").fill("4711")
    page.get_by_label("number input for Stage 1 Seed").press("Tab")
    press(page, STEPS[2 - 1], "6 key frames are ready")
    press(page, STEPS[2], "105 frames")
    (video,) = desk.out.glob("*/timelapse.mp4")

    stranger = desk.visit()  # has no such run: the settings come back, the picture does not
    drop(stranger, video)
    expect(stranger.locator("#job-what")).to_contain_text("Settings restored", timeout=MINUTE)
    expect(stranger.get_by_label("Output Prompt")).to_have_value("a flower in a pot", timeout=MINUTE)
    expect(stranger.get_by_label("number input for Stage 1 Seed")).to_have_value("4711")
    drop(stranger, CAT)
    expect(stranger.locator("#job")).to_have_class("job failed", timeout=MINUTE)

    choose_example(page, "cat")  # another piece; the dropped film brings the first one back
    drop(page, video)
    expect(page.get_by_label("Output Prompt")).to_have_value("a flower in a pot", timeout=MINUTE)
    assert states(page, "segment") == ["ready"] * 7


def drop(page, file: Path) -> None:
    script = """async ([address, name]) => {
        const bytes = Uint8Array.from(atob(address), letter => letter.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([bytes], name));
        for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(script, [base64.b64encode(file.read_bytes()).decode(), file.name])


def test_history(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page, "girl")
    item(page, "keyframe-600").click()
    page.get_by_role("button", name="Undo further from here").click()
    expect(page.locator("#job-what")).to_contain_text("starts at key frame 600", timeout=MINUTE)
    button(page, "History").click()
    rows = page.locator("#runs .run")
    expect(rows).to_have_count(2, timeout=MINUTE)
    expect(rows.filter(has_text="branched from another run")).to_have_count(1)
    rows.last.get_by_role("button", name="Duplicate").click()
    expect(rows).to_have_count(3, timeout=MINUTE)
    rows.filter(has_text="105 frames").first.get_by_role("button", name="Delete").click()
    button(page, "Keep it").click()
    expect(rows).to_have_count(3)
    rows.filter(has_text="105 frames").first.get_by_role("button", name="Delete").click()
    page.locator("#question-yes").click()
    expect(rows).to_have_count(2, timeout=MINUTE)
    rows.last.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#history")).not_to_be_visible()
    expect(page.locator("#strip")).to_be_visible()


def test_keys_step_through_the_painting(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
    page.wait_for_timeout(300)
    page.locator("#scrubber").focus()
    place = page.locator("#scrubber")
    page.keyboard.press("End")
    expect(page.locator("#where")).to_have_text("The finished artwork")
    for _ in range(3):
        page.keyboard.press("Control+z")
    expect(place).to_have_js_property("value", "102")
    page.keyboard.press("Control+Shift+Z")
    expect(place).to_have_js_property("value", "103")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_js_property("value", "102")
    page.keyboard.press("Home")
    expect(page.locator("#where")).to_have_text("Frame 1 of 105")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('#scrubber').value > 0", timeout=MINUTE)
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    box = page.get_by_label("Output Prompt")
    box.fill("mine")
    stays = place.input_value()
    box.press("Control+z")  # in a text field it undoes the typing
    assert place.input_value() == stays


def test_japanese(desk: Desk) -> None:
    page = desk.visit(locale="ja-JP")
    expect(button(page, "プロンプトを生成")).to_be_visible(timeout=MINUTE)
    assert page.locator("html").get_attribute("lang") == "ja"
    choose_example(page, "girl")
    page.locator("#step-1 textarea").fill("x" * 10_001)
    button(page, "キーフレームを生成").click()
    expect(page.locator("#job-what")).to_contain_text("10,000 文字以内", timeout=MINUTE)
    page.locator("#step-1 textarea").fill("1girl")
    press(page, "キーフレームを生成", "キーフレーム 6 枚ができました")
    for code, name in (("zh-TW", "產生影片"), ("zh-CN", "生成视频"), ("en", "Generate Video")):
        page.locator("#language").select_option(code)
        expect(button(page, name)).to_be_visible(timeout=MINUTE)
    assert page.get_by_label("Output Prompt").input_value() == "1girl", "another language keeps what was typed"
    page.locator("#language").select_option("zh-TW")
    page.reload()
    expect(button(page, "產生影片")).to_be_visible(timeout=MINUTE)


@pytest.mark.parametrize(("width", "query"), [(390, ""), (1280, "?__theme=dark")])
def test_it_fits_a_phone_and_the_dark(desk: Desk, width: int, query: str) -> None:
    page = desk.visit(query, width=width, has_touch=width < 500)
    draw_all(page, "house")
    item(page, "keyframe-800").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = """[...document.querySelectorAll('input, textarea, button, select')].filter(one => one.offsetParent
        && !one.labels?.length && !one.ariaLabel && !one.title && !one.innerText.trim())
        .map(one => one.outerHTML.slice(0, 200))"""
    assert page.evaluate(unnamed) == []
    assert page.evaluate("[...document.querySelectorAll('img')].filter(one => one.alt === null).length") == 0
    background = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert (sum(map(int, background.strip("rgba()").split(",")[:3])) < 150) == ("dark" in query)


def test_two_visitors_at_once(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.005
    pages = [desk.visit(), desk.visit()]
    for page, example in zip(pages, ("girl", "cat"), strict=True):
        choose_example(page, example)
        page.get_by_label("Output Prompt").fill(f"the {example}")
        button(page, STEPS[1]).click()
    for page in pages:
        expect(page.locator("#job-what")).to_contain_text("6 key frames are ready", timeout=MINUTE)
    assert desk.engine.most_at_work == 1
    for page, example in zip(pages, ("girl", "cat"), strict=True):
        assert page.get_by_label("Output Prompt").input_value() == f"the {example}"
        button(page, "History").click()
        expect(page.locator("#runs .run")).to_have_count(1, timeout=MINUTE)
    paths = [page.locator("#strip img").first.get_attribute("src") for page in pages]
    assert paths[0].split("/")[-3] != paths[1].split("/")[-3]


def test_the_tokens_are_counted_while_typing(desk: Desk) -> None:
    page = desk.visit()
    box, line = page.locator("#step-1 textarea"), page.locator("#tokens")
    box.press_sequentially("a ginger cat")
    expect(line).to_have_text("3 of 75 tokens", timeout=MINUTE)
    box.fill("cat " * 76)
    expect(line).to_contain_text("76 tokens: only the first 75 are read", timeout=MINUTE)
    expect(line).to_have_class("warning")
    page.get_by_role("button", name="Settings").first.click()
    page.get_by_label("Use all of a long prompt").check()
    expect(line).to_have_text("76 tokens, read in 2 pieces of up to 75", timeout=MINUTE)
    page.locator("#language").select_option("ja")
    expect(line).to_contain_text("2 個に分けて", timeout=MINUTE)
    expect(page.locator("#family")).to_contain_text("モデル fake", timeout=MINUTE)
    box.fill("")
    expect(line).to_be_hidden(timeout=MINUTE)
    assert not desk.out.exists(), "counting opens no run"


def test_an_error_is_one_sentence(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "flower")
    page.get_by_label("Output Prompt").fill("x" * 10_001)
    button(page, STEPS[1]).click()
    expect(page.locator("#job-what")).to_contain_text("prompt has 10,001 characters", timeout=MINUTE)
    expect(page.locator("#job")).to_have_class("job failed")
    expect(button(page, STEPS[1])).to_be_enabled(timeout=MINUTE)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The program as a user starts it, with tiny networks: (its address, the folder it keeps runs in)."""
    family, out = write_tiny_family(tmp_path / "tiny"), tmp_path / "outputs"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = Path(__file__).parent.parent / "gradio_app.py"
    command = [sys.executable, str(file), "--models", str(family), "--port", str(port), "--out", str(out)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "gradio"), "OMP_NUM_THREADS": "1"}
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(address, process, tmp_path / "log")
        assert not out.exists(), "nothing is made before the first run"
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


def test_the_program_draws_with_real_networks(browser, program) -> None:
    address, out = program
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    started = time.monotonic()
    page.goto(address)
    page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
    assert time.monotonic() - started < 10  # three seconds on a machine with nothing else to do
    choose_example(page, "girl")
    press(page, STEPS[0], "Prompt written")
    for title in page.get_by_role("button", name="Settings").all()[:2]:
        title.click()
    for label, value in (("Steps", 4), ("Sampling steps", 2), ("FPS", 12)):
        box = page.get_by_label(f"number input for {label}", exact=True)
        box.fill(str(value))
        box.press("Tab")
    press(page, STEPS[1], "6 key frames are ready")
    press(page, STEPS[2], "105 frames")
    page.close()
    (folder,) = (file.parent for file in out.glob("*/run.json"))
    assert RunFolder.open(folder).finished
    assert read_video(folder / "timelapse.mp4").shape[0] == 105
