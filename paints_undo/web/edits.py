"""Changes a person makes to the timeline of a run; each marks exactly what has to be drawn again, and draws nothing."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo import validation
from paints_undo.completion import options_of
from paints_undo.errors import InputError
from paints_undo.images import read_picture
from paints_undo.options import UndoOptions
from paints_undo.runs import picture_digest
from paints_undo.timeline import Keyframe, Timeline, keyframe_names, segment_names
from paints_undo.web import settings
from paints_undo.web.history import Piece, message

LARGEST_RANDOM_SEED = 50_000  # what the page's sliders reach, as the original's

Change = Callable[[UndoOptions, Timeline], tuple[UndoOptions, Timeline]]


def edit(piece: Piece, change: Change, key: str, **values: Any) -> None:
    """Apply a change of options and timeline, and leave a message. Raises InputError while the run is at work."""
    with piece.lock:
        piece.refuse_while_at_work()
        run, before = piece.run, (options_of(piece.run), timeline_of(piece))
        options, timeline = change(*before)
        options = settings.agreeing(options, timeline)
        if (options, timeline) != before:
            run.change({**run.settings, "options": options.to_settings()}, timeline.to_record())
        piece.note(message=message(key, **values), state="idle" if not run.finished else "finished")


def timeline_of(piece: Piece) -> Timeline:
    """The timeline of a run."""
    return Timeline.from_record(piece.run.timeline)


def drawn_in(piece: Piece, options: UndoOptions, timeline: Timeline) -> dict[Keyframe, bool]:
    """Whether the picture of each keyframe is there; reads their files."""
    run, names = piece.run, keyframe_names(timeline, options)
    return {k: run.is_whole(run.keyframe_path(name)) for k, name in zip(timeline.keyframes, names, strict=True)}


def on_timeline(change: Callable[[Timeline], Timeline]) -> Change:
    """A change of the timeline alone."""
    return lambda options, timeline: (options, change(timeline))


def set_settings(piece: Piece, changes: dict[str, Any], check: Callable[[UndoOptions], None]) -> None:
    """Change flat settings; a timeline among them replaces the present one.

    check: raises InputError for options that the networks cannot work with.
    """
    key = "settings_changed" if changes.get("timeline") is None else "restored"
    edit(piece, _with_settings(piece, changes, check), key)


def at_stake(piece: Piece, changes: dict[str, Any], check: Callable[[UndoOptions], None]) -> dict[str, int]:
    """How many drawn keyframes and segments flat settings would take away; nothing is changed."""
    run, before = piece.run, (options_of(piece.run), timeline_of(piece))
    options, timeline = _with_settings(piece, changes, check)(*before)
    after = settings.agreeing(options, timeline), timeline

    def lost(names: Callable[[Timeline, UndoOptions], list[str]], path: Callable[[str], Path]) -> int:
        kept = names(after[1], after[0])
        return sum(path(name).exists() for name in names(before[1], before[0]) if name not in kept)

    return {"keyframes": lost(keyframe_names, run.keyframe_path), "segments": lost(segment_names, run.segment_path)}


def _with_settings(piece: Piece, changes: dict[str, Any], check: Callable[[UndoOptions], None]) -> Change:
    given = dict(changes)
    record = given.pop("timeline", None)

    def change(options: UndoOptions, timeline: Timeline) -> tuple[UndoOptions, Timeline]:
        after = settings.changed(options, given)
        if record is not None:
            timeline = Timeline.from_record(record)
            check(settings.agreeing(after, timeline))
            return after, timeline
        check(after)
        drawn = drawn_in(piece, options, timeline)
        return after, settings.following(timeline, options, after, drawn.__getitem__)

    return change


def add_keyframe(piece: Piece, step: int) -> None:
    def change(options: UndoOptions, timeline: Timeline) -> tuple[UndoOptions, Timeline]:
        return options, timeline.with_keyframe(step, options.keyframes.seed)

    edit(piece, change, "keyframe_added", step=step)


def delete_keyframe(piece: Piece, step: int) -> None:
    edit(piece, on_timeline(lambda timeline: timeline.without(step)), "keyframe_deleted", step=step)


def reroll_keyframe(piece: Piece, step: int, seed: int | None) -> None:
    """Another seed; a picture of one's own gives way to a drawn one."""
    seed = random_seed() if seed is None else validation.seed("seed", seed)
    edit(
        piece,
        on_timeline(lambda timeline: timeline.changed(step, seed=seed, own="")),
        "keyframe_rerolled",
        step=step,
        seed=seed,
    )


