"""Tags of a picture, computed by a WD14 ONNX model.

Every WD14 model reads one float32 picture (1, size, size, 3), BGR, 0..255, and answers with one probability per row
of its ``selected_tags.csv``. The models differ only in their input and output names, which the ONNX file tells.
"""

from __future__ import annotations

import csv
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import onnxruntime

log = logging.getLogger(__name__)

GENERAL, CHARACTER = 0, 4  # the csv's category numbers; the third one, 9, marks ratings, which are never tags
DEFAULT_SIZE = 448  # pixels; every published model's input, used when an ONNX file leaves its input size open
PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")
# TF32 keeps 10 bits of each factor: enough to push a tag across its threshold.
PROVIDER_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}


@dataclass(frozen=True)
class _Input:
    """What the ONNX file says about its one input and its output."""

    name: str
    size: int  # pixels, both sides
    output: str


class Tagger:
    """One WD14 model and its table of tags; the ONNX session is opened on first use and may be shared by threads."""

    def __init__(self, model_path: str | Path, tags_path: str | Path, providers: Sequence[str] | None = None) -> None:
        """Read the table of tags and note where the model is.

        Args:
            model_path: the ONNX file.
            tags_path: the csv file with the columns ``name`` and ``category``, one row per output of the model.
            providers: onnxruntime execution providers, best first. By default CUDA or CoreML where the installed
                onnxruntime has them, and the CPU after them. The probabilities may differ in the last digits between
                providers; the CPU is the reference.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: the csv is not a table of tags, or a provider is not available.
        """
        self.model_path = _existing(model_path, "tagger model")
        self.tags_path = _existing(tags_path, "tag table")
        self.names, self.categories = _read_tags(self.tags_path)
        self._requested = tuple(providers) if providers is not None else None
        if self._requested is not None:
            _check_providers(self._requested)
        self._lock = threading.Lock()
        self._opened: tuple[onnxruntime.InferenceSession, _Input] | None = None

    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """Return float32 (rows,): the probability of each row of the csv, ratings included.

        Args:
            picture: uint8 (H, W, 3), RGB.

        Raises:
            ValueError: the picture has another type or shape, the model is unreadable or does not fit its csv.
        """
        _check_picture(picture)
        session, model_input = self._session()
        batch = _square(picture, model_input.size)
        values = np.asarray(session.run([model_input.output], {model_input.name: batch})[0], dtype=np.float32)
        if values.shape != (1, len(self.names)):
            raise ValueError(self._mismatch(values.shape[-1] if values.ndim else 1))
        if not np.isfinite(values).all():
            raise ValueError(f"tagger model {self.model_path} gave a probability that is not finite: download it again")
        return values[0]

    def tags(
        self, picture: np.ndarray, threshold: float = 0.35, character_threshold: float = 0.85, exclude: str = ""
    ) -> list[str]:
        """Return the tags of a picture as a prompt spells them: characters first, then general ones, in csv order.

        A tag is chosen when its probability is strictly above its threshold. Brackets are escaped and underscores
        become spaces; rating tags never appear.

        Args:
            picture: uint8 (H, W, 3), RGB.
            threshold: 0..1, for general tags.
            character_threshold: 0..1, for names of characters.
            exclude: comma-separated tags to leave out, as the csv spells them (``long_hair``).

        Raises:
            ValueError: a threshold is outside 0..1, or as :meth:`probabilities`.
        """
        limits = {
            CHARACTER: _checked_threshold("character_threshold", character_threshold),
            GENERAL: _checked_threshold("threshold", threshold),
        }
        excluded = {name.strip().lower() for name in exclude.split(",")} - {""}
        self._warn_of_unknown(excluded)
        probabilities = self.probabilities(picture)
        return [
            prompt_spelling(name)
            for wanted, limit in limits.items()
            for name, category, probability in zip(self.names, self.categories, probabilities, strict=True)
            if category == wanted and float(probability) > limit and name.lower() not in excluded
        ]

    def prompt(
        self, picture: np.ndarray, threshold: float = 0.35, character_threshold: float = 0.85, exclude: str = ""
    ) -> str:
        """Return :meth:`tags` as one comma-separated prompt, empty when no tag is likely enough."""
        return ", ".join(self.tags(picture, threshold, character_threshold, exclude))

    def _warn_of_unknown(self, excluded: set[str]) -> None:
        for name in sorted(excluded - {name.lower() for name in self.names}):
            log.warning("excluded tag %r is not in %s; tags are spelled with underscores", name, self.tags_path.name)

    def _session(self) -> tuple[onnxruntime.InferenceSession, _Input]:
        with self._lock:
            if self._opened is None:
                session = _open_session(self.model_path, self._requested)
                self._opened = session, self._describe(session)
            return self._opened

    def _describe(self, session: onnxruntime.InferenceSession) -> _Input:
        entry, result = session.get_inputs()[0], session.get_outputs()[0]
        shape = list(entry.shape)
        sides = {side if isinstance(side, int) else DEFAULT_SIZE for side in shape[1:3]}
        if len(shape) != 4 or shape[3] != 3 or len(sides) != 1 or entry.type != "tensor(float)":
            raise ValueError(
                f"tagger model {self.model_path} reads {entry.type} {shape}, but a WD14 model reads float32 "
                "(1, size, size, 3): use a model.onnx of the WD14 family"
            )
        rows = result.shape[-1] if result.shape else 1
        if isinstance(rows, int) and rows != len(self.names):
            raise ValueError(self._mismatch(rows))
        return _Input(entry.name, sides.pop(), result.name)

    def _mismatch(self, rows: int) -> str:
        return (
            f"tagger model {self.model_path} gives {rows} probabilities, but {self.tags_path} has {len(self.names)} "
            "rows: use the csv published with the model"
        )


