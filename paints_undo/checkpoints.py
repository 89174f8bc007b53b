"""Model families: where their files are, and how each part becomes a network.

Networks are built without memory, their weights mapped from disk, and every difference between the two is an error that
names the file and the key.
"""

import json
import logging
import math
import mmap
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from paints_undo.errors import CheckpointError, InputError

if sys.flags.optimize > 1:  # said here, where the libraries would fail while they are imported
    raise CheckpointError(
        "Python was started with -OO or PYTHONOPTIMIZE=2, which takes out the descriptions that diffusers and "
        "transformers read; start it without"
    )

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig

from paints_undo.models.image_encoder import ImageEncoder
from paints_undo.models.image_projection import ImageProjection, ImageProjectionConfig
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_config import VideoUNetConfig
from paints_undo.models.video_vae import VideoVAE, VideoVAEConfig
from paints_undo.options import FAMILY_FILE
from paints_undo.readable_files import check_readable, permitted

log = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
MINI_FOLDER = Path(__file__).parent / "mini"
SEGMENT_HINTS = ("ends", "cross_fade")
"""What a 3D UNet may be told of the keyframes beside the noise; segments.keyframe_hint makes it."""

Result = TypeVar("Result")

LOADING_THREADS = 4
PICKLED = (".bin", ".ckpt", ".pt", ".pth")
READ_AT_ONCE = 2**28  # bytes
HUGE_PAGE = 2**21  # bytes


class DamagedFile(CheckpointError):
    """A file of weights is not what it should be; another copy of it may be."""


@dataclass(frozen=True)
class Part:
    """One network of a family: its weights' file name, and how it is built from its config.json."""

    weights: str
    build: Callable[[dict], nn.Module]
    prefix: str = ""  # stands before every key in the file, but not in the network


def configured(network: type[nn.Module], config: type) -> Callable[[dict], nn.Module]:
    """Builds `network` from the fields of the dataclass `config`."""
    known = {f.name for f in fields(config)}

    def build(values: dict) -> nn.Module:
        unknown = sorted(values.keys() - known)
        if unknown:
            raise ValueError(f"{unknown[0]} is no setting of this network")
        return network(config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}))

    return build


def text_encoder(values: dict) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(**values))


# transformers 5.6 dropped the prefix from this network's keys; the published files have it
TEXT_ENCODER = Part("model.safetensors", text_encoder, prefix="text_model.")

PARTS = {
    "single_frame/text_encoder": TEXT_ENCODER,
    "single_frame/vae": Part("diffusion_pytorch_model.safetensors", AutoencoderKL.from_config),
    "single_frame/unet": Part("diffusion_pytorch_model.safetensors", KeyframeUNet.from_config),
    "multi_frame/text_encoder": TEXT_ENCODER,
    "multi_frame/image_encoder": Part("model.safetensors", lambda values: ImageEncoder(CLIPVisionConfig(**values))),
    "multi_frame/image_projection": Part("model.safetensors", configured(ImageProjection, ImageProjectionConfig)),
    "multi_frame/vae": Part("model.safetensors", configured(VideoVAE, VideoVAEConfig)),
    "multi_frame/unet": Part("model.safetensors", configured(VideoUNet, VideoUNetConfig)),
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
    renew: Callable[[str], Path] | None = None  # fetches a part's weights anew; None for files that are not ours

    def __post_init__(self) -> None:
        if self.segment_hint not in SEGMENT_HINTS:
            raise CheckpointError(
                "model family {family}: segment_hint is {value!r}, which this program does not know; use one "
                "of {choices} in {file}, or a newer program",
                self.name,
                self.segment_hint,
                ", ".join(SEGMENT_HINTS),
                FAMILY_FILE,
            )
        for height, width in self.video_sizes:
            multiple = self.video_size_multiple
            if height % multiple or width % multiple:
                raise CheckpointError(
                    "model family {family}: video size {height} x {width} is no multiple of {multiple}, which "
                    "its networks need; correct video_sizes in {file}",
                    self.name,
                    height,
                    width,
                    multiple,
                    FAMILY_FILE,
                )
        self.check_keyframe_size(*self.keyframe_size)

    def part_folder(self, part: str) -> Path:
        """The folder of a part such as "single_frame/unet"."""
        checkpoint, name = part.split("/")
        return self.folders[checkpoint] / name

    def config(self, part: str) -> dict:
        """A part's config.json."""
        return read_json(self.part_folder(part) / CONFIG_FILE)

    @property
    def size_multiple(self) -> int:
        """Width and height of keyframes must be multiples of this many pixels to survive every halving."""
        vae, unet = self.config("single_frame/vae"), self.config("single_frame/unet")
        return 2 ** (len(vae["block_out_channels"]) - 1 + len(unet["block_out_channels"]) - 1)

    @property
    def video_size_multiple(self) -> int:
        """The same for segments."""
        vae, unet = self.config("multi_frame/vae"), self.config("multi_frame/unet")
        return 2 ** (len(vae["ch_mult"]) - 1 + len(unet["channel_mult"]) - 1)

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
            **described_sizes(folder / FAMILY_FILE, described),
        )


