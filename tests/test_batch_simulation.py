"""The simulation behind docs/scaling.md agrees with what can be reckoned by hand."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parent.parent / "docs" / "scaling.py"


@pytest.fixture(scope="module")
def scaling():
    specification = importlib.util.spec_from_file_location("scaling", FILE)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["scaling"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["scaling"]


def test_drawing_is_the_limit_where_pictures_take_long(scaling):
    result = scaling.simulate(scaling.Kind("slow", 100, 0, 1), 10, 2000, 1000)
    assert result.hours == pytest.approx(2000 * 100 / 10 / 3600, rel=0.02)
    assert result.bottleneck == "drawing" and result.efficiency > 0.98


def test_the_driver_and_the_storage_can_be_the_limit(scaling):
    driver = scaling.simulate(scaling.Kind("quick", 1, 0, 0.001, driver=0.1), 100, 2000, 1000)
    assert driver.bottleneck == "driver" and driver.hours == pytest.approx(2000 * 0.1 / 3600, rel=0.02)
    storage = scaling.simulate(scaling.Kind("large", 1, 0, 100), 100, 2000, 1000)
    assert storage.bottleneck == "storage" and storage.hours == pytest.approx(2000 * 0.1 / 3600, rel=0.02)


def test_segments_shorten_the_tail(scaling):
    kind = scaling.Kind("long", 300, 0, 1)
    whole, pieces = (scaling.simulate(kind, 100, 110, 1000, pieces=n) for n in (1, 7))
    assert whole.bottleneck == "the last pictures" and pieces.hours < 0.8 * whole.hours


def test_more_shards_are_more_even(scaling):
    assert scaling.uneven_shards(100_000, 1000, 100) < scaling.uneven_shards(100_000, 100, 100) < 0.2
