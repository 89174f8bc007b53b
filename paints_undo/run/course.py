"""What a run's work consists of, part by part: from its options, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from paints_undo.engine import Engine
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.fit import nearest_bucket
from paints_undo.progress import PLANNING_PARTS, Course, Part

TAGS = Part("tags", "tagging", 1)
FRAMES = 16  # of a segment
LARGEST_PLANNED, PLANNED_AT_ANY_RATE = 2.0, 0.5  # megapixels: the smallest picture takes its time, too


def kind_of(engine: Engine) -> str:
    """The family and the kind of device: what the cost of a piece of work depends on."""
    return f"{engine.family.name} {engine.describe().device.partition(':')[0]}"


def keyframe_parts(count: int, options: KeyframeOptions) -> tuple[Part, ...]:
    """What drawing so many keyframes takes."""
    if not count:
        return ()
    size = options.width * options.height / 1e6
    return (
        Part("keyframes", "preparing", 1, size),
        Part("keyframes", "sampling", count * options.sampling_steps, size * _looks(options.guidance_scale)),
        Part("keyframes", "decoding", count, size),
    )


def segment_parts(
    family: ModelFamily, shape: tuple[int, ...], pairs: Sequence[int], options: SegmentOptions
) -> tuple[Part, ...]:
    """What filling these pairs of pictures takes; shape: of the first picture, (H, W, 3)."""
    if not len(pairs):
        return ()
    size = _frame(family, shape)
    looks = FRAMES * _looks(options.guidance_scale)
    return (
        Part("segments", "preparing", len({picture for pair in pairs for picture in (pair, pair + 1)}), size),
        Part("segments", "conditions", 1, size),
        Part("segments", "sampling", len(pairs) * options.sampling_steps, size * looks),
        Part("segments", "decoding", len(pairs), size * FRAMES),
    )


def course_of(
    engine: Engine,
    options: UndoOptions,
    shape: tuple[int, ...],
    keyframes: int | None = None,
    pairs: Sequence[int] | None = None,
    video: bool = True,
) -> Course:
    """What a run of an artwork (H, W, 3) of this shape takes; keyframes, pairs: those to be drawn, by default all."""
    if options.in_strokes:
        return _course_of_strokes(engine, options, shape, keyframes, video)
    segments = len(options.keyframes.operation_steps) + 1
    drawing = keyframe_parts(segments - 1 if keyframes is None else keyframes, options.keyframes)
    filling = segment_parts(engine.family, shape, range(segments) if pairs is None else pairs, options.segments)
    tags = (TAGS,) if options.tag and not options.keyframes.prompt else ()
    encoding = (Part("video", "encoding", (FRAMES - 1) * segments, _frame(engine.family, shape)),) if video else ()
    return Course(kind_of(engine), (*tags, *drawing, *filling, *encoding))


def _course_of_strokes(
    engine: Engine, options: UndoOptions, shape: tuple[int, ...], keyframes: int | None, video: bool
) -> Course:
    tags = (TAGS,) if options.tag and not options.keyframes.prompt else ()
    size = shape[0] * shape[1] / 1e6
    count = len(options.keyframes.operation_steps) if keyframes is None else keyframes
    planning = Part("keyframes", "planning", PLANNING_PARTS, min(size, LARGEST_PLANNED) + PLANNED_AT_ANY_RATE)
    drawing = (Part("keyframes", "drawing", count, size),) if count else ()
    encoding = (Part("video", "encoding", round(options.seconds * options.fps), size),) if video else ()
    return Course(kind_of(engine), (*tags, planning, *drawing, *encoding))


def _frame(family: ModelFamily, shape: tuple[int, ...]) -> float:
    """Megapixels of a frame of the segments."""
    height, width = nearest_bucket(shape[0], shape[1], family.video_sizes)
    return width * height / 1e6


def _looks(guidance_scale: float) -> int:
    """How often a network sees each picture in a sampling step: with guidance, twice."""
    return 1 if guidance_scale == 1 else 2
