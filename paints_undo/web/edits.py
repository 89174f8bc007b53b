"""Changes a visitor makes to a run; each marks exactly what has to be drawn again, and draws nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from paints_undo import validation
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.run.edits import EDITS, Edited, replace_keyframe
from paints_undo.run.plain_values import plain
from paints_undo.run.record import picture_digest
from paints_undo.run.timeline import Keyframe, Timeline, keyframe_names, settings_fingerprint
from paints_undo.web import settings
from paints_undo.web.history import DONE, UNDONE, Entry, message

MOST_KEPT = 50  # edits that can be taken back
Check = Callable[[UndoOptions], None]  # raises InputError for options that cannot be worked with


def edit(entry: Entry, name: str, *place: Any, **values: Any) -> None:
    """Do one of EDITS to a run. Raises InputError where it is impossible, or while the run is at work."""
    with entry.lock:
        entry.refuse_while_at_work()
        _keep(entry, EDITS[name](entry.run.timeline, entry.run.options, *place, **values))


def set_settings(entry: Entry, changes: dict[str, Any], check: Check) -> None:
    """Change flat settings; a timeline among them replaces the present one."""
    with entry.lock:
        entry.refuse_while_at_work()
        key = "settings_changed" if changes.get("timeline") is None else "restored"
        _keep(entry, Edited(*_with_settings(entry, changes, check), key, {}))


def at_stake(entry: Entry, changes: dict[str, Any], check: Check) -> dict[str, int]:
    """How many drawn keyframes and segments flat settings would take away; nothing is changed."""
    keyframes, segments = entry.run.would_lose(*_with_settings(entry, changes, check))
    return {"keyframes": keyframes, "segments": segments}


def put_picture(entry: Entry, step: int, picture: np.ndarray) -> None:
    """A picture of one's own, uint8 (H, W, 3) of any size, cut to what people see of a keyframe when it is used."""
    with entry.lock:
        entry.refuse_while_at_work()
        run, fit = entry.run, entry.run.fit
        edited = replace_keyframe(run.timeline, run.options, step, picture_digest(picture))
        place = [keyframe.step for keyframe in edited.timeline.keyframes].index(edited.timeline.keyframe(step).step)
        run.save_keyframe(keyframe_names(edited.timeline, run.options)[place], picture)
        if picture.shape[1::-1] not in (fit.canvas, fit.shown):
            (width, height), (from_height, from_width) = fit.shown, picture.shape[:2]
            size = {"from_width": from_width, "from_height": from_height, "width": width, "height": height}
            edited = edited._replace(message="keyframe_fitted", values={**edited.values, **size})
        _keep(entry, edited)


def take_back(entry: Entry, again: bool = False) -> None:
    """Undo the last edit, or do the last undone one again; a video that is still that of then is finished again.

    Nothing is deleted: what was drawn for the other state is there when that comes back. Raises InputError where there
    is no such edit, or while the run is at work.
    """
    with entry.lock:
        entry.refuse_while_at_work()
        here, there = (UNDONE, DONE) if again else (DONE, UNDONE)
        if not entry[here]:
            raise InputError("there is nothing to undo or redo here; the timeline is as it was")
        *left, wanted = entry[here]
        entry.note(**{here: left, there: [*entry[there], _state_of(entry)]})
        run = entry.run
        run.change(UndoOptions.from_settings(wanted["options"]), Timeline.from_record(wanted["timeline"]))
        if wanted["video"] and wanted["video"] == _video_of(entry):
            run.finish()
        said = message("redone" if again else "undone")
        entry.note(message=said, state="finished" if run.finished else "idle")


def _state_of(entry: Entry) -> dict[str, Any]:
    """What an edit changes, and the digest of the video that belongs to it."""
    run = entry.run
    options, timeline = plain(run.options.to_settings(), "options"), run.timeline.to_record()
    return {"options": options, "timeline": timeline, "video": _video_of(entry) if run.finished else ""}


def _video_of(entry: Entry) -> str:
    return (entry.run.digests or {}).get(entry.run.timelapse_file.name, "")


def ready_keyframe(entry: Entry, step: int) -> np.ndarray:
    """The picture of a keyframe as people see it, uint8 (H, W, 3). Raises InputError while it is not drawn."""
    run, steps = entry.run, [keyframe.step for keyframe in entry.run.timeline.keyframes]
    step = run.timeline.keyframe(validation.whole_number("operation step", step, 0, 999)).step
    name = run.keyframe_names[steps.index(step)]
    if (picture := run.keyframe_named(name)) is None:
        raise InputError("the keyframe at operation step {step} is not drawn yet; draw it first", step)
    shown = run.shown_keyframe(name)
    return read_picture(shown) if run.is_whole(shown) else run.shown_alone(picture)


def without_own_pictures(timeline: Timeline) -> Timeline:
    """The timeline with every keyframe to be drawn: what holds for another artwork."""
    keyframes = [dataclasses.replace(k, own="", drawn_with="", locked=False) for k in timeline.keyframes]
    return dataclasses.replace(timeline, keyframes=tuple(keyframes))


def _with_settings(entry: Entry, changes: dict[str, Any], check: Check) -> tuple[Timeline, UndoOptions]:
    """Timeline and options after flat settings were changed."""
    given, before, timeline = dict(changes), entry.run.options, entry.run.timeline
    record = given.pop("timeline", None)
    after = settings.changed(before, given)
    if record is not None:
        timeline = Timeline.from_record(record)
        check(settings.agreeing(after, timeline))
    else:
        check(after)
        timeline = settings.following(timeline, before, after, _is_drawn(entry))
    return timeline, settings.agreeing(after, timeline)


def _is_drawn(entry: Entry) -> Callable[[Keyframe], bool]:
    """Whether the picture of a keyframe of the present timeline is there."""
    missing = [entry.run.timeline.keyframes[place] for place in entry.run.missing_keyframes]
    return lambda keyframe: keyframe not in missing


def _keep(entry: Entry, edited: Edited) -> None:
    """Keep what an edit gives, and the message of it."""
    run, timeline = entry.run, edited.timeline
    if run.options.in_strokes and timeline.sketched != run.timeline.sketched:  # which all canvases go by
        timeline = timeline.keeping_locked(settings_fingerprint(run.options, run.timeline), _is_drawn(entry))
    options = settings.agreeing(edited.options, timeline)
    if (timeline, options) != (run.timeline, run.options):
        before = [*entry[DONE], _state_of(entry)]
        pieces = run.options, run.keyframe_names, run.segment_names
        stays = run.finished
        run.change(options, timeline)
        if stays and pieces == (run.options, run.keyframe_names, run.segment_names):
            run.finish()  # a lock changes no picture
        entry.note(**{DONE: before[-MOST_KEPT:], UNDONE: []})
    entry.note(message=message(edited.message, **edited.values), state="finished" if run.finished else "idle")