def prompt_spelling(name: str) -> str:
    """Return a csv name as a prompt spells it: brackets escaped, then underscores as spaces."""
    return name.replace("(", r"\(").replace(")", r"\)").replace("_", " ")


def _existing(path: str | Path, what: str) -> Path:
    """The path of a file that can be read. Raises OSError, one sentence that says nothing of what is in the file."""
    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(f"{what} {path} is not a file: download it or give the path of another one")
        path.open("rb").close()  # what cannot be read is not called damaged by those who then fail to
    except FileNotFoundError:
        raise
    except PermissionError:
        raise PermissionError(
            f"{path} may not be read by this account: give it the permission to read that file and its folders"
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"{path} cannot be read ({reason}): check the disk or drive that it is on") from None
    return path


def _read_tags(path: Path) -> tuple[list[str], list[int]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        names, categories = [row["name"] for row in rows], [int(row["category"]) for row in rows]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f"tag table {path} is not a csv file with the columns name and category ({error}): download it again"
        ) from error
    if not names:
        raise ValueError(f"tag table {path} has no rows: download it again")
    return names, categories


def _check_picture(picture: np.ndarray) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
        found = picture.dtype if isinstance(picture, np.ndarray) else type(picture).__name__
        raise ValueError(f"picture is {found}, but the tagger reads a uint8 array with values 0..255: convert it first")
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(
            f"picture has the shape {picture.shape}, but the tagger reads (height, width, 3) RGB: convert it first"
        )


def _checked_threshold(field: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:  # also refuses NaN
        raise ValueError(f"{field} is {value}, but it must be within 0..1: the usual values are 0.35 and 0.85")
    return float(value)


def _square(picture: np.ndarray, size: int) -> np.ndarray:
    """Return float32 (1, size, size, 3) BGR 0..255: the picture scaled to fit, centred on white."""
    height, width = picture.shape[:2]
    ratio = size / max(height, width)
    # int() cuts, and may lose a pixel of the longer side to rounding: the tags were aligned with exactly that.
    scaled = max(1, int(width * ratio)), max(1, int(height * ratio))
    canvas = Image.new("RGB", (size, size), (255, 255, 255))
    corner = (size - scaled[0]) // 2, (size - scaled[1]) // 2
    canvas.paste(Image.fromarray(picture).resize(scaled, Image.Resampling.LANCZOS), corner)
    return np.ascontiguousarray(np.asarray(canvas)[None, :, :, ::-1], dtype=np.float32)


def _runtime() -> Any:
    import onnxruntime  # imported where it is used: it takes a moment, and importing the package must not

    return onnxruntime


def _check_providers(providers: Sequence[str]) -> None:
    available = _runtime().get_available_providers()
    unknown = [name for name in providers if name not in available]
    if unknown or not providers:
        raise ValueError(
            f"providers are {list(providers)}, but this onnxruntime has {available}: choose from those, or install "
            "the onnxruntime package that has the one you want"
        )


def _open_session(path: Path, requested: Sequence[str] | None) -> onnxruntime.InferenceSession:
    if requested is not None:
        return _open_with(path, requested)
    available = _runtime().get_available_providers()
    preferred = [name for name in PREFERRED_PROVIDERS if name in available]
    if preferred[:-1]:
        try:
            return _open_with(path, preferred)
        except ValueError as error:  # an accelerator that is installed need not work
            log.warning("the tagger goes on without %s: %s", preferred[0], error)
    return _open_with(path, preferred[-1:] or available)


def _open_with(path: Path, names: Sequence[str]) -> onnxruntime.InferenceSession:
    providers: list[Any] = [(name, PROVIDER_OPTIONS.get(name, {})) for name in names]
    try:
        session = _runtime().InferenceSession(str(path), providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no closer common base
        _existing(path, "tagger model")
        reason = next(iter(str(error).splitlines()), "")
        raise ValueError(
            f"tagger model {path} cannot be opened on {names[0]} ({reason}): download it again or name other providers"
        ) from error
    log.info("tagger %s runs on %s", path.name, session.get_providers()[0])
    return session
