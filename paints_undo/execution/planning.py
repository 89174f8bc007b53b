"""Which plan an engine works by: chosen for a run's sizes, the device's memory and what the user allows."""

from dataclasses import dataclass, replace

from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import Candidate, Work, one_by_one
from paints_undo.execution.plans import budget, choose, plans_for
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import UndoOptions
from paints_undo.pictures.fit import nearest_bucket


@dataclass(eq=False)
class Planner:
    """Chooses plans for one engine and keeps its networks to them.

    vram: GiB of device memory that may be used, or "auto".  bit_exact: everything one by one.
    """

    family: ModelFamily
    parts: Parts
    vram: str
    bit_exact: bool
    planned_pixels: int = 0  # of the largest keyframe that the present plan counts on

    def plan(self, options: UndoOptions) -> Candidate:
        """How a run of these options would use the device's memory, and what it would take.

        Raises InputError where the device has too little memory, or may use too little, for any plan.
        """
        drawing, filling, device = options.keyframes, options.segments, self.parts.device
        work = Work(
            keyframes=len(drawing.operation_steps),
            keyframe_size=(drawing.width, drawing.height),
            pairs=len(drawing.operation_steps) + 1,
            video_size=nearest_bucket(drawing.height, drawing.width, self.family.video_sizes),
            keyframe_sampling_steps=drawing.sampling_steps,
            video_sampling_steps=filling.sampling_steps,
            guided=filling.guidance_scale != 1,
        )
        candidates = plans_for(self.family, work, device, self.parts.dtype)
        if self.bit_exact:
            candidates = [replace(c, plan=one_by_one(c.plan)) for c in candidates]
        return choose(candidates, budget(self.vram, device), device)

    def follow(self, options: UndoOptions) -> None:
        """Take the plan for keyframes of this size, unless the present one counts on larger ones."""
        pixels = options.keyframes.width * options.keyframes.height
        if pixels > self.planned_pixels:
            self.parts.residency.drop_all()  # the plan counts on their memory
            self.parts.use(self.plan(options).plan)
            self.planned_pixels = pixels
