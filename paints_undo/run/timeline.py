"""The timeline of a run: its keyframes, from the finished artwork back to the white canvas, and everything's seeds.

Stage 1 shares one noise among its keyframes and adds none later, so that a keyframe depends on its own operation step
and seed alone; a segment depends on its two pictures and its own seed.  So each can be changed, and paid for, alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paints_undo import validation
from paints_undo.errors import InputError
from paints_undo.options import UNSAID, KeyframeOptions, SegmentOptions, UndoOptions, pair_seeds
from paints_undo.strokes.tags import telling

MOST_KEYFRAMES = 32
BLANK = "blank"  # the name of the white canvas, where the timeline ends


@dataclass(frozen=True)
class Keyframe:
    """One earlier state of the canvas, and the segment that leads from it to the next earlier one."""

    step: int  # operation step: 0 finished .. 999 first stroke
    seed: int
    segment_seed: int
    own: str = ""  # sha256 of a picture that the person gave instead of a drawn one
    locked: bool = False  # nothing but unlocking changes its picture
    drawn_with: str = ""  # fingerprint of the settings it was drawn with, where it is locked and they changed later

    def __post_init__(self) -> None:
        for field, value in (("own picture", self.own), ("settings of a locked keyframe", self.drawn_with)):
            if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{0,64}", value):
                sentence = "the {field} at operation step {step} is {value!r}; use a hexadecimal digest"
                raise InputError(sentence, field, self.step, value)
        if not isinstance(self.locked, bool):
            raise InputError("locked at operation step {step} is {value!r}; use true or false", self.step, self.locked)
        checked = {
            "step": validation.whole_number("operation step", self.step, 0, 999),
            "seed": validation.seed("seed", self.seed),
            "segment_seed": validation.seed("segment seed", self.segment_seed),
        }
        for name, number in checked.items():
            object.__setattr__(self, name, number)

    @property
    def redrawable(self) -> bool:
        """Whether the present settings can draw its picture again."""
        return not self.own and not self.drawn_with


@dataclass(frozen=True)
class Timeline:
    """Keyframes in ascending order of their operation steps; the artwork stands before them, the white canvas after.

    artwork_seed: of the segment that leads from the artwork to the first keyframe.
    """

    keyframes: tuple[Keyframe, ...]
    artwork_seed: int

    def __post_init__(self) -> None:
        validation.operation_steps([keyframe.step for keyframe in self.keyframes])
        if len(self.keyframes) > MOST_KEYFRAMES:
            raise InputError("there are {count} keyframes; use at most {most}", len(self.keyframes), MOST_KEYFRAMES)
        object.__setattr__(self, "keyframes", tuple(sorted(self.keyframes, key=lambda keyframe: keyframe.step)))
        object.__setattr__(self, "artwork_seed", validation.seed("segment seed", self.artwork_seed))

    @classmethod
    def of(cls, drawing: KeyframeOptions, filling: SegmentOptions) -> Timeline:
        """The timeline of a plain run: one seed for all keyframes, seed + i for segment i."""
        first, *others = pair_seeds(filling.seed, range(len(drawing.operation_steps) + 1))
        steps = zip(drawing.operation_steps, others, strict=True)
        return cls(tuple(Keyframe(step, drawing.seed, seed) for step, seed in steps), first)

    def to_record(self) -> dict[str, Any]:
        """Plain values for run.json."""
        keyframes = [dataclasses.asdict(keyframe) for keyframe in self.keyframes]
        return {"artwork_seed": self.artwork_seed, "keyframes": keyframes}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Timeline:
        """The timeline in a run.json; InputError where it holds none."""
        try:
            return cls(tuple(Keyframe(**values) for values in record["keyframes"]), record["artwork_seed"])
        except (KeyError, TypeError) as error:
            raise InputError("this timeline is not of this version ({reason}); start a new run", error) from None

    @property
    def segment_seeds(self) -> list[int]:
        """The seed of every segment, the one next to the artwork first."""
        return [self.artwork_seed, *(keyframe.segment_seed for keyframe in self.keyframes)]

    @property
    def places(self) -> list[str]:
        """Names of the pictures that segments lie between: artwork, keyframes, white canvas."""
        return ["artwork", *(f"{keyframe.step:04d}" for keyframe in self.keyframes), BLANK]

    @property
    def sketched(self) -> Keyframe | None:
        """The earliest canvas that has a picture of one's own, which a process of strokes goes by; None without one."""
        return next((keyframe for keyframe in reversed(self.keyframes) if keyframe.own), None)

    def keyframe(self, step: int) -> Keyframe:
        """The keyframe of an operation step. Raises InputError when there is none."""
        for keyframe in self.keyframes:
            if keyframe.step == step:
                return keyframe
        raise InputError("there is no keyframe at operation step {step}; there are {steps}", step, self._steps())

    # Changes; each returns a new timeline

    def with_keyframe(self, step: int, seed: int) -> Timeline:
        """One more keyframe. Raises InputError where there is one already."""
        used = max(self.segment_seeds)
        added = Keyframe(step, seed, used + 1 if used < 2**32 - 1 else 0)
        if added.step in [keyframe.step for keyframe in self.keyframes]:
            raise InputError(
                "there is a keyframe at operation step {step} already; choose another step or re-roll it", step
            )
        return dataclasses.replace(self, keyframes=(*self.keyframes, added))

    def without(self, step: int) -> Timeline:
        """One keyframe less; the last one cannot go."""
        gone = self.keyframe(step)
        if len(self.keyframes) == 1:
            raise InputError("the last keyframe cannot be deleted; a time-lapse needs at least one")
        return dataclasses.replace(self, keyframes=tuple(k for k in self.keyframes if k != gone))

    def changed(self, step: int, **values: Any) -> Timeline:
        """One keyframe with other fields: seed to re-roll it, own, locked, segment_seed."""
        before = self.keyframe(step)
        if before.locked and values.keys() & {"seed", "own"}:
            raise InputError("the keyframe at operation step {step} is locked; unlock it first", step)
        after = dataclasses.replace(before, **values)
        return dataclasses.replace(self, keyframes=tuple(after if k == before else k for k in self.keyframes))

    def with_segment_seed(self, segment: int, seed: int) -> Timeline:
        """One segment, counted from the artwork, with another seed."""
        if not 0 <= segment <= len(self.keyframes):
            raise InputError("there is no segment {segment}; there are 0 to {count}", segment, len(self.keyframes))
        if segment == 0:
            return dataclasses.replace(self, artwork_seed=seed)
        return self.changed(self.keyframes[segment - 1].step, segment_seed=seed)

    def keeping_locked(self, drawn_with: str, is_drawn: Callable[[Keyframe], bool]) -> Timeline:
        """Locked keyframes that are there keep the pictures of these settings, by their fingerprint, under others."""
        kept = [
            dataclasses.replace(keyframe, drawn_with=keyframe.drawn_with or drawn_with)
            if keyframe.locked and not keyframe.own and is_drawn(keyframe)
            else keyframe
            for keyframe in self.keyframes
        ]
        return dataclasses.replace(self, keyframes=tuple(kept))

    def rerolled(self, seed: int) -> Timeline:
        """All keyframes that are drawn and not locked, with another seed."""
        fixed = [k if k.locked or k.own else dataclasses.replace(k, seed=seed) for k in self.keyframes]
        return dataclasses.replace(self, keyframes=tuple(fixed))

    def _steps(self) -> str:
        return ", ".join(str(keyframe.step) for keyframe in self.keyframes)


