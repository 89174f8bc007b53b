"""The program as a user starts it, with tiny networks, in a real browser; and what a sudden end leaves of a run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import IN_A_BROWSER, MINUTE, STEPS, button, choose_example, expect, press, states
from served_elsewhere import GRADIO_APP, Program, free_port
from tiny_family import write_tiny_family

from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder

pytestmark = [*IN_A_BROWSER, pytest.mark.timeout(600)]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    family, port = write_tiny_family(tmp_path / "tiny"), free_port()
    command = [GRADIO_APP, "--models", family, "--port", port, "--out", tmp_path / "outputs"]
    made = Program(tmp_path, command, port, GRADIO_TEMP_DIR=str(tmp_path / "gradio"))
    made.page()
    assert not (tmp_path / "outputs").exists(), "nothing is made before the first run"
    yield made
    made.stop()


def opened(context, program: Program):
    page = context.new_page()
    page.goto(program.address)
    page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
    if page.locator("#adjust").get_attribute("aria-expanded") == "false":
        page.locator("#adjust").click()
    return page


def set_numbers(page, **values: int) -> None:
    """Sampling steps, in the settings of the steps 2 and 3."""
    for title in page.get_by_role("button", name="Settings").all()[:2]:
        title.click()
    for label, value in values.items():
        box = page.get_by_label(f"number input for {label.replace('_', ' ')}", exact=True)
        box.fill(str(value))
        box.press("Tab")


def close_the_laptop(page, program: Program) -> None:
    """Neither the program nor the page does anything for a while, in the middle of what they do."""
    session = page.context.new_cdp_session(page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    program.process.send_signal(signal.SIGSTOP)
    time.sleep(8)
    program.process.send_signal(signal.SIGCONT)
    session.send("Page.setWebLifecycleState", {"state": "active"})


def test_the_program_draws_with_real_networks(browser, program) -> None:
    started = time.monotonic()
    page = opened(browser.new_context(viewport={"width": 1280, "height": 900}), program)
    assert time.monotonic() - started < 10  # three seconds on a machine with nothing else to do
    choose_example(page, "girl")
    press(page, STEPS[0], "Prompt written", within=4 * MINUTE)
    set_numbers(page, Steps=4, Sampling_steps=2, FPS=12)
    press(page, STEPS[1], "6 key frames are ready", within=4 * MINUTE)
    button(page, STEPS[2]).click()
    expect(page.locator("#job-what")).to_contain_text("sampling", timeout=MINUTE)
    close_the_laptop(page, program)
    expect(page.locator("#job-what")).to_contain_text("105 frames", timeout=4 * MINUTE)
    page.context.close()
    (folder,) = (file.parent for file in program.folder.glob("outputs/*/run.json"))
    assert RunFolder.open(folder).finished
    assert read_video(folder / "timelapse.mp4").shape[0] == 105


def test_a_killed_program_offers_to_continue_where_it_was(browser, program) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = opened(context, program)
    choose_example(page, "cat")
    page.get_by_label("Output Prompt").fill("a cat")
    set_numbers(page, Steps=2, Sampling_steps=8)
    press(page, STEPS[1], "6 key frames are ready", within=4 * MINUTE)
    button(page, STEPS[2]).click()
    expect(page.locator("#job-what")).to_contain_text("sampling", timeout=MINUTE)
    program.stop(signal.SIGKILL)  # as a power cut would
    expect(page.locator("#job-what")).to_contain_text("does not answer", timeout=MINUTE)
    (folder,) = (file.parent for file in program.folder.glob("outputs/*/run.json"))
    drawn = {file: file.stat().st_mtime_ns for file in folder.glob("keyframes/*.png")}
    assert len(drawn) == 6

    program.start()
    program.page()
    expect(page.locator("#job-what")).to_contain_text("interrupted", timeout=MINUTE)  # the open page finds it again
    expect(button(page, "Continue").first).to_be_visible(timeout=MINUTE)
    page.evaluate("localStorage.removeItem('paints-undo-run')")
    again = opened(context, program)  # a page that shows another run, or none, offers it
    expect(again.locator("#notice")).to_contain_text("was not finished", timeout=MINUTE)
    again.locator("#notice").get_by_role("button", name="Continue").click()
    expect(again.locator("#job-what")).to_contain_text("105 frames", timeout=4 * MINUTE)
    assert states(again, "segment") == ["ready"] * 7
    assert {file: file.stat().st_mtime_ns for file in folder.glob("keyframes/*.png")} == drawn, "not drawn again"
    context.close()