def reroll_all(piece: Piece, seed: int | None) -> None:
    seed = random_seed() if seed is None else validation.seed("seed", seed)

    def change(options: UndoOptions, timeline: Timeline) -> tuple[UndoOptions, Timeline]:
        return settings.changed(options, {"seed": seed}), timeline.rerolled(seed)

    edit(piece, change, "all_rerolled", seed=seed)


def lock_keyframe(piece: Piece, step: int, locked: bool) -> None:
    """A locked keyframe keeps its picture whatever the settings; unlocked, the present ones count again."""
    validation.yes_or_no("locked", locked)
    fields = {"locked": True} if locked else {"locked": False, "drawn_with": ""}
    key = "keyframe_locked" if locked else "keyframe_unlocked"
    edit(piece, on_timeline(lambda timeline: timeline.changed(step, **fields)), key, step=step)


def replace_keyframe(piece: Piece, step: int, picture: np.ndarray) -> None:
    """A picture of one's own, uint8 (H, W, 3) of any size, cut to what people see of a keyframe when it is used."""
    with piece.lock:
        piece.refuse_while_at_work()
        options, own = options_of(piece.run), picture_digest(picture)
        size, timeline = options.keyframes, timeline_of(piece).changed(step, own=own, drawn_with="")
        name = dict(zip(timeline.keyframes, keyframe_names(timeline, options), strict=True))[timeline.keyframe(step)]
        piece.run.save_keyframe(name, picture)
        values: dict[str, Any] = {"step": step}
        drawn = size.height, size.width
        shown = piece.run.without_margins(np.empty((*drawn, 3), np.uint8)).shape[:2]
        if picture.shape[:2] not in (drawn, shown):
            (height, width), (from_height, from_width) = shown, picture.shape[:2]
            values |= {"from_width": from_width, "from_height": from_height, "width": width, "height": height}
        key = "keyframe_fitted" if len(values) > 1 else "keyframe_replaced"
        edit(piece, on_timeline(lambda _: timeline), key, **values)


def redo_segment(piece: Piece, index: int, seed: int | None) -> None:
    count = len(timeline_of(piece).keyframes)
    index = validation.whole_number("segment", index, 0, count)
    seed = random_seed() if seed is None else validation.seed("segment seed", seed)
    edit(
        piece,
        on_timeline(lambda timeline: timeline.with_segment_seed(index, seed)),
        "segment_redone",
        index=index,
        seed=seed,
    )


def ready_keyframe(piece: Piece, step: int) -> np.ndarray:
    """The picture of a keyframe as people see it, uint8 (H, W, 3). Raises InputError while it is not drawn."""
    timeline, options = timeline_of(piece), options_of(piece.run)
    wanted = timeline.keyframe(validation.whole_number("operation step", step, 0, 999))
    for keyframe, name in zip(timeline.keyframes, keyframe_names(timeline, options), strict=True):
        if keyframe == wanted and (picture := piece.run.keyframe(name)) is not None:
            shown = piece.run.shown_keyframe(name)
            return read_picture(shown) if piece.run.is_whole(shown) else piece.run.shown(picture)
    raise InputError("the keyframe at operation step {step} is not drawn yet; draw it first", wanted.step)


def without_own_pictures(timeline: Timeline) -> Timeline:
    """The timeline with every keyframe to be drawn: what holds for another artwork."""
    keyframes = [dataclasses.replace(k, own="", drawn_with="", locked=False) for k in timeline.keyframes]
    return dataclasses.replace(timeline, keyframes=tuple(keyframes))


def random_seed() -> int:
    return secrets.randbelow(LARGEST_RANDOM_SEED + 1)