def described_sizes(file: Path, described: dict) -> dict[str, Any]:
    """The fields of ModelFamily that a model_family.json gives."""
    values: dict[str, Any] = {}
    try:
        if "keyframe_size" in described:
            size = described["keyframe_size"]
            values["keyframe_size"] = (int(size["width"]), int(size["height"]))
        if "video_sizes" in described:
            values["video_sizes"] = tuple((int(height), int(width)) for height, width in described["video_sizes"])
        for key, kind in (
            ("video_prompt", str),
            ("keyframe_prediction", str),
            ("keyframe_defaults", dict),
            ("segment_hint", str),
            ("segment_defaults", dict),
        ):
            if key in described:
                values[key] = kind(described[key])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            "{file} cannot be used: {reason!r}; compare it with the one of the mini family", file, error
        ) from None
    return values


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


def load_part(family: ModelFamily, part: str, dtype: torch.dtype) -> nn.Module:
    """The network of one part, in evaluation mode on the CPU, its floating-point weights in `dtype`.

    part: a key of PARTS.  Raises CheckpointError naming the file, and the key where one is wrong.
    """
    folder, recipe = family.part_folder(part), PARTS[part]
    values = read_json(folder / CONFIG_FILE)
    try:
        with torch.device("meta"):
            network = recipe.build(values)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("{file} does not fit this program: {reason}", folder / CONFIG_FILE, error) from None
    with_whole_weights(family, part, lambda file: load_weights(network, file, dtype, recipe.prefix))
    return network.eval().requires_grad_(False)


def with_whole_weights(family: ModelFamily, part: str, use: Callable[[Path], Result]) -> Result:
    """What `use` makes of a part's file of weights; a damaged one that was downloaded is fetched anew, once."""
    try:
        return use(family.part_folder(part) / PARTS[part].weights)
    except DamagedFile as error:
        if family.renew is None:
            raise
        log.warning("%s; it is fetched once more", error)
        return use(family.renew(part))


def load_weights(network: nn.Module, file: Path, dtype: torch.dtype, prefix: str = "") -> None:
    """Give a network built on the meta device the tensors of a safetensors file, mapped from disk where dtypes agree.

    Raises CheckpointError unless the file holds exactly the network's keys, each of the right shape and finite.
    """
    expected = network.state_dict()
    state: dict[str, Tensor] = {}
    with reading(file):
        with safe_open(file, framework="pt") as stored:
            # older transformers stored these whole numbers 0, 1, 2, ... beside the weights
            keys = {key.removeprefix(prefix): key for key in list(stored.keys()) if not key.endswith(".position_ids")}
        compare_keys(file, prefix, expected.keys(), keys.keys())
        with ThreadPoolExecutor(LOADING_THREADS) as threads:
            for group in groups(expected, READ_AT_ONCE):
                # opened anew each time: what was read from the file and converted need not stay in memory beside it
                with safe_open(file, framework="pt") as stored:

                    def load(key: str, stored: safe_open = stored) -> Tensor:
                        tensor = checked(file, keys[key], stored.get_tensor(keys[key]), expected[key].shape)
                        return converted(tensor, dtype)

                    # all are waited for, also when one fails: the file cannot be closed under a thread that reads it
                    coming = {key: threads.submit(load, key) for key in group}
                    wait(coming.values())
                    state.update({key: future.result() for key, future in coming.items()})
    network.load_state_dict(state, strict=True, assign=True)
    fill_position_ids(network)
    left = [name for name, tensor in [*network.named_parameters(), *network.named_buffers()] if tensor.is_meta]
    if left:
        raise CheckpointError(
            "{file} gives no values for {tensor}; this version of the libraries is not supported", file, left[0]
        )


