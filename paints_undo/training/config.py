"""How a part is trained: its defaults, and what a person's own file and the command line change of them.

The dataclasses of the parts are the schema. A file holds an object for each section of PartConfig, with any of its
fields; what it leaves out stays as it is. The config that a part was trained with lies beside its checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic

from pydantic import TypeAdapter, ValidationError

from paints_undo.atomic import write_atomically
from paints_undo.errors import InputError
from paints_undo.training.keyframe_training import KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions, Options
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.segment_training import SegmentTrainingOptions
from paints_undo.training.settings import first_fault
from paints_undo.training.tagger import TaggerOptions
from paints_undo.training.video_vae_training import VideoVaeOptions

CONFIG_FILE = "config.json"
GPU_BATCH = 8  # times as many pictures or clips in an update as on a CPU, unless a file or `--batch` says otherwise
SIZE_STEP = 32  # pixels: the networks halve pictures up to five times


@dataclass(frozen=True)
class PartConfig(Generic[Options]):
    """How one part is trained; the segments' decoder, which keeps their frames steady, is trained before them."""

    loop: LoopOptions
    options: Options
    decoder_loop: LoopOptions | None = None
    decoder: VideoVaeOptions | None = None

    def sections(self) -> dict[str, Any]:
        """What this part has of the fields above, by name."""
        return {name: section for name, section in vars(self).items() if section is not None}

    def fitted(self, size: int, larger: int = 1) -> PartConfig:
        """The same for pictures of `size` pixels; `larger` times as many of them in an update."""
        fitted = {name: options.for_size(size) for name, options in self.sections().items() if "loop" not in name}
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
        except ValidationError as error:
            raise InputError(f"the training options do not work: {first_fault(error)}") from None


DEFAULTS: dict[str, PartConfig[Any]] = {
    "vae": PartConfig(LoopOptions(minutes=40, learning_rate=2e-3), VaeOptions()),
    "tagger": PartConfig(
        LoopOptions(minutes=30, learning_rate=2e-3, weight_decay=0.05, averaging=0.998, mixed_precision=False),
        TaggerOptions(),
    ),
    "keyframes": PartConfig(
        LoopOptions(minutes=56, learning_rate=8e-4, weight_decay=0.01, averaging=0.998), KeyframeTrainingOptions()
    ),
    "segments": PartConfig(
        LoopOptions(minutes=60, learning_rate=2e-3, averaging=0.995),
        SegmentTrainingOptions(),
        LoopOptions(minutes=6, learning_rate=3e-3, warmup_steps=20, averaging=0.98),
        VideoVaeOptions(),
    ),
}
"""For pictures of 128 pixels on a CPU."""


def read_config(part: str, own: Path | None = None, size: int = 128, on_gpu: bool = False) -> PartConfig:
    """The config of a part for pictures of `size` pixels: the defaults, changed by a person's own file.

    own: a JSON file, or a folder with PART.json for any of the parts. Raises InputError naming file, field and value.
    """
    if size < SIZE_STEP or size % SIZE_STEP:
        raise InputError(f"--size is {size}; use a multiple of {SIZE_STEP} pixels")
    config = DEFAULTS[part].fitted(size, GPU_BATCH if on_gpu else 1)
    if own is None:
        return config
    file = own / f"{part}.json" if own.is_dir() else own
    if own.is_dir() and not file.exists():
        return config
    try:
        changes = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the config {file} cannot be read ({error}); give a JSON file") from None
    sections = config.sections()
    values = overlaid({name: asdict(section) for name, section in sections.items()}, changes, f"{file}")
    new = {}
    for name, section in sections.items():
        try:
            new[name] = TypeAdapter(type(section)).validate_json(json.dumps(values[name]))
        except ValidationError as error:
            raise InputError(f"{file}: {first_fault(error, name)}") from None
    return replace(config, **new)


def overlaid(values: dict[str, Any], changes: Any, where: str) -> dict[str, Any]:
    """The values with those that are changed, objects likewise. Raises InputError for a name that is none of them."""
    if not isinstance(changes, dict):
        raise InputError(f"{where} is {changes!r}; give an object with names of settings")
    for name in changes.keys() - values.keys():
        raise InputError(f"{where}: {name} is no setting; use one of {', '.join(values)}")
    inner = [name for name in changes if isinstance(values[name], dict)]
    return values | changes | {name: overlaid(values[name], changes[name], f"{where}: {name}") for name in inner}


def write_config(folder: Path, config: PartConfig) -> None:
    """Write a config that `read_config` takes again, with every setting, as `folder`/config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = {name: asdict(section) for name, section in config.sections().items()}
    write_atomically(folder / CONFIG_FILE, (json.dumps(sections, indent=2) + "\n").encode())
