"""One config file a part: the defaults that are shipped, what a person's own file and the command line change.

The dataclasses of the parts are the schema. A file holds an object for each section of PartConfig, with any of its
fields; what it leaves out stays as it is. The config that a part was trained with lies beside its checkpoint.
"""

from __future__ import annotations

import json
import math
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Generic

from paints_undo.atomic import write_atomically
from paints_undo.errors import InputError
from paints_undo.training.keyframe_training import KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions, Options
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.segment_training import SegmentTrainingOptions
from paints_undo.training.tagger import TaggerOptions
from paints_undo.training.video_vae_training import VideoVaeOptions

SHIPPED = Path(__file__).parent / "configs"
"""PART.json, the defaults: for pictures of 128 pixels on a CPU."""
CONFIG_FILE = "config.json"
GPU_BATCH = 8  # times as many pictures or clips in an update as on a CPU, unless a file or `--batch` says otherwise
SIZE_STEP = 32  # pixels: the networks halve pictures up to five times

KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    int | None: "a whole number, or null",
    tuple[int, ...]: "a list of whole numbers",
}


@dataclass(frozen=True)
class PartConfig(Generic[Options]):
    """How one part is trained; the segments' decoder, which keeps their frames steady, is trained before them."""

    loop: LoopOptions
    options: Options
    decoder_loop: LoopOptions | None = None
    decoder: VideoVaeOptions | None = None

    def fitted(self, size: int, larger: int = 1) -> PartConfig:
        """The same for pictures of `size` pixels; `larger` times as many of them in an update."""
        given = [(name, getattr(self, name)) for name in ("options", "decoder") if getattr(self, name) is not None]
        fitted = {name: options.for_size(size) for name, options in given}
        return replace(self, **{name: options.with_batch(larger * options.count) for name, options in fitted.items()})

    def chosen(
        self, seed: int | None = None, minutes: float | None = None, steps: int | None = None, batch: int | None = None
    ) -> PartConfig:
        """The same with what the command line says; the decoder keeps its share of minutes or steps.

        Raises InputError for values out of range.
        """

        def with_these(loop: LoopOptions) -> LoopOptions:
            share = loop.minutes / self.loop.minutes
            return replace(
                loop,
                seed=loop.seed if seed is None else seed,
                minutes=loop.minutes if minutes is None else share * minutes,
                steps=loop.steps if steps is None else max(min(steps, 1), round(share * steps)),
            )

        try:
            options = self.options if batch is None else self.options.with_batch(batch)
            decoder_loop = self.decoder_loop and with_these(self.decoder_loop)
            return replace(self, options=options, loop=with_these(self.loop), decoder_loop=decoder_loop)
        except ValueError as error:
            raise InputError(f"the training options do not work: {error}") from None


STARTS: dict[str, PartConfig[Any]] = {
    "vae": PartConfig(LoopOptions(), VaeOptions()),
    "tagger": PartConfig(LoopOptions(), TaggerOptions()),
    "keyframes": PartConfig(LoopOptions(), KeyframeTrainingOptions()),
    "segments": PartConfig(LoopOptions(), SegmentTrainingOptions(), LoopOptions(), VideoVaeOptions()),
}


def read_config(part: str, own: Path | None = None, size: int = 128, on_gpu: bool = False) -> PartConfig:
    """The config of a part for pictures of `size` pixels: the shipped defaults, changed by a person's own file.

    own: a JSON file, or a folder with PART.json for any of the parts. Raises InputError naming file, field and value.
    """
    if size < SIZE_STEP or size % SIZE_STEP:
        raise InputError(f"--size is {size}; use a multiple of {SIZE_STEP} pixels")
    config = changed(STARTS[part], read_object(SHIPPED / f"{part}.json"), f"{SHIPPED / part}.json")
    config = config.fitted(size, GPU_BATCH if on_gpu else 1)
    if own is None:
        return config
    file = own / f"{part}.json" if own.is_dir() else own
    return changed(config, read_object(file), str(file)) if file.exists() or not own.is_dir() else config


def read_object(file: Path) -> Any:
    """What a JSON file holds. Raises InputError when it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the config {file} cannot be read ({error}); give a JSON file") from None


def changed(value: Any, changes: Any, file: str, place: str = "") -> Any:
    """A dataclass with some fields changed, those that are dataclasses likewise.

    Raises InputError naming the file, the field and what it may hold.
    """
    where = f"{file}: {place}" if place else file
    if not isinstance(changes, dict):
        raise InputError(f"{where} is {changes!r}; give an object with names of settings")
    known = [field.name for field in fields(value) if getattr(value, field.name) is not None or field.name == "steps"]
    kinds = typing.get_type_hints(type(value))
    new = {}
    for name, given in changes.items():
        path = f"{place}.{name}" if place else name
        if name not in known:
            raise InputError(f"{file}: {path} is no setting; use one of {', '.join(known)}")
        if is_dataclass(getattr(value, name)):
            new[name] = changed(getattr(value, name), given, file, path)
        elif not fits(kinds[name], given):
            raise InputError(f"{file}: {path} is {given!r}; use {KINDS[kinds[name]]}")
        else:
            new[name] = tuple(given) if isinstance(given, list) else given
    try:
        return replace(value, **new)
    except ValueError as error:
        raise InputError(f"{where} does not work: {error}") from None


def fits(kind: Any, given: Any) -> bool:
    """Whether a value from a JSON file is of this kind, a key of KINDS."""
    if kind is bool or isinstance(given, bool):
        return kind is bool and isinstance(given, bool)
    if kind == tuple[int, ...]:
        return isinstance(given, list) and all(fits(int, one) for one in given)
    if kind is float:
        return isinstance(given, int | float) and math.isfinite(given)
    return isinstance(given, int) or (given is None and kind is not int)


def write_config(folder: Path, config: PartConfig) -> None:
    """Write a config that `read_config` takes again, with every setting, as `folder`/config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = {name: values for name, values in asdict(config).items() if values is not None}
    write_atomically(folder / CONFIG_FILE, (json.dumps(sections, indent=2) + "\n").encode())
