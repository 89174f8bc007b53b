"""How far a job is, as one share of everything that it will do, and how long the rest of it takes.

The parts of a job differ: a sampling step of the small family is a fraction of the time that decoding one picture
takes, and with the published one it is the other way round.  So every unit of work has a cost, measured on one machine
to begin with, and then on this one: what a job has taken so far corrects what is expected of the rest, and what each
part took in the end is remembered for later jobs of the process.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from paints_undo.progress import Course, Part, Progress

Named = tuple[str, str]  # stage and detail

# Seconds for a megapixel.  The small family: two cores of a shared server, the default run of an example.
SMALL: dict[Named, float] = {
    ("tags", "tagging"): 0.5,  # for the picture, whatever its size
    ("keyframes", "preparing"): 40.0,
    ("keyframes", "sampling"): 3.0,
    ("keyframes", "decoding"): 30.0,
    ("segments", "preparing"): 10.0,
    ("segments", "conditions"): 25.0,
    ("segments", "sampling"): 2.5,
    ("segments", "decoding"): 9.0,
    ("video", "encoding"): 0.1,
}
# Strokes: on the same machine.
STROKES: dict[Named, float] = {
    ("tags", "tagging"): 0.5,
    ("keyframes", "planning"): 0.5,  # a quarter of it
    ("keyframes", "drawing"): 0.25,
    ("video", "encoding"): 0.013,
}
TABLES = {"mini": SMALL, "strokes": STROKES}  # all others: PUBLISHED
# The published family: its operations as docs/performance.md counts them, at 100 TFLOP/s.
PUBLISHED: dict[Named, float] = {
    ("tags", "tagging"): 1.0,
    ("keyframes", "preparing"): 0.05,
    ("keyframes", "sampling"): 0.032,
    ("keyframes", "decoding"): 0.096,
    ("segments", "preparing"): 0.08,
    ("segments", "conditions"): 0.7,
    ("segments", "sampling"): 0.048,
    ("segments", "decoding"): 0.15,
    ("video", "encoding"): 0.1,
}
ON_CPU = 800  # times as long as on the GPU that PUBLISHED is about
TRUST_ALL = 0.05  # of a job's expected time counts as seen before it begins; so much weighs what was expected
WRONG = math.log(4)  # expectations that are this far off count half, and further off for little: an unknown family's
TRUST_PART = 0.15  # the same for one part, beside what the whole job has shown
RECENT = 0.4  # of a part: what is longer ago says less about its speed
LATE = 0.15  # of the time that a unit has kept us waiting is still to come, at the least


class Costs:
    """What a unit of each part takes, in seconds for a megapixel; measured in this process where it was seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Named], float] = {}
        self._guard = Lock()

    def of(self, kind: str, part: Part) -> float:
        """Expected seconds for all of a part."""
        family, _, device = kind.partition(" ")
        table = TABLES.get(family, PUBLISHED)
        times = ON_CPU if table is PUBLISHED and device == "cpu" else 1
        name = part.stage, part.detail
        if name[0] in ("tags", "video"):  # which no GPU does
            times = 1
        known = self._seen.get((kind, name), times * table.get(name, 1.0))
        return max(1e-9, known * part.megapixels * part.units)

    def learn(self, kind: str, part: Part, seconds: float, units: float) -> None:
        """Remember what so many units of a part took."""
        if units > 0 and part.megapixels > 0 and seconds > 0:
            with self._guard:
                self._seen[kind, (part.stage, part.detail)] = seconds / units / part.megapixels


COSTS = Costs()  # of this process


