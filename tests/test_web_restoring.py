"""Settings come back from what this program wrote, and from nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import encode_png
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.records import LONGEST, PROGRAM, Record
from paints_undo.run.folder import FORMAT
from paints_undo.run.timeline import Timeline
from paints_undo.web.restoring import read_settings
from paints_undo.web.settings import flat

OPTIONS = UndoOptions()
TIMELINE = Timeline.of(OPTIONS.keyframes, OPTIONS.segments).with_keyframe(5, 6).changed(400, own="ab" * 32)
RECORD = {
    "format": FORMAT,
    "id": "abc",
    "piece": "keyframe",
    "settings": {"options": OPTIONS.to_settings()},
    "timeline": TIMELINE.to_record(),
}


def read(tmp_path, record, as_png=False):
    content = json.dumps(record).encode()
    if as_png:
        content = embed(encode_png(np.zeros((40, 40, 3), np.uint8)), Record.from_dict({"program": PROGRAM, **record}))
    (tmp_path / "dropped").write_bytes(content)
    return read_settings(tmp_path / "dropped")


@pytest.mark.parametrize("as_png", [True, False])
def test_what_was_written_comes_back(tmp_path, as_png):
    found, run = read(tmp_path, RECORD, as_png)
    assert run == "abc" and found["piece"] == "keyframe"
    assert found["settings"]["timeline"] == TIMELINE.to_record()
    assert found["settings"]["operation_steps"] == [5, 400, 600, 800, 900, 950, 999]
    assert found["settings"].keys() == {*flat(OPTIONS), "timeline"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "are not of format"),
        ({"format": None}, "are not of format"),
        ({"settings": 5}, "are damaged"),
        ({"settings": {}}, "are damaged"),
        ({"settings": {"options": {"keyframes": {"seed": "x"}, "segments": {}}}}, "seed is 'x'"),
        ({"settings": {"options": {"keyframes": {"colour": 1}, "segments": {}}}}, "are not of this version"),
        ({"timeline": {"keyframes": [], "artwork_seed": 1}}, "operation steps are empty"),
        ({"timeline": {"keyframes": [{"step": 5, "own": "../../etc", "seed": 1, "segment_seed": 1}]}}, "digest"),
        ({"timeline": None}, "this timeline is not of this version"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, {**RECORD, **change})


def test_odd_names_do_no_harm(tmp_path):
    found, run = read(tmp_path, {**RECORD, "id": ["x"], "piece": "<script>"})
    assert run == "" and found["piece"] == "run"


def test_a_huge_file_is_not_read(tmp_path):
    (tmp_path / "dropped").write_bytes(b"{" + b" " * (LONGEST + 1))
    with pytest.raises(InputError, match="has more than 1,048,576 bytes"):
        read_settings(tmp_path / "dropped")
    with pytest.raises(InputError, match="cannot be read"):
        read_settings(tmp_path)
