"""Reports on the way, and seconds as people read them."""

import numpy as np
import pytest

from paints_undo.progress import Course, Part, Progress, along, counted, in_words


def test_the_outer_course_holds():
    told = []
    inner, outer = (Course(kind, (Part("tags", "tagging", 1),)) for kind in ("inner", "outer"))
    along(inner, along(outer, told.append))(Progress("tags", "tagging", 0, 1))
    assert told[0].course == outer and told[0] == Progress("tags", "tagging", 0, 1)


def test_items_are_counted_before_they_are_taken():
    told = []
    assert list(counted(np.arange(3), lambda *said: told.append(said))) == [0, 1, 2]
    assert told == [(0, 3), (1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")]
)
def test_in_words(seconds, words):
    assert in_words(seconds) == words