@dataclass
class _Doing:
    """A part on its way."""

    part: Part
    cost: float  # expected seconds for all of it
    share: float = 0.0  # of it that is done, 0..1
    watched: float = 0.0  # of it that was done while we looked
    spent_s: float = 0.0  # on what was watched
    lately: float = 0.0  # the same two, the longer ago the less
    lately_s: float = 0.0
    at_once: int = 1  # units side by side
    begun: list[float] = field(default_factory=list)  # when those under way were, oldest first

    @property
    def units_left(self) -> int:
        return round(self.part.units * (1 - self.share))

    def begin(self, now: float, at_once: int) -> None:
        """As many units as go side by side are under way."""
        self.at_once = max(1, at_once)
        missing = min(self.at_once, self.units_left) - len(self.begun)
        self.begun = [*self.begun, *[now] * missing] if missing > 0 else self.begun[: self.units_left]

    def finish(self, now: float, share: float) -> None:
        """It is done up to this share: the oldest units ended."""
        gained = share - self.share
        ended = self.begun[: max(1, round(gained * self.part.units))]
        took_s = sum(now - begun for begun in ended) / max(1, len(self.begun))
        self.begun = self.begun[len(ended) :]
        self.spent_s, self.watched = self.spent_s + took_s, self.watched + gained
        kept = math.exp(-gained / RECENT)
        self.lately_s, self.lately = kept * self.lately_s + took_s, kept * self.lately + gained
        self.share = share

    def left(self, now: float, rate: float) -> tuple[float, float]:
        """Seconds until its end, and until its next unit, where a unit takes `rate` times what was expected."""
        unit = self.cost / max(1, self.part.units) * rate
        left = self.cost * (1 - self.share) * rate
        if not self.begun:
            return left, unit if self.share < 1 else 0.0
        beside = len(self.begun) * unit  # what each of those under way takes
        free = [max(beside - (now - begun), LATE * (now - begun)) for begun in self.begun]
        return max(left - sum(max(0.0, beside - wait) for wait in free) / len(free), min(free)), min(free)


@dataclass(frozen=True)
class Outlook:
    """What a report came to: share of the job that is done, seconds left, and seconds until the next report.

    seen_s: when that was, by the clock of whoever asks.
    """

    share: float
    left_s: float
    next_s: float
    seen_s: float

    def at(self, now_s: float) -> tuple[float, float]:
        """Share and seconds left some time after the report; the page's script does the same."""
        if not self.left_s:
            return self.share, 0.0
        waited = max(0.0, now_s - self.seen_s)
        begun = min(waited, self.left_s)
        if waited > 0.8 * self.next_s:  # late: as if ever less of the unit were done, and never all of it
            begun = self.next_s * (1 - 0.04 / (waited / self.next_s - 0.6)) if self.next_s else 0.0
        share = self.share + (1 - self.share) * begun / self.left_s
        return share, max(self.left_s - begun, LATE * (waited - self.next_s))


