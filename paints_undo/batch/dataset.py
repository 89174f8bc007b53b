"""Samples of artworks as a dataset that other programs read: WebDataset shards, or a Hugging Face `datasets` folder.

A sample is an artwork with earlier states of it, line art, a coarse sketch, and its tags; where it is drawn in strokes,
also its flat colours, shadow, light and operations.  In a dataset samples come in the order of their keys, which are
hashes, so that neighbours have nothing in common; the same samples give the same files, byte for byte.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from paints_undo import validation
from paints_undo.batch.items import Shard, WorkItem
from paints_undo.batch.store import Store
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError
from paints_undo.exports.stroke_layers import stroke_layers
from paints_undo.options import UndoOptions, with_prompt
from paints_undo.pictures.files import on_white
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import encode_png
from paints_undo.progress import OnProgress, Progress, ignore
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
Artworks with states that a program says they could have passed through; nothing here was seen being drawn.
`keyframes` stand at `operation_steps` (0 finished to 999 first stroke). `tags` are the tagger's, with their
`probabilities`. By networks, `line_art` and `sketch` are keyframes, too. By strokes, `line_art`, `sketch` and `flats`
are layers of the drawing on white paper, `shadow` and `light` layers with transparency, and `operations` all strokes,
as operations.json.gz of Paints-UNDO.
"""
LAYERS = ("flats", "shadow", "light")


def _none() -> np.ndarray:
    """In place of what only a drawing in strokes has."""
    return np.zeros(0, np.uint8)


@dataclass(frozen=True)
class SampleOptions:
    """What a sample holds beside the keyframes at the run's operation steps; by strokes no step is chosen."""

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

    artwork: np.ndarray  # cropped to the keyframes' size; whole where it is drawn in strokes
    steps: np.ndarray  # operation steps of the keyframes
    keyframes: np.ndarray  # (n, height, width, 3)
    line_art: np.ndarray
    sketch: np.ndarray
    prompt: np.ndarray  # one text
    tags: np.ndarray  # texts, the most probable first
    probabilities: np.ndarray  # of the tags, float32
    # of a drawing in strokes, else empty
    flats: np.ndarray = field(default_factory=_none)
    shadow: np.ndarray = field(default_factory=_none)  # (height, width, 4)
    light: np.ndarray = field(default_factory=_none)  # likewise
    operations: np.ndarray = field(default_factory=_none)  # the bytes of operations.json.gz

    @property
    def probable(self) -> dict[str, float]:
        """The tags with their probabilities, the greatest first."""
        return dict(zip(self.tags.tolist(), (round(p, 4) for p in self.probabilities.tolist()), strict=True))

    @property
    def pictures(self) -> dict[str, np.ndarray]:
        """Every picture but the keyframes by its name; flats, shadow and light only of a drawing in strokes."""
        named = {name: getattr(self, name) for name in ("artwork", "line_art", "sketch", *LAYERS)}
        return {name: pixels for name, pixels in named.items() if pixels.size}


def draw_sample(
    engine: Engine,
    tagger: Tagger,
    item: WorkItem,
    artwork: np.ndarray,
    options: SampleOptions,
    on_progress: OnProgress = ignore,
) -> Sample:
    """The sample of one artwork uint8 (H, W, 3): the same for the same picture, settings and seed."""
    prompt = item.options.keyframes.prompt or (tagger.prompt(artwork) if item.options.tag else "")
    draw = stroke_pictures if item.options.in_strokes else network_pictures
    drawn = draw(engine, with_prompt(item.options, prompt), artwork, options, on_progress)
    tags = probable_tags(tagger, artwork, options.least_probability)
    return Sample(
        steps=np.array(item.options.keyframes.operation_steps),
        prompt=np.array(prompt),
        tags=np.array(list(tags), dtype=str),
        probabilities=np.array(list(tags.values()), dtype=np.float32),
        **drawn,
    )


def network_pictures(
    engine: Engine, run: UndoOptions, artwork: np.ndarray, options: SampleOptions, on_progress: OnProgress
) -> dict[str, np.ndarray]:
    """What networks give of a sample, by the names of Sample."""
    drawing = run.keyframes
    steps = tuple(sorted({*drawing.operation_steps, options.line_art_step, options.sketch_step}))
    drawn = engine.draw_keyframes(artwork, replace(drawing, operation_steps=steps), on_progress)
    keyframes = dict(zip(steps, drawn, strict=True))
    return {
        "artwork": crop_to(artwork, drawing.width, drawing.height),
        "keyframes": np.stack([keyframes[step] for step in drawing.operation_steps]),
        "line_art": keyframes[options.line_art_step],
        "sketch": keyframes[options.sketch_step],
    }


