"""The program as a user starts it, with tiny networks, in a real browser; and what a sudden end leaves of a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import (
    IN_A_BROWSER,
    MINUTE,
    STEPS,
    button,
    choose_example,
    expect,
    press,
    states,
)
from tiny_family import write_tiny_family

from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder

pytestmark = [*IN_A_BROWSER, pytest.mark.timeout(600)]


class Program:
    """The program with tiny networks in folders of its own; can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "outputs"
        self._family = write_tiny_family(folder / "tiny")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        file, log = Path(__file__).parent.parent / "gradio_app.py", self.folder / "log"
        command = [sys.executable, str(file), "--models", str(self._family), "--port", str(self._port)]
        environment = {**os.environ, "GRADIO_TEMP_DIR": str(self.folder / "gradio"), "OMP_NUM_THREADS": "1"}
        with open(log, "w") as told:
            self.process = subprocess.Popen(
                [*command, "--out", str(self.out)], cwd=self.folder, stdout=told, stderr=told, env=environment
            )
        for _ in range(240):
            assert self.process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(self.address, timeout=10).close()
                return
            except OSError:
                time.sleep(0.5)
        pytest.fail(f"the server did not answer in two minutes: {log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=20)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    made.start()
    assert not made.out.exists(), "nothing is made before the first run"
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)


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
    (folder,) = (file.parent for file in program.out.glob("*/run.json"))
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
    program.kill()
    expect(page.locator("#job-what")).to_contain_text("does not answer", timeout=MINUTE)
    (folder,) = (file.parent for file in program.out.glob("*/run.json"))
    drawn = {file: file.stat().st_mtime_ns for file in folder.glob("keyframes/*.png")}
    assert len(drawn) == 6

    program.start()
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
