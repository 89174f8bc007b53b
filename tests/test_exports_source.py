"""What exports start from, and runs from which nothing can be exported."""

import json

import numpy as np
import pytest
from export_runs import STEPS, make_run, make_source, picture

from paints_undo.errors import InputError
from paints_undo.exports.pacing import Pacing
from paints_undo.exports.source import Source
from paints_undo.pictures.fit import Fit
from paints_undo.provenance.records import MIXED


def test_a_run_is_read_from_the_first_stroke_on(source):
    assert source.steps == STEPS[::-1] and len(source.keyframes) == 3 and source.frames.shape == (60, 64, 64, 3)
    assert source.frames[0].mean() > source.frames[-1].mean()  # ink and colour are darker than canvas
    assert np.array_equal(source.artwork, picture()) and source.name == "girl"
    assert source.fit == Fit(source.size, (64, 64))
    assert source.described("sheet").contents == MIXED and source.described("sheet").piece == "sheet"
    assert source.described("sheet").settings["models"]["name"] == "mini"


def test_the_artwork_lies_where_it_is_said_to(source):
    shown = source.fit.uncover(source.frames)
    assert shown.shape == (60, 64, 50, 3)  # 120 x 150 in 64 x 64, with even sides
    (sx, sy), (ox, oy) = source.placement.scale, source.placement.offset
    centre = source.finished_small[round(75 * sy + oy), round(60 * sx + ox)]
    assert np.abs(centre.astype(int) - source.artwork[75, 60]).max() < 12
    assert np.array_equal(source.finished_small[:, 7:57], source.fit.uncover(source.finished_small))


def test_sizes_keep_the_shape_and_never_grow_and_the_last_frame_played_is_the_artwork(source):
    assert source.sized(None) == (120, 150) and source.sized(75) == (60, 75) and source.sized(4000) == (120, 150)
    *_, (last, stands) = source.played(source.size, Pacing(fps=10, hold_end=1.5))
    assert np.array_equal(last, source.artwork) and stands == 15


def test_a_run_that_wants_a_mark_has_it_in_every_frame(tmp_path):
    source = make_source(tmp_path, mark=True)
    first, *_, last = [frame for frame, _ in source.played(source.size, Pacing())]
    assert not np.array_equal(last, source.artwork) and np.array_equal(last[:60], source.artwork[:60])
    assert first.min() < 250


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ("segments", "has 3 of 4 segments; generate its video first"),
        ("keyframes", r"keyframes/\d+.*png .*is gone; generate its keyframes again"),
    ],
)
def test_a_run_without_one_of_its_pieces(tmp_path, pieces, sentence):
    folder = make_run(tmp_path / "girl")
    next((folder / pieces).iterdir()).unlink()
    with pytest.raises(InputError, match=sentence):
        Source.of_run(folder)


def test_five_hundred_keyframes_are_refused(tmp_path):
    folder = make_run(tmp_path / "girl")
    record = json.loads((folder / "run.json").read_text())
    one = record["timeline"]["keyframes"][0]
    record["timeline"]["keyframes"] = [{**one, "step": step} for step in range(500)]
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="there are 500 keyframes; use at most 32"):
        Source.of_run(folder)


def test_the_narrowest_picture_that_is_read_can_be_exported(tmp_path):
    source = make_source(tmp_path, artwork=np.ascontiguousarray(picture(40, 320)))
    *_, (last, _) = source.played(source.size, Pacing())
    assert last.shape == (320, 40, 3)
