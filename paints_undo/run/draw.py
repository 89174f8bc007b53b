"""What a run lacks is drawn by an engine, and nothing else: the story from artwork to timelapse, told once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.logs import logged
from paints_undo.options import OPERATIONS, UndoOptions, with_prompt
from paints_undo.pictures.pixels import at_most
from paints_undo.progress import PREVIEW_SIDE, Course, OnProgress, Progress, along, ignore
from paints_undo.run.course import TAGS, course_of, keyframe_parts, kind_of
from paints_undo.run.run import Run
from paints_undo.timelapse import Timelapse

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process


def tagged(engine: Engine, options: UndoOptions, artwork: np.ndarray, on_progress: OnProgress = ignore) -> UndoOptions:
    """The options with a prompt: by the tagger where none is given and the tagger may write it."""
    if not options.tag or options.keyframes.prompt:
        return options
    report = along(Course(kind_of(engine), (TAGS,)), on_progress)
    report(Progress("tags", "tagging", 0, 1))
    options = with_prompt(options, engine.tag(artwork))
    report(Progress("tags", "tagging", 1, 1))
    return options


@logged
def draw(engine: Engine, run: Run, on_progress: OnProgress = ignore, save_frames: bool = False) -> Timelapse:
    """Draw what the timeline of a run still lacks, and the video of it all.

    A piece that is there is used as it is where it is the one that the run made, and everything new is kept at once: so
    what was damaged or replaced is made again, in a finished run too, and nothing else.
    """
    if run.options.in_strokes:
        return _draw_strokes(engine, run, on_progress, save_frames)
    options, timeline = dataclasses.replace(run.options, tag=False), run.timeline
    artwork = run.artwork
    run.keep_artwork(artwork)
    places = range(len(timeline.keyframes) + 1)
    have = {place: frames for place in places if (frames := run.segment(place)) is not None}
    missing = [place for place in places if place not in have]
    course = course_of(engine, options, artwork.shape, len(run.missing_keyframes), missing)
    on_progress = along(course, on_progress)
    drawn = draw_keyframes(engine, run, on_progress, artwork)

    def keep(place: int, frames: np.ndarray) -> None:
        have[place] = frames
        run.keep_segment(place, frames)

    pictures, report = run.ends(artwork, drawn, engine.family.video_sizes), showing(run, on_progress)
    engine.fill_pairs(pictures, options.segments, report, missing, timeline.segment_seeds, keep)
    timelapse = run.timelapse(artwork, drawn, np.stack([have[place] for place in places]))
    run.keep_timelapse(
        timelapse, bool(missing), save_frames, lambda *done: on_progress(Progress("video", "encoding", *done))
    )
    return timelapse


def _draw_strokes(engine: Engine, run: Run, on_progress: OnProgress, save_frames: bool) -> Timelapse:
    """The same where an artwork is drawn in strokes: every canvas and every frame is one of one process."""
    artwork = run.artwork
    run.keep_artwork(artwork)
    on_progress = along(course_of(engine, run.options, artwork.shape, len(run.missing_keyframes)), on_progress)
    anew = run.process() is None
    process = _process(engine, run, artwork, on_progress)
    drawn = draw_keyframes(engine, run, on_progress, artwork)
    timelapse = Timelapse(run.options.keyframes.prompt, process.artwork, drawn, run.frames(), run.path)
    run.keep_timelapse(timelapse, anew, save_frames, lambda *done: on_progress(Progress("video", "encoding", *done)))
    return timelapse


def _process(engine: Engine, run: Run, artwork: np.ndarray, on_progress: OnProgress) -> Process:
    """The process of a run: the one that it keeps, or a new one."""
    process = run.process()
    if process is None:
        process = engine.process_of(artwork, run.options, run.own_sketch(), on_progress)
        run.keep_process(process)
    return process


@logged
def draw_keyframes(
    engine: Engine, run: Run, on_progress: OnProgress = ignore, artwork: np.ndarray | None = None
) -> np.ndarray:
    """The keyframes of a run's timeline, uint8 (n, height, width, 3): those that are there, the others drawn.

    They are as the networks drew them, by fit "pad" with margins.  Raises InputError where a picture is gone that
    cannot be drawn again.  artwork: the run's, where it was read before.
    """
    options, wanted, names = run.options.keyframes, run.timeline.keyframes, run.keyframe_names
    have = {place: picture for place in range(len(wanted)) if (picture := run.keyframe(place)) is not None}
    missing = [place for place in range(len(wanted)) if place not in have]
    for place in missing:
        if not wanted[place].redrawable:
            raise InputError(
                "your picture for operation step {step} is gone or replaced ({place}); give it again"
                if wanted[place].own
                else "the locked picture for operation step {step} is gone or replaced ({place}); unlock it",
                wanted[place].step,
                f"keyframes/{names[place]}.png",
            )
    if missing and run.options.in_strokes:
        picture = run.artwork if artwork is None else artwork
        for place, canvas in _canvases(engine, run, picture, missing, on_progress):
            have[place] = canvas
            run.keep_keyframe(place, canvas)
    elif missing:

        def keep(drawn: int, picture: np.ndarray) -> None:
            have[missing[drawn]] = picture
            run.keep_keyframe(missing[drawn], picture)

        work = dataclasses.replace(options, operation_steps=tuple(wanted[place].step for place in missing))
        seeds = [wanted[place].seed for place in missing]
        course = Course(kind_of(engine), keyframe_parts(len(missing), options))
        report = showing(run, along(course, on_progress))
        artwork = run.artwork if artwork is None else artwork
        engine.draw_keyframes(run.fit.to_draw_from(artwork), work, report, seeds, keep)
    # a picture of one's own, or a locked one of another size, is kept as it was given
    return np.stack([run.fit.keyframe(have[place]) for place in range(len(wanted))])


def _canvases(
    engine: Engine, run: Run, artwork: np.ndarray, missing: list[int], on_progress: OnProgress
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the places of the missing keyframes, and the canvases, uint8 (H, W, 3), in the order they are drawn."""
    options, keyframes = run.options, run.timeline.keyframes
    on_progress = along(course_of(engine, options, artwork.shape, len(missing), video=False), on_progress)
    own, preview = _process(engine, run, artwork, on_progress), None
    for count, place in enumerate(reversed(missing)):
        on_progress(Progress("keyframes", "drawing", count, len(missing), preview))
        seed, process = keyframes[place].seed, own
        if seed != options.keyframes.seed:  # locked, while the others were re-rolled
            other = dataclasses.replace(options, keyframes=dataclasses.replace(options.keyframes, seed=seed))
            process = engine.process_of(artwork, other, run.own_sketch())
        canvas = process.canvas(OPERATIONS - keyframes[place].step)
        preview = partial(at_most, canvas, PREVIEW_SIDE)
        yield place, canvas
    on_progress(Progress("keyframes", "drawing", len(missing), len(missing), preview))


def showing(run: Run, on_progress: OnProgress) -> OnProgress:
    """`on_progress`, which is told of the same with previews that people may see: without margins."""
    fit = run.fit

    def told(progress: Progress) -> None:
        look = progress.preview
        on_progress(dataclasses.replace(progress, preview=None if look is None else lambda: fit.uncover(look())))

    return told
