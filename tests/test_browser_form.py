"""What is typed, pressed and dropped on the page is taken, or refused in a sentence; in a real browser, quickly."""

from __future__ import annotations

import base64
from pathlib import Path

from desk import CAT, IN_A_BROWSER, MINUTE, STEPS, Desk, button, choose_example, draw_all, expect, press, states
from PIL import Image

pytestmark = IN_A_BROWSER
NO_STEP = "{}: no operation step. Use whole numbers from 0 (finished) to 999 (first stroke)."


def steps_of(page):
    return page.locator("#field-operation_steps textarea")


def keyframes(page) -> list[str]:
    return page.locator("#strip li.keyframe .label").all_inner_texts()


def type_into(field, text: str) -> None:
    field.fill(text)
    field.press("Tab")


def drop(page, *files: Path, at: str = "body", how: str = "drop") -> None:
    script = """([files, at, how]) => {
        const carried = new DataTransfer();
        for (const [content, name] of files)
            carried.items.add(new File([Uint8Array.from(atob(content), letter => letter.charCodeAt(0))], name));
        const place = document.querySelector(at), both = {bubbles: true, cancelable: true};
        if (how === "paste") place.dispatchEvent(new ClipboardEvent(how, {clipboardData: carried, ...both}));
        else for (const kind of ["dragenter", "dragover", "drop"])
            place.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, ...both}));
    }"""
    page.evaluate(script, [[[base64.b64encode(f.read_bytes()).decode(), f.name] for f in files], at, how])


def test_operation_steps_are_taken_or_named(desk: Desk) -> None:
    page = desk.visit()
    field, note = steps_of(page), page.locator("#field-operation_steps .field-note")
    expect(field).to_have_value("400, 600, 800, 900, 950, 999")
    for typed, taken in (("500,520", "500, 520"), ("900;400 7", "7, 400, 900"), ("[400, 600]", "400, 600")):
        type_into(field, typed)
        expect(field).to_have_value(taken)
        expect(note).to_have_count(0)
    type_into(field, "400 400, 600")
    expect(field).to_have_value("400, 600")
    expect(note).to_have_text("Operation step 400 is there already; it stays, once.")
    for wrong in ("abc", "1000", "-5", "3.5"):
        type_into(field, f"400 {wrong}")
        expect(note).to_have_text(NO_STEP.format(wrong))
        expect(field).to_have_value(f"400 {wrong}")
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    button(page, STEPS[1]).click()
    expect(field).to_be_focused()
    expect(note).to_have_text(NO_STEP.format("3.5"))
    assert not desk.out.exists(), "nothing was begun with what cannot be read"
    type_into(field, "400 800")
    press(page, STEPS[1], "2 key frames are ready")


