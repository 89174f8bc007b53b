"""Letters of any script, as far as this computer has them."""

import logging

from paints_undo.pictures.lettering import fitting_font


def test_latin_needs_no_font_of_the_system():
    font, text = fitting_font("Steps 1 – 3", 20)
    assert text == "Steps 1 – 3" and font.getlength(text) > 20


def test_what_no_font_has_becomes_a_question_mark(caplog, monkeypatch):
    monkeypatch.setattr("paints_undo.pictures.lettering._FONTS", ("no such font.ttf",))
    fitting_font.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert fitting_font("夏 a", 20)[1] == "? a"
    assert "no font on this computer" in caplog.text
    fitting_font.cache_clear()
