import numpy as np
import pytest
from training_pictures import a_face, compose

from paints_undo.training.raster_art import process_from_picture, segment


def test_segments_follow_the_colours():
    labels = segment(a_face(64))
    assert labels[2, 2] == labels[60, 60] != labels[32, 14]
    assert labels[28, 25] != labels[32, 14]


def test_a_picture_of_any_shape_keeps_its_size():
    wide = np.concatenate([a_face(64), a_face(64)], axis=1)
    process = process_from_picture(wide)
    assert process.final.shape == (64, 128, 3)
    assert np.abs(compose(process, 0).astype(int) - wide).mean() < 3


def test_a_plain_picture_and_wrong_types_are_refused():
    with pytest.raises(ValueError, match="no shape"):
        process_from_picture(np.full((32, 32, 3), 128, np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        process_from_picture(np.zeros((32, 32), np.float32))
