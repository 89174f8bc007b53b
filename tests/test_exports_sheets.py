"""The contact sheet and the step sheets; the PDF rendered by poppler."""

import shutil
import subprocess

import numpy as np
import pytest
from export_runs import make_source
from PIL import Image

from paints_undo.exports import sheets
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import schedule
from paints_undo.provenance.metadata import read_record

OPTIONS = ExportOptions(title="夏の少女")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("run"), steps=(400, 600, 800))


def test_the_contact_sheet_shows_twenty_moments(source, tmp_path):
    sheets.write_contact_sheet(source, tmp_path / "a.png", OPTIONS)
    sheet = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert sheet.shape[1] == 2 * 80 + 5 * 120 + 4 * 28
    place = len(schedule(source.change, sheets._EVEN, 1)) - 1
    x, y = 80 + place % 5 * (120 + 28), 80 + 30 + place // 5 * (150 + 28 + 24)
    assert np.array_equal(sheet[y : y + 150, x : x + 120], source.artwork)  # the last one is the artwork
    assert read_record(tmp_path / "a.png") == source.described("sheet")


def test_the_step_sheet_is_a_pdf_that_poppler_renders(source, tmp_path):
    sheets.write_step_sheet_pdf(source, tmp_path / "a.pdf", OPTIONS)
    written = (tmp_path / "a.pdf").read_bytes()
    assert (
        written.startswith(b"%PDF-") and b"Paints-UNDO".decode().encode("utf-16-be") in written or b"Paints" in written
    )
    if shutil.which("pdftoppm") is None:
        pytest.skip("needs pdftoppm (poppler-utils)")
    command = ["pdftoppm", "-r", "75", "-png", str(tmp_path / "a.pdf"), str(tmp_path / "page")]
    subprocess.run(command, check=True, timeout=60)
    pages = sorted(tmp_path.glob("page*.png"))
    assert len(pages) == 2  # three keyframes and the artwork, three on a page
    with Image.open(pages[0]) as page:
        assert page.size == (620, 877)
        accent = (np.abs(np.asarray(page.convert("RGB")).astype(int) - (209, 100, 27)).max(-1) < 30).sum()
        assert accent > 3 * 400  # the three numbers


def test_the_same_as_a_picture(source, tmp_path):
    sheets.write_step_sheet_png(source, tmp_path / "a.png", OPTIONS)
    assert Image.open(tmp_path / "a.png").size == (1240, 2 * 1754)
    assert read_record(tmp_path / "a.png").piece == "sheet"
