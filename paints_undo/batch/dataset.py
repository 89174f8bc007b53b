"""Samples of artworks as a dataset that other programs read: WebDataset shards, or a Hugging Face `datasets` folder.

A sample is an artwork with earlier states of it, line art, a coarse sketch, and its tags.  In a dataset samples come in
the order of their keys, which are hashes, so that neighbours have nothing in common; the same samples give the same
files, byte for byte.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paints_undo import validation
from paints_undo.batch.items import Shard, WorkItem
from paints_undo.batch.store import Store
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import encode_png
from paints_undo.progress import OnProgress, ignore
from paints_undo.run.draw import draw_keyframes
from paints_undo.run.run import MemoryRun
from wd14_tagger import Tagger

SAMPLES = "batch/samples"  # one file for each sample, from which the dataset is written
FOLDER = "dataset"
CARD = """---
pretty_name: Paints-UNDO samples
tags: [synthetic, drawing-process]
configs:
- config_name: default
  data_files: data/*.parquet
---
Artworks with states that a model predicts they could have passed through; nothing here was seen being drawn.
`keyframes` stand at `operation_steps` (0 finished to 999 first stroke); `line_art` and `sketch` are keyframes, too.
`tags` are the tagger's, with their `probabilities`.
"""


@dataclass(frozen=True)
class SampleOptions:
    """What a sample holds beside the keyframes at the run's operation steps."""

    line_art_step: int = 600  # the operation step whose keyframe serves as line art
    sketch_step: int = 950  # and as coarse sketch
    least_probability: float = 0.1  # of the tags that are listed

    def __post_init__(self) -> None:
        validation.whole_number("line art step", self.line_art_step, 0, 999)
        validation.whole_number("sketch step", self.sketch_step, 0, 999)
        validation.number("least probability", self.least_probability, 0, 1)


@dataclass(frozen=True)
class Sample:
    """One artwork and what stage 1 made of it, all of it arrays; pictures are uint8 (height, width, 3)."""

    artwork: np.ndarray  # cropped to the keyframes' size; whole where strokes are drawn
    steps: np.ndarray  # operation steps of the keyframes
    keyframes: np.ndarray  # (n, height, width, 3)
    line_art: np.ndarray
    sketch: np.ndarray
    prompt: np.ndarray  # one text
    tags: np.ndarray  # texts, the most probable first
    probabilities: np.ndarray  # of the tags, float32

    @property
    def probable(self) -> dict[str, float]:
        """The tags with their probabilities, the greatest first."""
        return dict(zip(self.tags.tolist(), (round(p, 4) for p in self.probabilities.tolist()), strict=True))


def draw_sample(
    engine: Engine,
    tagger: Tagger,
    item: WorkItem,
    artwork: np.ndarray,
    options: SampleOptions,
    on_progress: OnProgress = ignore,
) -> Sample:
    """The sample of one artwork uint8 (H, W, 3): the same for the same picture, settings and seed."""
    drawing = item.options.keyframes
    prompt = drawing.prompt or (tagger.prompt(artwork) if item.options.tag else "")
    steps = {*drawing.operation_steps, options.line_art_step, options.sketch_step}
    wanted = replace(drawing, prompt=prompt, operation_steps=tuple(sorted(steps)))
    if item.options.in_strokes:
        whole = artwork
        drawn = draw_keyframes(engine, MemoryRun(replace(item.options, keyframes=wanted), artwork), on_progress)
    else:
        whole = crop_to(artwork, drawing.width, drawing.height)
        drawn = engine.draw_keyframes(artwork, wanted, on_progress)
    keyframes = dict(zip(sorted(steps), drawn, strict=True))
    tags = probable_tags(tagger, artwork, options.least_probability)
    return Sample(
        whole,
        np.array(drawing.operation_steps),
        np.stack([keyframes[step] for step in drawing.operation_steps]),
        keyframes[options.line_art_step],
        keyframes[options.sketch_step],
        np.array(prompt),
        np.array(list(tags), dtype=str),
        np.array(list(tags.values()), dtype=np.float32),
    )


def tagger_of(engine: Engine) -> Tagger:
    """The tagger of an engine's model family, whose probabilities a dataset holds; CheckpointError without one."""
    family = engine.family
    if family.tagger_model is None or family.tagger_tags is None:
        raise CheckpointError(
            f"the model family {family.name} has no tagger, which a dataset needs; take another family"
        )
    return Tagger(family.tagger_model, family.tagger_tags)


def probable_tags(tagger: Tagger, artwork: np.ndarray, least: float) -> dict[str, float]:
    """The tags, ratings included, of at least this probability, the most probable first."""
    likely = [
        (float(p), name) for p, name in zip(tagger.probabilities(artwork), tagger.names, strict=True) if p >= least
    ]
    return {name: p for p, name in sorted(likely, key=lambda tag: (-tag[0], tag[1]))}


def write_dataset(kind: str, store: Store, items: Sequence[WorkItem], samples_per_shard: int, part: Shard) -> list[str]:
    """Write the samples of these items as files under dataset/; their names."""
    write = KINDS[kind]
    ordered = sorted(items, key=lambda item: item.key)
    groups = [ordered[begin : begin + samples_per_shard] for begin in range(0, len(ordered), samples_per_shard)]
    return [write(store, group, f"{part.number - 1:05d}-{number:06d}") for number, group in enumerate(groups)]


def samples_of(store: Store, items: Sequence[WorkItem]) -> Iterator[tuple[WorkItem, Sample]]:
    """The samples of items that are done, one at a time."""
    for item in items:
        content = store.read(f"{SAMPLES}/{item.key}.npz")
        if content is None:
            raise InputError(f"the sample of {item.name} is gone from {SAMPLES}; give another folder for the results")
        yield item, Sample(**unpacked(content))


def write_webdataset(store: Store, items: Sequence[WorkItem], number: str) -> str:
    """One tar: KEY.artwork.png, KEY.keyframe_0400.png ..., KEY.line_art.png, KEY.sketch.png, KEY.txt, KEY.json."""
    try:
        from webdataset import TarWriter
    except ImportError:
        raise missing("webdataset") from None
    name = f"{FOLDER}/samples-{number}.tar"
    # nothing of the time and the place of writing shall be in it
    with store.new_file(name) as local, local.open("wb") as file, TarWriter(file, user="", group="", mtime=0) as tar:
        for item, sample in samples_of(store, items):
            pictures = {"artwork": sample.artwork, "line_art": sample.line_art, "sketch": sample.sketch}
            keyframes = zip(sample.steps.tolist(), sample.keyframes, strict=True)
            pictures |= {f"keyframe_{step:04d}": picture for step, picture in keyframes}
            tar.write(
                {
                    "__key__": item.key[:32],
                    **{f"{name}.png": encode_png(picture) for name, picture in pictures.items()},
                    "txt": str(sample.prompt),
                    "json": facts_of(item, sample).encode(),
                }
            )
    return name


def write_huggingface(store: Store, items: Sequence[WorkItem], number: str) -> str:
    """One Parquet file with pictures inside, and the card of a folder that `datasets.load_dataset` reads."""
    try:
        from datasets import Dataset, Features, Image, List, Value
    except ImportError:
        raise missing("datasets") from None
    features = Features(
        {
            "key": Value("string"),
            "artwork": Image(),
            "operation_steps": List(Value("int32")),
            "keyframes": List(Image()),
            "line_art": Image(),
            "sketch": Image(),
            "prompt": Value("string"),
            "tags": List(Value("string")),
            "probabilities": List(Value("float32")),
            "facts": Value("string"),
        }
    )

    def png(picture: Any) -> dict[str, Any]:
        return {"bytes": encode_png(picture), "path": None}

    rows = [
        {
            "key": item.key[:32],
            "artwork": png(sample.artwork),
            "operation_steps": sample.steps.tolist(),
            "keyframes": [png(picture) for picture in sample.keyframes],
            "line_art": png(sample.line_art),
            "sketch": png(sample.sketch),
            "prompt": str(sample.prompt),
            "tags": list(sample.probable),
            "probabilities": list(sample.probable.values()),
            "facts": facts_of(item, sample),
        }
        for item, sample in samples_of(store, items)
    ]
    name = f"{FOLDER}/data/samples-{number}.parquet"
    with store.new_file(name) as local:
        Dataset.from_list(rows, features=features).to_parquet(local)
    store.write(f"{FOLDER}/README.md", CARD.encode())
    return name


def facts_of(item: WorkItem, sample: Sample) -> str:
    """What a sample was made of and with, as JSON."""
    facts = {
        "artwork_sha256": item.digest,
        "settings": item.options.to_settings()["keyframes"],
        "prompt": str(sample.prompt),
        "tags": sample.probable,
    }
    return json.dumps(facts, sort_keys=True)


def missing(library: str) -> InputError:
    return InputError(f"this dataset needs {library}; install it with pip install 'paints-undo[datasets]'")


KINDS = {"webdataset": write_webdataset, "huggingface": write_huggingface}


def packed(**arrays: np.ndarray) -> bytes:
    """Arrays as the bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # any name might be allow_pickle, to NumPy's stubs
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an npz file."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
