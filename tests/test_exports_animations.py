"""GIF, WebP and APNG: frames, times, records, and the size of a GIF."""

import numpy as np
import pytest
from PIL import Image
from test_provenance_files import frames_of_ffmpeg

from paints_undo.exports import animations
from paints_undo.exports.formats import export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.provenance.metadata import read_record

OPTIONS = ExportOptions(Pacing(fps=30, seconds=4, curve="strokes"))


@pytest.mark.parametrize(
    ("write", "name", "loss"),
    [
        (animations.write_gif, "a.gif", 6),
        (animations.write_webp, "a.webp", 6),
        (animations.write_apng, "a.png", 0),
    ],
)
def test_an_animation_has_all_frames_times_and_the_record(source, tmp_path, write, name, loss):
    write(source, tmp_path / name, OPTIONS)
    with Image.open(tmp_path / name) as film:
        count = getattr(film, "n_frames", 1)
        shown = schedule(source.change, OPTIONS.pacing, source.fps)
        assert count <= len(shown)  # equal neighbours are one frame
        assert count > 0.8 * len(shown)
        total = 0
        for number in range(count):
            film.seek(number)
            film.load()
            total += film.info["duration"]
        last = np.asarray(film.convert("RGB")).astype(int)
        assert total == pytest.approx(4000, abs=30) and film.info.get("loop") == 0
    assert np.abs(last - source.artwork).mean() <= loss
    assert read_record(tmp_path / name) == source.described("timelapse")


def test_a_gif_shrinks_until_it_is_small_enough_and_a_chosen_size_is_kept(source, tmp_path, monkeypatch):
    few = Pacing(fps=10, seconds=4, curve="strokes")
    animations.write_gif(source, tmp_path / "large.gif", ExportOptions(few))
    largest = (tmp_path / "large.gif").stat().st_size * 2 // 3
    monkeypatch.setattr(animations, "LARGEST_GIF", largest)
    animations.write_gif(source, tmp_path / "a.gif", ExportOptions(few))
    assert (tmp_path / "a.gif").stat().st_size < largest + 10_000  # the record comes on top
    animations.write_gif(source, tmp_path / "b.gif", ExportOptions(few, longest_side=75))
    with Image.open(tmp_path / "a.gif") as film, Image.open(tmp_path / "b.gif") as chosen:
        assert max(film.size) < 150 and chosen.size == (60, 75)


@pytest.mark.parametrize("name", ["gif", "webp", "apng"])
def test_an_animation_is_smooth_without_a_choice(source, tmp_path, name):
    """Each drawn frame stands a 25th of a second; for Pillow and for ffmpeg it moves, and all frames are there."""
    path = export(source, name, tmp_path)[name]
    durations, drawn = stands_of(path), len(schedule(source.change, Pacing(25), 4))
    assert drawn - 3 <= len(durations) <= drawn  # equal neighbours are one frame
    assert max(durations[1:-2]) <= 80 and sorted(durations)[len(durations) // 2] == 40
    assert sum(durations) == pytest.approx(40 * (drawn - 1) + 2500, abs=50)
    assert frames_of_ffmpeg(path) in (len(durations), len(durations) + 1)  # a long last one may be told twice


@pytest.mark.parametrize(("fps", "fastest"), [(4, 250), (10, 100), (60, 20)])
def test_chosen_frames_a_second_are_obeyed_as_far_as_a_gif_can(source, tmp_path, fps, fastest):
    path = export(source, "gif", tmp_path, ExportOptions(Pacing(fps, hold_start=0, hold_end=1)))["gif"]
    assert min(stands_of(path)) == fastest  # browsers show what stands 10 ms as long as 100


def stands_of(path):
    with Image.open(path) as film:
        return [
            (film.seek(number), film.load(), film.info["duration"])[-1]
            for number in range(getattr(film, "n_frames", 1))
        ]