def settings_fingerprint(options: UndoOptions, timeline: Timeline | None = None) -> str:
    """Eight hexadecimal digits for everything but seed and operation step that decides about a drawn keyframe.

    timeline: whose sketch of one's own the canvases of a process of strokes go by.
    """
    if options.in_strokes:
        sketched = None if timeline is None else timeline.sketched
        going_by = f"{options.route} {sketched.own if sketched else ''}{telling(options.keyframes.prompt)}"
        return hashlib.sha256(going_by.encode()).hexdigest()[:8]
    settings = dataclasses.asdict(options.keyframes)
    del settings["seed"], settings["operation_steps"]
    return hashlib.sha256(f"{sorted(settings.items())}{_fit_of(options)}".encode()).hexdigest()[:8]


def keyframe_names(timeline: Timeline, options: UndoOptions) -> list[str]:
    """What each keyframe's picture is kept under: another seed, other settings or a picture of one's own change it."""
    present = settings_fingerprint(options, timeline)

    def name(keyframe: Keyframe) -> str:
        if keyframe.own:
            return f"{keyframe.step:04d}-own-{keyframe.own[:12]}"
        return f"{keyframe.step:04d}-{keyframe.seed}-{keyframe.drawn_with or present}"

    return [name(keyframe) for keyframe in timeline.keyframes]


def segment_names(timeline: Timeline, options: UndoOptions) -> list[str]:
    """What each segment is kept under: other pictures, another seed or other settings give another name.

    The pictures' names stand for the pictures, so that no file has to be read; the artwork of a run never changes.
    """
    drawing, settings = options.keyframes, dataclasses.asdict(options.segments)
    del settings["seed"]
    size = f"{drawing.width}x{drawing.height}{_fit_of(options)}"
    pictures = ["artwork", *keyframe_names(timeline, options), BLANK]
    names = []
    for i, seed in enumerate(timeline.segment_seeds):
        content = f"{sorted(settings.items())} {seed} {size} {pictures[i]} {pictures[i + 1]}"
        digest = hashlib.sha256(content.encode()).hexdigest()
        names.append(f"{timeline.places[i]}-{timeline.places[i + 1]}-{digest[:16]}")
    return names


def _fit_of(options: UndoOptions) -> str:
    """What tells names apart by fit; nothing for the only one that there was when the first runs got their names."""
    return "" if options.fit == UNSAID["fit"] else f" {options.fit}"
