"""The web app in a real browser, for tests: the page with an engine that only pretends to draw, and how to use it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from running_app import RunningApp

from paints_undo import examples
from paints_undo.engine import Engine

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACE = next(filter(None, map(shutil.which, BROWSERS)), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
MINUTE = 60_000  # milliseconds
STEPS = ("Generate Prompt", "Generate Key Frames", "Generate Video")
CAT = Path(examples.__file__).parent / "cat.png"


IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(PLACE is None, reason="needs Chromium or Chrome, and none is on the PATH"),
]


class Desk:
    """The app with an engine that pretends or a real one; its windows ask no other host and meet no script error."""

    def __init__(self, browser, out: Path, *arguments: str, real: Engine | None = None) -> None:
        self._app, self.out, self._browser = RunningApp(out, *arguments, engine=real), out, browser
        self.engine, self.address = self._app.engine, self._app.url
        self._visits: list = []
        self.complaints: list[str] = []

    def visit(self, query: str = "", width: int = 1280, height: int = 900, adjusting: bool = True, **options):
        """A window of a visitor who has not been here before; adjusting: with the three steps open."""
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._visits.append(context)
        if adjusting:
            context.add_init_script("localStorage.setItem('paints-undo-adjust', 'open')")
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

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        assert kind or not self.complaints, self.complaints

    def close(self) -> None:
        for context in self._visits:
            context.close()
        self._app.close()


def expect(locator):
    from playwright.sync_api import expect

    return expect(locator)


def button(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def choose_example(page, name: str) -> None:
    """An example picture, as any picture is chosen: nothing begins by itself."""
    pick(page, Path(examples.__file__).parent / f"{name}.png")
    expect(page.locator(f"#artwork img[src*='{name}.png']")).to_have_count(1, timeout=MINUTE)
    expect(page.locator("#generate-prompt")).to_be_enabled(timeout=MINUTE)


def pick(page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#pick").click()
    chooser.value.set_files(file)


def press(page, name: str, done: str, within: int = MINUTE) -> None:
    """One of the three buttons, and what the page says in the end, within some milliseconds."""
    expect(button(page, name)).to_be_enabled(timeout=MINUTE)
    button(page, name).click()
    expect(page.locator("#job-what")).to_contain_text(done, timeout=within)
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
