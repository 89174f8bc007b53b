"""The tagger of the mini family: a small network in ConvNeXt's manner, exported to the interface of WD14 models."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.atomic import write_atomically, written_atomically
from paints_undo.training.dataset import Pictures
from paints_undo.training.loop import Training
from paints_undo.training.settings import CHECKED, Count, Counts, Settings

log = logging.getLogger(__name__)

THRESHOLD = 0.35  # above which the app lists a tag; the network is calibrated so that this is the best one
CALIBRATION_SHARE = 0.04  # of the training pictures, never trained on
ONNX_OPSET = 17
LARGEST_DIFFERENCE = 1e-4  # of probabilities between PyTorch and ONNX Runtime
FEWEST_PICTURES = 30  # a tag on fewer training pictures is not learnt, it is only guessed
RATINGS = ("general", "sensitive", "questionable", "explicit")  # WD14's first rows; all art here is general
GENERAL_CATEGORY, RATING_CATEGORY = 0, 9


def common_tags(tags: Sequence[Sequence[str]], fewest: int | None = None) -> dict[str, int]:
    """{tag: number of pictures} of the tags worth learning, most common first, the alphabet deciding ties.

    `fewest` is by default FEWEST_PICTURES, and less in a small set: one picture in a hundred.
    """
    fewest = fewest or max(1, min(FEWEST_PICTURES, len(tags) // 100))
    counts = Counter(tag for some in tags for tag in set(some) if re.search("[a-z]{2}", tag))
    chosen = [(tag, count) for tag, count in counts.items() if count >= fewest]
    return dict(sorted(chosen, key=lambda entry: (-entry[1], entry[0])))


def write_tag_table(path: Path, counts: dict[str, int], pictures: int) -> None:
    """Write selected_tags.csv as WD14 models have it: one row an output, ratings first, underscores for spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tag_id", "name", "category", "count"))
    for number, rating in enumerate(RATINGS):
        writer.writerow((number, rating, RATING_CATEGORY, 0 if number else pictures))
    for number, (tag, count) in enumerate(counts.items(), start=len(RATINGS)):
        writer.writerow((number, tag.replace(" ", "_"), GENERAL_CATEGORY, count))
    write_atomically(path, text.getvalue().encode())


def tag_targets(tags: Sequence[Sequence[str]], known: Iterable[str]) -> Tensor:
    """What the tagger should answer for n pictures: float32 (n, 4 + tags), the ratings first, 1 where a tag is."""
    column = {tag: number for number, tag in enumerate(known, start=len(RATINGS))}
    targets = torch.zeros(len(tags), len(RATINGS) + len(column))
    targets[:, 0] = 1
    for row, some in enumerate(tags):
        for tag in some:
            if tag in column:
                targets[row, column[tag]] = 1
    return targets


@dataclass(frozen=True, config=CHECKED)
class TaggerOptions(Settings):
    """Sizes of the network and of its batches: `widths` channels at 1/4, 1/8, ... of `size` pixels."""

    widths: Counts = (32, 64, 128, 192)
    depths: tuple[Annotated[int, Field(ge=0)], ...] = (1, 1, 3, 1)
    size: int = 128
    batch: Count = 32

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.depths):
            raise ValueError(f"widths {self.widths} and depths {self.depths} must be equally many")
        if self.size < self.downsampling or self.size % self.downsampling:
            raise ValueError(f"size must be a multiple of {self.downsampling} pixels, got {self.size}")

    @property
    def downsampling(self) -> int:
        return 4 * 2 ** (len(self.widths) - 1)

    def for_size(self, size: int) -> TaggerOptions:
        return replace(self, size=size)


class Block(nn.Module):
    """Look around (7 x 7, each channel alone), then mix the channels: ConvNeXt, Liu et al. 2022."""

    def __init__(self, width: int):
        super().__init__()
        self.around = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.widen = nn.Conv2d(width, 3 * width, 1)
        self.narrow = nn.Conv2d(3 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.gelu(self.widen(self.norm(self.around(x)))))


class TagNetwork(nn.Module):
    """Tag logits (n, tags) of pictures as WD14 models read them: float32 (n, size, size, 3), BGR, 0..255."""

    def __init__(self, tag_count: int, options: TaggerOptions):
        super().__init__()
        self.stem = nn.Conv2d(3, options.widths[0], 4, 4)
        stages: list[nn.Module] = []
        for number, (width, depth) in enumerate(zip(options.widths, options.depths, strict=True)):
            if number:
                before = options.widths[number - 1]
                stages += [nn.GroupNorm(1, before), nn.Conv2d(before, width, 2, 2)]
            stages += [Block(width) for _ in range(depth)]
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(options.widths[-1])
        self.head = nn.Linear(options.widths[-1], tag_count)
        nn.init.constant_(self.head.bias, -3)  # most tags are rare

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.permute(0, 3, 1, 2) / 127.5 - 1
        x = self.stages(self.stem(x))
        return self.head(self.norm(x.mean(dim=(2, 3))))


def as_tagger_input(pictures: Tensor) -> Tensor:
    """Pictures (n, 3, H, W), RGB, -1..1 -> (n, H, W, 3), BGR, 0..255."""
    return ((pictures.flip(1) + 1) * 127.5).permute(0, 2, 3, 1)


