"""The engine behind the web app, loaded when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from memory_management import DTYPES
from paints_undo import engine
from paints_undo.checkpoints import ModelFamily
from paints_undo.errors import CheckpointError, Sentence
from paints_undo.hub.released import what_else
from paints_undo.options import UndoOptions


class Engine:
    """An engine, loaded when it is first asked for and asked for again after a failure.

    A page that was opened before the weights were there works without a restart once they are.
    """

    def __init__(self, load: Callable[[], engine.Engine]) -> None:
        self._load = load
        self._loaded: engine.Engine | None = None
        self._one_at_a_time = threading.Lock()

    def get(self) -> engine.Engine:
        """Return the engine. Raises CheckpointError saying which files are missing and how to get them."""
        with self._one_at_a_time:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    @property
    def family(self) -> ModelFamily | None:
        """The model family, or None while its files are missing."""
        try:
            return self.get().family
        except CheckpointError:
            return None

    @property
    def default_options(self) -> UndoOptions:
        """The family's defaults; the published ones while its files are missing."""
        return self.get().default_options if self.family else UndoOptions()

    def description(self) -> Sentence:
        """Return which family is loaded, on which device and in which precision. Raises CheckpointError."""
        loaded = self.get()
        told = loaded.describe()
        dtype = str(DTYPES[told.dtype]).removeprefix("torch.")
        return Sentence("Model family {family}, on {device} in {dtype}", loaded.family.name, told.device, dtype)

    def alternative(self) -> Sentence:
        """Return what the family that is not loaded would bring and need. Raises CheckpointError."""
        loaded = self.get()
        return what_else(loaded.family.name, loaded.describe().device.partition(":")[0])
