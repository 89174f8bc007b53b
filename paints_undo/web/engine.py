"""The engine behind the web app, loaded when it is first asked for, and the model family, known before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError, Sentence
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.released import what_else
from paints_undo.options import UndoOptions

log = logging.getLogger(__name__)

_IN_WORDS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class EngineOnUse:
    """An engine, loaded when it is first asked for and asked for again after a failure.

    A page that was opened before the weights were there works without a restart once they are.
    find: gives the family before the engine is there; without it, the engine is loaded to tell.
    """

    def __init__(self, load: Callable[[], Engine], find: Callable[[], ModelFamily] | None = None) -> None:
        self._load = load
        self._find = find or (lambda: self.get().family)
        self._found: ModelFamily | None = None
        self._loaded: Engine | None = None
        self._one_at_a_time = threading.Lock()

    def get(self) -> Engine:
        """Return the engine. Raises CheckpointError saying which files are missing and how to get them."""
        with self._one_at_a_time:
            if self._loaded is None:
                self._loaded = self._load()
                self._found = self._loaded.family
            return self._loaded

    def load_in_background(self, wait: float = 0.0) -> threading.Thread:
        """Return the thread that loads it after so many seconds, unless somebody has asked for it by then.

        What goes wrong is said to those who ask.
        """
        thread = threading.Timer(wait, self._try_to_load)
        thread.daemon = True
        thread.start()
        return thread

    def _try_to_load(self) -> None:
        try:
            self.get()
        except (CheckpointError, InputError) as error:
            log.info("%s", error)
        except Exception:
            log.exception("the networks' libraries could not be loaded")

    def find(self) -> ModelFamily:
        """Return the model family. Raises CheckpointError as :meth:`get` does."""
        if self._found is None:
            self._found = self._find()
        return self._found

    @property
    def family(self) -> ModelFamily | None:
        """The model family, or None while its files are missing."""
        try:
            return self.find()
        except CheckpointError:
            return None

    @property
    def default_options(self) -> UndoOptions:
        """The family's defaults; the published ones while its files are missing."""
        family = self.family
        return defaults_of(family) if family else UndoOptions()

    def description(self) -> Sentence:
        """Return which family is loaded, on which device and in which precision. Raises CheckpointError."""
        loaded = self.get()
        told = loaded.describe()
        if self.default_options.in_strokes:
            sentence = "Model family {family}: stroke by stroke, at the picture's own size, without networks"
            return Sentence(sentence, loaded.family.name)
        return Sentence(
            "Model family {family}, on {device} in {dtype}", loaded.family.name, told.device, _IN_WORDS[told.dtype]
        )

    def alternative(self) -> tuple[Sentence, Sentence]:
        """Return what the family that is not loaded is and needs, and how to get it. Raises CheckpointError."""
        loaded = self.get()
        return what_else(loaded.family.name, loaded.describe().device.partition(":")[0])
