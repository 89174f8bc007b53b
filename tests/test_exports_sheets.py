"""The contact sheet and the step sheets: phases, words in every language, pages; the PDF read by poppler and qpdf."""

import shutil
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from export_runs import at_step, make_source, picture
from PIL import Image

from paints_undo.errors import Sentence
from paints_undo.exports import sheets
from paints_undo.exports.curves import measure
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import schedule
from paints_undo.exports.papers import size_within
from paints_undo.exports.pdf import parts_of
from paints_undo.exports.phases import BLANK, phases, phases_of
from paints_undo.exports.sheets import NEW, write_step_sheet_pdf, write_step_sheet_png
from paints_undo.pictures.fit import crop_to
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import read_xmp_packet
from paints_undo.words.languages import LANGUAGES, sentence_in


def test_blank_lines_colours_finished():
    finished = crop_to(picture(), 96, 120)
    frames = [at_step(finished, moment) for moment in (0, 0.5, 0.8)] + [finished]
    told = phases(frames, measure(frames, finished))
    assert [phase.name for phase in told] == [BLANK, "line art", "colours", "finished artwork"]
    assert told[0].changed == 0 and told[2].changed > 0.4
    assert "lines" in told[1].words and "%" in told[2].words


def test_a_step_that_changes_little_says_so_and_a_run_has_a_phase_for_each_keyframe(tmp_path):
    finished = crop_to(picture(), 96, 120)
    told = phases([finished, finished, finished], measure([finished] * 3, finished))
    assert told[1].words == "Little changes: what is there is refined." and "first strokes" in told[0].words
    told = phases_of(make_source(tmp_path))
    assert len(told) == 4 and told[-1].name == "finished artwork"


def test_a_picture_fits_into_its_place():
    assert size_within(picture(120, 150), 60, 60) == (48, 60)
    assert size_within(picture(120, 150), 1200, 300) == (240, 300)


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


@pytest.mark.parametrize(
    ("language", "font"), [("en", ""), ("ja", ""), ("zh-CN", "UniGB-UCS2-H"), ("zh-TW", "UniCNS-UCS2-H")]
)
def test_the_step_sheet_is_a_pdf_that_says_what_it_is(source, tmp_path, language, font):
    path = tmp_path / "a.pdf"
    write_step_sheet_pdf(source, path, replace(OPTIONS, language=language))
    written = path.read_bytes()
    assert written.startswith(b"%PDF-1.5") and f"/Lang ({language})".encode() in written and font.encode() in written
    begin, end = written.index(b"<?xpacket begin"), written.index(b'<?xpacket end="r"?>')
    packet = written[begin:end].partition(b"?>")[2]
    assert read_xmp_packet(packet)["piece"] == "sheet"
    texts = {
        each.tag.partition("}")[2]: "".join(each.itertext()).strip() for each in ElementTree.fromstring(packet).iter()
    }
    assert (texts["title"], texts["language"]) == (OPTIONS.title, language)


def asked(*command):
    """What another program says of a file, where it is installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_words_are_text_that_poppler_finds(source, tmp_path, language):
    path = str(tmp_path / "a.pdf")
    write_step_sheet_pdf(source, tmp_path / "a.pdf", replace(OPTIONS, language=language))
    pages = asked("pdftotext", path, "-").split("\f")[:-1]
    assert len(pages) == 2  # three keyframes and the artwork, three on a page
    found = ["".join(page.split()) for page in pages]
    record = source.described("sheet")
    for words in (OPTIONS.title, sentence_in(language, Sentence("line art")), sentence_in(language, NEW)):
        assert "".join(words.split()).lower() in found[0].lower(), words
    statement = sentence_in(language, Sentence(record.statement))
    assert all("".join(statement.split()) in page for page in found)
    about = asked("pdfinfo", path)
    assert OPTIONS.title in about and record.program in about and "A4" in about
    asked("qpdf", "--check", path)


def test_its_pages_look_as_they_should(source, tmp_path):
    write_step_sheet_png(source, tmp_path / "a.png", OPTIONS)
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert drawn.shape == (2 * 1754, 1240, 3) and read_record(tmp_path / "a.png").piece == "sheet"
    write_step_sheet_pdf(source, tmp_path / "a.pdf", OPTIONS)
    asked("pdftoppm", "-r", "150", "-png", str(tmp_path / "a.pdf"), str(tmp_path / "page"))
    for number, page in enumerate(sorted(tmp_path.glob("page*.png"))):
        rendered = np.asarray(Image.open(page).convert("RGB"))
        assert rendered.shape == (1754, 1240, 3)
        apart = np.abs(rendered.astype(int) - drawn[number * 1754 :][:1754])
        assert apart[:, 320:].mean() < 2  # pictures, which lie where they lie in the other
        accent = np.abs(rendered.astype(int) - (209, 100, 27)).max(-1) < 30
        assert accent.sum() > (3, 1)[number] * 2000  # the numbers


def test_any_letters_have_a_font_or_a_sign():
    text = "Girl – 夏の少女 여름 夏天的书 🎨"
    parts = list(parts_of(text, "en"))
    assert "".join(part for _, part in parts) == text.replace("🎨", "?")
    fonts = {part: font for font, part in parts}
    assert (
        fonts["Girl – "] == "Helvetica" and fonts["夏の少女"].startswith("Heisei") and fonts["여름"].startswith("HYG")
    )
    assert fonts["夏天的书"].startswith("STSong")
    assert {font for font, part in parts_of("線稿", "zh-TW")} == {"MSung-Light"}
