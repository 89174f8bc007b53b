"""What both stages have in common: one object for a call, which samples its pieces a few at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from paints_undo.diffusion.samplers import OnStep, draw_normal
from paints_undo.diffusion.schedules import TIMESTEPS
from paints_undo.execution.lanes import JointProgress, Lanes
from paints_undo.execution.parts import Networks
from paints_undo.options import KeyframeOptions, SegmentOptions
from paints_undo.progress import OnProgress, Preview, Progress, Report, ignore
from paints_undo.stages.memory import Begun
from paints_undo.stages.previews import Look


def timesteps_on(device: torch.device) -> Callable[[int | Tensor], Tensor]:
    """Timesteps as tensors () on a device: whole ones from a table, so that no step waits for a copy of its number."""
    table = torch.arange(TIMESTEPS, device=device)
    return lambda timestep: timestep if isinstance(timestep, Tensor) else table[timestep]


@dataclass(eq=False)
class Sampling:
    """One call of a stage, and all that its pieces have in common.

    seeds: one for each piece, wanted or not.  noise_device: where noise is drawn.  look: what a report's preview gives
    of the latents as they are seen so far; by default the first of them as a rough picture.  begun: latents that an
    earlier call got so far; it is filled on the way, so that a call that is stopped loses no sampling step.
    """

    stage: ClassVar[str]  # as in Progress

    parts: Networks
    options: KeyframeOptions | SegmentOptions
    seeds: Sequence[int]
    noise_device: torch.device
    on_progress: OnProgress = ignore
    look: Look | None = None
    begun: Begun = field(default_factory=Begun, init=False)

    @property
    def keys(self) -> Sequence[str]:
        """For each piece one text, the same for what comes to the same picture, and only then."""
        raise NotImplementedError

    def sample_in_groups(
        self, wanted: Sequence[int], at_once: int, sample: Callable[[Sequence[int], OnStep], Tensor], look: Look
    ) -> None:
        """Put into `begun` what it lacks of the wanted pieces: `sample` gives latents (n, ...) of n pieces together."""
        missing, lanes = self.missing(wanted), Lanes(self.parts.plan.lanes)
        groups = [missing[begin : begin + at_once] for begin in range(0, len(missing), at_once)]
        names = [self.names(group) for group in groups]
        self.begun.under_way = {name: at for name, at in self.begun.under_way.items() if name in names}
        progress = JointProgress(lanes, self.report("sampling"), [len(group) for group in groups])
        progress.begin(self.options.sampling_steps)

        def sampled(number: int) -> Tensor:
            def on_step(done: int, total: int, seen: Tensor) -> None:
                progress.step(number, done, total, lambda: look(seen))

            return sample(groups[number], on_step).cpu()

        for number, latents in lanes.run([partial(sampled, number) for number in range(len(groups))]):
            self.begun.latents |= dict(zip(names[number], latents.split(1), strict=True))
            self.begun.under_way.pop(names[number], None)

    def missing(self, wanted: Sequence[int]) -> list[int]:
        """Those of the wanted pieces whose latents are still to be sampled."""
        return [piece for piece in wanted if self.keys[piece] not in self.begun.latents]

    def names(self, pieces: Sequence[int]) -> tuple[str, ...]:
        """The pieces' keys."""
        return tuple(self.keys[piece] for piece in pieces)

    def noise(self, shape: Sequence[int], pieces: Sequence[int]) -> Callable[[], Tensor]:
        """Draws noise (n, ...) for these pieces, each from its own seed; shape: (1, ...), of one piece."""
        generators = [torch.Generator(self.noise_device).manual_seed(self.seeds[piece]) for piece in pieces]
        dtype, device = self.parts.dtype, self.parts.device
        return lambda: torch.cat([draw_normal(shape, each, dtype, device) for each in generators])

    def report(self, detail: str) -> Report:
        """Tells `on_progress` of one kind of this stage's work."""

        def report(done: int, total: int, preview: Preview | None = None, at_once: int = 1) -> None:
            self.on_progress(Progress(self.stage, detail, done, total, preview, at_once))

        return report
