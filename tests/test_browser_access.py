"""The page for everybody: nothing that axe-core finds, no word of another language, and the focus never lost."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import CAT, IN_A_BROWSER, MINUTE, STEPS, Desk, button, expect, item, pick, press
from huggingface_hub import constants
from test_browser_form import drop, steps_of, type_into
from test_browser_share import small_artwork
from test_web_machine import NAMED as OF_COMPUTERS

from paints_undo.exports.formats import FORMATS
from paints_undo.words.languages import LANGUAGES, table

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (pip install -e .[dev])")
pytestmark = IN_A_BROWSER
LOOKS = (("", 1280), ("dark", 1280), ("", 390))
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Names that are the same in every language, of formats and files and of things.
NAMED = """AI API APNG AV1 CFG Clip Ctrl+Shift+Z Ctrl+Z Esc FPS GIF GIMP GPU GB Gradio H.264 HTML Illustrator
    Inkscape Instagram JPEG Krita MB Paint Paints-UNDO Photoshop PDF PNG PSD SVG Studio TikTok UNDO VP9 WebP YouTube A4
    1girl 1boy masterpiece best quality mp4 CPU cpu float32 fake doctor strokes mini released"""
NAMES = {*NAMED.split(), *OF_COMPUTERS.split(), *FORMATS}
NAMES |= {name for form in FORMATS.values() for name in (form.file, *form.file.split("."))}
ONLY_IN = {"ja": "shift_jis", "zh-CN": "gb2312", "zh-TW": "big5"}  # what the characters of each are written in
# What the page shows or says to a screen reader, each once, but for what is marked as another language.
WORDS = """(language) => {
    const said = new Set([document.title]);
    const shown = (one) => one.checkVisibility({visibilityProperty: true}) && one.closest("[lang]").lang === language;
    for (const one of document.querySelectorAll("body *")) {
        if (!shown(one)) continue;
        for (const name of ["aria-label", "aria-valuetext", "aria-description", "title", "alt", "placeholder"])
            if (one.getAttribute(name)) said.add(one.getAttribute(name));
        if (!one.matches("script, style, code"))
            for (const node of one.childNodes) if (node.nodeType === 3) said.add(node.textContent.trim());
        if (one.matches("select")) for (const option of one.options) if (shown(option)) said.add(option.text);
    }
    return [...said];
}"""


def states_of(page, desk: Desk, folder: Path) -> Iterator[tuple[str, Callable[[], object] | None]]:
    """The states of the page one after another; a dialog with what opens it, and Escape closes it."""
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7")
    shutil.copy(CAT, folder / "1.png")
    yield "fresh", None
    page.locator("#adjust").click()
    for one in page.locator("#steps").get_by_role("button", name="Settings").all():
        one.click()
    type_into(steps_of(page), "400 x")
    type_into(page.get_by_label("number input for Stage 1 Seed"), "-1")
    expect(page.locator(".field-note.failed")).to_have_count(2)
    yield "adjust open, with what cannot be used", None
    type_into(steps_of(page), "400 800")
    type_into(page.get_by_label("number input for Stage 1 Seed"), "1")
    drop(page, folder / "paper.pdf", at="#player")
    expect(page.locator("#refused")).to_be_visible(timeout=MINUTE)
    yield "refused", None
    page.locator("#family summary").first.click()
    yield "what draws", None
    page.locator("#family summary").first.click()
    pick(page, folder / "1.png")
    expect(page.locator("#artwork img")).to_be_visible(timeout=MINUTE)
    yield "picture chosen", None
    page.locator("#step-1 textarea").fill("a cat")
    press(page, STEPS[1], "2 key frames are ready")
    desk.engine.seconds_per_step = 2
    button(page, STEPS[2]).click()
    expect(page.locator("#live")).to_be_visible(timeout=MINUTE)
    yield "drawing", None
    desk.engine.seconds_per_step = 0
    expect(page.locator("#job-what")).to_contain_text("45 frames", timeout=MINUTE)
    page.locator("#play").click()
    item(page, "keyframe-800").click()
    page.locator("#compare").click()
    yield "film, timeline and share", None
    page.locator("#export button").first.click()
    page.get_by_label("mp4: video").uncheck()
    page.get_by_label("contact: twenty").check()
    page.locator("#export-now").click()
    expect(page.locator("#export-files")).to_contain_text("contact", timeout=MINUTE)
    yield "exported", None
    yield "history", page.locator("#open-history").click
    yield "question", lambda: item(page, "keyframe-800").press("Delete")
    yield "viewer", page.locator("#actions button").nth(3).click


def strangers(page, language: str) -> list[str]:
    """What the page says that is not of its language."""
    own = {texts[language] for texts in table().values()}
    others = {text for texts in table().values() for text in texts.values()} - own
    return [words for words in page.evaluate(WORDS, language) if words in others or is_strange(words, language)]


def is_strange(words: str, language: str) -> bool:
    far = "".join(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", words))
    if language not in ONLY_IN:
        return far != ""
    try:
        far.encode(ONLY_IN[language])
    except UnicodeEncodeError:
        return True
    unversioned = re.sub(r"\d+\.[\w.+]+", "", words)
    latin = (word.rstrip(".,:") for word in re.findall(r"[A-Za-z0-9][\w.+-]*", unversioned, re.ASCII))
    unknown = [word for word in latin if re.search("[A-Za-z]{2}", word) and word not in NAMES]
    return bool(unknown) or (language != "ja" and re.search(r"[\u3040-\u30fa\u30fc-\u30ff]", far) is not None)


def spoken(page, language: str, show: Callable[[], object] | None = None) -> list[str]:
    """What stays of other languages after this one was chosen; in a moment all may change."""
    page.locator("#language").select_option(language)
    if show:
        show()
        page.wait_for_selector("dialog[open]", timeout=MINUTE)
    until = time.monotonic() + 5
    while (found := strangers(page, language)) and time.monotonic() < until:
        page.wait_for_timeout(100)
    if show:
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]", state="detached", timeout=MINUTE)
    return [f"{language}: {words}" for words in found]


def findings(page) -> list[str]:
    options = {"runOnly": STANDARDS, "resultTypes": ["violations"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}, {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("look", [findings, spoken])
def test_every_state_is_for_everybody(desk: Desk, tmp_path: Path, look: Callable) -> None:
    """axe-core has nothing to say, light, dark and on a phone; and what is shown already changes its language, too."""
    page = desk.visit(adjusting=False, reduced_motion="reduce")
    wrong = []
    for state, show in states_of(page, desk, tmp_path):
        if look is spoken:
            found = [words for language in reversed(LANGUAGES) for words in spoken(page, language, show)]
        else:
            found = seen(page, show)
        wrong += [f"{state}: {one}" for one in found]
    assert wrong == []


def seen(page, show: Callable[[], object] | None) -> list[str]:
    """What axe-core finds in each look of a state."""
    found = []
    if show:
        show()
        page.wait_for_selector("dialog[open]", timeout=MINUTE)
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("(theme) => document.body.classList.toggle('dark', theme === 'dark')", theme)
        still = "() => !document.getAnimations().some(one => one instanceof CSSTransition)"
        page.wait_for_function(still, timeout=MINUTE)  # widgets change their colours slowly
        found += [f"{theme} {width}: {one}" for one in findings(page)]
    page.set_viewport_size({"width": 1280, "height": 900})
    if show:
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]", state="detached", timeout=MINUTE)
    return found


def test_a_drawing_in_strokes_speaks_every_language(
    strokes: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # what the hub's client says is its own
    page = strokes.visit(locale="zh-TW", width=390, reduced_motion="reduce")
    page.locator("#examine").click()
    expect(page.locator("#findings .translucent")).to_be_visible()
    assert spoken(page, "ja") == []
    pick(page, small_artwork(tmp_path))
    expect(page.locator("#artwork img")).to_be_visible(timeout=MINUTE)
    page.locator("#make").click()
    expect(page.locator("#job-what")).to_contain_text("480", timeout=MINUTE)
    expect(page.locator("#phases span.here")).to_be_visible(timeout=MINUTE)
    page.locator("#play").click()
    expect(page.locator("#findings table:visible")).to_be_visible(timeout=MINUTE)
    assert [words for language in LANGUAGES for words in spoken(page, language)] == []
    assert findings(page) == []


def test_the_focus_is_never_lost(desk: Desk) -> None:
    page = desk.visit(reduced_motion="reduce")
    pick(page, CAT)
    expect(page.locator("#generate-prompt")).to_be_enabled(timeout=MINUTE)

    def pressed(where: str, said: str = "") -> None:
        expect(page.locator(where).first).to_be_enabled(timeout=MINUTE)  # what was drawn at once may not be done
        page.locator(where).first.press("Enter")
        if said:
            expect(page.locator("#job-what")).to_contain_text(said, timeout=MINUTE)
        page.wait_for_timeout(250)
        page.wait_for_function("document.activeElement !== document.body", timeout=MINUTE)

    type_into(steps_of(page), "400 800")
    pressed("#generate-prompt", "Prompt written")
    pressed("#generate-keyframes", "2 key frames")
    expect(page.locator("#generate-keyframes")).to_be_focused()  # it was closed meanwhile
    desk.engine.seconds_per_step = 0.2
    pressed("#generate-video")
    expect(page.locator("#dock :focus")).to_be_visible()
    pressed("#job-pause", "Paused")
    pressed("#job-resume")
    pressed("#job-cancel", "Cancelled")
    desk.engine.seconds_per_step = 0
    pressed("#make", "45 frames")
    for where in ("#play", "#play", "#back", "#loop", "#compare", "#theme", "#recipes button", "#step-2 .seed button"):
        pressed(where)
    pressed("#strip [data-id=keyframe-800]")
    for number in (0, 1, 1):  # re-roll, lock, unlock
        pressed(f"#actions button >> nth={number}")
    pressed("#undo-edit", "taken back")
    pressed("#reroll-all", "45 frames")
    pressed("#share-gif", "Files written")
    expect(page.locator("#share-gif")).to_be_focused()
    pressed("#export > button")
    pressed("#export-now", "Files written")
    pressed("#open-history")
    for _ in range(2):
        pressed("#runs button:text-is('Duplicate')")
    pressed("#runs button:text-is('Delete')")
    pressed("#question-yes")
    pressed("#history .close")
    expect(page.locator("#open-history")).to_be_focused()
    pressed("#adjust")