def stroke_pictures(
    engine: Engine, run: UndoOptions, artwork: np.ndarray, options: SampleOptions, on_progress: OnProgress
) -> dict[str, np.ndarray]:
    """What a drawing in strokes gives of a sample, by the names of Sample; a layer that it lacks is empty."""
    steps = run.keyframes.operation_steps
    on_progress(Progress("keyframes", "drawing", 0, len(steps)))
    process = engine.process_of(artwork, run)
    layers = {layer.name: layer.pixels for layer in stroke_layers(process)}
    empty = np.zeros((*process.size, 4), np.uint8)

    def on_paper(name: str) -> np.ndarray:
        return on_white(layers.get(name, empty)[..., :3], layers.get(name, empty)[..., 3])

    keyframes = np.stack([process.canvas(len(process.operations) - step, upright=True) for step in steps])
    on_progress(Progress("keyframes", "drawing", len(steps), len(steps)))
    return {
        "artwork": process.artwork,
        "keyframes": keyframes,
        "line_art": on_paper("ink"),
        "sketch": on_paper("sketch"),
        "flats": on_paper("flats"),
        "shadow": layers.get("shadow", empty),
        "light": layers.get("light", empty),
        "operations": np.frombuffer(process.to_bytes(), np.uint8),
    }


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
    """One tar: KEY.artwork.png, KEY.keyframe_0400.png ..., KEY.line_art.png, KEY.sketch.png, KEY.txt, KEY.json.

    Of drawings in strokes also KEY.flats.png, KEY.shadow.png, KEY.light.png and KEY.operations.json.gz.
    """
    try:
        from webdataset import TarWriter
    except ImportError:
        raise missing("webdataset") from None
    name = f"{FOLDER}/samples-{number}.tar"
    # nothing of the time and the place of writing shall be in it
    plain = {"user": "", "group": "", "mtime": 0, "encoder": False}
    with store.new_file(name) as local, local.open("wb") as file, TarWriter(file, **plain) as tar:
        for item, sample in samples_of(store, items):
            keyframes = zip(sample.steps.tolist(), sample.keyframes, strict=True)
            pictures = sample.pictures | {f"keyframe_{step:04d}": picture for step, picture in keyframes}
            strokes = {"operations.json.gz": sample.operations.tobytes()} if sample.operations.size else {}
            tar.write(
                {
                    "__key__": item.key[:32],
                    **{f"{name}.png": encode_png(picture) for name, picture in pictures.items()},
                    "txt": str(sample.prompt).encode(),
                    "json": facts_of(item, sample).encode(),
                    **strokes,
                }
            )
    return name


def write_huggingface(store: Store, items: Sequence[WorkItem], number: str) -> str:
    """One Parquet file with pictures inside, and the card of a folder that `datasets.load_dataset` reads."""
    try:
        from datasets import Dataset, Features, Image, List, Value
    except ImportError:
        raise missing("datasets") from None

    def png(picture: Any) -> dict[str, Any]:
        return {"bytes": encode_png(picture), "path": None}

    rows = [
        {
            "key": item.key[:32],
            **{name: png(pixels) for name, pixels in sample.pictures.items()},
            "operation_steps": sample.steps.tolist(),
            "keyframes": [png(picture) for picture in sample.keyframes],
            "prompt": str(sample.prompt),
            "tags": list(sample.probable),
            "probabilities": list(sample.probable.values()),
            "facts": facts_of(item, sample),
            **({"operations": sample.operations.tobytes()} if sample.operations.size else {}),
        }
        for item, sample in samples_of(store, items)
    ]
    texts, pictures = ("key", "prompt", "facts"), ("artwork", "line_art", "sketch", *LAYERS)
    kinds = {
        **dict.fromkeys(texts, Value("string")),
        **dict.fromkeys(pictures, Image()),
        "operation_steps": List(Value("int32")),
        "keyframes": List(Image()),
        "tags": List(Value("string")),
        "probabilities": List(Value("float32")),
        "operations": Value("binary"),
    }
    features = Features({column: kinds[column] for column in rows[0]})
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
