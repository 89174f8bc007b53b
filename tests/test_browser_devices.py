"""The page by keyboard, by touch, on a phone, in the dark and in another language; with an engine that pretends."""

from __future__ import annotations

import pytest
from desk import IN_A_BROWSER, MINUTE, STEPS, Desk, button, choose_example, draw_all, expect, item, press

pytestmark = IN_A_BROWSER


def test_keys_step_through_the_painting(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
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
    background = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert (sum(map(int, background.strip("rgba()").split(",")[:3])) < 150) == ("dark" in query)


class Finger:
    """Touches as a phone sends them: to the browser's input, which decides what scrolls and what is a tap."""

    def __init__(self, page) -> None:
        self._page, self._session = page, page.context.new_cdp_session(page)

    def drag(self, start: tuple[float, float], by: tuple[float, float], moves: int = 12) -> None:
        self._send("touchStart", *start)
        for move in range(1, moves + 1):
            self._send("touchMove", *(begin + way * move / moves for begin, way in zip(start, by, strict=True)))
            self._page.wait_for_timeout(16)
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def _send(self, kind: str, x: float, y: float) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})

    def slide(self, selector: str, share: float, by: tuple[float, float]) -> None:
        """Drag a slider's handle from a share of its width; the finger need not stay level."""
        box = self._page.locator(selector).bounding_box()
        self.drag((box["x"] + 14 + (box["width"] - 28) * share, box["y"] + box["height"] / 2), by)


def test_it_works_by_touch(desk: Desk) -> None:
    page = desk.visit(width=390, has_touch=True, is_mobile=True)
    choose_example(page, "girl")
    for name, done in zip(STEPS, ("Prompt written", "6 key frames are ready", "105 frames"), strict=True):
        expect(button(page, name)).to_be_enabled(timeout=MINUTE)
        button(page, name).tap()
        expect(page.locator("#job-what")).to_contain_text(done, timeout=MINUTE)
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause playback")  # the new film plays
    page.locator("#play").tap()
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    page.evaluate("document.querySelector('#player').scrollIntoView({behavior: 'instant'})")
    finger, scrubber = Finger(page), page.locator("#scrubber")
    top = page.evaluate("scrollY")

    def place() -> int:
        return int(scrubber.input_value())

    while place():
        page.locator("#back").tap()
    finger.slide("#scrubber", 0, (200, 90))
    assert 45 < place() < 75, "half of the way"
    page.locator("#back").tap()
    page.locator("#back").tap()
    page.locator("#forward").tap()
    before = place()
    stage = page.locator("#stage").bounding_box()
    middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    finger.drag(middle, (-60, 5))
    assert before - 30 < place() < before - 5, "dragging over the picture scrubs"
    page.touchscreen.tap(*middle)
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause playback")
    page.touchscreen.tap(*middle)
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")

    page.locator("#compare").tap()
    divide, before = page.locator("#divide"), place()
    finger.slide("#divide", 0.5, (-80, 60))
    assert 100 < int(divide.input_value()) < 400 and place() == before
    assert page.evaluate("scrollY") == top, "the page stays where it is while something is dragged"
    finger.drag(middle, (4, -150))
    page.wait_for_function(f"scrollY > {top + 50}", timeout=MINUTE)  # up and down over the picture it scrolls

    strip = page.locator("#strip")
    item(page, "keyframe-800").tap()
    actions = page.locator("#actions")
    actions.get_by_role("button", name="Lock", exact=True).tap()
    expect(item(page, "keyframe-800").locator(".badge")).to_be_visible(timeout=MINUTE)
    actions.get_by_role("button", name="Delete").tap()
    button(page, "Keep it").tap()
    expect(page.locator("#question")).to_be_hidden()
    box, along = strip.bounding_box(), strip.evaluate("one => one.scrollLeft")
    finger.drag((300, box["y"] + 40), (-150, 0))
    page.wait_for_function(f"document.querySelector('#strip').scrollLeft > {along + 50}", timeout=MINUTE)
    assert too_small(page) == []


def too_small(page) -> list[str]:
    """Things to press that a finger can miss."""
    script = """[...document.querySelectorAll(`#workbench button, #workbench select, #workbench a, #workbench input,
        #toolbar button, #toolbar select, .card button.primary, .card button.sm`)].filter(one => one.offsetParent)
        .map(one => [one.id || one.innerText || one.className, one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44)
        .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
    return page.evaluate(script)
