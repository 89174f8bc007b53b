"""Samples as a dataset that other programs read: WebDataset shards, or a Hugging Face `datasets` folder.

Samples come in the order of their keys, which are hashes, so that neighbours have nothing in common; the same samples
give the same files, byte for byte.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paints_undo.batch.items import Shard, WorkItem
from paints_undo.batch.samples import Sample
from paints_undo.batch.store import Store
from paints_undo.batch.tasks import SAMPLES, unpacked
from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png

KINDS = ("webdataset", "huggingface")
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


def write_dataset(kind: str, store: Store, items: Sequence[WorkItem], samples_per_shard: int, part: Shard) -> list[str]:
    """Write the samples of these items as files under dataset/; their names."""
    write = {"webdataset": write_webdataset, "huggingface": write_huggingface}[kind]
    ordered = sorted(items, key=lambda item: item.key)
    groups = [ordered[begin : begin + samples_per_shard] for begin in range(0, len(ordered), samples_per_shard)]
    return [write(store, group, f"{part.number - 1:05d}-{number:06d}") for number, group in enumerate(groups)]


def samples_of(store: Store, items: Sequence[WorkItem]) -> Iterator[tuple[WorkItem, Sample]]:
    """The samples of items that are done, one at a time."""
    for item in items:
        content = store.read(f"{SAMPLES}/{item.key}.npz")
        if content is None:
            raise InputError(f"the sample of {item.name} is gone from {SAMPLES}; give another folder for the results")
        yield item, Sample.from_arrays(unpacked(content))


def write_webdataset(store: Store, items: Sequence[WorkItem], number: str) -> str:
    """One tar: KEY.artwork.png, KEY.keyframe_0400.png ..., KEY.line_art.png, KEY.sketch.png, KEY.txt, KEY.json."""
    try:
        from webdataset import TarWriter
    except ImportError:
        raise missing("webdataset") from None
    with tempfile.TemporaryDirectory(prefix="paints-undo-") as scratch:
        local = Path(scratch, "shard.tar")
        # nothing of the time and the place of writing shall be in it
        with local.open("wb") as file, TarWriter(file, user="", group="", mtime=0) as tar:
            for item, sample in samples_of(store, items):
                pictures = {"artwork": sample.artwork, "line_art": sample.line_art, "sketch": sample.sketch}
                pictures |= {f"keyframe_{step:04d}": picture for step, picture in sample.keyframes.items()}
                tar.write(
                    {
                        "__key__": item.key[:32],
                        **{f"{name}.png": encode_png(picture) for name, picture in pictures.items()},
                        "txt": sample.prompt,
                        "json": json.dumps(facts_of(item, sample), sort_keys=True).encode(),
                    }
                )
        name = f"{FOLDER}/samples-{number}.tar"
        store.put(local, name)
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
            "operation_steps": list(sample.keyframes),
            "keyframes": [png(picture) for picture in sample.keyframes.values()],
            "line_art": png(sample.line_art),
            "sketch": png(sample.sketch),
            "prompt": sample.prompt,
            "tags": list(sample.tags),
            "probabilities": list(sample.tags.values()),
            "facts": json.dumps(facts_of(item, sample), sort_keys=True),
        }
        for item, sample in samples_of(store, items)
    ]
    with tempfile.TemporaryDirectory(prefix="paints-undo-") as scratch:
        local = Path(scratch, "shard.parquet")
        Dataset.from_list(rows, features=features).to_parquet(local)
        name = f"{FOLDER}/data/samples-{number}.parquet"
        store.put(local, name)
    store.write(f"{FOLDER}/README.md", CARD.encode())
    return name


def facts_of(item: WorkItem, sample: Sample) -> dict[str, Any]:
    """What a sample was made of and with."""
    return {
        "artwork_sha256": item.digest,
        "settings": item.options.to_settings()["keyframes"],
        "prompt": sample.prompt,
        "tags": sample.tags,
    }


def missing(library: str) -> InputError:
    return InputError(f"this dataset needs {library}; install it with pip install 'paints-undo[datasets]'")
