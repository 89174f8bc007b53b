"""What the three buttons do, each as the work of one job; how a job is begun, and what is kept of how it ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo.completion import complete, complete_keyframes, options_of
from paints_undo.course import TAGS, kind_of
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import with_prompt
from paints_undo.progress import Course, OnProgress, Progress, along
from paints_undo.timelapse import join_timelapse
from paints_undo.timeline import segment_names
from paints_undo.web.edits import drawn_in, timeline_of
from paints_undo.web.history import Piece, message
from paints_undo.web.jobs import Job, queue_of
from paints_undo.web.run_files import without_folders


def start(engine: Engine, piece: Piece, name: str) -> None:
    """Hand a run to the queue of the device, to do what WORK has under this name.

    Raises InputError where that can be told to be impossible at once.
    """
    with piece.lock:
        piece.refuse_while_at_work()
        check_family(engine, piece)
        submit(piece, partial(_watched, WORK[name], engine, piece), name, engine.describe().device)


def submit(piece: Piece, work: Callable[[OnProgress], None], wanted: Any, line: str) -> None:
    """Put work on a run at the end of a line.

    wanted: plain values by which the studio can ask for it again, for a job that a pause or a restart left undone: the
    name of a button, or what an export is made of.  Raises InputError while the run is at work, and for too many jobs.
    """
    with piece.lock:
        piece.refuse_while_at_work()
        job = Job(work, partial(_told, piece))
        queue = queue_of(line)
        queue.refuse_many_of(job.client)
        piece.planned, piece.job = [], job
        piece.note(wanted=wanted, message=message(""))
        queue.submit(job)


def write_prompt(engine: Engine, piece: Piece, on_progress: OnProgress) -> None:
    """Let the tagger write the keyframes' prompt."""
    along(Course(kind_of(engine), (TAGS,)), on_progress)(Progress("tags", "tagging", 0, 1))
    run = piece.run
    prompt = engine.tag(run.artwork)
    options = with_prompt(options_of(run), prompt)
    run.change({**run.settings, "options": options.to_settings()}, run.timeline)
    piece.note(message=message("prompt_written"))


def draw_keyframes(engine: Engine, piece: Piece, on_progress: OnProgress) -> None:
    """Draw the keyframes that are missing."""
    run = piece.run
    drawn = drawn_in(piece, options_of(run), timeline_of(piece))
    if not all(drawn.values()):
        piece.planned = [keyframe.step for keyframe, there in drawn.items() if not there]
        complete_keyframes(engine, run, run.artwork, on_progress)
    piece.note(message=message("keyframes_ready", count=len(drawn)))


def draw_video(engine: Engine, piece: Piece, on_progress: OnProgress) -> None:
    """Draw everything that is missing, and write the video."""
    run = piece.run
    names = segments_of(piece)
    there = [run.is_whole(run.segment_path(name)) for name in names]
    if not run.is_complete:
        drawn = drawn_in(piece, options_of(run), timeline_of(piece))
        plans = {
            "keyframes": [keyframe.step for keyframe, have in drawn.items() if not have],
            "segments": [index for index, have in enumerate(there) if not have],
        }

        def report(progress: Progress) -> None:
            piece.planned = plans.get(progress.stage, [])
            on_progress(progress)

        complete(engine, run, report)
    for name in names:
        run.make_playable(name)
    frames = sum(len(run.previews(name)) for name in names)
    piece.note(frames=frames, message=message("video_ready", frames=frames))


WORK: dict[str, Callable[[Engine, Piece, OnProgress], None]] = {
    "prompt": write_prompt,
    "keyframes": draw_keyframes,
    "video": draw_video,
}


def segments_of(piece: Piece) -> list[str]:
    """What the segments of a run are kept under, the one next to the artwork first."""
    options = options_of(piece.run)
    return segment_names(timeline_of(piece), options)


def frame_files(piece: Piece) -> list[Path]:
    """Every frame of a finished run as an exact PNG file, first stroke first. Raises InputError before it is finished.

    They are written when they are first asked for, and again after the video has changed.
    """
    run = piece.run
    if not (run.finished and run.timelapse.exists()):
        raise InputError("this run has no video yet; generate it first")
    with piece.lock:
        if not run.frames_are_whole:
            names = segments_of(piece)
            segments = [frames for name in names if (frames := run.segment(name)) is not None]
            if len(segments) < len(names):
                raise InputError("a segment of this run is gone; generate the video again")
            run.save_frames(run.without_margins(join_timelapse(np.stack(segments))))
        return sorted((run.path / "frames").glob("*.png"))


def check_family(engine: Engine, piece: Piece) -> None:
    """Raises InputError where the run was made with other weights than the program works with now."""
    options = options_of(piece.run)
    made_with, present = (
        f"{models['name']} {models['revision']}".strip()
        for models in (piece.run.settings["models"], engine.settings_of(options)["models"])
    )
    if made_with != present:
        raise InputError(
            f"this run was made with the model family {made_with}, and this program works with {present}; "
            "open its artwork as a new run, or start the program with the other family"
        )
    engine.family.check_keyframe_size(options.keyframes.width, options.keyframes.height)


def _watched(
    work: Callable[[Engine, Piece, OnProgress], None], engine: Engine, piece: Piece, on_progress: OnProgress
) -> None:
    """Do the work as long as the run folder is there."""

    def report(progress: Progress) -> None:
        piece.check_is_there()
        on_progress(progress)

    piece.preview.clear()  # not at the end, when a page may still be fetching it
    with piece.run.held():
        work(engine, piece, report)


def _told(piece: Piece, job: Job) -> None:
    """Show how far a job is, and keep how it ended."""
    if job.outcome is None or job.ended:
        if job.progress is not None:
            piece.preview.show(job.progress)
        piece.touch()
        return
    if job.outcome == "finished":
        piece.note(wanted=None, state="finished" if piece.run.finished else "idle")
    elif job.outcome == "paused":
        piece.note(message=message("paused"))
    elif job.outcome == "cancelled":
        give_up(piece, "cancelled", message("cancelled"))
    else:
        sentence = without_folders(job.sentence, piece.path.parent)
        key = "export_failed" if isinstance(piece["wanted"], dict) else "failed"
        give_up(piece, "failed", message(key, sentence=sentence) if sentence else message("internal_error"))


def give_up(piece: Piece, state: str, said: dict[str, Any]) -> None:
    """Keep that what was wanted of a run is not done; an export leaves the run's own state as it is."""
    piece.note(wanted=None, state=piece["state"] if isinstance(piece["wanted"], dict) else state, message=said)
