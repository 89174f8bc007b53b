"""The page in a real browser below a path of a reverse proxy, with a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from desk import CAT, IN_A_BROWSER, MINUTE, STEPS, Desk, expect, press
from small_proxy import SmallProxy

pytestmark = IN_A_BROWSER


def test_a_visitor_logs_in_draws_and_logs_out_below_a_path(browser, tmp_path: Path) -> None:
    desk = Desk(browser, tmp_path / "runs", "--root-path", "/paints", "--auth", "ann:a good password")
    proxy = SmallProxy(urlsplit(desk.address).port)
    answers: list[tuple[int, str]] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="ja")
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: desk.complaints.append(str(error)))
        page.on("response", lambda answer: answers.append((answer.status, answer.url)))
        page.goto(f"http://127.0.0.1:{proxy.port}/paints/")
        for password, said in (("a guess", "パスワードが違います"), ("a good password", "")):
            page.get_by_label("ユーザー名").fill("ann")
            page.get_by_label("パスワード").fill(password)
            page.get_by_role("button", name="ログイン").click()
            if said:
                expect(page.get_by_role("alert")).to_contain_text(said)
        page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
        page.locator("#language").select_option("en")
        page.locator("#adjust").click()
        page.locator("#artwork input[type=file]").set_input_files(CAT)
        press(page, STEPS[0], "Prompt written")
        press(page, STEPS[1], "6 key frames are ready")
        press(page, STEPS[2], "105 frames")
        expect(page.locator("#canvas")).to_be_visible(timeout=MINUTE)
        page.goto(f"http://127.0.0.1:{proxy.port}/paints/logout")
        page.get_by_role("button").click()
        expect(page.locator("input[name=password]")).to_be_visible()
        expected = {400, 405}  # the wrong password, and the page that asks whether to log out
        assert {status for status, _ in answers if status >= 400} == expected, answers
        assert not desk.complaints and set(proxy.strayed) <= {"/favicon.ico"}
    finally:
        context.close()
        desk.close()
        proxy.close()
