"""What the buttons do, each as the work of one job; how a job is begun, and what is kept of how it ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import with_prompt
from paints_undo.progress import Course, OnProgress, Progress, along
from paints_undo.run import draw as run_draw
from paints_undo.run.course import TAGS, course_of, kind_of
from paints_undo.web.history import Entry, message
from paints_undo.web.jobs import Job, queue_of
from paints_undo.web.run_files import without_folders

SUBJECTS = ("1girl", "1boy")  # all that the published video model is told of a picture


def start(engine: Engine, entry: Entry, name: str) -> None:
    """Hand a run to the queue of the device, to do what WORK has under this name.

    Raises InputError where that can be told to be impossible at once.
    """
    with entry.lock:
        entry.refuse_while_at_work()
        check_family(engine, entry)
        submit(entry, partial(_watched, WORK[name], engine, entry), name, engine.describe().device)


def submit(entry: Entry, work: Callable[[OnProgress], None], wanted: Any, line: str) -> None:
    """Put work on a run at the end of a line.

    wanted: plain values by which the studio can ask for it again, for a job that a pause or a restart left undone: the
    name of a button, or what an export is made of.  Raises InputError while the run is at work, and for too many jobs.
    """
    with entry.lock:
        entry.refuse_while_at_work()
        queue = queue_of(line)
        job = Job(queue, work, partial(_told, entry))
        queue.refuse_many_of(job.client)
        entry.planned, entry.job = [], job
        entry.note(wanted=wanted, message=message(""))
        queue.submit(job)


def write_prompt(engine: Engine, entry: Entry, on_progress: OnProgress) -> None:
    """Let the tagger write the keyframes' prompt."""
    along(Course(kind_of(engine), (TAGS,)), on_progress)(Progress("tags", "tagging", 0, 1))
    run = entry.run
    prompt = engine.tag(run.artwork)
    options = with_prompt(run.options, prompt)
    told = subject_as_tagged(options.segments.prompt, prompt, engine.default_options.segments.prompt)
    run.change(dataclasses.replace(options, segments=dataclasses.replace(options.segments, prompt=told)), run.timeline)
    entry.note(message=message("prompt_written"))


def subject_as_tagged(prompt: str, tags: str, default: str) -> str:
    """A prompt of the video in which 1girl or 1boy stands where the tags have it; one's own words stay as they are."""
    given, usual, seen = ([word.strip() for word in words.split(",")] for words in (prompt, default, tags))
    if not set(given) <= {*usual, *SUBJECTS}:
        return prompt
    return ", ".join([subject for subject in SUBJECTS if subject in seen] + [w for w in given if w not in SUBJECTS])


def draw_keyframes(engine: Engine, entry: Entry, on_progress: OnProgress) -> None:
    """Draw the keyframes that are missing."""
    run, keyframes = entry.run, entry.run.timeline.keyframes
    if missing := run.missing_keyframes:
        entry.planned = [keyframes[place].step for place in missing]
        run_draw.draw_keyframes(engine, run, on_progress)
    entry.note(message=message("keyframes_ready", count=len(keyframes)))


def draw_video(engine: Engine, entry: Entry, on_progress: OnProgress) -> None:
    """Draw everything that is missing, and write the video."""
    run = entry.run
    if not run.is_complete:
        keyframes = run.timeline.keyframes
        plans = {
            "keyframes": [keyframes[place].step for place in run.missing_keyframes],
            "segments": run.missing_segments,
        }

        def report(progress: Progress) -> None:
            entry.planned = plans.get(progress.stage, [])
            on_progress(progress)

        run_draw.draw(engine, run, report)
    for name in run.segment_names:
        run.make_playable(name)
    frames = len(run.previews)
    entry.note(frames=frames, message=message("video_ready", frames=frames))


def draw_all(engine: Engine, entry: Entry, on_progress: OnProgress) -> None:
    """The video and all before it; networks get a prompt first, where none is written."""
    run, options = entry.run, dataclasses.replace(entry.run.options, tag=not entry.run.options.in_strokes)
    lacking = len(run.missing_keyframes), run.missing_segments
    report = along(course_of(engine, options, run.artwork_size, *lacking), on_progress)
    if options.tag and not options.keyframes.prompt:
        write_prompt(engine, entry, report)
    draw_video(engine, entry, report)


WORK: dict[str, Callable[[Engine, Entry, OnProgress], None]] = {
    "prompt": write_prompt,
    "keyframes": draw_keyframes,
    "video": draw_video,
    "all": draw_all,
}


def frame_files(entry: Entry) -> list[Path]:
    """Every frame of a finished run as an exact PNG file, first stroke first. Raises InputError before it is finished.

    They are written when they are first asked for, and again after the video has changed.
    """
    run = entry.run
    if not (run.finished and run.timelapse_file.exists()):
        raise InputError("this run has no video yet; generate it first")
    with entry.lock:
        if not run.frames_are_whole:
            if run.missing_segments:
                raise InputError("a segment of this run is gone; generate the video again")
            run.save_frames(run.fit.uncover(run.frames()))
        return sorted((run.path / "frames").glob("*.png"))


def check_family(engine: Engine, entry: Entry) -> None:
    """Raises InputError where the run was made with other weights than the program works with now."""
    options = entry.run.options
    made_with, present = (
        f"{models['name']} {models['revision']}".strip()
        for models in (entry.run.settings["models"], engine.settings_of(options)["models"])
    )
    if made_with != present:
        raise InputError(
            "this run was made with the model family {made_with}, and this program works with {present}; "
            "open its artwork as a new run, or start the program with the other family",
            made_with,
            present,
        )
    engine.family.check(options)


def _watched(
    work: Callable[[Engine, Entry, OnProgress], None], engine: Engine, entry: Entry, on_progress: OnProgress
) -> None:
    """Do the work as long as the run folder is there."""

    def report(progress: Progress) -> None:
        entry.check_is_there()
        on_progress(progress)

    entry.preview.clear()  # not at the end, when a page may still be fetching it
    with entry.run.held():
        work(engine, entry, report)


def _told(entry: Entry, job: Job) -> None:
    """Show how far a job is, and keep how it ended."""
    if job.outcome is None or job.ended:
        if job.progress is not None:
            entry.preview.show(job.progress)
        entry.touch()
        return
    if job.outcome == "finished":
        entry.note(wanted=None, state="finished" if entry.run.finished else "idle")
    elif job.outcome == "paused":
        entry.note(message=message("paused"))
    elif job.outcome == "cancelled":
        give_up(entry, "cancelled", message("cancelled"))
    else:
        sentence = without_folders(job.sentence, entry.path.parent)
        key = "export_failed" if isinstance(entry["wanted"], dict) else "failed"
        give_up(entry, "failed", message(key, sentence=sentence.to_record()) if sentence else message("internal_error"))


def give_up(entry: Entry, state: str, said: dict[str, Any]) -> None:
    """Keep that what was wanted of a run is not done; an export leaves the run's own state as it is."""
    entry.note(wanted=None, state=entry["state"] if isinstance(entry["wanted"], dict) else state, message=said)
