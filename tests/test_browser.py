"""The page in a real browser, quickly: with an engine that only pretends to draw."""

from __future__ import annotations

import json

import numpy as np
import pytest
from desk import CAT, IN_A_BROWSER, MINUTE, STEPS, Desk, button, choose_example, draw_all, expect, item, press, states
from test_browser_form import drop

from paints_undo.pictures.video import read_video
from paints_undo.web.studio import Studio

pytestmark = IN_A_BROWSER


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
    expect(page.locator("#choice img")).to_have_count(2, timeout=MINUTE)  # drawn at once, beside what was
    assert len(desk.engine.keyframes_drawn) == 1 and len(desk.engine.segments_drawn) == 4
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_role("button", name="Re-roll", exact=True)).to_be_disabled()
    page.get_by_label("Operation step, 0 to 999").fill("700")
    page.get_by_role("button", name="Add a key frame", exact=True).click()
    expect(item(page, "keyframe-700")).to_be_visible(timeout=MINUTE)


def test_edits_are_taken_back(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
    undo, redo, said = button(page, "Undo change"), button(page, "Redo change"), page.locator("#job-what")
    expect(undo).to_have_attribute("aria-disabled", "true")
    item(page, "keyframe-800").click()
    page.get_by_role("button", name="Re-roll", exact=True).click()
    expect(page.locator("#choice")).to_be_visible(timeout=MINUTE)
    item(page, "keyframe-600").press("Delete")
    page.locator("#question-yes").click()
    expect(item(page, "keyframe-600")).to_have_count(0, timeout=MINUTE)
    expect(page.locator("#choice")).to_be_hidden()
    desk.engine.keyframes_drawn, desk.engine.segments_drawn = (), []
    undo.click()
    expect(said).to_have_text("The last change is taken back.", timeout=MINUTE)
    expect(page.locator("#download")).to_be_visible()  # nothing has to be drawn, not even the film
    expect(undo).to_be_focused()
    for pressed, left in ((undo, 0), (redo, 1), (undo, 0)):  # the film of then is put together again
        pressed.press("Enter")
        expect(said).to_contain_text("105 frames", timeout=MINUTE)
        expect(undo).to_have_attribute("aria-disabled", str(not left).lower(), timeout=MINUTE)
        expect(page.locator("#download")).to_be_visible(timeout=MINUTE)
        assert states(page, "keyframe") == ["ready"] * 6 and states(page, "segment") == ["ready"] * 7
    expect(page.get_by_label("Operation Steps").first).to_have_value("400, 600, 800, 900, 950, 999")
    assert desk.engine.keyframes_drawn == () and desk.engine.segments_drawn == []


def test_a_new_seed_for_all_is_drawn_with(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    press(page, STEPS[1], "6 key frames are ready")
    page.get_by_label("Output Prompt").fill("1girl, typed since")
    button(page, "Re-roll all").click()
    expect(page.locator("#job-what")).to_contain_text("get a new seed", timeout=MINUTE)
    seed = page.get_by_label("number input for Stage 1 Seed")
    expect(seed).not_to_have_value("12345", timeout=MINUTE)
    chosen = seed.input_value()
    expect(page.get_by_label("Output Prompt")).to_have_value("1girl, typed since")
    press(page, STEPS[1], "6 key frames are ready")
    assert len(list(desk.out.glob(f"*/keyframes/*-{chosen}-*.png"))) == 6


def test_deleting_a_keyframe_asks_first(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    press(page, STEPS[1], "6 key frames are ready")
    question = page.locator("#question")
    for answer in (button(page, "Keep it"), None):
        item(page, "keyframe-800").click()
        page.locator("#actions").get_by_role("button", name="Delete").click()
        expect(question).to_contain_text("Delete key frame 800 and its picture?")
        answer.click() if answer else page.keyboard.press("Escape")
        expect(question).to_be_hidden()
        item(page, "keyframe-800").click()
    item(page, "keyframe-800").press("Delete")  # by keyboard alone
    expect(button(page, "Keep it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    expect(item(page, "keyframe-800")).to_be_focused()
    assert states(page, "keyframe") == ["ready"] * 6
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(item(page, "keyframe-800")).to_have_count(0, timeout=MINUTE)
    expect(item(page, "keyframe-600")).to_be_focused()
    for language, words in (("ja", "削除しますか"), ("zh-CN", "删除关键帧 400"), ("zh-TW", "刪除關鍵影格 400")):
        page.locator("#language").select_option(language)
        item(page, "keyframe-400").press("Delete")
        expect(question).to_contain_text(words)
        page.keyboard.press("Escape")


def test_an_answer_that_was_overtaken_is_not_shown(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
    held = []

    def hold_the_first(route) -> None:
        asked = route.request.post_data_json["data"]
        if not held and asked["do"] == "view" and asked["args"]["known"] is None:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/component_server/", hold_the_first)
    item(page, "keyframe-800").click()
    page.get_by_role("button", name="Re-roll", exact=True).click()
    while not held:
        page.wait_for_timeout(50)
    press(page, STEPS[2], "105 frames")
    assert states(page, "segment") == ["ready"] * 7
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_timeout(500)
    assert states(page, "segment") == ["ready"] * 7


def test_a_click_is_not_lost_when_the_timeline_changes_meanwhile(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    press(page, STEPS[1], "6 key frames are ready")
    other = desk.open(page.context)
    item(other, "keyframe-400").click()
    item(page, "keyframe-600").hover()
    page.mouse.down()
    other.get_by_role("button", name="Lock", exact=True).click()
    expect(page.locator("#job-what")).to_contain_text("Key frame 400 locked", timeout=MINUTE)
    page.mouse.up()
    expect(page.locator("#actions")).to_contain_text("Key frame 600")
    expect(item(page, "keyframe-400").locator(".badge")).to_be_visible()


def test_the_visible_mark(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    press(page, STEPS[1], "6 key frames are ready")
    page.get_by_role("button", name="Settings").nth(1).click()
    page.get_by_label("Mark the video as made by AI").check()
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    press(page, STEPS[2], "105 frames")
    (video,) = desk.out.glob("*/timelapse.mp4")
    assert json.loads((video.parent / "run.json").read_text())["settings"]["options"]["mark"] is True
    assert np.ptp(read_video(video)[0, -20:, -30:].astype(int)) > 60, "letters on the white canvas"
    assert sum("-marked/" in url for url in fetched) == 105, "the player shows them, too"

    page.get_by_label("Mark the video as made by AI").uncheck()
    desk.engine.segments_drawn = []
    press(page, STEPS[2], "105 frames")
    assert desk.engine.segments_drawn == [], "nothing is drawn again"


def test_cancel_and_continue(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.engine.seconds_per_step = 0.05
    steps_at_cancel, cancel = [], Studio.cancel

    def noted(studio: Studio, visitor: str, run_id: str) -> None:
        cancel(studio, visitor, run_id)
        steps_at_cancel.append(desk.engine.steps_done)

    monkeypatch.setattr(Studio, "cancel", noted)
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
    button(page, "Cancel").click()
    expect(page.locator("#job-what")).to_contain_text("Cancelled", timeout=MINUTE)
    assert desk.engine.steps_done - steps_at_cancel[0] <= 1, "at most the sampling step that was under way"
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

    choose_example(page, "cat")  # another piece; the dropped film brings the first one back
    drop(page, video)
    expect(page.get_by_label("Output Prompt")).to_have_value("a flower in a pot", timeout=MINUTE)
    assert states(page, "segment") == ["ready"] * 7


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


def test_the_focus_comes_back_to_a_picture_that_was_drawn_anew_meanwhile(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    press(page, STEPS[1], "6 key frames are ready")
    item(page, "keyframe-800").click()
    item(page, "keyframe-800").press("Delete")
    expect(button(page, "Keep it")).to_be_focused()
    page.evaluate("document.querySelector('#strip [data-id=keyframe-800]').replaceWith("
                  "document.querySelector('#strip [data-id=keyframe-800]').cloneNode(true))")  # fmt: skip
    page.keyboard.press("Enter")
    expect(item(page, "keyframe-800")).to_be_focused()
