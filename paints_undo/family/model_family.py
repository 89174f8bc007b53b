"""A model family: where its files are, and what its JSON files say; no network is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.readable_files import permitted
from paints_undo.options import FAMILY_FILE, OWN_SIZE, UndoOptions

CONFIG_FILE = "config.json"
SEGMENT_HINTS = ("ends", "cross_fade")
"""What a 3D UNet may be told of the keyframes beside the noise; segments.keyframe_hint makes it."""

PICKLED = (".bin", ".ckpt", ".pt", ".pth")


@dataclass(frozen=True)
class Part:
    """The file of one network's weights."""

    weights: str
    prefix: str = ""  # stands before every key in the file, but not in the network


# transformers 5.6 dropped the prefix from this network's keys; the published files have it
TEXT_ENCODER = Part("model.safetensors", prefix="text_model.")

PARTS = {
    "single_frame/text_encoder": TEXT_ENCODER,
    "single_frame/vae": Part("diffusion_pytorch_model.safetensors"),
    "single_frame/unet": Part("diffusion_pytorch_model.safetensors"),
    "multi_frame/text_encoder": TEXT_ENCODER,
    "multi_frame/image_encoder": Part("model.safetensors"),
    "multi_frame/image_projection": Part("model.safetensors"),
    "multi_frame/vae": Part("model.safetensors"),
    "multi_frame/unet": Part("model.safetensors"),
}
TOKENIZERS = ("single_frame/tokenizer", "multi_frame/tokenizer")
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class ModelFamily:
    """One tagger, one single-frame and one multi-frame checkpoint, and the sizes they were trained for."""

    name: str
    folders: dict[str, Path]  # "single_frame" and "multi_frame" -> folder
    revision: str = ""
    tagger_model: Path | None = None
    tagger_tags: Path | None = None
    keyframe_size: tuple[int, int] = (512, 640)  # width, height
    video_sizes: tuple[tuple[int, int], ...] = ((320, 512), (384, 448), (448, 384), (512, 320))  # height, width
    video_prompt: str = "1girl, masterpiece, best quality"
    keyframe_prediction: str = "epsilon"  # what the keyframe UNet predicts: KeyframeDenoiser
    keyframe_defaults: dict[str, Any] = field(default_factory=dict)  # for KeyframeOptions
    segment_hint: str = "ends"  # what the 3D UNet is told beside the noise: segments.keyframe_hint
    segment_defaults: dict[str, Any] = field(default_factory=dict)  # for SegmentOptions
    run_defaults: dict[str, Any] = field(default_factory=dict)  # for UndoOptions
    configs: dict[str, dict] = field(default_factory=dict)  # of parts that somebody holds, in place of their files
    renew: Callable[[str], Path] | None = None  # fetches a part's weights anew; None for files that are not ours

    def __post_init__(self) -> None:
        if self.segment_hint not in SEGMENT_HINTS:
            raise CheckpointError(
                "model family {family}: segment_hint is {value!r}, which this program does not know; use one "
                "of {choices} in model_family.json, or a newer program",
                self.name,
                self.segment_hint,
                ", ".join(SEGMENT_HINTS),
            )
        for height, width in self.video_sizes if self.holds("multi_frame") else ():
            multiple = self.video_size_multiple
            if height % multiple or width % multiple:
                raise CheckpointError(
                    "model family {family}: video size {height} x {width} is no multiple of {multiple}, which "
                    "its networks need; correct video_sizes in model_family.json",
                    self.name,
                    height,
                    width,
                    multiple,
                )
        if self.holds("single_frame"):
            self.check_keyframe_size(*self.keyframe_size)

    def holds(self, checkpoint: str) -> bool:
        """Whether anything is known of the networks of "single_frame" or "multi_frame"."""
        return checkpoint in self.folders or any(part.startswith(f"{checkpoint}/") for part in self.configs)

    def part_folder(self, part: str) -> Path:
        """The folder of a part such as "single_frame/unet"."""
        checkpoint, name = part.split("/")
        return self.folders[checkpoint] / name

    def config(self, part: str) -> dict:
        """A part's config.json."""
        return self.configs[part] if part in self.configs else read_json(self.part_folder(part) / CONFIG_FILE)

    @property
    def size_multiple(self) -> int:
        """Width and height of keyframes must be multiples of this many pixels to survive every halving."""
        if self.in_strokes:  # any size will do
            return 1
        vae, unet = self.config("single_frame/vae"), self.config("single_frame/unet")
        return 2 ** (len(vae["block_out_channels"]) - 1 + len(unet["block_out_channels"]) - 1)

    @property
    def video_size_multiple(self) -> int:
        """The same for segments."""
        vae, unet = self.config("multi_frame/vae"), self.config("multi_frame/unet")
        return 2 ** (len(vae["ch_mult"]) - 1 + len(unet["channel_mult"]) - 1)

    @property
    def in_strokes(self) -> bool:
        """Whether it draws at the artwork's own size, stroke by stroke, without networks."""
        return self.run_defaults.get("fit") == OWN_SIZE

    def check(self, options: UndoOptions) -> None:
        """Raises InputError where the family cannot draw what is chosen."""
        if self.in_strokes and not options.in_strokes:
            sentence = "the model family {family} draws at the artwork's own size: fit is {fit}, and must be {own}"
            raise InputError(sentence, self.name, options.fit, OWN_SIZE)
        if options.in_strokes and not self.in_strokes:
            sentence = "the model family {family} draws in its networks' sizes: fit is {fit}, and must be pad or crop"
            raise InputError(sentence, self.name, options.fit)
        self.check_keyframe_size(options.keyframes.width, options.keyframes.height)

    def check_keyframe_size(self, width: int, height: int) -> None:
        """Raises InputError where the keyframe networks cannot work at this size."""
        multiple = self.size_multiple
        sentence = "{field} is {value}, but the model family {family} needs a multiple of {multiple}; try {near}"
        for name, value in (("width", width), ("height", height)):
            if value % multiple:
                near = max(multiple, round(value / multiple) * multiple)
                raise InputError(sentence, name, value, self.name, multiple, near)


