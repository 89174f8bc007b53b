import numpy as np
import pytest
from training_pictures import a_face, labels_of

from paints_undo.training.layering import build_process


def test_maps_have_half_the_working_size():
    picture = a_face(96)
    process = build_process(picture, labels_of(picture))
    assert process.final.shape == (48, 48, 3) and process.flat_order.shape == (48, 48)


def test_flats_are_filled_one_region_after_another():
    picture = a_face(128)
    process = build_process(picture, labels_of(picture))
    face, eye = process.flat_order[34:37, 30:34], process.flat_order[26:30, 23:27]
    assert face.max() < eye.min()  # the big shape first, then the detail


def test_light_changes_the_finished_picture_but_not_the_flats():
    picture = a_face(128)
    plain, lit = (build_process(picture, labels_of(picture), light) for light in (0, 1))
    assert np.array_equal(plain.flat, lit.flat)
    assert np.abs(plain.final.astype(int) - lit.final).max() > 20


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="even"):
        build_process(np.zeros((33, 32, 3), np.uint8), np.zeros((33, 32), int))
