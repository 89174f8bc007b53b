"""The pipeline is loaded once, when it is needed, and again after a failure."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine

from paints_undo.errors import CheckpointError
from paints_undo.options import UndoOptions
from paints_undo.web.engine import EngineOnUse


def test_it_is_loaded_once_and_when_it_is_needed():
    loads = []
    engine = EngineOnUse(lambda: loads.append(1) or FakeEngine())
    assert loads == []
    assert engine.get() is engine.get() and engine.family.name == "fake" and loads == [1]
    assert engine.description() == "Model family fake, on cpu in float32"


def test_missing_weights_are_looked_for_again():
    there = []

    def load():
        if not there:
            raise CheckpointError("there are no weights; download them")
        return FakeEngine()

    engine = EngineOnUse(load)
    assert engine.family is None and engine.default_options == UndoOptions()
    with pytest.raises(CheckpointError, match="there are no weights"):
        engine.description()
    there.append(True)
    assert engine.family is not None
