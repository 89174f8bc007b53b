import numpy as np
import pytest
from training_pictures import a_face, labels_of

from paints_undo.training.cel_shading import cel_shade
from paints_undo.training.regions import find_regions


def test_the_side_away_from_the_light_is_darker_and_the_paper_stays_white():
    picture = a_face(128)
    regions = find_regions(picture, labels_of(picture))
    from_left, from_right = cel_shade(picture, regions, -1), cel_shade(picture, regions, 1)
    left, right = np.s_[60:68, 22:26], np.s_[60:68, 102:106]
    darker = [int(lit[side].sum()) for lit in (from_left, from_right) for side in (left, right)]
    assert darker[0] != darker[1] and (darker[0] > darker[1]) != (darker[2] > darker[3])
    assert (from_left[:4] == 255).all()


def test_light_must_have_a_side():
    picture = a_face(64)
    with pytest.raises(ValueError, match="light"):
        cel_shade(picture, find_regions(picture, labels_of(picture)), 0)
