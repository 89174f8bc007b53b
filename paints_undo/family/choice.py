"""Which model family to work with: strokes, mini, the published one, or one in a folder."""

from importlib.resources import files
from pathlib import Path

from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.model_family import ModelFamily, open_family
from paints_undo.family.released import find_released, is_released_here
from paints_undo.options import OWN_SIZE, KeyframeOptions, SegmentOptions, UndoOptions

STROKES = "strokes"
NAMED = (STROKES, "mini", "released")
MINI_FOLDER = Path(str(files("paints_undo"))) / "mini"


def find_family(models: str | Path) -> ModelFamily:
    """The family "strokes", "mini", "released" or in a folder; CheckpointError says what is missing and what to do."""
    name = str(models)
    if name == "auto":
        name = default_models()
    if name == STROKES:
        return strokes_family()
    if name == "released":
        return find_released()
    if name == "mini":
        return open_family(MINI_FOLDER, name="mini")
    return open_family(Path(name))


def find_networks(models: str | Path) -> ModelFamily:
    """Likewise for what needs networks: "auto" is mini where it would be strokes, which InputError refuses."""
    family = find_family(default_networks() if str(models) == "auto" else models)
    if family.in_strokes:
        raise InputError("the model family {family} has no networks; use mini, released or a folder", family.name)
    return family


def default_models() -> str:
    """The family to use when none is named: on a GPU the published one, if it is there; else strokes."""
    if not is_released_here():
        return STROKES
    from memory_management import pick_device  # PyTorch takes seconds, and is asked only where both families are there

    return STROKES if pick_device().type == "cpu" else "released"


def default_networks() -> str:
    """The same among families of networks."""
    models = default_models()
    return "mini" if models == STROKES else models


def strokes_family() -> ModelFamily:
    """The family without networks; its revision is that of the way in which operations are planned."""
    keyframes = {"operation_steps": (80, 220, 380, 540, 680, 820, 940)}
    run = {"fps": 24, "fit": OWN_SIZE, "tag": False}
    model, tags = MINI_FOLDER / "tagger" / "model.onnx", MINI_FOLDER / "tagger" / "selected_tags.csv"
    return ModelFamily(STROKES, {}, "2", model, tags, video_sizes=(), keyframe_defaults=keyframes, run_defaults=run)


def defaults_of(family: ModelFamily) -> UndoOptions:
    """The family's defaults; for the published family, those of the original app.

    Raises CheckpointError where its model_family.json gives others than there are.
    """
    width, height = family.keyframe_size
    drawing = {"width": width, "height": height, **family.keyframe_defaults}
    filling = {"prompt": family.video_prompt, **family.segment_defaults}
    try:
        return UndoOptions(KeyframeOptions(**drawing), SegmentOptions(**filling), **family.run_defaults)
    except (TypeError, InputError) as error:
        sentence = "the defaults in model_family.json of the model family {family} cannot be used: {reason}"
        raise CheckpointError(sentence, family.name, error) from None
