"""Which model family to work with: mini, the published one, or one in a folder."""

from importlib.resources import files
from pathlib import Path

from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.model_family import ModelFamily, open_family
from paints_undo.family.released import find_released, is_released_here
from paints_undo.options import FAMILY_FILE, KeyframeOptions, SegmentOptions, UndoOptions

MINI_FOLDER = Path(str(files("paints_undo"))) / "mini"


def find_family(models: str | Path) -> ModelFamily:
    """The model family "mini", "released" or in a folder; CheckpointError says what is missing and what to do."""
    name = str(models)
    if name == "auto":
        name = default_models()
    if name == "released":
        return find_released()
    if name == "mini":
        if not MINI_FOLDER.is_dir():
            raise CheckpointError(
                "the model family mini is not part of this version; run `python -m paints_undo download` for the "
                "published one (7.6 GB), or give a folder"
            )
        return open_family(MINI_FOLDER, name="mini")
    return open_family(Path(name))


def default_models() -> str:
    """The family to use when none is named: on a GPU the published one, if it is there; else mini, if it is there."""
    if not (MINI_FOLDER / FAMILY_FILE).exists():
        return "released"
    if not is_released_here():
        return "mini"
    from memory_management import pick_device  # PyTorch takes seconds, and is asked only where both families are there

    return "mini" if pick_device().type == "cpu" else "released"


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
        sentence = "the defaults in model_family.json of the model family {family} cannot be used: {reason}"
        raise CheckpointError(sentence, family.name, error) from None
