"""The random families have the published sizes, and a smaller copy of them."""

import json
import math
from pathlib import Path

import pytest

from paints_undo.bench.families import shapes_of
from paints_undo.bench.sizes import FULL, SMALL
from paints_undo.family.model_family import PARTS

KEYS = Path(__file__).parent / "data" / "released" / "keys"


def test_the_full_size_is_the_published_one():
    weights = 0
    for part, config in FULL.configs.items():
        shapes = shapes_of(part, config)
        published = json.loads((KEYS / f"{part.replace('/', '_')}.json").read_text())
        shapes = {key: list(shape) for key, shape in shapes.items()}
        assert shapes == {key: shape for key, shape in published.items() if not key.endswith("position_ids")}
        weights += sum(math.prod(shape) for shape in shapes.values())
    assert 2 * weights / 2**30 == pytest.approx(6.745, abs=0.001)


def test_the_small_size_has_every_part_and_a_mid_size_unet():
    assert SMALL.configs.keys() == PARTS.keys()
    shapes = shapes_of("multi_frame/unet", SMALL.configs["multi_frame/unet"])
    assert 30e6 < sum(math.prod(shape) for shape in shapes.values()) < 65e6
