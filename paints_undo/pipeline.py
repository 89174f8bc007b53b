"""The story: artwork -> tags -> keyframes -> segments -> timelapse."""

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer

from memory_management import pick_device, pick_dtype, same_devices
from paints_undo import keyframes, segments, validation
from paints_undo.checkpoints import FAMILY_FILE, ModelFamily, load_tokenizer
from paints_undo.errors import CheckpointError, InputError
from paints_undo.families import find_family
from paints_undo.finishing.placement import fitted
from paints_undo.images import crop_to, nearest_bucket, read_picture
from paints_undo.keyframes import KeyframeOptions
from paints_undo.models.attention import BACKENDS, attention_backend
from paints_undo.options import UndoOptions, with_prompt
from paints_undo.parts import Parts
from paints_undo.plans import Candidate, Plan, Work, budget, choose, one_by_one, parse_budget, plans_for
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.prompts import token_count
from paints_undo.results import Results, content_key
from paints_undo.runs import RunFolder
from paints_undo.segments import SegmentOptions
from paints_undo.timeline import Timeline, keyframe_names, segment_names
from paints_undo.workers import MOST_WORKERS, Workers
from wd14_tagger import Tagger

log = logging.getLogger(__name__)

Picture = np.ndarray | Image.Image | Path | str
NOISE = ("device", "cpu")


@dataclass(frozen=True)
class Timelapse:
    """What came of one run; pictures uint8 RGB."""

    prompt: str  # what the keyframes were drawn with
    artwork: np.ndarray  # (height, width, 3), cropped to the keyframes' size
    keyframes: np.ndarray  # (n, height, width, 3), from the finished picture back to the first stroke
    frames: np.ndarray  # (15 * (n + 1), h, w, 3), from the first stroke to the finished picture
    folder: Path | None = None  # the run folder


