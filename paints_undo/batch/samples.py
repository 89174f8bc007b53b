"""Samples of a dataset: an artwork with earlier states of it, line art, a coarse sketch, and its tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from paints_undo import validation
from paints_undo.batch.items import WorkItem
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError
from paints_undo.pictures.fit import crop_to
from paints_undo.progress import OnProgress, ignore
from wd14_tagger import Tagger


@dataclass(frozen=True)
class SampleOptions:
    """What a sample holds beside the keyframes at the run's operation steps."""

    line_art_step: int = 600  # the operation step whose keyframe serves as line art
    sketch_step: int = 950  # and as coarse sketch
    least_probability: float = 0.1  # of the tags that are listed

    def __post_init__(self) -> None:
        checked = {
            "line_art_step": validation.whole_number("line art step", self.line_art_step, 0, 999),
            "sketch_step": validation.whole_number("sketch step", self.sketch_step, 0, 999),
            "least_probability": validation.number("least probability", self.least_probability, 0, 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


@dataclass(frozen=True)
class Sample:
    """One artwork and what stage 1 made of it; pictures uint8 (height, width, 3)."""

    artwork: np.ndarray  # cropped to the keyframes' size
    keyframes: dict[int, np.ndarray]  # by operation step
    line_art: np.ndarray
    sketch: np.ndarray
    prompt: str
    tags: dict[str, float]  # probabilities, the greatest first

    def arrays(self) -> dict[str, np.ndarray]:
        """The sample as arrays; from_arrays gives it back."""
        return {
            "artwork": self.artwork,
            "steps": np.array(list(self.keyframes)),
            "keyframes": np.stack(list(self.keyframes.values())),
            "line_art": self.line_art,
            "sketch": self.sketch,
            "prompt": np.array(self.prompt),
            "tags": np.array(list(self.tags), dtype=str),
            "probabilities": np.array(list(self.tags.values()), dtype=np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Sample":
        """The sample whose arrays these are."""
        return cls(
            arrays["artwork"],
            dict(zip(arrays["steps"].tolist(), arrays["keyframes"], strict=True)),
            arrays["line_art"],
            arrays["sketch"],
            str(arrays["prompt"]),
            dict(zip(arrays["tags"].tolist(), (round(p, 4) for p in arrays["probabilities"].tolist()), strict=True)),
        )


class Tags(Protocol):
    """A tagger, as far as samples need one."""

    @property
    def names(self) -> Sequence[str]: ...

    def probabilities(self, picture: np.ndarray) -> np.ndarray: ...

    def prompt(self, picture: np.ndarray) -> str: ...


def draw_sample(
    engine: "Engine",
    tagger: Tags,
    item: WorkItem,
    artwork: np.ndarray,
    options: SampleOptions,
    on_progress: OnProgress = ignore,
) -> Sample:
    """The sample of one artwork uint8 (H, W, 3): the same for the same picture, settings and seed."""
    drawing = item.options.keyframes
    prompt = drawing.prompt or (tagger.prompt(artwork) if item.options.tag else "")
    steps = {*drawing.operation_steps, options.line_art_step, options.sketch_step}
    drawn = engine.draw_keyframes(
        artwork, replace(drawing, prompt=prompt, operation_steps=tuple(sorted(steps))), on_progress
    )
    keyframes = dict(zip(sorted(steps), drawn, strict=True))
    return Sample(
        crop_to(artwork, drawing.width, drawing.height),
        {step: keyframes[step] for step in drawing.operation_steps},
        keyframes[options.line_art_step],
        keyframes[options.sketch_step],
        prompt,
        probable_tags(tagger, artwork, options.least_probability),
    )


def tagger_of(engine: "Engine") -> Tagger:
    """The tagger of an engine's model family, whose probabilities a dataset holds; CheckpointError without one."""
    family = engine.family
    if family.tagger_model is None or family.tagger_tags is None:
        raise CheckpointError(
            f"the model family {family.name} has no tagger, which a dataset needs; take another family"
        )
    return Tagger(family.tagger_model, family.tagger_tags)


def probable_tags(tagger: Tags, artwork: np.ndarray, least: float) -> dict[str, float]:
    """The tags, ratings included, of at least this probability, the most probable first."""
    probabilities: Any = tagger.probabilities(artwork)
    likely = [(float(p), name) for p, name in zip(probabilities, tagger.names, strict=True) if p >= least]
    return {name: p for p, name in sorted(likely, key=lambda tag: (-tag[0], tag[1]))}
