"""An earlier run once more, from its run folder or from a picture or video that carries its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.family.choice import NAMED, STROKES, default_networks
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import OnProgress, ignore
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import FORMAT
from paints_undo.run.draw import draw
from paints_undo.run.folder import RunFolder, picture_digest
from paints_undo.run.timeline import Timeline
from paints_undo.timelapse import Timelapse

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process


@dataclass(frozen=True)
class EarlierRun:
    """What a run was made from and with."""

    name: str
    artwork: np.ndarray  # uint8 (H, W, 3)
    settings: dict[str, Any]  # as in run.json
    packages: dict[str, str]
    timeline: Timeline
    pictures: dict[int, np.ndarray] = field(default_factory=dict)  # keyframes that cannot be drawn again, by place
    process: Process | None = None  # where the artwork was drawn in strokes, and they were kept

    @property
    def options(self) -> UndoOptions:
        """What a person chose."""
        if "options" not in self.settings:
            raise InputError(f"the record of {self.name} holds no options; start a new run")
        return UndoOptions.from_settings(self.settings["options"])

    @property
    def models(self) -> str:
        """The family that draws it again where nobody names one: its own, or one of its kind."""
        name = self.settings.get("models", {}).get("name")
        if name in NAMED:
            return name
        return STROKES if self.options.in_strokes else default_networks()


def earlier_run(source: str | Path, artwork: str | Path | None = None) -> EarlierRun:
    """The run of a run folder, or of a PNG, MP4, GIF or WebP file with a record and the artwork it was made from.

    Raises InputError, one sentence, where there is no record, or the artwork is missing or another picture.
    """
    source = Path(source)
    name = f"{source.resolve().name}-replay"
    if source.is_dir():
        run = RunFolder.open(source)
        if artwork is not None:
            raise InputError(f"{source} is a run folder and has its artwork in it; give no other picture with it")
        given = [place for place, keyframe in enumerate(run.timeline.keyframes) if not keyframe.redrawable]
        pictures = {place: picture for place in given if (picture := run.keyframe(place)) is not None}
        process = run.process() if run.options.in_strokes else None
        return EarlierRun(name, run.artwork, run.settings, run.packages, run.timeline, pictures, process)
    if not source.exists():
        raise InputError(f"there is no file or run folder {source}; give one of an earlier run")
    try:
        record = read_record(source)
    except InputError as error:
        raise InputError(f"{source} cannot be replayed: {error}") from None
    if record is None:
        raise InputError(f"{source} carries no record of a run; give a run folder, or a file that this program wrote")
    if record.format != FORMAT:
        raise InputError(f"{source} was made with format {record.format}; this version reads format {FORMAT}")
    if artwork is None:
        raise InputError(f"{source} does not hold the artwork it was made from; give the artwork as well")
    picture = read_picture(artwork)
    if picture_digest(picture) != record.artwork.get("sha256"):
        raise InputError(
            f"{artwork} is not the artwork that {source} was made from (its sha256 differs); give that very picture"
        )
    return EarlierRun(name, picture, record.settings, record.packages, Timeline.from_record(record.timeline))


def replay(
    engine: Engine, earlier: EarlierRun, out: Path, on_progress: OnProgress = ignore, save_frames: bool = False
) -> Timelapse:
    """The timelapse of an earlier run drawn again into another run folder; the same frames on the same device."""
    settings = engine.settings_of(earlier.options)
    run = RunFolder.create(out, settings, earlier.timeline, earlier.artwork)
    with run.held():
        for place, picture in earlier.pictures.items():
            if run.keyframe(place) is None:
                run.keep_keyframe(place, picture)
        if earlier.process is not None and run.process() is None:
            run.keep_process(earlier.process)
        return draw(engine, run, on_progress, save_frames)