def count_weights(family: ModelFamily, part: str) -> int:
    """How many numbers a part's file holds, from its header alone."""

    def count(file: Path) -> int:
        with reading(file), safe_open(file, framework="pt") as stored:
            return sum(math.prod(stored.get_slice(key).get_shape()) for key in list(stored.keys()))

    return with_whole_weights(family, part, count)


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns what the safetensors library raises about a file into DamagedFile, or says that it cannot be read."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        check_readable(file)  # the library calls any file that it cannot open missing
        raise DamagedFile(
            "{file} is damaged ({reason}); delete it and download or copy it again", file, error
        ) from None


def groups(tensors: dict[str, Tensor], size: int) -> Iterator[list[str]]:
    """The names of the tensors in order, in lists of about `size` bytes."""
    group, filled = [], 0
    for name, tensor in tensors.items():
        group.append(name)
        filled += tensor.nbytes
        if filled >= size:
            yield group
            group, filled = [], 0
    if group:
        yield group


def converted(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in this number format; a large new one in huge pages, which are quicker to fill."""
    if tensor.dtype == dtype or not hasattr(mmap, "MADV_HUGEPAGE"):
        return tensor.to(dtype)
    size = tensor.numel() * dtype.itemsize
    if size < HUGE_PAGE:
        return tensor.to(dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without them fills small pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(pages, dtype=dtype).view(tensor.shape).copy_(tensor)


def compare_keys(file: Path, prefix: str, expected: Any, found: Any) -> None:
    """Raises CheckpointError naming one key that is missing or one too many."""
    for keys, problem in ((expected - found, "lacks"), (found - expected, "has the unknown")):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise DamagedFile(
                "{file} {problem} tensor {tensor}; the file or the config.json beside it belongs to another network",
                file,
                problem,
                f"{prefix}{min(keys)}{more}",
            )


def checked(file: Path, key: str, tensor: Tensor, shape: torch.Size) -> Tensor:
    """The tensor, if it has this shape and only finite values."""
    if (found := list(tensor.shape)) != list(shape):
        sentence = "{file}: tensor {key} has shape {found}, but its config.json asks for {shape}"
        raise DamagedFile(sentence, file, key, found, list(shape))
    if tensor.numel() and not all(torch.isfinite(extreme) for extreme in torch.aminmax(tensor)):
        raise DamagedFile(
            "{file}: tensor {key} holds values that are not finite; download or copy the file again", file, key
        )
    return tensor


def fill_position_ids(network: nn.Module) -> None:
    """transformers keeps 0, 1, 2, ... in buffers that no file holds; after a build on meta they have no values."""
    for module in network.modules():
        ids = getattr(module, "position_ids", None)
        if isinstance(ids, Tensor) and ids.is_meta:
            module.position_ids = torch.arange(ids.shape[-1]).expand(ids.shape)


def load_tokenizer(family: ModelFamily, part: str) -> CLIPTokenizer:
    """The tokenizer of "single_frame/tokenizer" or "multi_frame/tokenizer"."""
    folder = family.part_folder(part)
    for name in TOKENIZER_FILES:
        check_readable(folder / name)
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            "the tokenizer in {folder} cannot be read ({reason}); copy it again", folder, error
        ) from None
