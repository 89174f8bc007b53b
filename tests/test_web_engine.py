"""The pipeline is loaded once, when it is needed, and again after a failure."""

from __future__ import annotations

from threading import Event

import pytest
from fake_engine import FakeEngine, FakeFamily

from paints_undo.errors import CheckpointError, InputError
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


def test_the_family_is_known_before_the_engine() -> None:
    loads = []
    engine = EngineOnUse(lambda: loads.append(1) or FakeEngine(), lambda: FakeFamily(keyframe_size=(128, 192)))
    assert engine.family.name == "fake" and engine.default_options.keyframes.height == 192 and loads == []
    assert engine.get().family is engine.find(), "once it is there, its own family counts"


def test_it_is_loaded_in_the_background_once() -> None:
    begun, go_on, loads = Event(), Event(), []

    def load() -> FakeEngine:
        begun.set()
        assert go_on.wait(10)
        loads.append(1)
        return FakeEngine()

    engine = EngineOnUse(load, FakeFamily)
    engine.load_in_background()
    assert begun.wait(10) and engine.family.name == "fake", "nobody who asks for the family waits"
    go_on.set()
    assert engine.get() is engine.get() and loads == [1]


@pytest.mark.parametrize("error", [CheckpointError("gone"), InputError("no such device"), ImportError("no torch")])
def test_what_goes_wrong_in_the_background_is_said_when_it_is_asked_for(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [error]

    def load() -> FakeEngine:
        if errors:
            raise errors.pop()
        return FakeEngine()

    engine = EngineOnUse(load, FakeFamily)
    engine.load_in_background().join()
    assert engine.get().family.name == "fake", "it is tried again"
    assert ("could not be loaded" in caplog.text) == isinstance(error, ImportError)
