"""What a page shows of a run, as plain values: made from the record in memory and a look at which files are there."""

from __future__ import annotations

import time
from typing import Any

from paints_undo.errors import InputError, Sentence
from paints_undo.web.history import DONE, UNDONE, Entry
from paints_undo.web.jobs import Update
from paints_undo.web.playable import PlayableRun
from paints_undo.web.settings import flat

PULSE_S = 0.25  # between two looks of a program that waits, and two chances to notice that nobody waits any more


def view_of(entry: Entry) -> dict[str, Any]:
    """The view that Studio.view() gives; decodes no picture."""
    version = entry.version  # first: what changes meanwhile is shown by the next view
    # Then the job, what it says, and what it says it of: it writes them the other way round, the last one first.
    job = entry.job
    update = job.update() if job and not job.ended else None
    summary, said = summary_of(entry), entry["message"]
    run = entry.run
    options, timeline = run.options, run.timeline
    drawing = _drawing(entry, update)
    names = run.segment_names
    keyframes = []
    for keyframe, name in zip(timeline.keyframes, run.keyframe_names, strict=True):
        state = _state(run.keyframe_path(name).exists(), drawing == ("keyframes", keyframe.step))
        keyframes.append(
            {
                "step": keyframe.step,
                "seed": keyframe.seed,
                "state": state,
                "locked": keyframe.locked,
                "own": bool(keyframe.own),
                "path": str(run.shown_keyframe(name)) if state == "ready" else None,
            }
        )
    segments = [
        {
            "index": index,
            "from": timeline.places[index],
            "to": timeline.places[index + 1],
            "seed": timeline.segment_seeds[index],
            "state": _state(run.segment_path(name).exists(), drawing == ("segments", index)),
        }
        for index, name in enumerate(names)
    ]
    return {
        **summary,
        "message": said,
        "job": _job(update),
        "artwork": str(run.path / "artwork.png"),
        "settings": {**flat(options), "timeline": timeline.to_record()},
        "keyframes": keyframes,
        "segments": segments,
        "video": _film(run),
        "frames": run.previews,
        "exports": entry.exports,
        "undoable": len(entry[DONE]),
        "redoable": len(entry[UNDONE]),
        "preview": str(entry.preview.path) if update and entry.preview.path.exists() else None,
        "version": version,
    }


def row_of(entry: Entry) -> dict[str, Any]:
    """What the history shows of a run: its summary, the seed, and the keyframes that are there, first stroke first."""
    try:
        run, options = entry.run, entry.run.options
        names = run.keyframe_names
    except InputError:  # deleted or damaged under the app: still a row, so that it can be deleted
        return {**summary_of(entry), "seed": None, "drawn": []}
    drawn = [str(run.shown_keyframe(name)) for name in reversed(names) if run.keyframe_path(name).exists()]
    return {**summary_of(entry), "seed": options.keyframes.seed, "drawn": drawn}


def card_of(entry: Entry) -> dict[str, Any]:
    """What stands of a run beside others: its row, how far its job is, and its film once that is whole."""
    job = entry.job if entry.at_work else None
    outlook = job.update().outlook if job else None
    try:
        film = _film(entry.run)
    except InputError:  # as in row_of
        film = None
    return {
        **row_of(entry),
        "share": round(outlook.share, 3) if outlook else None,
        "preview": str(entry.preview.path) if job and entry.preview.path.exists() else None,
        "film": film,
    }


def _film(run: PlayableRun) -> str | None:
    """The path of a run's video, once that is whole."""
    return str(run.timelapse_file) if run.finished and run.timelapse_file.exists() else None


def summary_of(entry: Entry) -> dict[str, Any]:
    """What names a run; reads nothing but the record in memory."""
    return {
        "run": entry.id,
        "parent": entry["parent"],
        "title": entry["title"],
        "state": state_of(entry),
        "created": entry["created"],
        "thumbnail": str(entry.path / "thumbnail.jpg"),
        "frame_count": entry["frames"],
    }


def state_of(entry: Entry) -> str:
    """idle, waiting, running, paused, finished, failed or cancelled."""
    job = entry.job
    if job and not job.ended:
        update = job.update()
        if update.paused:
            return "paused"
        return "waiting" if update.ahead else "running"
    return "paused" if entry["wanted"] else entry["state"]


def _state(there: bool, in_hand: bool) -> str:
    if there:
        return "ready"
    return "drawing" if in_hand else "missing"


def _drawing(entry: Entry, update: Update | None) -> tuple[str, int] | None:
    """Stage and place of the piece under way: pieces are drawn one after the other, each in the same time."""
    progress, planned = update.progress if update else None, entry.planned
    if progress is None or not planned or not progress.total or progress.detail in ("preparing", "conditions"):
        return None
    return progress.stage, planned[min(len(planned) - 1, progress.done * len(planned) // progress.total)]


def _job(update: Update | None) -> dict[str, Any] | None:
    if update is None:
        return None
    progress, outlook = update.progress, update.outlook
    return {
        "number": update.number,
        "stage": progress.stage if progress else "",
        "detail": progress.detail if progress else "",
        "done": progress.done if progress else 0,
        "total": progress.total if progress else 0,
        "ahead": update.ahead,
        "elapsed_s": round(update.elapsed_s, 1),
        "outlook": outlook
        and {
            "share": round(outlook.share, 4),
            "left_s": round(outlook.left_s, 2),
            "next_s": round(outlook.next_s, 2),
            "age_s": round(max(0.0, time.monotonic() - outlook.seen_s), 2),
        },
        "cancelling": update.cancelling,
    }


# For programs that wait for a job


def progress_of(view: dict[str, Any]) -> tuple[float, str]:
    """How far the job of a Studio.view() is: the share of the whole, 0..1, and what is done just now."""
    job = view["job"]
    if job is None or not job["stage"]:
        return 0.0, f"waiting for {job['ahead']} others" if job and job["ahead"] else "getting ready"
    outlook = job["outlook"]
    return outlook["share"] if outlook else 0.0, f"{job['stage']}: {job['detail']} {job['done']} of {job['total']}"


def check_done(view: dict[str, Any]) -> None:
    """Raises InputError where the job that has ended did not do what it was for."""
    key = view["message"]["key"]
    if key in ("failed", "export_failed"):
        raise InputError(Sentence.from_record(view["message"]["values"]["sentence"]))
    if key == "internal_error":
        raise InputError("something went wrong inside the program; its log says what")
    if key in ("cancelled", "paused"):
        raise InputError("this was cancelled; what was finished is kept")
