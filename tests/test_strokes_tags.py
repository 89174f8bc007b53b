"""A few tags help to decide how an artwork is drawn, as one sign among others; all other words change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from awkward_pictures import scene
from skimage import data

from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Timeline, keyframe_names
from paints_undo.strokes.face import find_face
from paints_undo.strokes.look import decide
from paints_undo.strokes.tags import leaning, telling
from paints_undo.strokes_engine import Strokes


def test_it_listens_to_what_it_knows() -> None:
    assert telling("1girl, Cel_Shading, blue hair, oil painting \\(medium\\), 1girl") == (
        "1girl, cel shading, oil painting (medium)"
    )
    assert telling("") == telling("a girl who draws manga, comics") == ""
    drawn, painted = frozenset(("manga",)), frozenset(("realistic",))
    assert [leaning(said, drawn, painted) for said in ("manga", "1girl, realistic", "manga, realistic", "")] == [
        1,
        -1,
        0,
        0,
    ]


def test_tags_decide_where_the_picture_is_between_the_two() -> None:
    between, flat = data.astronaut(), scene()
    assert [decide(between, tags)[0] for tags in ("", "lineart", "realistic")] == [
        "painting",
        "illustration",
        "painting",
    ]
    assert "tagged lineart" in decide(between, "lineart")[1] and "tagged" not in decide(between)[1]
    assert {decide(flat, tags)[0] for tags in ("", "lineart", "realistic")} == {"illustration"}


def test_a_face_is_believed_sooner_where_a_person_is_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    artwork = data.astronaut()
    monkeypatch.setattr("paints_undo.strokes.face._best_pair", lambda *asked: (0.45, np.array([[9.0, 9], [29, 9]])))
    assert [find_face(artwork, expected) is not None for expected in (-1, 0, 1)] == [False, False, True]


def test_a_process_keeps_the_tags_it_goes_by_and_others_make_another(tmp_path: Path) -> None:
    drawing = KeyframeOptions(operation_steps=(500,), seed=2, prompt="solo, holding a fan")
    options = UndoOptions(drawing, SegmentOptions(), fps=6, tag=False, fit="own", seconds=3)
    run = Strokes().undo(scene(), options, tmp_path / "run").folder
    assert run is not None
    opened = RunFolder.open(run)
    process = opened.process()
    assert process is not None and process.plan.tags == "solo"
    timeline = Timeline.of(drawing, options.segments)
    for prompt, same in (("Solo, in spring", True), ("1girl", False)):
        other = replace(options, keyframes=replace(drawing, prompt=prompt))
        assert (keyframe_names(timeline, other) == keyframe_names(timeline, options)) is same
        opened.change(other, timeline)
        assert (opened.process() is not None) is same
