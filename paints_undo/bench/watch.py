"""The stages of a run, told apart by which network is on the device, and what the meters showed at each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import nn

from paints_undo.execution.parts import Parts
from paints_undo.execution.plans import LADDER, NAMES
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress

STAGES = (
    "load",  # before the first network is used
    "tags",
    "keyframe text",
    "keyframe encode",
    "keyframe sampling",
    "keyframe decode",
    "segment encode",
    "conditions",
    "segment denoise",
    "segment decode",
    "video",
)
STAGE_OF = {
    "single_frame/text_encoder": "keyframe text",
    "single_frame/vae": "keyframe encode",
    "single_frame/unet": "keyframe sampling",
    "multi_frame/text_encoder": "conditions",
    "multi_frame/image_encoder": "conditions",
    "multi_frame/image_projection": "conditions",
    "multi_frame/vae": "segment encode",
    "multi_frame/unet": "segment denoise",
}
DECODING = {"keyframe encode": "keyframe decode", "segment encode": "segment decode"}

Read = Callable[[], dict[str, float]]  # rising numbers, by name


@dataclass
class Span:
    """One stay of a network on the device, with what came between it and the one before."""

    stage: str
    part: str | None
    readings: dict[str, float] = field(default_factory=dict)  # how much each number rose
    loading: float = 0.0  # seconds of these until the network was ready
    peak: int = 0


class Watch:
    """Follows one run: `spans` in order, and when each kind of sampling finished its first step."""

    def __init__(
        self,
        read: Read = dict,
        peak: Callable[[], int] = int,
        loading: Callable[[bool], object] = bool,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """read: the meters; peak: the highest number of living bytes since the last call; loading: told when a network
        begins to be brought to the device, and when it is there."""
        self.spans: list[Span] = []
        self.first_step: dict[str, float] = {}  # "keyframes" and "segments" -> seconds since the run began
        self._read, self._peak, self._loading, self._clock = read, peak, loading, clock
        self._open: list[Span] = []
        self._decoded = False
        self._tagged = False
        self._began = clock()
        self._last = self._now()

    def _now(self) -> dict[str, float]:
        return {"seconds": self._clock(), **self._read()}

    def on_progress(self, progress: Progress) -> None:
        """To be given to the run."""
        self._decoded |= progress.detail == "decoding"
        self._tagged |= progress.stage == "tags"
        if progress.detail == "sampling" and progress.done:
            self.first_step.setdefault(progress.stage, self._clock() - self._began)

    @contextmanager
    def stay(self, part: str) -> Iterator[Span]:
        """What a network's time on the device costs; `ready` ends the loading."""
        if self._tagged:
            self._take(Span("tags", None))
            self._tagged = False
        elif self._open:
            self._take(self._open[-1])
        span, self._decoded = Span(STAGE_OF[part], part), False
        self._open.append(span)
        self._loading(True)
        try:
            yield span
        finally:
            self._loading(False)
            self._open.pop()
            if self._decoded:
                span.stage = DECODING.get(span.stage, span.stage)
            self._take(span)

    def ready(self, span: Span) -> None:
        """The span's network is on the device."""
        self._loading(False)
        span.loading += self._clock() - self._last["seconds"]

    def loaded(self, part: str) -> None:
        """A network was loaded ahead of its use: what came since the last reading was for that."""
        span = Span("load", part)
        self._take(span)
        span.loading = span.readings["seconds"]

    def finish(self) -> None:
        """The run has ended: what came after the last network was the writing of the video."""
        self._take(Span("video", None))

    def _take(self, span: Span) -> None:
        """Give everything since the last reading to this span."""
        now = self._now()
        for name, value in now.items():
            span.readings[name] = span.readings.get(name, 0.0) + value - self._last[name]
        span.peak = max(span.peak, self._peak())
        if not any(known is span for known in self.spans):
            self.spans.append(span)
        self._last = now

    def by_stage(self) -> dict[str, dict[str, float]]:
        """Stage -> its numbers summed up (peaks: the highest), in the order of STAGES."""
        stages: dict[str, dict[str, float]] = {}
        for span in sorted(self.spans, key=lambda span: STAGES.index(span.stage)):
            numbers = stages.setdefault(span.stage, {"loading": 0.0, "peak_bytes": 0})
            numbers["loading"] += span.loading
            numbers["peak_bytes"] = max(numbers["peak_bytes"], span.peak)
            for name, value in span.readings.items():
                numbers[name] = numbers.get(name, 0.0) + value
        return stages

    def loading_of_parts(self) -> dict[str, float]:
        """Part -> seconds of loading, the first time."""
        loading: dict[str, float] = {}
        for span in self.spans:
            if span.part:
                loading.setdefault(span.part, span.loading)
        return loading


class WatchedParts(Parts):
    """The parts of an engine, their every stay on the device watched."""

    watch: Watch

    @classmethod
    def of(cls, parts: Parts, watch: Watch) -> WatchedParts:
        """The same parts, not a copy: what changes here changes there."""
        watched = cls.__new__(cls)
        watched.__dict__ = parts.__dict__
        watched.watch = watch
        return watched

    @contextmanager
    def on_device(self, part: str) -> Iterator[nn.Module]:
        with self.watch.stay(part) as span, super().on_device(part) as network:
            self.watch.ready(span)
            yield network


def watched_engine(parts: Parts, plan: str, watch: Watch, noise: str = "device") -> PaintsUndo:
    """An engine of these parts, watched, working by the plan of this name; "auto" leaves it the one it chooses."""
    engine = PaintsUndo(WatchedParts.of(parts, watch), noise)
    if plan in NAMES:
        engine.use(LADDER[NAMES.index(plan)])
    return engine
