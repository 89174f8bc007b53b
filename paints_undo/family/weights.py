"""The weights of a model family: how each part becomes a network.

Networks are built without memory, their weights mapped from disk, and every difference between the two is an error that
names the file and the key.
"""

import logging
import math
import mmap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig

from paints_undo.errors import CheckpointError
from paints_undo.family.model_family import CONFIG_FILE, PARTS, TOKENIZER_FILES, ModelFamily, read_json
from paints_undo.family.readable_files import check_readable
from paints_undo.models.image_encoder import ImageEncoder
from paints_undo.models.image_projection import ImageProjection
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.models.picture_vae import picture_vae
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_vae import VideoVAE

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LOADING_THREADS = 4
READ_AT_ONCE = 2**28  # bytes
HUGE_PAGE = 2**21  # bytes


class DamagedFile(CheckpointError):
    """A file of weights is not what it should be; another copy of it may be."""


def text_encoder(values: dict) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(**values))


BUILD: dict[str, Callable[[dict], nn.Module]] = {  # a part from the values in its config.json
    "single_frame/text_encoder": text_encoder,
    "single_frame/vae": picture_vae,
    "single_frame/unet": KeyframeUNet.from_config,
    "multi_frame/text_encoder": text_encoder,
    "multi_frame/image_encoder": lambda values: ImageEncoder(CLIPVisionConfig(**values)),
    "multi_frame/image_projection": ImageProjection.from_config,
    "multi_frame/vae": VideoVAE.from_config,
    "multi_frame/unet": VideoUNet.from_config,
}


def load_part(family: ModelFamily, part: str, dtype: torch.dtype) -> nn.Module:
    """The network of one part, in evaluation mode on the CPU, its floating-point weights in `dtype`.

    part: a key of PARTS.  Raises CheckpointError naming the file, and the key where one is wrong.
    """
    folder = family.part_folder(part)
    values = read_json(folder / CONFIG_FILE)
    try:
        with torch.device("meta"):
            network = BUILD[part](values)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("{file} does not fit this program: {reason}", folder / CONFIG_FILE, error) from None
    with_whole_weights(family, part, lambda file: load_weights(network, file, dtype, PARTS[part].prefix))
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
