"""The page with the player, driven in a browser from a file, without a network."""

import json
import re

import pytest
from desk import PLACE

from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.exports.player import write_player

TITLE = "<b>夏</b> & {record}"


@pytest.fixture(scope="module")
def written(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "player.html"
    options = ExportOptions(Pacing(fps=30, seconds=2, hold_start=0, hold_end=0.5), title=TITLE)
    write_player(source, path, options)
    return source, path, len(schedule(source.change, options.pacing, source.fps))


def test_the_page_carries_its_record_and_asks_nobody(written):
    source, path, count = written
    page = path.read_text(encoding="utf-8")
    record = json.loads(re.search(r'id="record">(.*?)</script>', page, re.S)[1])
    assert record["program"] == "Paints-UNDO" and record["piece"] == "timelapse"
    assert "compositeSynthetic" in re.search(r'id="xmp">(.*?)</script>', page, re.S)[1]
    assert "&lt;b&gt;夏&lt;/b&gt; &amp; {record}" in page and "<b>夏" not in page
    film = json.loads(re.search(r'id="frames">(.*?)</script>', page, re.S)[1])
    assert len(film["frames"]) == len(film["milliseconds"]) == count
    assert set(re.findall(r'(?:src|href)="?(https?://[^"]+)', page)) == set()


@pytest.mark.browser
@pytest.mark.skipif(PLACE is None, reason="needs Chromium or Chrome, and none is on the PATH")
def test_the_player_in_a_browser(written, browser):
    source, path, count = written
    context = browser.new_context(offline=True)
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.goto(path.as_uri())

    def shown(number):
        page.wait_for_selector(f"#canvas[data-shown='{number}']", timeout=20_000)

    def colour():
        pixel = "(() => [...canvas.getContext('2d').getImageData(60, 10, 1, 1).data])()"
        return page.evaluate(pixel)[:3]

    shown(count - 1)  # it opens on the finished artwork
    assert colour() == source.artwork[10, 60].tolist()
    page.keyboard.press("Control+z")
    shown(count - 2)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    shown(count - 2)
    page.locator("#scrubber").fill("0")
    shown(0)
    assert min(colour()) > 250
    assert page.locator("#where").text_content() == f"1 / {count}"
    page.locator("#play").click()
    shown(count - 1)
    assert page.locator("#play").get_attribute("aria-label") in ("Play", "Pause")
    assert page.locator("h1").text_content() == TITLE
    assert troubles == []
    context.close()


@pytest.mark.browser
@pytest.mark.skipif(PLACE is None, reason="needs Chromium or Chrome, and none is on the PATH")
@pytest.mark.parametrize("fps", [None, 4])
def test_without_a_choice_one_frame_leads_over_to_the_next(written, browser, tmp_path, fps):
    """While a frame stands the canvas changes as often as the screen; not where the frames a second are chosen."""
    write_player(written[0], tmp_path / "player.html", ExportOptions(Pacing(fps, hold_start=0), longest_side=64))
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "player.html").as_uri())
    page.wait_for_selector("#canvas[data-shown]", timeout=20_000)
    seen = page.evaluate("""() => new Promise((done) => {
      const seen = new Set(), numbers = new Set(), begun = performance.now();
      document.getElementById("scrubber").value = 20;
      document.getElementById("scrubber").oninput();
      document.getElementById("play").click();
      const look = (now) => {
        const canvas = document.getElementById("canvas");
        seen.add(canvas.toDataURL());
        numbers.add(canvas.dataset.shown);
        if (now - begun < 2500) requestAnimationFrame(look);
        else { document.getElementById("play").click(); done([seen.size, numbers.size]); }
      };
      requestAnimationFrame(look);
    })""")
    assert seen[1] >= 5
    assert seen[0] > 2 * seen[1] if fps is None else seen[0] <= seen[1] + 1
    context.close()
