"""The steps of a lesson in drawing a picture: what is done in each, and the picture when it is done.

Networks give a step for each keyframe. Of a drawing in strokes everything that was done is known: a step is as many
strokes of one phase as it takes until there is something to see, and is called by what they do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np

from paints_undo.errors import Sentence
from paints_undo.exports.phases import BLANK, Phase, phases_of, what_is_new
from paints_undo.exports.source import Source
from paints_undo.pictures.fit import Size

if TYPE_CHECKING:
    from paints_undo.strokes.operations import Operation
    from paints_undo.strokes.process import Process

MOST_STEPS = 12
LITTLE = 0.012  # of the picture: strokes that change no more are no step of their own in a phase that has another
UNSEEN = 0.0005  # nor are these, even where they are all of a phase
FEW = 8  # operations: what ends sooner goes with what comes before it
COMPARED_SIDE = 320  # pixels of the longer side of canvases that are compared
PHASES = {
    "construction": Sentence("Construction"),
    "sketch": Sentence("Sketch"),
    "ink": Sentence("Line art"),
    "flats": Sentence("Flat colours"),
    "shapes": Sentence("Shadow and light"),
    "shading": Sentence("Shading"),
    "details": Sentence("Details"),
}
_SEVERAL, _PARTS = 3, 4  # things that are named of each kind of work, and parts of a construction
_KINDS = 2  # of work that are named
_RARE = 0.15  # of the strokes: work that is not named
_THING = re.compile(r"^(.+? the|.*?\b(?:of|on)) (.+)$")  # "flat colour of skin", "shade the face"
_PART = re.compile(r"^((?:the|an?) .+?)(?: again|, .+)?$")  # "the skull, a first try", "a mass"


@dataclass(frozen=True)
class Span:
    """Operations begin + 1 to end; changed: the share of the picture that they change, 0..1."""

    begin: int
    end: int
    phase: str  # of most of what they change
    done: Sentence
    changed: float


def lesson(source: Source, size: Size) -> list[tuple[Phase, np.ndarray]]:
    """The steps of a run, the first one first, each with the picture after it, uint8 (h, w, 3), in this size."""
    if source.process is None:
        steps = zip(phases_of(source), source.finished_keyframes(size), strict=True)
        # a canvas that nothing was done to is no step
        return [step for step in steps if step[0].name != BLANK]
    spans = spans_of(source.process_in(source.sized(COMPARED_SIDE)))
    pictures = source.process_in(size).canvases([span.end for span in spans], upright=True)
    return [(_told(source.process, span), picture) for span, picture in zip(spans, pictures, strict=True)]


def spans_of(process: Process) -> list[Span]:
    """At most twelve steps that a process falls into: no more than there is something to see in."""
    ends = _ends(process.operations)
    canvases = dict(zip([0, *ends], process.canvases([0, *ends], upright=True), strict=True))

    def span(begin: int, end: int, phase: str) -> Span:
        done = what_is_done([one for one in process.operations[begin:end] if one.phase == phase])
        return Span(begin, end, phase, done, float(what_is_new(canvases[begin], canvases[end]).mean()))

    spans = [span(begin, end, process.operations[begin].phase) for begin, end in zip([0, *ends], ends, strict=False)]
    while len(spans) > 1:
        place = _next_to_merge(spans)
        if place is None:
            break
        one, other = spans[place : place + 2]
        phase = max(one, other, key=lambda each: each.changed).phase
        spans[place : place + 2] = [span(one.begin, other.end, phase)]
    return spans


def _next_to_merge(spans: Sequence[Span]) -> int | None:
    """The place of the first of two neighbours that are better one; None where all are steps of their own."""
    places = range(len(spans) - 1)
    alike = [place for place in places if spans[place].phase == spans[place + 1].phase]
    for place in alike:
        one, other = spans[place : place + 2]
        if one.done == other.done or min(one.end - one.begin, other.end - other.begin) < FEW:
            return place
    many = len(spans) > MOST_STEPS
    for among, least in ((alike, LITTLE), (places, UNSEEN)):
        place = min(among, key=lambda place: _smaller(spans, place), default=-1)
        if place >= 0 and (many or _smaller(spans, place) < least):
            return place
    return None


def _smaller(spans: Sequence[Span], place: int) -> float:
    """How much the one of two neighbours changes that changes less."""
    return min(spans[place].changed, spans[place + 1].changed)


def _ends(operations: Sequence[Operation]) -> list[int]:
    """Where other work begins: how many operations are done then, ascending, all of them at the end."""
    ends: list[int] = []
    begin, before = 0, operations[0]
    for number, operation in enumerate(operations):
        other = operation.title != before.title and operation.kind == "stroke"  # a layer is hidden on the way
        if operation.phase != before.phase or other and number - begin >= FEW:
            ends.append(number)
            begin = number
        before = operation
    return [*ends, len(operations)]


def _told(process: Process, span: Span) -> Phase:
    count = sum(operation.kind == "stroke" for operation in process.operations[span.begin : span.end])
    phase = PHASES.get(span.phase) or Sentence(span.phase.capitalize())
    strokes = Sentence("1 stroke") if count == 1 else Sentence("{count} strokes", count)
    if span.changed >= 0.005:
        words = Sentence(
            "{phase}: {strokes}. {share:.0f} % of the picture changes.", phase, strokes, 100 * span.changed
        )
    else:
        words = Sentence("{phase}: {strokes}. Less than 1 % of the picture changes.", phase, strokes)
    return Phase(span.done or phase, span.changed, words)


def what_is_done(operations: Sequence[Operation]) -> Sentence:
    """What strokes do, by their titles: "flat colour of skin" and "flat colour of hair" are one kind of work."""
    kinds: dict[str, Counter[str]] = {}
    parts: Counter[str] = Counter()
    for operation in operations:
        if operation.kind != "stroke" or not operation.title:
            continue
        if part := _PART.match(operation.title):
            parts[part[1]] += 1
            continue
        found = _THING.match(operation.title)
        kind, thing = found.groups() if found else ("", operation.title)
        kinds.setdefault(kind, Counter())[thing] += 1
    count = parts.total() + sum(things.total() for things in kinds.values())
    if 2 * parts.total() > count:  # those with a name of their own before the others
        return _said(sorted(parts, key=lambda part: not part.startswith("the "))[:_PARTS])
    frequent = sorted(kinds.items(), key=lambda kind: -kind[1].total())
    named = [kind for kind in frequent[:_KINDS] if kind[1].total() >= _RARE * count]
    told = [Sentence(f"{kind} {{things}}", _listed(things)) if kind else _listed(things) for kind, things in named]
    return reduce(partial(Sentence, "{one}; {other}"), told) if told else Sentence("")


def _listed(things: Counter[str]) -> Sentence:
    """The most frequent of them."""
    return _said([thing for thing, count in things.most_common(_SEVERAL) if count >= _RARE * things.total()])


def _said(things: Sequence[str]) -> Sentence:
    """As one says them: "skin, eyes and hair"."""
    *others, last = map(Sentence, things)
    return Sentence("{one} and {other}", reduce(partial(Sentence, "{one}, {other}"), others), last) if others else last