def vary(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (n, 3, H, W) in -1..1 as other people might have them: moved, larger or smaller, mirrored, on paper of
    another shape, a little lighter or darker. White surrounds what does not fill the square."""

    def draw(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(len(pictures), generator=generator)).to(pictures.device)

    zoom, mirrored = draw(0.8, 1.2), torch.sign(draw(-1, 1))
    place = pictures.new_zeros(len(pictures), 2, 3)
    place[:, 0, 0], place[:, 1, 1] = mirrored * zoom, zoom * draw(0.94, 1.06)
    place[:, 0, 2], place[:, 1, 2] = draw(-0.1, 0.1), draw(-0.1, 0.1)
    grid = F.affine_grid(place, list(pictures.shape), align_corners=False)
    varied = F.grid_sample(pictures - 1, grid, align_corners=False) + 1
    varied = 1 + (varied - 1) * draw(0.9, 1.0)[:, None, None, None] + draw(-0.05, 0.0)[:, None, None, None]
    # paper narrower (a third of them) or lower (a third) than the square, which white fills up
    side, kept = draw(0, 3), draw(0.72, 0.95)

    def on_paper(length: int, cut: Tensor) -> Tensor:
        return torch.linspace(-1, 1, length, device=pictures.device).abs() < torch.where(cut, kept, 2.0)[:, None]

    down, across = on_paper(pictures.shape[2], side > 2), on_paper(pictures.shape[3], side < 1)
    return torch.where((down[:, :, None] & across[:, None])[:, None], varied.clamp(-1, 1), 1.0)


def train_tagger(training: Training[TaggerOptions]) -> TagNetwork:
    """The trained and calibrated network for the common tags of these pictures."""
    data, options = training.pictures, training.options
    targets = tag_targets(data.tags, common_tags(data.tags))
    kept = max(1, round(CALIBRATION_SHARE * len(data)))
    trained = max(1, len(data) - kept)

    def loss_of(network: nn.Module, generator: torch.Generator, progress: float) -> Tensor:
        indices = torch.randint(0, trained, (options.batch,), generator=generator)
        pictures = vary(data.finished(indices), generator)
        logits = network(as_tagger_input(pictures)).float()
        wanted = targets[indices].to(logits.device)
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1).mean()

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.loop.seed)
        network = TagNetwork(targets.shape[1], options)
    network = training.fit(network, loss_of)
    last = torch.arange(len(data) - kept, len(data))
    calibrate(network, data.on(torch.device("cpu")), last, targets[last])
    return network


def write_tagger(folder: Path, network: TagNetwork, data: Pictures, size: int) -> None:
    """Write a model family's tagger: model.onnx for pictures of `size` pixels, and selected_tags.csv."""
    export(network, Path(folder) / "model.onnx", size)
    write_tag_table(Path(folder) / "selected_tags.csv", common_tags(data.tags), len(data))


@torch.no_grad()
def answers(network: nn.Module, data: Pictures, indices: Tensor) -> Tensor:
    """Logits (n, tags) for the finished pictures of these indices."""
    return torch.cat([network(as_tagger_input(data.finished(some))) for some in indices.split(32)])


def micro_f1(probabilities: Tensor, targets: Tensor) -> float:
    """F1 over all tags of all pictures together, ratings left out; both tensors (n, 4 + tags)."""
    found, wanted = probabilities[:, len(RATINGS) :] > THRESHOLD, targets[:, len(RATINGS) :] > 0
    return float(2 * (found & wanted).sum() / (found.sum() + wanted.sum()).clamp(min=1))


@torch.no_grad()
def calibrate(network: TagNetwork, data: Pictures, indices: Tensor, targets: Tensor) -> None:
    """Shift all tags' logits so that THRESHOLD is where F1 is best on pictures that were not trained on."""
    logits = answers(network, data, indices)
    limit = torch.logit(torch.tensor(THRESHOLD))
    shifts = torch.linspace(-1, 1, 41)
    scores = [micro_f1((logits + shift).sigmoid(), targets) for shift in shifts]
    best = shifts[int(np.argmax(np.convolve(np.pad(scores, 2, mode="edge"), np.ones(5) / 5, "valid")))]
    network.head.bias[len(RATINGS) :] += best
    log.info("calibrated: best threshold was %.2f, F1 %.3f", torch.sigmoid(limit - best), max(scores))


def export(network: TagNetwork, path: Path, size: int) -> None:
    """Write the ONNX file and check it against the network. Raises RuntimeError when their answers differ."""
    import onnxruntime

    example = torch.rand(1, size, size, 3, generator=torch.Generator().manual_seed(0)) * 255
    whole = nn.Sequential(network, nn.Sigmoid()).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as partial:
        torch.onnx.export(
            whole,
            (example,),
            str(partial),
            input_names=["input"],
            output_names=["probabilities"],
            opset_version=ONNX_OPSET,
            dynamo=False,  # the other exporter needs onnxscript, and gains nothing here
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": example.numpy()})[0]
    with torch.no_grad():
        difference = float(np.abs(found - whole(example).numpy()).max())
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError(f"{path} answers otherwise than PyTorch, by up to {difference:.2g}; export it again")
    log.info("wrote %s, within %.1e of PyTorch", path, difference)
