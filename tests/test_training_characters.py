import colorsys
import random
import re

import pytest

from paints_undo.training.characters import DARK_SKIN, HAIR_COLOURS, STYLE_SHARES, UNSEEN_STYLES, random_colour

pytest.importorskip("dicebear")


def characters(count, shares=STYLE_SHARES):
    from paints_undo.training.characters import draw_character

    return [draw_character(f"test {number}", shares) for number in range(count)]


def test_a_seed_is_always_the_same_character():
    assert characters(5) == characters(5)


def test_every_style_appears_with_hair_and_face_tags():
    drawn = characters(90)
    assert {one.name.split("/")[0] for one in drawn} == set(STYLE_SHARES)
    tags = {tag for one in drawn for tag in one.tags}
    assert {"1girl", "1boy", "solo", "long hair", "short hair", "smile", "glasses"} <= tags
    assert len(tags & set(HAIR_COLOURS)) > 6
    assert all(one.tags[0] in ("1girl", "1boy") and len(set(one.tags)) == len(one.tags) for one in drawn)


def test_hair_has_the_colour_of_its_tag():
    for one in characters(60):
        shades = [_hue(code) for code in set(re.findall(r"#([0-9a-fA-F]{6})\b", one.svg))]
        if "blue hair" in one.tags:
            assert any(200 <= hue <= 240 for hue in shades), one.name
        if "pink hair" in one.tags:
            assert any(320 <= hue <= 350 for hue in shades), one.name


def _hue(code):
    return 360 * colorsys.rgb_to_hls(*(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)))[0]


def test_unseen_styles_are_never_trained():
    assert not set(UNSEEN_STYLES) & set(STYLE_SHARES)
    assert {one.name.split("/")[0] for one in characters(20, UNSEEN_STYLES)} == set(UNSEEN_STYLES)


def test_random_colours_are_hex():
    assert random_colour(random.Random(0), (0.5, 0.6), (0.5, 0.6)).startswith("#")
    assert all(skin.startswith("#") for skin in DARK_SKIN)
