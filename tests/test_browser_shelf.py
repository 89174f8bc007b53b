"""Several drawings side by side: pictures dropped together, one picture by four seeds, and old beside new."""

from __future__ import annotations

from pathlib import Path

from desk import CAT, IN_A_BROWSER, MINUTE, Desk, button, expect, pick
from test_browser_form import drop
from test_browser_share import small_artwork

pytestmark = IN_A_BROWSER
GIRL = CAT.parent / "girl.png"


def on_shelf(page, state: str = ""):
    return page.locator(f"#shelf li{state}")


def test_pictures_dropped_together_are_a_line_that_is_seen(strokes: Desk, tmp_path: Path) -> None:
    page = strokes.visit(adjusting=False)
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.7")
    drop(page, small_artwork(tmp_path, "cat"), paper, small_artwork(tmp_path, "girl"))
    expect(on_shelf(page)).to_have_count(2, timeout=MINUTE)
    expect(page.locator("#refused")).to_contain_text("one too many: paper.pdf")
    expect(on_shelf(page, ".finished")).to_have_count(2, timeout=MINUTE)
    assert page.locator("#shelf video").count() == 2
    assert page.locator("#shelf strong").all_inner_texts() == ["cat", "girl"]
    page.locator("#shelf .shot").nth(1).click()
    expect(page.locator("#shelf .shot").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#shelf .shot").nth(1)).to_be_focused()
    page.reload()
    expect(on_shelf(page, ".finished")).to_have_count(2, timeout=MINUTE)
    page.locator("#shelf header .close").click()
    expect(page.locator("#shelf")).to_be_hidden()
    button(page, "History").click()
    expect(page.locator("#runs .name")).to_have_count(2)
    page.locator("#runs .name").first.fill("Anna at the lake")
    with page.expect_response("**/component_server/"):
        page.locator("#runs .name").first.press("Tab")
    page.reload()
    button(page, "History").click()
    expect(page.locator("#runs .name").first).to_have_value("Anna at the lake", timeout=MINUTE)


def test_a_connection_lost_while_several_are_dropped_blames_no_file(desk: Desk) -> None:
    page = desk.visit(adjusting=False)
    page.route("**/component_server/", lambda route: route.fulfill(status=502, body="no server"))
    drop(page, CAT, GIRL)
    expect(page.locator("#refused")).to_contain_text("does not answer")
    page.unroute("**/component_server/")
    drop(page, CAT, GIRL)
    expect(on_shelf(page)).to_have_count(2, timeout=MINUTE)


def test_four_processes_stand_side_by_side_and_one_can_be_cancelled(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.004
    page = desk.visit(adjusting=False)
    pick(page, CAT)
    button(page, "Make the timelapse").click()
    expect(page.locator("#job-what")).to_contain_text("105 frames", timeout=MINUTE)
    button(page, "Four processes").last.click()
    expect(on_shelf(page)).to_have_count(4, timeout=MINUTE)
    on_shelf(page).last.locator(".close").click()
    expect(on_shelf(page).last).to_have_class("cancelled", timeout=MINUTE)
    expect(on_shelf(page, ".finished")).to_have_count(3, timeout=MINUTE)
    seeds = [words.split(" · ")[0] for words in page.locator("#shelf .aside").all_inner_texts()]
    assert len(set(seeds)) == 4, seeds
    on_shelf(page).nth(2).locator(".shot").click()
    expect(page.locator("#job-what")).to_contain_text("105 frames", timeout=MINUTE)
    drop(page, GIRL)  # while nothing runs it is a picture like any other
    expect(page.locator("#pick img")).to_be_visible()


def test_a_picture_that_comes_while_another_is_drawn_leaves_it_to_be_seen(desk: Desk) -> None:
    desk.engine.seconds_per_step = 0.02
    page = desk.visit(adjusting=False)
    pick(page, CAT)
    button(page, "Make the timelapse").click()
    expect(button(page, "Pause")).to_be_visible(timeout=MINUTE)
    drop(page, GIRL)
    expect(button(page, "Make the timelapse")).to_be_visible(timeout=MINUTE)
    button(page, "Make the timelapse").click()
    expect(on_shelf(page)).to_have_count(2, timeout=MINUTE)
    desk.engine.seconds_per_step = 0
    expect(on_shelf(page, ".finished")).to_have_count(2, timeout=MINUTE)