class TimeLeft:
    """The outlook of one job, from its reports in whatever order they come.

    The share never goes back, and is 1 when everything of the course is done and not before.
    """

    def __init__(self, costs: Costs = COSTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._costs, self._clock = costs, clock
        self._course: Course | None = None
        self._doing: list[_Doing] = []
        self._earlier: list[_Doing] = []  # of courses that gave way to another
        self._place = 0  # of the part under way
        self._since = clock()
        self.outlook: Outlook | None = None  # as of the last report

    def go_on(self) -> None:
        """Begin to look again: the time until now says nothing about the speed."""
        now = self._clock()
        for doing in self._doing:
            doing.begun = [begun + now - self._since for begun in doing.begun]
        self._since = now
        if self.outlook is not None:
            self.outlook = replace(self.outlook, seen_s=now)

    def now(self) -> tuple[float, float | None]:
        """Share of the job that is done, 0..1, and seconds until its end; None until there was a report."""
        return self.outlook.at(self._clock()) if self.outlook else (0.0, None)

    def __call__(self, progress: Progress) -> float:
        """Take a report; seconds until the end of the whole job."""
        now = self._clock()
        self._follow(progress, now)
        passed, shown = now - self._since, self.now()[0]
        self._advance(progress, now, passed)
        rates = [(doing, self._rate(doing)) for doing in self._doing]
        left = sum(doing.left(now, rate)[0] for doing, rate in rates)
        following = next((doing.left(now, rate)[1] for doing, rate in rates[self._place :] if doing.share < 1), 0.0)
        share = self.outlook.share if self.outlook else 0.0
        share = max(shown, share + (1 - share) * passed / (passed + left)) if left else 1.0
        self.outlook = Outlook(min(share, 1 - 1e-6) if left else 1.0, left, following, now)
        self._since = now
        return left

    def _follow(self, progress: Progress, now: float) -> None:
        """Take up the course that the report belongs to; without one, what it counts is all that there is."""
        course = progress.course
        if course is None:
            course = Course("", (Part(progress.stage, progress.detail, max(1, progress.total)),))
            if self._course != course or progress.done < round(self._doing[0].share * progress.total):
                self._course, self._earlier, self.outlook, self._since = None, [], None, now
        if self._course == course:
            return
        self._earlier += [doing for doing in self._doing if doing.watched]
        self._course, self._place = course, 0
        self._doing = [_Doing(part, self._costs.of(course.kind, part)) for part in course.parts]

    def _advance(self, progress: Progress, now: float, passed: float) -> None:
        """Count what the report says is done, and the seconds that it took."""
        total = max(1, progress.total)
        names = [(doing.part.stage, doing.part.detail) for doing in self._doing]
        if (progress.stage, progress.detail) not in names:
            return self._advance_stage(progress.stage, progress.done / total, passed)
        place = names.index((progress.stage, progress.detail))
        doing = self._doing[place]
        found = max(0.0, 1 - total / max(1, doing.part.units))  # there before the stage began
        share = min(1.0, found + progress.done / total * (1 - found))
        if place > self._place or not progress.done:
            self._end_parts_before(place, passed if not progress.done else 0.0)
        self._place = max(self._place, place)
        doing.share = max(doing.share, min(found, share))
        if not doing.begun:
            doing.begin(now if not progress.done else self._since, progress.at_once)
        if share > doing.share:
            doing.finish(now, share)
        doing.begin(now, progress.at_once)
        return None

    def _end_parts_before(self, place: int, passed: float) -> None:
        """What comes before a part that begins is over; the time that its networks took to come counts there."""
        if place and self._doing[place - 1].watched:
            self._doing[place - 1].spent_s += passed
        for doing in self._doing[:place]:
            if doing.watched > 0.5 and doing.share < 1 + 1e-9 and self._course and self._course.kind:
                self._costs.learn(self._course.kind, doing.part, doing.spent_s, doing.watched * doing.part.units)
            doing.share, doing.begun = 1.0, []

    def _advance_stage(self, stage: str, done: float, passed: float) -> None:
        """A report about all of a stage at once, as several processes give: its parts are done in their order."""
        parts = [doing for doing in self._doing if doing.part.stage == stage]
        whole = sum(doing.cost for doing in parts)
        gained = done * whole - sum(doing.cost * doing.share for doing in parts)
        before = 0.0
        for doing in parts:
            share = max(doing.share, min(1.0, (done * whole - before) / doing.cost))
            if share > doing.share and gained > 0:
                doing.spent_s += passed * doing.cost * (share - doing.share) / gained
                doing.watched += share - doing.share
                doing.share, self._place = share, max(self._place, self._doing.index(doing))
            before += doing.cost

    def _rate(self, doing: _Doing) -> float:
        """How many times longer than expected what is left of a part takes, as far as can be seen."""
        seen = [*self._earlier, *self._doing]
        took_s, expected_s = sum(one.spent_s for one in seen), sum(one.cost * one.watched for one in seen)
        off = abs(math.log(took_s / expected_s)) if took_s and expected_s else 0.0
        trusted = TRUST_ALL * sum(one.cost for one in self._doing) / (1 + (off / WRONG) ** 4)
        overall = (trusted + took_s) / (trusted + expected_s)
        own = TRUST_PART * doing.cost
        return (own * overall + doing.lately_s) / (own + doing.cost * doing.lately)
