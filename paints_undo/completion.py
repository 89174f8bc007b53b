"""A run folder brought to its end: what its timeline still lacks is drawn, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paints_undo.course import course_of, keyframe_parts, kind_of
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.finishing.placement import as_keyframe, fitted, for_video, without_margins
from paints_undo.images import nearest_bucket
from paints_undo.logs import logged
from paints_undo.options import UndoOptions
from paints_undo.progress import Course, OnProgress, Progress, along, ignore
from paints_undo.runs import RunFolder
from paints_undo.timelapse import Timelapse, join_timelapse, with_white_canvas
from paints_undo.timeline import Timeline, keyframe_names, segment_names

if TYPE_CHECKING:
    from paints_undo.checkpoints import ModelFamily


def options_of(run: RunFolder) -> UndoOptions:
    """What a run was started with."""
    if "options" not in run.settings:
        raise InputError("the run.json in {folder} records no options; start a new run", run.path)
    return UndoOptions.from_settings(run.settings["options"])


def to_draw_from(artwork: np.ndarray, options: UndoOptions) -> np.ndarray:
    """What draw_keyframes is given: the artwork laid so that all of it is there, or as it is, to be cut there."""
    return artwork if options.fit == "crop" else _seen(artwork, options)


def ends_of_segments(artwork: np.ndarray, drawn: np.ndarray, options: UndoOptions, family: ModelFamily) -> np.ndarray:
    """The pictures that segments lie between, uint8 (n + 2, h, w, 3): artwork, keyframes, white canvas.

    By fit "pad" the video size is the one nearest in shape to the artwork; by "crop" they stay keyframes.
    """
    height, width = nearest_bucket(artwork.shape[0], artwork.shape[1], family.video_sizes)
    size, video = (artwork.shape[1], artwork.shape[0]), (width, height)
    seen, *laid = (for_video(picture, size, video, options.fit) for picture in (_seen(artwork, options), *drawn))
    return with_white_canvas(seen, np.stack(laid))


def timelapse_of(
    artwork: np.ndarray, drawn: np.ndarray, filled: np.ndarray, options: UndoOptions, folder: Path | None = None
) -> Timelapse:
    """What a run comes to, as people see it: without margins. filled: its segments, uint8 (n + 1, 16, h, w, 3)."""
    size = artwork.shape[1], artwork.shape[0]
    whole, keyframes, frames = (
        without_margins(pictures, size, options.fit)
        for pictures in (_seen(artwork, options), drawn, join_timelapse(filled))
    )
    return Timelapse(options.keyframes.prompt, whole, keyframes, frames, folder)


def showing(on_progress: OnProgress, artwork: np.ndarray, options: UndoOptions) -> OnProgress:
    """`on_progress`, which is told of the same with previews that people may see: without margins."""
    size = artwork.shape[1], artwork.shape[0]

    def told(progress: Progress) -> None:
        look = progress.preview
        shown = None if look is None else lambda: without_margins(look(), size, options.fit)
        on_progress(dataclasses.replace(progress, preview=shown))

    return on_progress if options.fit == "crop" else told


@logged
def complete(engine: Engine, run: RunFolder, on_progress: OnProgress = ignore, save_frames: bool = False) -> Timelapse:
    """Draw what the timeline of a run still lacks, and the video of it all.

    A piece in the folder is used as it is where it is the one that the run made, and everything new is kept there at
    once: so what was damaged or replaced is made again, in a finished run too, and nothing else.
    """
    options, timeline = options_of(run), Timeline.from_record(run.timeline)
    artwork, names = run.artwork, segment_names(timeline, options)
    run.keep_artwork(artwork)
    undrawn = [name for name in keyframe_names(timeline, options) if not run.is_whole(run.keyframe_path(name))]
    have = {pair: frames for pair, name in enumerate(names) if (frames := run.segment(name)) is not None}
    missing = [pair for pair in range(len(names)) if pair not in have]
    tagged = dataclasses.replace(options, tag=False)
    on_progress = along(course_of(engine, tagged, artwork.shape, len(undrawn), missing), on_progress)
    drawn = complete_keyframes(engine, run, artwork, on_progress)
    pictures = ends_of_segments(artwork, drawn, options, engine.family)

    def keep(pair: int, frames: np.ndarray) -> None:
        have[pair] = frames
        run.save_segment(names[pair], frames)

    report = showing(on_progress, artwork, options)
    engine.fill_pairs(pictures, options.segments, report, missing, timeline.segment_seeds, keep)
    filled = np.stack([have[pair] for pair in range(len(names))])
    timelapse = timelapse_of(artwork, drawn, filled, options, run.path)

    def encoding(done: int, total: int) -> None:
        on_progress(Progress("video", "encoding", done, total))

    # without digests nobody can tell whether the video that is there is the one of these segments
    if missing or not run.finished or run.digests is None or not run.is_whole(run.timelapse):
        run.save_timelapse(timelapse.frames, options.fps, save_frames or run.has_frames and run.finished, encoding)
        run.finish()
    elif (save_frames or run.has_frames) and not run.frames_are_whole:
        run.save_frames(timelapse.frames)
    return timelapse


@logged
def complete_keyframes(
    engine: Engine, run: RunFolder, artwork: np.ndarray, on_progress: OnProgress = ignore
) -> np.ndarray:
    """The keyframes of a run's timeline, uint8 (n, height, width, 3): those in the folder, the others drawn.

    They are as the networks drew them, by fit "pad" with margins.

    Raises InputError where a picture is gone that cannot be drawn again.
    """
    given, timeline = options_of(run), Timeline.from_record(run.timeline)
    options = given.keyframes
    names = dict(zip(timeline.keyframes, keyframe_names(timeline, given), strict=True))
    have = {k: picture for k, name in names.items() if (picture := run.keyframe(name)) is not None}
    missing = [keyframe for keyframe in names if keyframe not in have]
    for keyframe in missing:
        if not keyframe.redrawable:
            place = f"keyframes/{names[keyframe]}.png"
            raise InputError(
                "your picture for operation step {step} is gone or replaced ({place}); give it again"
                if keyframe.own
                else "the locked picture for operation step {step} is gone or replaced ({place}); unlock it",
                keyframe.step,
                place,
            )
    if missing:

        def keep(place: int, picture: np.ndarray) -> None:
            have[missing[place]] = picture
            run.save_keyframe(names[missing[place]], picture)

        work = dataclasses.replace(options, operation_steps=tuple(keyframe.step for keyframe in missing))
        seeds = [keyframe.seed for keyframe in missing]
        course = Course(kind_of(engine), keyframe_parts(len(missing), options))
        report = showing(along(course, on_progress), artwork, given)
        engine.draw_keyframes(to_draw_from(artwork, given), work, report, seeds, keep)
    # a picture of one's own, or a locked one of another size, is kept as it was given
    size = artwork.shape[1], artwork.shape[0]
    return np.stack(
        [as_keyframe(p, size, options.width, options.height, given.fit) for p in map(have.__getitem__, names)]
    )


def _seen(artwork: np.ndarray, options: UndoOptions) -> np.ndarray:
    """The artwork as the networks for keyframes see it, uint8 (height, width, 3)."""
    return fitted(artwork, options.keyframes.width, options.keyframes.height, options.fit)