def open_family(folder: Path, name: str | None = None) -> ModelFamily:
    """The model family in a folder of the layout single_frame/, multi_frame/ and, if there, tagger/.

    Raises CheckpointError naming the first file that is missing or unreadable; no weights are read.
    """
    with permitted(folder):
        if not folder.is_dir():
            raise CheckpointError(
                "no model family at {folder}: there is no such folder; use mini, released or a folder", folder
            )
        described = read_json(folder / FAMILY_FILE) if (folder / FAMILY_FILE).exists() else {}
        model, tags = (folder / "tagger" / file for file in ("model.onnx", "selected_tags.csv"))
        tags_itself = model.exists() and tags.exists()
        family_folders = {checkpoint: folder / checkpoint for checkpoint in ("single_frame", "multi_frame")}
        check_files(family_folders)
        return ModelFamily(
            name=name or described.get("name") or folder.resolve().name,
            folders=family_folders,
            tagger_model=model if tags_itself else None,
            tagger_tags=tags if tags_itself else None,
            **described_fields(folder / FAMILY_FILE, described),
        )


def description_of(family: ModelFamily) -> dict[str, Any]:
    """What a family's model_family.json says; described_fields reads it."""
    width, height = family.keyframe_size
    alike = ("name", "video_prompt", "keyframe_prediction", "keyframe_defaults", "segment_hint", "segment_defaults")
    sizes = {"keyframe_size": {"width": width, "height": height}, "video_sizes": [*map(list, family.video_sizes)]}
    return {**sizes, **{name: getattr(family, name) for name in alike}}


def described_fields(file: Path, described: dict) -> dict[str, Any]:
    """The fields of ModelFamily that a model_family.json gives."""
    kinds: dict[str, Callable[[Any], Any]] = {
        "keyframe_size": lambda size: (int(size["width"]), int(size["height"])),
        "video_sizes": lambda sizes: tuple((int(height), int(width)) for height, width in sizes),
        "video_prompt": str,
        "keyframe_prediction": str,
        "keyframe_defaults": dict,
        "segment_hint": str,
        "segment_defaults": dict,
    }
    try:
        return {name: kind(described[name]) for name, kind in kinds.items() if name in described}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            "{file} cannot be used: {reason!r}; compare it with the one of the mini family", file, error
        ) from None


def check_files(folders: dict[str, Path]) -> None:
    """Raises CheckpointError for the first file of a family that is not there."""
    wanted = [(part, name) for part, p in PARTS.items() for name in (CONFIG_FILE, p.weights)]
    wanted += [(part, name) for part in TOKENIZERS for name in TOKENIZER_FILES[:2]]
    for part, name in wanted:
        checkpoint, folder = part.split("/")
        file = folders[checkpoint] / folder / name
        if not file.is_file():
            pickled = sorted(other.name for other in file.parent.glob("*") if other.suffix in PICKLED)
            if pickled and file.suffix == ".safetensors":
                raise CheckpointError(
                    "the model file {file} is missing, and {other} beside it is never opened, since such files "
                    "may hold programs; convert it to safetensors",
                    file,
                    pickled[0],
                )
            raise CheckpointError(
                "the model file {file} is missing; copy or download the whole model family again", file
            )


def read_json(file: Path) -> dict:
    """The object in a JSON file; CheckpointError names the file when it cannot be read."""
    try:
        with permitted(file):
            values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError("{file} cannot be read ({reason}); copy or download it again", file, error) from None
    if not isinstance(values, dict):
        raise CheckpointError("{file} holds no JSON object; copy or download it again", file)
    return values
