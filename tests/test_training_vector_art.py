import numpy as np
import pytest
from training_pictures import SVG, compose

from paints_undo.training.vector_art import parse_svg


def test_use_is_replaced_by_what_it_points_to():
    root = parse_svg(SVG)
    tags = [element.tag.split("}")[1] for element in root.iter()]
    assert "use" not in tags and tags.count("circle") == 4


def test_a_loop_of_uses_ends():
    namespace = 'xmlns="http://www.w3.org/2000/svg"'
    parse_svg(f'<svg {namespace}><g id="a"><use href="#a"/></g></svg>')


def test_what_is_no_svg_is_refused():
    with pytest.raises(ValueError, match="well-formed"):
        parse_svg("<svg")


def test_labels_tell_the_shapes_apart():
    pytest.importorskip("skia")
    from paints_undo.training.vector_art import rasterise

    final, labels = rasterise(SVG, 100)
    assert final.shape == (100, 100, 3) and labels.shape == (100, 100)
    paper, grass, face, left_eye, right_eye = (
        labels[2, 2],
        labels[90, 5],
        labels[45, 50],
        labels[40, 38],
        labels[40, 62],
    )
    assert paper == 0 and len({paper, grass, face, left_eye, right_eye}) == 5
    assert len(np.unique(labels)) == 5  # the see-through circle is shading, not a shape


def test_a_drawing_goes_from_white_to_the_picture():
    pytest.importorskip("skia")
    from paints_undo.training.vector_art import process_from_svg

    process = process_from_svg(SVG, 64)
    assert compose(process, 999).mean() > 240
    assert np.array_equal(compose(process, 0), process.final)
    flat, final = process.flat[28, 50].astype(int), process.final[28, 50].astype(int)
    assert np.abs(flat - final).max() > 3  # the gradient comes with the shading