def test_steps_of_the_timeline_are_taken_or_named(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    type_into(steps_of(page), "400 800")
    press(page, STEPS[1], "2 key frames are ready")
    field, said = page.get_by_label("Operation step, 0 to 999"), page.locator("#job-what")
    for wrong in ("abc", "1000", "-5", "3.5"):
        field.fill(wrong)
        field.press("Enter")
        expect(said).to_have_text(NO_STEP.format(wrong))
        expect(field).to_have_value(wrong)
    field.fill("400")
    field.press("Enter")
    expect(said).to_have_text("Operation step 400 is there already; it stays, once.")
    assert keyframes(page) == ["800", "400"]
    field.fill("500,520 800")
    field.press("Enter")
    expect(said).to_have_text("Operation step 800 is there already; it stays, once.", timeout=MINUTE)
    assert keyframes(page) == ["800", "520", "500", "400"]
    expect(steps_of(page)).to_have_value("400, 500, 520, 800")


def test_numbers_are_never_changed_in_silence(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "girl")
    page.get_by_label("Output Prompt").fill("1girl")
    for label in ("Stage 1 Seed", "Stage 2 Seed"):
        field = page.get_by_label(f"number input for {label}")
        note = page.locator(".field-note.failed")
        for wrong in ("-1", "5000000000", "4294967296", "1.5"):
            type_into(field, wrong)
            expect(note).to_have_text(f"{label} is {wrong}; use a whole number from 0 to 4294967295.")
            expect(field).to_have_value(wrong)
        type_into(field, "4294967295")
        expect(note).to_have_count(0)
        expect(field).to_have_value("4294967295")
    page.get_by_label("number input for Stage 1 Seed").fill("-1")
    button(page, STEPS[1]).click()
    expect(page.locator("#job-what")).to_contain_text("seed is -1; use a whole number from 0 to 4294967295")
    type_into(page.get_by_label("number input for Stage 1 Seed"), "123456789")
    press(page, STEPS[1], "6 key frames are ready")
    page.reload()
    page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
    field = page.get_by_label("number input for Stage 1 Seed")
    expect(field).to_have_value("123456789", timeout=MINUTE)
    field.focus()
    field.press("Tab")
    expect(field).to_have_value("123456789")
    page.get_by_role("button", name="Settings").first.click()
    field = page.get_by_label("number input for Steps", exact=True)
    note = page.locator("#field-sampling_steps .field-note")
    for _ in range(100):  # a panel that opens fills its fields once more, which takes a busy machine a moment
        type_into(field, "500")
        page.wait_for_timeout(100)
        if note.count() and field.input_value() == "500":
            break
    expect(note).to_have_text("Steps is 500; use a whole number from 1 to 100.")
    expect(field).to_have_value("500")


def test_nothing_drawn_goes_without_a_question(desk: Desk) -> None:
    page = desk.visit()
    draw_all(page)
    question = page.locator("#question")
    steps, seed = steps_of(page), page.get_by_label("number input for Stage 1 Seed")

    def by_seed() -> None:
        type_into(seed, "99")
        button(page, STEPS[1]).click()

    def by_steps() -> None:
        type_into(seed, "12345")
        type_into(steps, "400 600 800 900 950")
        button(page, STEPS[2]).click()

    def by_size() -> None:
        type_into(steps, "400 600 800 900 950 999")
        page.get_by_role("button", name="Settings").first.click()
        page.get_by_label("Size from the picture's shape").uncheck()
        type_into(page.get_by_label("number input for Image Width"), "256")
        button(page, STEPS[1]).click()

    for act, lost in (
        (button(page, "Coarse sketches").click, "4 drawn"),
        (button(page, "Quick draft").click, "6 drawn"),
        (by_seed, "6 drawn"),
        (by_steps, "1 drawn"),
        (by_size, "6 drawn"),
        (button(page, STEPS[0]).click, "6 drawn"),
    ):
        act()
        expect(question).to_contain_text(lost, timeout=MINUTE)
        expect(button(page, "Keep it")).to_be_focused()
        page.keyboard.press("Enter")
        expect(question).to_be_hidden()
        page.wait_for_timeout(300)
        assert states(page, "keyframe") == ["ready"] * 6 and states(page, "segment") == ["ready"] * 7, lost
    button(page, "Coarse sketches").click()
    page.locator("#question-yes").click()
    expect(page.locator("#job-what")).to_have_text("Recipe applied: Coarse sketches.", timeout=MINUTE)
    assert keyframes(page) == ["975", "950", "925", "900"] and states(page, "keyframe").count("ready") == 2
    button(page, "Coarse sketches").click()
    expect(page.locator("#job-what")).to_contain_text("nothing to change", timeout=MINUTE)


def test_a_picture_is_one_wherever_it_is_dropped(desk: Desk, tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "c.webp", "d.gif"):
        Image.open(CAT).convert("RGB").resize((160, 200)).save(tmp_path / name)
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    (tmp_path / "cut.png").write_bytes(CAT.read_bytes()[:4000])
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    page = desk.visit()
    said = page.locator("#job-what")
    for name, words in (("paper.pdf", "is a PDF"), ("one.png", "is too small (1 x 1"), ("cut.png", "is damaged")):
        for at in ("body", "#artwork", "#player"):
            drop(page, tmp_path / name, at=at)
            expect(said).to_contain_text(words, timeout=MINUTE)
            expect(page.locator("#job")).to_have_class("job failed")
            expect(page.locator("#refused")).to_contain_text(words)
    expect(page.locator("#welcome")).to_be_visible()
    drop(page, tmp_path / "one.png", tmp_path / "paper.pdf")
    expect(said).to_contain_text("one too many: one.png, paper.pdf", timeout=MINUTE)
    expect(button(page, STEPS[0])).to_be_disabled()
    dropped = ("a.png", "body", "drop"), ("b.jpg", "#player", "drop"), ("c.webp", "#artwork", "drop")
    for name, at, how in (*dropped, ("d.gif", "body", "paste")):
        drop(page, tmp_path / name, at=at, how=how)
        expect(page.locator(f"#artwork img[src*='{name}']")).to_be_visible(timeout=MINUTE)
        expect(said).to_have_text("")
    expect(page.locator("#welcome")).to_be_hidden()
    expect(button(page, STEPS[0])).to_be_enabled(timeout=MINUTE)
    assert not desk.out.exists(), "to look at a file begins no run"
    page.get_by_label("Output Prompt").fill("a cat")
    press(page, STEPS[1], "6 key frames are ready")


def test_a_picture_that_cannot_be_used_is_refused_in_its_box(desk: Desk, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    page = desk.visit()
    page.locator("#artwork input[type=file]").set_input_files(tmp_path / "one.png")
    expect(page.locator("#note-artwork")).to_contain_text("is too small (1 x 1", timeout=MINUTE)
    expect(page.locator("#artwork img")).to_have_count(0)
    expect(button(page, STEPS[0])).to_be_disabled()
    choose_example(page, "cat")
    expect(page.locator("#note-artwork")).to_be_hidden()


def test_a_button_that_waits_says_for_what(desk: Desk) -> None:
    page = desk.visit()
    choose_example(page, "cat")
    reason = page.locator("#reason-keyframes")
    expect(reason).to_contain_text("Key frames need a prompt")
    page.get_by_label("Output Prompt").fill("a cat")
    expect(reason).to_be_hidden()
    expect(page.locator("#reason-video")).to_contain_text("The video needs key frames")
    press(page, STEPS[1], "6 key frames are ready")
    expect(page.locator("#reason-video")).to_be_hidden()
    page.get_by_label("Output Prompt").fill("")
    expect(reason).to_contain_text("Key frames need a prompt")
    page.locator("#language").select_option("ja")
    expect(reason).to_contain_text("プロンプトが必要です")
