"""Everything a person may choose for one run."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from paints_undo import validation
from paints_undo.checkpoints import FAMILY_FILE, ModelFamily
from paints_undo.errors import CheckpointError, InputError
from paints_undo.finishing.placement import check_fit
from paints_undo.keyframes import KeyframeOptions
from paints_undo.segments import SegmentOptions


@dataclass(frozen=True)
class UndoOptions:
    """Everything a person may choose for one run."""

    keyframes: KeyframeOptions = field(default_factory=KeyframeOptions)
    segments: SegmentOptions = field(default_factory=SegmentOptions)
    fps: int = 4
    tag: bool = True  # let the tagger write the keyframes' prompt where none is given
    mark: bool = False  # a small text in the corner of the video says that AI made it
    fit: str = "pad"  # how the artwork fills a keyframe: so that nothing of it is lost, or "crop" as the original

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", validation.whole_number("fps", self.fps, 1, 60))
        validation.yes_or_no("tag", self.tag)
        validation.yes_or_no("mark", self.mark)
        check_fit(self.fit)

    def to_settings(self) -> dict[str, Any]:
        """Plain values for run.json; from_settings gives the same options back."""
        values = dataclasses.asdict(self)
        if not self.mark:
            del values["mark"]  # a run of a version without marks is the same run
        if self.fit == "crop":
            del values["fit"]  # likewise: once there was nothing else
        return values

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> "UndoOptions":
        """The options in a run.json; InputError where it holds others than this version knows."""
        if not isinstance(settings, dict):
            raise InputError(f"these settings are no options but {settings!r:.60}; start a new run")
        try:
            values = {"fit": "crop", **settings}  # runs of earlier versions say nothing and were cut
            stages = KeyframeOptions(**values.pop("keyframes")), SegmentOptions(**values.pop("segments"))
            return cls(*stages, **values)
        except (KeyError, TypeError) as error:
            raise InputError(f"these settings are not of this version ({error}); start a new run") from None


def defaults_of(family: ModelFamily) -> UndoOptions:
    """The family's defaults; for the published family, those of the original app.

    Raises CheckpointError where its model_family.json gives others than there are.
    """
    width, height = family.keyframe_size
    drawing = {"width": width, "height": height, **family.keyframe_defaults}
    filling = {"prompt": family.video_prompt, **family.segment_defaults}
    try:
        return UndoOptions(KeyframeOptions(**drawing), SegmentOptions(**filling))
    except (TypeError, InputError) as error:
        raise CheckpointError(
            f"the defaults in {FAMILY_FILE} of the model family {family.name} cannot be used: {error}"
        ) from None


def with_prompt(options: UndoOptions, prompt: str) -> UndoOptions:
    """The options with the prompt of the keyframes settled, and no need for a tagger left."""
    return dataclasses.replace(options, keyframes=dataclasses.replace(options.keyframes, prompt=prompt), tag=False)
