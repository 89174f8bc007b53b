import numpy as np
from training_pictures import a_face, labels_of

from paints_undo.training.regions import find_regions
from paints_undo.training.strokes import LONGEST_STROKE, draw_lines, draw_sketch, find_strokes


def face_regions():
    picture = a_face(128)
    return find_regions(picture, labels_of(picture))


def test_strokes_are_short_enough_for_one_movement():
    regions = face_regions()
    strokes = find_strokes(regions)
    assert strokes
    assert max(len(stroke.points) for stroke in strokes) <= 1.6 * LONGEST_STROKE * 128


def test_no_stroke_runs_along_the_edge_of_the_picture():
    for stroke in find_strokes(face_regions()):
        assert stroke.points.min() > 0 and stroke.points.max() < 127


def test_lines_and_sketch_are_revealed_from_first_to_last():
    regions = face_regions()
    strokes = find_strokes(regions)
    for opacity, order in (draw_lines(regions, strokes), draw_sketch(regions, strokes)):
        assert opacity.shape == order.shape == (128, 128)
        assert opacity.min() >= 0 and opacity.max() <= 1 and opacity.max() > 0.5
        drawn = opacity > 0.3
        assert order[drawn].min() < 0.15 and order[drawn].max() > 0.8


def test_the_sketch_is_the_same_every_time_and_not_the_line():
    regions = face_regions()
    strokes = find_strokes(regions)
    first, second = draw_sketch(regions, strokes)[0], draw_sketch(regions, strokes)[0]
    assert np.array_equal(first, second)
    assert np.abs(first - draw_lines(regions, strokes)[0]).mean() > 0.005
