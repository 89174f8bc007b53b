"""A run folder brought to its end: what its timeline still lacks is drawn, and nothing else."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from paints_undo.checkpoints import ModelFamily
from paints_undo.errors import InputError
from paints_undo.finishing.placement import fitted
from paints_undo.images import crop_to, nearest_bucket
from paints_undo.logs import logged
from paints_undo.options import UndoOptions
from paints_undo.progress import OnProgress, ignore
from paints_undo.runs import RunFolder
from paints_undo.timelapse import Timelapse, join_timelapse, with_white_canvas
from paints_undo.timeline import Timeline, keyframe_names, segment_names

if TYPE_CHECKING:
    from paints_undo.pipeline import PaintsUndo


def options_of(run: RunFolder) -> UndoOptions:
    """What a run was started with."""
    if "options" not in run.settings:
        raise InputError(f"the run.json in {run.path} records no options; start a new run")
    return UndoOptions.from_settings(run.settings["options"])


def with_margins(artwork: np.ndarray, options: UndoOptions, family: ModelFamily) -> np.ndarray:
    """The artwork as it is for fit "crop"; for "pad" on a canvas of the keyframes' size, where no cut hurts it."""
    if options.fit == "crop":
        return artwork
    width, height = options.keyframes.width, options.keyframes.height
    video_height, video_width = nearest_bucket(height, width, family.video_sizes)
    return fitted(artwork, width, height, (video_width, video_height), options.fit)


@logged
def complete(
    engine: "PaintsUndo", run: RunFolder, on_progress: OnProgress = ignore, save_frames: bool = False
) -> Timelapse:
    """Draw what the timeline of a run still lacks, and the video of it all.

    Everything that is in the folder already is used as it is, and everything new is kept there at once.
    """
    options, timeline = options_of(run), Timeline.from_record(run.timeline)
    artwork = run.artwork
    crop = crop_to(with_margins(artwork, options, engine.family), options.keyframes.width, options.keyframes.height)
    drawn = complete_keyframes(engine, run, artwork, on_progress)
    pictures = with_white_canvas(crop, drawn)
    names = segment_names(timeline, options.keyframes, options.segments)
    have = {pair: run.segment(name) for pair, name in enumerate(names)}

    def keep(pair: int, frames: np.ndarray) -> None:
        have[pair] = frames
        run.save_segment(names[pair], frames)

    missing = [pair for pair in have if have[pair] is None]
    engine.fill_pairs(pictures, options.segments, on_progress, missing, timeline.segment_seeds, keep)
    frames = join_timelapse(np.stack([have[pair] for pair in range(len(names))]))
    run.save_timelapse(frames, options.fps, save_frames)
    run.finish()
    return Timelapse(options.keyframes.prompt, crop, drawn, frames, run.path)


@logged
def complete_keyframes(
    engine: "PaintsUndo", run: RunFolder, artwork: np.ndarray, on_progress: OnProgress = ignore
) -> np.ndarray:
    """The keyframes of a run's timeline, uint8 (n, height, width, 3): those in the folder, the others drawn.

    Raises InputError where a picture is gone that cannot be drawn again.
    """
    given, timeline = options_of(run), Timeline.from_record(run.timeline)
    options = given.keyframes
    names = dict(zip(timeline.keyframes, keyframe_names(timeline, options), strict=True))
    have = {keyframe: run.keyframe(name) for keyframe, name in names.items()}
    missing = [keyframe for keyframe in names if have[keyframe] is None]
    for keyframe in missing:
        if not keyframe.redrawable:
            kind, remedy = ("your", "give it again") if keyframe.own else ("the locked", "unlock it")
            place = f"keyframes/{names[keyframe]}.png"
            raise InputError(f"{kind} picture for operation step {keyframe.step} is gone ({place}); {remedy}")
    if missing:

        def keep(place: int, picture: np.ndarray) -> None:
            have[missing[place]] = picture
            run.save_keyframe(names[missing[place]], picture)

        work = dataclasses.replace(options, operation_steps=[keyframe.step for keyframe in missing])
        seen = with_margins(artwork, given, engine.family)
        engine.draw_keyframes(seen, work, on_progress, [keyframe.seed for keyframe in missing], keep)
    # a picture of one's own, or a locked one of another size, is kept as it was given
    return np.stack([crop_to(picture, options.width, options.height) for picture in have.values()])
