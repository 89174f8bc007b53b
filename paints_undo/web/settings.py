"""A run's options as one flat set of plain values, as a page names them, and changes of it that spare what is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from paints_undo.errors import InputError
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import PLACES, UndoOptions, with_settings
from paints_undo.pictures.fit import size_like
from paints_undo.run.plain_values import plain
from paints_undo.run.timeline import Keyframe, Timeline, settings_fingerprint

# What a family that draws at the artwork's own size has no use for.
SIZES = ("fit", "width", "height")


def flat(options: UndoOptions) -> dict[str, Any]:
    """Plain values under the names that changed() takes."""
    values = {name: attrgetter(f"{part}.{field}".strip("."))(options) for name, (part, field) in PLACES.items()}
    return plain(values, "settings")


def changed(options: UndoOptions, changes: dict[str, Any]) -> UndoOptions:
    """The options with some of their flat values changed. Raises InputError for unknown names and impossible values."""
    if not isinstance(changes, dict):
        raise InputError("this request is not understood; reload the page")
    unknown = sorted(str(name) for name in changes if name not in PLACES)
    if unknown:
        raise InputError("there is no setting {value!r}; use {choices}", unknown[0][:60], ", ".join(PLACES))
    if options.in_strokes:
        changes = {name: value for name, value in changes.items() if name not in SIZES}
    return with_settings(options, changes)


def with_size(
    changes: dict[str, Any], shape: tuple[int, int], family: ModelFamily, usual: str | None
) -> dict[str, Any]:
    """The changes with width and height in place of `size`, for a picture of this height and width.

    usual: the size that holds where none of the three is given; None leaves it as it is.
    """
    if not isinstance(changes, dict):
        raise InputError("settings are {value!r}; give them by name", str(changes)[:60])
    given = dict(changes)
    size = given.pop("size", None if given.keys() & {"width", "height"} else usual)
    if size is None:
        return given
    if size not in ("picture", "family"):
        raise InputError("size is {value!r}; use picture (its shape) or family (the fixed size)", str(size)[:60])
    width, height = family.keyframe_size
    if size == "picture":
        width, height = size_like(*shape, width * height, family.size_multiple)
    return {**given, "width": width, "height": height}


def following(
    timeline: Timeline, before: UndoOptions, after: UndoOptions, is_drawn: Callable[[Keyframe], bool]
) -> Timeline:
    """The timeline as other options want it: whatever they say the same about stays as it was edited.

    is_drawn: whether the picture of a keyframe is there; a locked one that is keeps it under the new settings.
    """
    present = settings_fingerprint(before, timeline)
    if present != settings_fingerprint(after, timeline):
        timeline = timeline.keeping_locked(present, is_drawn)
    wanted = after.keyframes.operation_steps
    if wanted != before.keyframes.operation_steps:
        fresh = Timeline.of(after.keyframes, after.segments)  # refuses too many
        shared, used = {keyframe.step: keyframe for keyframe in timeline.keyframes}, max(timeline.segment_seeds)
        kept = [
            shared.get(k.step, dataclasses.replace(k, segment_seed=(used + place) % 2**32))
            for place, k in enumerate(fresh.keyframes, start=1)
        ]
        timeline = dataclasses.replace(timeline, keyframes=tuple(kept))
    if after.keyframes.seed != before.keyframes.seed:
        timeline = timeline.rerolled(after.keyframes.seed)
    if after.segments.seed != before.segments.seed:
        for segment in range(len(timeline.keyframes) + 1):
            timeline = timeline.with_segment_seed(segment, (after.segments.seed + segment) % 2**32)
    return timeline


def agreeing(options: UndoOptions, timeline: Timeline) -> UndoOptions:
    """The options with the operation steps that the timeline has."""
    steps = tuple(keyframe.step for keyframe in timeline.keyframes)
    return dataclasses.replace(options, keyframes=dataclasses.replace(options.keyframes, operation_steps=steps))