class PaintsUndo:
    """One model family on one device, ready to work; networks are loaded when first used."""

    def __init__(
        self,
        family: ModelFamily,
        device: torch.device,
        dtype: torch.dtype,
        noise: str = "device",
        attention: str = "sdpa",
        vram: str = "auto",
        bit_exact: bool = False,
    ):
        if noise not in NOISE:
            raise InputError(f"noise is {noise!r}; use device, as the original, or cpu, the same on every device")
        if attention not in BACKENDS:
            raise InputError(f"attention is {attention!r}; use one of {', '.join(BACKENDS)}")
        self.family = family
        self.parts = Parts(family, device, dtype)
        self.noise_device = torch.device("cpu") if noise == "cpu" else device
        self.attention = attention
        self.results = Results()
        self.vram = vram
        self.bit_exact = bit_exact
        self.workers: Workers | None = None
        self._planned_pixels: float = 0  # of the largest keyframe that the present plan counts on
        self.unfinished: dict[str, Tensor] = {}  # latents of the segments that the last call did not decode
        self._tagger: Tagger | None = None
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
    ) -> "PaintsUndo":
        """A model family, found but not yet read.

        models: "mini", "released", a folder, or "auto" for default_models().  device: "cuda", "mps" or "cpu"; dtype:
        "fp32", "fp16" or "bf16"; both the best for this machine by default.  noise: "device" draws where the original
        did, "cpu" gives every device the same pictures.  vram: GiB of device memory that may be used, or "auto" for
        what is free.  bit_exact: both guidance branches one after the other and one segment at a time, as the original
        computes them.  workers: processes that share the segments, one for each GPU or part of the CPU's cores.
        Raises CheckpointError where files are missing, with the remedy, and InputError for impossible choices.
        """
        parse_budget(vram)
        try:
            chosen_device = pick_device(device)
            chosen_dtype = pick_dtype(chosen_device, dtype)
        except ValueError as error:
            raise InputError(str(error)) from None
        engine = cls(find_family(models), chosen_device, chosen_dtype, noise, attention, vram, bit_exact)
        if validation.whole_number("workers", workers, 1, MOST_WORKERS) > 1:
            load = partial(cls.load, models, dtype=dtype, noise=noise, attention=attention, vram=vram)
            devices = same_devices(chosen_device, workers)
            threads = max(1, torch.get_num_threads() // workers)
            engine.workers = Workers(
                [(name, partial(load, device=name, bit_exact=bit_exact)) for name in devices], threads
            )
        return engine

    def plan(self, options: UndoOptions) -> Candidate:
        """How a run of these options would use the device's memory, and what it would take.

        Raises InputError where the device has too little memory, or may use too little, for any plan.
        """
        drawing, filling, device = options.keyframes, options.segments, self.parts.device
        work = Work(
            keyframes=len(drawing.operation_steps),
            keyframe_size=(drawing.width, drawing.height),
            pairs=len(drawing.operation_steps) + 1,
            video_size=nearest_bucket(drawing.height, drawing.width, self.family.video_sizes),
            keyframe_sampling_steps=drawing.sampling_steps,
            video_sampling_steps=filling.sampling_steps,
            guided=filling.guidance_scale != 1,
        )
        candidates = plans_for(self.family, work, device, self.parts.dtype)
        if self.bit_exact:
            candidates = [dataclasses.replace(c, plan=one_by_one(c.plan)) for c in candidates]
        return choose(candidates, budget(self.vram, device), device)

    def use_plan(self, plan: Plan) -> None:
        """Work by this plan from now on, whatever the sizes and the memory."""
        self.parts.use(plan)
        self._planned_pixels = math.inf

    def _follow_plan(self, options: KeyframeOptions) -> None:
        """Take the plan for keyframes of this size, unless the present one counts on larger ones."""
        if options.width * options.height > self._planned_pixels:
            self.parts.residency.drop_all()  # the plan counts on their memory
            self.parts.use(self.plan(dataclasses.replace(self.default_options, keyframes=options)).plan)
            self._planned_pixels = options.width * options.height

    @property
    def default_options(self) -> UndoOptions:
        """The family's defaults; for the published family, those of the original app."""
        width, height = self.family.keyframe_size
        drawing = {"width": width, "height": height, **self.family.keyframe_defaults}
        filling = {"prompt": self.family.video_prompt, **self.family.segment_defaults}
        try:
            return UndoOptions(KeyframeOptions(**drawing), SegmentOptions(**filling))
        except (TypeError, InputError) as error:
            raise CheckpointError(
                f"the defaults in {FAMILY_FILE} of the model family {self.family.name} cannot be used: {error}"
            ) from None

    def tag(self, artwork: Picture) -> str:
        """The artwork's tags as one comma-separated prompt."""
        if self.family.tagger_model is None or self.family.tagger_tags is None:
            raise CheckpointError(f"the model family {self.family.name} has no tagger; give a prompt yourself")
        if self._tagger is None:
            self._tagger = Tagger(self.family.tagger_model, self.family.tagger_tags)
        return self._tagger.prompt(read_picture(artwork))

    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = lambda place, keyframe: None,
    ) -> np.ndarray:
        """Earlier states of the canvas, uint8 (n, height, width, 3), one for each of options.operation_steps.

        seeds: one for each operation step, options.seed by default.  keep: called with the place among the operation
        steps and the keyframe as soon as it is there; those computed earlier come first.
        """
        options, artwork = options or self.default_options.keyframes, read_picture(artwork)
        self._follow_plan(options)
        seeds = [options.seed] * len(options.operation_steps) if seeds is None else list(seeds)
        wanted = list(zip(options.operation_steps, seeds, strict=True))
        settings = dataclasses.asdict(options)
        keys = [content_key({**settings, "operation_steps": step, "seed": seed}, artwork) for step, seed in wanted]
        have = {i: kept for i, key in enumerate(keys) if (kept := self.results.get(key)) is not None}
        for i, keyframe in have.items():
            keep(i, keyframe)
        while missing := [i for i in range(len(wanted)) if i not in have]:
            work = dataclasses.replace(options, operation_steps=[wanted[i][0] for i in missing])
            drawn = keyframes.draw_keyframes(
                self.parts, artwork, work, self.noise_device, on_progress, [wanted[i][1] for i in missing]
            )
            try:
                with attention_backend(self.attention):
                    for i, keyframe in zip(missing, drawn, strict=True):
                        have[i] = keyframe
                        self.results.put(keys[i], keyframe)
                        keep(i, keyframe)
            except MemoryError:
                if not self.parts.step_down():
                    raise
        return np.stack([have[i] for i in range(len(wanted))])

    def fill_segments(
        self, pictures: Sequence[Picture], options: SegmentOptions | None = None, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        """The frames between neighbours, uint8 (n - 1, 16, h, w, 3); pictures from the artwork to the white canvas."""
        options = options or self.default_options.segments
        arrays = [read_picture(picture) for picture in pictures]
        if len(arrays) < 2:
            raise InputError(f"{len(arrays)} picture is given; a segment needs two keyframes to lie between")
        filled: dict[int, np.ndarray] = {}
        pairs = range(len(arrays) - 1)
        self.fill_pairs(arrays, options, on_progress, pairs, [options.seed + i for i in pairs], filled.__setitem__)
        return np.stack([filled[pair] for pair in sorted(filled)])

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray],
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
        settings = [{**dataclasses.asdict(options), "seed": seeds[pair]} for pair in wanted]
        # the first picture's shape decides about the size of all frames
        keys = {
            pair: content_key({**s, "shape": pictures[0].shape}, *pictures[pair : pair + 2])
            for pair, s in zip(wanted, settings, strict=True)
        }
        known = {pair: frames for pair, key in keys.items() if (frames := self.results.get(key)) is not None}
        for pair, frames in known.items():
            keep(pair, frames)
        missing = [pair for pair in wanted if pair not in known]
        denoised = {pair: self.unfinished[keys[pair]] for pair in missing if keys[pair] in self.unfinished}
        if missing and not self._planned_pixels:
            self._follow_plan(self.default_options.keyframes)

        def finish(pair: int, frames: np.ndarray) -> None:
            missing.remove(pair)
            self.results.put(keys[pair], frames)
            keep(pair, frames)

        if self.workers and len(missing) > 1:
            self.parts.residency.drop_all()  # a worker may compute on the same device
            self.workers.fill_pairs(pictures, options, on_progress, list(missing), seeds, finish)
        try:
            while missing:
                self._fill(pictures, options, on_progress, list(missing), seeds, denoised, finish)
        finally:  # what a cancel or a fault leaves denoised, but not decoded, serves the next call
            self.unfinished = {keys[pair]: denoised[pair] for pair in missing if pair in denoised}

    def _fill(
        self,
        pictures: Sequence[np.ndarray],
        options: SegmentOptions,
        on_progress: OnProgress,
        missing: Sequence[int],
        seeds: Sequence[int],
        denoised: dict[int, Tensor],
        finish: Callable[[int, np.ndarray], None],
    ) -> None:
        """One attempt at these pairs; returns early, with the next plan down, where the device ran out of memory."""
        try:
            with attention_backend(self.attention):
                for pair, frames in segments.fill_segments(
                    self.parts, pictures, options, self.noise_device, on_progress, missing, seeds, denoised
                ):
                    finish(pair, frames)
        except MemoryError:
            if not self.parts.step_down():
                raise

    def fill_segment(
        self, first: Picture, last: Picture, options: SegmentOptions | None = None, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        """The 16 frames from one picture to another, uint8 (16, h, w, 3)."""
        return self.fill_segments([first, last], options, on_progress)[0]

    def undo(
        self,
        artwork: Picture,
        options: UndoOptions | None = None,
        out: Path | str | None = None,
        on_progress: OnProgress = ignore,
        save_frames: bool = False,
    ) -> Timelapse:
        """The whole story of one artwork.

        out: its run folder; what an earlier, interrupted run of the same settings left there is used again.
        """
        options, artwork = options or self.default_options, read_picture(artwork)
        self.family.check_keyframe_size(options.keyframes.width, options.keyframes.height)
        if options.tag and not options.keyframes.prompt:
            on_progress(Progress("tags", "tagging", 0, 1))
            options = with_prompt(options, self.tag(artwork))
        timeline = Timeline.of(options.keyframes, options.segments)
        if out is None:
            artwork = with_margins(artwork, options, self.family)
            drawn = self.draw_keyframes(artwork, options.keyframes, on_progress)
            crop = crop_to(artwork, options.keyframes.width, options.keyframes.height)
            filled = self.fill_segments(with_white_canvas(crop, drawn), options.segments, on_progress)
            return Timelapse(options.keyframes.prompt, crop, drawn, join_timelapse(filled))
        folder = RunFolder.create(out, self.settings_of(options), timeline.to_record(), artwork)
        with folder.held():
            return self.finish(folder, on_progress, save_frames)

    def finish(self, run: RunFolder, on_progress: OnProgress = ignore, save_frames: bool = False) -> Timelapse:
        """Draw what the timeline of a run still lacks, and the video of it all.

        Everything that is in the folder already is used as it is, and everything new is kept there at once.
        """
        options, timeline = options_of(run), Timeline.from_record(run.timeline)
        artwork = run.artwork
        seen = with_margins(artwork, options, self.family)
        crop = crop_to(seen, options.keyframes.width, options.keyframes.height)
        drawn = self.finish_keyframes(run, artwork, on_progress)
        pictures = with_white_canvas(crop, drawn)
        names = segment_names(timeline, options.keyframes, options.segments)
        have = {pair: run.segment(name) for pair, name in enumerate(names)}

        def keep(pair: int, frames: np.ndarray) -> None:
            have[pair] = frames
            run.save_segment(names[pair], frames)

        missing = [pair for pair in have if have[pair] is None]
        self.fill_pairs(pictures, options.segments, on_progress, missing, timeline.segment_seeds, keep)
        frames = join_timelapse(np.stack([have[pair] for pair in range(len(names))]))
        run.save_timelapse(frames, options.fps, save_frames)
        run.finish()
        return Timelapse(options.keyframes.prompt, crop, drawn, frames, run.path)

    def finish_keyframes(self, run: RunFolder, artwork: np.ndarray, on_progress: OnProgress = ignore) -> np.ndarray:
        """The keyframes of a run's timeline, uint8 (n, height, width, 3): those in the folder, the others drawn.

        Raises InputError where a picture is gone that cannot be drawn again.
        """
        given, timeline = options_of(run), Timeline.from_record(run.timeline)
        options = given.keyframes
        names = dict(zip(timeline.keyframes, keyframe_names(timeline, options), strict=True))
        have = {keyframe: run.keyframe(name) for keyframe, name in names.items()}
        missing = [keyframe for keyframe in names if have[keyframe] is None]
        for keyframe in missing:
            if not keyframe.redrawable:
                kind, remedy = ("your", "give it again") if keyframe.own else ("the locked", "unlock it")
                place = f"keyframes/{names[keyframe]}.png"
                raise InputError(f"{kind} picture for operation step {keyframe.step} is gone ({place}); {remedy}")
        if missing:

            def keep(place: int, picture: np.ndarray) -> None:
                have[missing[place]] = picture
                run.save_keyframe(names[missing[place]], picture)

            work = dataclasses.replace(options, operation_steps=[keyframe.step for keyframe in missing])
            seen = with_margins(artwork, given, self.family)
            self.draw_keyframes(seen, work, on_progress, [keyframe.seed for keyframe in missing], keep)
        # a picture of one's own, or a locked one of another size, is kept as it was given
        return np.stack([crop_to(picture, options.width, options.height) for picture in have.values()])

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
            "bit_exact": self.bit_exact,
        }


