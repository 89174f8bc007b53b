"""The story: artwork -> tags -> keyframes -> segments -> timelapse."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial, wraps
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np
import torch
from transformers import CLIPTokenizer

from memory_management import DTYPES, keep_float32_whole, pick_device, pick_dtype, same_devices
from paints_undo import validation
from paints_undo.engine import Description, Picture, keep_nothing
from paints_undo.errors import InputError
from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import Candidate
from paints_undo.execution.plans import Planner, parse_budget, shared
from paints_undo.execution.workers import MOST_WORKERS, Workers
from paints_undo.family.choice import STROKES, default_models, find_family
from paints_undo.family.weights import load_tokenizer
from paints_undo.models.attention import BACKENDS, attention_backend
from paints_undo.models.fused import find_kernels, fused_kernels
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import Course, OnProgress, along, ignore
from paints_undo.run.any_engine import AnyEngine
from paints_undo.run.course import kind_of
from paints_undo.stages.keyframes import KeyframeSampling
from paints_undo.stages.memory import Memory
from paints_undo.stages.prompts import token_count
from paints_undo.stages.segments import SegmentSampling
from paints_undo.strokes_engine import Strokes

log = logging.getLogger(__name__)

NOISE = ("device", "cpu")
T = TypeVar("T")
Keep = Callable[[int, np.ndarray], None]  # (place, what was drawn for it)


def one_at_a_time(method: Callable[..., T]) -> Callable[..., T]:
    """The method, for which the threads that share an engine take turns: it has one set of networks."""

    @wraps(method)
    def in_turn(self: "PaintsUndo", *arguments: Any, **named: Any) -> T:
        with self.at_work:
            return method(self, *arguments, **named)

    return in_turn


class PaintsUndo(AnyEngine):
    """One model family on one device, ready to work; networks are loaded when first used.

    Safe to use from several threads: each drawing waits for its turn, a stage at a time.
    """

    def __init__(
        self, parts: Parts, noise: str = "device", attention: str = "sdpa", vram: str = "auto", bit_exact: bool = False
    ):
        if noise not in NOISE:
            raise InputError("noise is {noise!r}; use device, as the original, or cpu, the same on every device", noise)
        if attention not in BACKENDS:
            raise InputError("attention is {attention!r}; use one of {choices}", attention, ", ".join(BACKENDS))
        if parts.compiled and bit_exact:
            raise InputError("compiled blocks round in their own way and cannot be bit-exact; leave one of the two out")
        if parts.compiled and parts.device.type == "cpu":
            raise InputError("compiled blocks were slower on CPUs wherever they were timed; leave --compile out")
        super().__init__(parts.family)
        self.parts = parts
        if parts.device.type == "cuda" and (bit_exact or parts.dtype == torch.float32):
            keep_float32_whole()
        self.noise_device = torch.device("cpu") if noise == "cpu" else parts.device
        self.attention = attention
        self.memory = Memory()
        self.planner = Planner(parts.family, parts, vram, bit_exact)
        self.workers: Workers | None = None
        self._counter: CLIPTokenizer | None = None
        self._counting = Lock()

    @classmethod
    def load(
        cls,
        models: str | Path = "auto",
        device: str | None = None,
        dtype: str | None = None,
        noise: str = "device",
        attention: str = "sdpa",
        vram: str = "auto",
        bit_exact: bool = False,
        workers: int = 1,
        compiled: bool = False,
    ) -> "PaintsUndo":
        """A model family, found but not yet read.

        models: "strokes" (which needs nothing of what follows), "mini", "released", a folder, or "auto" for
        default_models().  device: "cuda", "mps" or "cpu"; dtype:
        "fp32", "fp16" or "bf16"; both the best for this machine by default.  noise: "device" draws where the original
        did, "cpu" gives every device the same pictures.  vram: GiB of device memory that may be used, or "auto" for
        what is free.  bit_exact: both guidance branches one after the other and one segment at a time, as the original
        computes them.  workers: processes that share the segments, one for each GPU or part of the CPU's cores.
        compiled: torch.compile for the networks' blocks on a GPU; the first run waits for it.
        Raises CheckpointError where files are missing, with the remedy, and InputError for impossible choices.
        """
        models = default_models() if str(models) == "auto" else models
        if str(models) == STROKES:
            choices = {"device": device, "dtype": dtype, "attention": attention, "vram": vram, "bit_exact": bit_exact}
            return cast(PaintsUndo, Strokes.load(**choices, workers=workers, compiled=compiled))  # the same face
        parse_budget(vram)
        try:
            chosen_device = pick_device(device)
            chosen_dtype = pick_dtype(chosen_device, dtype)
        except ValueError as error:
            raise InputError(str(error)) from None
        parts = Parts(find_family(models), chosen_device, chosen_dtype, compiled=compiled)
        engine = cls(parts, noise, attention, vram, bit_exact)
        if validation.whole_number("workers", workers, 1, MOST_WORKERS) > 1:
            load = partial(cls.load, models, dtype=dtype, noise=noise, attention=attention, bit_exact=bit_exact)
            devices = same_devices(chosen_device, workers)
            shares = {name: shared(vram, torch.device(name), devices.count(name)) for name in set(devices)}
            threads = max(1, torch.get_num_threads() // workers)
            engine.workers = Workers(
                [(name, partial(load, device=name, vram=shares[name], compiled=compiled)) for name in devices], threads
            )
        return engine

    def describe(self) -> Description:
        """How this engine works, in the words that `load` takes."""
        dtype = next(name for name, dtype in DTYPES.items() if dtype == self.parts.dtype)
        return Description(str(self.parts.device), dtype, self.attention, self.planner.vram)

    def plan(self, options: UndoOptions) -> Candidate:
        """How a run of these options would use the device's memory, and what it would take; see Planner.plan."""
        return self.planner.plan(options)

    @one_at_a_time
    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = keep_nothing,
    ) -> np.ndarray:
        """Earlier states of the canvas, uint8 (n, height, width, 3), one for each of options.operation_steps.

        seeds: one for each operation step, options.seed by default.  keep: called with the place among the operation
        steps and the keyframe as soon as it is there; those computed earlier come first.
        """
        options, picture = options or self.default_options.keyframes, read_picture(artwork)
        self.planner.follow(dataclasses.replace(self.default_options, keyframes=options))
        seeds = [options.seed] * len(options.operation_steps) if seeds is None else list(seeds)
        sampling = KeyframeSampling(self.parts, options, seeds, self.noise_device, on_progress, artwork=picture)
        drawn: dict[int, np.ndarray] = {}

        def finish(place: int, keyframe: np.ndarray) -> None:
            drawn[place] = keyframe
            keep(place, keyframe)

        self._draw(sampling, range(len(seeds)), finish)
        return np.stack([drawn[place] for place in sorted(drawn)])

    @one_at_a_time
    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        """Hand (pair, frames uint8 (16, h, w, 3)) to `keep`: those computed earlier first, the others as they are done.

        wanted: pairs among the pictures, which are uint8 (H, W, 3) and of one shape, the artwork first.  seeds: one
        for each pair, wanted or not.  Where the device has too little memory the rest is computed with another plan;
        what was done stays done.
        """
        if len(wanted) and not self.planner.planned_pixels:
            self.planner.follow(self.default_options)
        sampling = SegmentSampling(self.parts, options, seeds, self.noise_device, on_progress, pictures=pictures)
        self._draw(sampling, wanted, keep)

    def _draw(self, sampling: KeyframeSampling | SegmentSampling, wanted: Sequence[int], keep: Keep) -> None:
        """Hand each wanted piece to `keep`: those drawn earlier first, the others as they are done.

        Where the device has too little memory the rest is computed with another plan; what was done stays done.
        """
        missing = []
        for place in wanted:
            if (drawn := self.memory.get(sampling.keys[place])) is None:
                missing.append(place)
            else:
                keep(place, drawn)
        sampling.on_progress = along(Course(kind_of(self), sampling.course(missing)), sampling.on_progress)

        def finish(place: int, drawn: np.ndarray) -> None:
            missing.remove(place)
            self.memory.put(sampling.keys[place], drawn)
            keep(place, drawn)

        if self.workers and isinstance(sampling, SegmentSampling) and len(missing) > 1:
            self.parts.residency.drop_all()  # a worker may compute on the same device
            pictures, options, seeds = sampling.pictures, sampling.options, sampling.seeds
            self.workers.fill_pairs(pictures, options, sampling.on_progress, list(missing), seeds, finish)
        while missing:
            alike = sampling.alike
            sampling.begun = self.memory.begun(alike, sampling.keys)
            try:
                with self._computing(), self.parts.memory_for(sampling.stage):
                    for place, drawn in sampling.draw(list(missing)):
                        finish(place, drawn)
                self.memory.finished(alike)
            except MemoryError:
                if not self.parts.step_down():
                    raise

    @one_at_a_time
    def forget(self) -> None:
        """Let go of what was drawn and half drawn, so that the next call computes all of it."""
        self.memory.clear()

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with attention_backend(self.attention), fused_kernels(self._kernels):
            yield

    @cached_property
    def _kernels(self) -> ModuleType | None:
        """Fused kernels, unless the results are to be PyTorch's own or its compiler fuses by itself."""
        if self.planner.bit_exact or self.parts.compiled:
            return None
        return find_kernels(self.parts.device, self.parts.dtype)

    def count_tokens(self, prompt: str) -> int:
        """How many tokens a prompt has for the keyframes' text encoder, start and end left out."""
        with self._counting:  # a tokenizer of its own: those of the stages are in the hands of another thread
            if self._counter is None:
                self._counter = load_tokenizer(self.family, "single_frame/tokenizer")
            return token_count(self._counter, prompt)

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        """What run.json records: the options, and what else decides about the pixels."""
        return {
            "options": options.to_settings(),
            "models": {"name": self.family.name, "revision": self.family.revision},
            "device": self.parts.device.type,
            "dtype": str(self.parts.dtype).removeprefix("torch."),
            "noise": self.noise_device.type,
            "attention": self.attention,
            "bit_exact": self.planner.bit_exact,
            "compiled": self.parts.compiled,
        }
