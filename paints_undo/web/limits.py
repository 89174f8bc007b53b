"""How much one run may ask of a machine that others use, too, by what its model family was made for."""

from __future__ import annotations

from paints_undo.errors import InputError, Sentence
from paints_undo.options import UndoOptions

SMALL_SIDE = 256  # pixels: families whose usual pictures have a shorter side are small ones
LARGEST_SIDE = 1024  # pixels, of the published sizes: what the original's sliders reach
# Times the family's usual work. The published family at its largest size, with as many sampling steps and keyframes
# as there may be, comes to 34.
MOST_WORK = 100


def largest_side(defaults: UndoOptions) -> int:
    """The longest side of keyframes in pixels for a family with these defaults."""
    width, height = defaults.keyframes.width, defaults.keyframes.height
    if min(width, height) < SMALL_SIDE:
        return 2 * max(width, height)
    return max(LARGEST_SIDE, width, height)


def check(options: UndoOptions, defaults: UndoOptions) -> None:
    """Raises InputError for options far beyond what the family with these defaults can draw."""
    most = largest_side(defaults)
    for field in ("width", "height"):
        if (value := getattr(options.keyframes, field)) > most:
            sentence = "{field} is {value}; use at most {most}, which is as far as this model family goes"
            raise InputError(sentence, field, value, most)
    for stage, work in ((Sentence("key frames"), _drawing), (Sentence("video"), _filling)):
        times = work(options) / work(defaults)
        if times > MOST_WORK:
            raise InputError(
                "the {stage} would take {times:,.0f} times as long as usual with this model family (at most "
                "{limit}); use fewer sampling steps or key frames, or a smaller size",
                stage,
                times,
                MOST_WORK,
            )


def _drawing(options: UndoOptions) -> int:
    """Pixels drawn, once for each sampling step: what the time for the keyframes goes by."""
    stage = options.keyframes
    return stage.width * stage.height * stage.sampling_steps * len(stage.operation_steps)


def _filling(options: UndoOptions) -> int:
    """The same for the segments, whose size is the family's."""
    return options.segments.sampling_steps * (len(options.keyframes.operation_steps) + 1)
