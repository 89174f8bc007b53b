"""What somebody meets who has never been here: a film that plays, one button, and a player; drawn in strokes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from desk import CAT, IN_A_BROWSER, MINUTE, Desk, button, expect, pick
from test_browser_form import drop
from test_browser_share import small_artwork

pytestmark = IN_A_BROWSER
MAKE = "Make the timelapse"
# The share of the canvas that has a colour.
COLOURFUL = """(() => { const { width, height } = document.querySelector("#canvas");
    const { data } = document.querySelector("#canvas").getContext("2d").getImageData(0, 0, width, height);
    return data.filter((one, i) => i % 4 === 0 && Math.abs(one - data[i + 2]) > 24).length / (width * height); })()"""


def make(page, said: str = "480 frames") -> None:
    button(page, MAKE).click()
    expect(page.locator("#job-what")).to_contain_text(said, timeout=MINUTE)


def stroke(page) -> int:
    return int(page.locator("#where").inner_text().split()[1])


def test_a_film_plays_at_once(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False, width=1366, height=768)
    page.wait_for_function("document.querySelector('#show').currentTime > 0.05", timeout=MINUTE)
    # about one second on a machine with nothing else to do
    assert page.evaluate("performance.now() - performance.getEntriesByType('navigation')[0].responseEnd") < 6000
    film = page.locator("#show")
    assert film.bounding_box()["height"] >= 0.6 * 768
    for one in (film, button(page, "Choose a picture").first, page.get_by_role("button", name="Example: cat")):
        assert one.bounding_box()["y"] + one.bounding_box()["height"] < page.locator("#dock").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.locator("#show-play").click()
    assert film.evaluate("one => one.paused") and page.locator("#show-play").get_attribute("aria-label") == "Play"
    assert not strokes.out.exists()


def test_nothing_moves_where_that_is_not_wanted(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False, reduced_motion="reduce")
    page.wait_for_function("document.querySelector('#show').currentTime > 5", timeout=MINUTE)
    assert page.locator("#show").evaluate("one => one.paused")


def test_what_draws_is_a_chip(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False)
    chip, command = page.locator("#family summary").first, page.locator("#family code").first
    expect(chip).to_have_text("Drawn by: strokes", timeout=MINUTE)
    expect(page.locator("#family .sheet")).to_be_hidden()
    chip.click()
    expect(page.locator("#family .sheet")).to_contain_text("7.6 GB")
    expect(command).to_be_hidden()
    page.get_by_text("How to get it").click()
    expect(command).to_be_visible()


def test_an_example_is_drawn_at_a_press(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False)
    page.get_by_role("button", name="Example: cat").click()
    page.wait_for_function("document.title.includes('%')", timeout=MINUTE)
    expect(button(page, "Cancel")).to_be_visible()
    expect(page.locator("#where")).to_contain_text("Stroke", timeout=MINUTE)  # it is seen while it is drawn
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    assert page.title() == "Paints-UNDO"
    with page.expect_download() as film:
        page.locator("#download").click()
    assert film.value.suggested_filename == "timelapse.mp4"
    page.get_by_role("button", name="Example: girl").click()  # another piece, at once
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    assert len(list(strokes.out.glob("*/timelapse.mp4"))) == 2


def test_one_button_makes_the_film(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False, width=1366, height=768)
    expect(page.locator("#steps")).to_be_hidden()
    with page.expect_file_chooser() as chooser:  # without a picture it asks for one, and goes on
        button(page, MAKE).press("Enter")
    chooser.value.set_files(CAT)
    expect(button(page, "Pause")).to_be_visible(timeout=MINUTE)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(button(page, "Pause")).to_be_in_viewport()
    expect(page.locator("#job-what")).to_be_in_viewport()
    button(page, "Pause").click()
    expect(button(page, "Continue")).to_be_visible(timeout=MINUTE)
    expect(button(page, "Continue")).to_be_focused()
    button(page, "Continue").press("Enter")
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    assert page.locator("#canvas").bounding_box()["height"] >= 0.6 * 768


def test_networks_do_all_three_steps_at_one_button(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.002
    page = desk.visit(adjusting=False)
    pick(page, CAT)
    page.evaluate("""() => { window.bar = []; setInterval(() => { const bar = document.querySelector("#job-bar");
        if (!bar.hidden && bar.hasAttribute("value")) window.bar.push(bar.value); }, 60); }""")
    make(page, "105 frames")
    values = page.evaluate("window.bar")
    assert len(set(values)) > 2 and values == sorted(values), "one bar that never goes back"
    page.locator("#adjust").click()
    assert page.get_by_label("Output Prompt").input_value().startswith("1girl, solo")
    page.reload()
    page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
    expect(page.get_by_label("Output Prompt")).to_be_visible()  # what was open is open again


def test_files_are_told_apart_and_refused_where_they_are_dropped(strokes: Desk, tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    page = strokes.visit(adjusting=False)
    drop(page, tmp_path / "paper.pdf", at="#player")
    expect(page.locator("#refused")).to_contain_text("is a PDF", timeout=MINUTE)
    drop(page, small_artwork(tmp_path), at="#examples")
    expect(page.locator("#refused")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_hidden(timeout=MINUTE)
    make(page)
    (film,) = strokes.out.glob("*/timelapse.mp4")
    stranger = strokes.visit(adjusting=False)
    pick(stranger, film)  # chosen, not dropped: its settings come back, too
    expect(stranger.locator("#job-what")).to_contain_text("Settings restored", timeout=MINUTE)


def test_strokes_are_undone_one_by_one(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False)
    pick(page, CAT)
    make(page)
    expect(page.locator("#where")).to_contain_text("Stroke", timeout=MINUTE)
    expect(page.locator("#phases")).to_contain_text("line art", timeout=MINUTE)
    page.locator("#scrubber").focus()
    page.keyboard.press("End")
    expect(page.locator("#where")).to_have_text("The finished artwork")
    for expected in (999, 998, 997):
        page.keyboard.press("Control+z")
        expect(page.locator("#where")).to_have_text(f"Stroke {expected} of 1000 · details")
    page.keyboard.press("Control+Shift+Z")
    assert stroke(page) == 998
    exact = page.evaluate("document.querySelector('#canvas').toDataURL()")
    for _ in range(40):
        page.keyboard.press("Control+z")
        time.sleep(0.01)
    assert stroke(page) == 958
    page.wait_for_function("before => document.querySelector('#canvas').toDataURL() !== before", arg=exact)
    page.keyboard.press("Home")
    page.keyboard.press("Control+z")
    assert stroke(page) == 1, "nothing is blank at the start"
    page.keyboard.press("Control+Shift+Z")
    assert stroke(page) == 2
    expect(page.locator("#whole")).to_be_visible()
    page.locator("#whole").click()
    page.wait_for_function("document.fullscreenElement?.id === 'player'", timeout=MINUTE)


def test_another_drawing_takes_the_place_of_the_first_and_gives_it_back(strokes: Desk, tmp_path: Path) -> None:
    page = strokes.visit(adjusting=False)
    pick(page, small_artwork(tmp_path))
    make(page)
    first, last, choice = frame(page, 60), page.locator("#strip .keyframe img").last, page.locator("#choice")
    keyframe = last.get_attribute("src")
    button(page, "Re-roll all").click()
    expect(choice).to_be_visible(timeout=2 * MINUTE)  # it was drawn at once, and is shown beside the other one
    expect(choice.locator(".row")).to_have_count(2)
    assert choice.locator("img").count() >= 4
    page.wait_for_function("[...document.querySelectorAll('#choice img')].every(one => one.naturalWidth > 0)")
    assert frame(page, 60) != first
    button(page, "Take it back").click()
    expect(choice).to_be_hidden(timeout=MINUTE)
    expect(last).to_have_attribute("src", keyframe, timeout=MINUTE)
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=2 * MINUTE)
    expect(page.locator("#download")).to_be_visible(timeout=MINUTE)
    assert frame(page, 60) == first
    button(page, "Redo change").click()
    expect(last).not_to_have_attribute("src", keyframe, timeout=MINUTE)


def frame(page, place: int) -> str:
    """What the canvas shows at a place of the film, as soon as the picture of that frame is painted."""
    script = """([bar, place]) => new Promise((shown) => {
        const { prototype } = CanvasRenderingContext2D, { drawImage } = prototype;
        prototype.drawImage = function (image, ...where) {
            drawImage.call(this, image, ...where);
            if (!image.src?.includes(`/${String(place).padStart(5, "0")}-`)) return;
            prototype.drawImage = drawImage;
            shown(this.canvas.toDataURL());
        };
        bar.value = place;
        bar.dispatchEvent(new Event("input"));
    })"""
    return page.evaluate(script, [page.locator("#scrubber").element_handle(), place])


@pytest.mark.parametrize("query", ["", "?__theme=dark"])
def test_it_fits_a_phone_film_first(strokes: Desk, query: str) -> None:
    page = strokes.visit(query, adjusting=False, width=390, height=844, has_touch=True, is_mobile=True)
    page.wait_for_function("document.querySelector('#show').currentTime > 0.05", timeout=MINUTE)
    places = [page.locator(f"#{name}").bounding_box()["y"] for name in ("show", "welcome", "examples", "adjust")]
    assert places == sorted(places)
    page.get_by_role("button", name="Example: house").tap()
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_only_settings_that_mean_something_are_shown(strokes: Desk) -> None:
    page = strokes.visit()
    shown = page.locator("#steps").inner_text()
    for there in ("Step 1: Upload Image", "Step 2", "Step 3", "Operation Steps", "Stage 1 Seed", "Drawn as"):
        assert there in shown
    for absent in ("Prompt", "Framing", "Quick draft", "Stage 2 Seed", "CFG"):
        assert absent not in shown, absent
    page.get_by_role("button", name="Settings").first.click()  # one of them, with something in it
    expect(page.get_by_label("number input for Length in seconds")).to_be_visible()
    pick(page, CAT)
    expect(page.locator("#artwork img")).to_be_visible(timeout=MINUTE)
    button(page, "Coarse sketches").click()
    expect(page.locator("#job-what")).to_have_text("Recipe applied: Coarse sketches.", timeout=MINUTE)
    button(page, "Generate Key Frames").click()
    expect(page.locator("#job-what")).to_contain_text("4 key frames are ready", timeout=MINUTE)


def test_layers_are_hidden_and_a_pen_draws_in_the_player(strokes: Desk) -> None:
    page = strokes.visit(adjusting=False)
    pick(page, CAT)
    make(page)
    pen, layers = page.locator("#pen"), page.locator("#layers")
    expect(pen).to_be_visible(timeout=MINUTE)  # the new film plays
    seen = "(pen) => (window.places ??= new Set()).add(pen.getAttribute('style')).size > 3"
    page.wait_for_function(seen, arg=pen.element_handle(), timeout=MINUTE)  # it moves with the strokes
    button(page, "Show the pen").click()
    expect(pen).to_be_hidden()
    page.locator("#scrubber").focus()
    page.keyboard.press("End")
    toggle = button(page, "Layers")
    toggle.press("Enter")
    names = layers.locator("span").all_inner_texts()
    assert names[0] == "Details" and names[-1] == "Paper" and "Line art" in names
    for name in names[:-1]:
        page.get_by_label(name, exact=True).press("Space")
    page.wait_for_function(COLOURFUL + " === 0", timeout=MINUTE)  # nothing is left but paper
    page.keyboard.press("Control+z")
    expect(page.locator("#where")).to_contain_text("Stroke 999")
    assert page.evaluate(COLOURFUL) == 0
    page.keyboard.press("Escape")
    expect(layers).to_be_hidden()
    expect(toggle).to_be_focused()
    page.reload()
    toggle.click(timeout=MINUTE)
    expect(page.get_by_label("Shadow", exact=True)).not_to_be_checked()
    expect(page.locator("#pen-toggle")).to_have_attribute("aria-pressed", "false")
    for name in names[:-1]:
        page.get_by_label(name, exact=True).check()
    page.wait_for_function(COLOURFUL + " > 0.1", timeout=MINUTE)
