"""What a person can do to the timeline of a run: a table of edits, each a function of timeline and options.

An edit draws nothing; it gives back what holds afterwards, from which follows what has to be drawn again.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from paints_undo import validation
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.run.timeline import Timeline

LARGEST_RANDOM_SEED = 50_000  # what the page's sliders reach, as the original's


class Edited(NamedTuple):
    """What holds after an edit, and what there is to say of it: the key of a message, and the values in it."""

    timeline: Timeline
    options: UndoOptions
    message: str
    values: dict[str, Any]


def add_keyframe(timeline: Timeline, options: UndoOptions, step: int) -> Edited:
    """A keyframe at one more operation step, 0 to 999."""
    return Edited(timeline.with_keyframe(step, options.keyframes.seed), options, "keyframe_added", {"step": step})


def delete_keyframe(timeline: Timeline, options: UndoOptions, step: int) -> Edited:
    """One keyframe less; the last one stays."""
    return Edited(timeline.without(step), options, "keyframe_deleted", {"step": step})


def reroll_keyframe(timeline: Timeline, options: UndoOptions, step: int, seed: int | None = None) -> Edited:
    """Another seed for one keyframe, a random one by default; a picture of one's own gives way to a drawn one.

    Canvases of a process of strokes belong together: another one is another process, for all of them.
    """
    seed = _seed("seed", seed)
    rerolled = timeline.changed(step, seed=seed, own="")
    if options.in_strokes:
        return reroll_all(rerolled, options, seed)
    return Edited(rerolled, options, "keyframe_rerolled", {"step": step, "seed": seed})


def reroll_all(timeline: Timeline, options: UndoOptions, seed: int | None = None) -> Edited:
    """Another seed for all keyframes that are neither locked nor one's own."""
    seed = _seed("seed", seed)
    drawing = dataclasses.replace(options.keyframes, seed=seed)
    key = "process_rerolled" if options.in_strokes else "all_rerolled"
    return Edited(timeline.rerolled(seed), dataclasses.replace(options, keyframes=drawing), key, {"seed": seed})


def lock_keyframe(timeline: Timeline, options: UndoOptions, step: int, locked: bool) -> Edited:
    """A locked keyframe keeps its picture whatever the settings; unlocked, the present ones count again."""
    validation.yes_or_no("locked", locked)
    fields = {"locked": True} if locked else {"locked": False, "drawn_with": ""}
    key = "keyframe_locked" if locked else "keyframe_unlocked"
    changed = timeline.changed(step, **fields)
    if options.in_strokes and not locked:  # it is a canvas of the present process again
        changed = changed.changed(step, seed=options.keyframes.seed)
    return Edited(changed, options, key, {"step": step})


def replace_keyframe(timeline: Timeline, options: UndoOptions, step: int, own: str) -> Edited:
    """A picture of one's own, told by its sha256, in place of a drawn keyframe."""
    return Edited(timeline.changed(step, own=own, drawn_with=""), options, "keyframe_replaced", {"step": step})


def redo_segment(timeline: Timeline, options: UndoOptions, index: int, seed: int | None = None) -> Edited:
    """Another seed for one segment, counted from the artwork; a random one by default."""
    if options.in_strokes:
        raise InputError("strokes are drawn as one film, which has no segments; re-roll a keyframe for another film")
    index = validation.whole_number("segment", index, 0, len(timeline.keyframes))
    seed = _seed("segment seed", seed)
    return Edited(timeline.with_segment_seed(index, seed), options, "segment_redone", {"index": index, "seed": seed})


EDITS: dict[str, Callable[..., Edited]] = {
    edit.__name__: edit
    for edit in (add_keyframe, delete_keyframe, reroll_keyframe, reroll_all, lock_keyframe, redo_segment)
}
"""Those that a page asks for by name."""


def _seed(name: str, given: int | None) -> int:
    return secrets.randbelow(LARGEST_RANDOM_SEED + 1) if given is None else validation.seed(name, given)