def options_of(run: RunFolder) -> UndoOptions:
    """What a run was started with."""
    if "options" not in run.settings:
        raise InputError(f"the run.json in {run.path} records no options; start a new run")
    return UndoOptions.from_settings(run.settings["options"])


def with_margins(artwork: np.ndarray, options: UndoOptions, family: ModelFamily) -> np.ndarray:
    """The artwork as it is for fit "crop"; for "pad" on a canvas of the keyframes' size, where no cut hurts it."""
    if options.fit == "crop":
        return artwork
    width, height = options.keyframes.width, options.keyframes.height
    video_height, video_width = nearest_bucket(height, width, family.video_sizes)
    return fitted(artwork, width, height, (video_width, video_height), options.fit)


def with_white_canvas(artwork: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The pictures that segments lie between: artwork, keyframes, white canvas; uint8 (n + 2, height, width, 3)."""
    return np.concatenate([artwork[None], drawn, np.full_like(artwork, 255)[None]])


def join_timelapse(filled: np.ndarray) -> np.ndarray:
    """Segments (n, 16, h, w, 3), artwork first -> frames (15 n, h, w, 3), first stroke first.

    Each segment's last frame repeats the next one's first and is dropped, so the white canvas itself never appears.
    """
    return np.concatenate(list(filled[:, :-1]))[::-1].copy()
