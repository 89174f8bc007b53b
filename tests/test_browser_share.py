"""A press on a place makes its file, and the browser gets it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from desk import IN_A_BROWSER, MINUTE, Desk, expect, pick

from paints_undo.pictures.video import video_frames

pytestmark = IN_A_BROWSER


def small_artwork(folder: Path, name: str = "a red ball") -> Path:
    picture = np.full((150, 120, 3), (190, 215, 230), np.uint8)
    cv2.circle(picture, (60, 70), 40, (60, 120, 220), -1, cv2.LINE_AA)
    cv2.circle(picture, (60, 70), 40, (30, 40, 50), 3, cv2.LINE_AA)
    cv2.line(picture, (10, 140), (110, 130), (40, 60, 40), 3, cv2.LINE_AA)
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), picture)
    return path


def test_one_press_gives_the_file_of_a_place(strokes: Desk, tmp_path: Path) -> None:
    page = strokes.visit(adjusting=False)
    share = page.locator("#share")
    expect(share).to_be_hidden()
    pick(page, small_artwork(tmp_path))
    page.locator("#make").click()
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    expect(share).to_be_visible()
    for place, said in (
        ("instagram", "1080 × 1350 · 15 s"),
        ("gif", "up to 8 MB · 20 s"),
        ("psd", "120 × 150 · layers"),
    ):
        expect(page.locator(f"#share-{place} span")).to_have_text(said, timeout=MINUTE)
    with page.expect_download(timeout=2 * MINUTE) as download:
        page.locator("#share-instagram").click()
        expect(page.locator("#share-gif")).to_be_disabled()
        expect(page.locator("#job-cancel")).to_be_visible()
        expect(page.locator("#transport")).to_be_visible()  # the film is there all the while
        assert int(page.locator("#scrubber").get_attribute("max")) == 480
    assert download.value.suggested_filename.endswith("-instagram.mp4")
    count, size = video_frames(Path(download.value.path()))
    assert (count, size) == (15 * 24, "1080x1350")
    expect(page.locator("#share-gif")).to_be_enabled()


def test_a_share_that_is_cancelled_gives_nothing_and_can_be_asked_for_again(strokes: Desk, tmp_path: Path) -> None:
    page = strokes.visit(adjusting=False)
    pick(page, small_artwork(tmp_path))
    page.locator("#make").click()
    expect(page.locator("#job-what")).to_contain_text("480 frames", timeout=MINUTE)
    got = []
    page.on("download", lambda download: got.append(download))
    page.locator("#share-youtube").click()
    page.locator("#job-cancel").click()
    expect(page.locator("#share-youtube")).to_be_enabled(timeout=MINUTE)
    assert not got
    with page.expect_download(timeout=MINUTE):
        page.locator("#share-svg").click()
