"""The story: artwork -> tags -> keyframes -> segments -> timelapse."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from memory_management import pick_device, pick_dtype
from paints_undo import keyframes, segments, validation
from paints_undo.checkpoints import FAMILY_FILE, MINI_FOLDER, ModelFamily, open_family
from paints_undo.errors import CheckpointError, InputError
from paints_undo.images import crop_to, read_picture
from paints_undo.keyframes import KeyframeOptions
from paints_undo.models.attention import BACKENDS, attention_backend
from paints_undo.parts import Parts
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.released import find_released, is_released_here
from paints_undo.runs import RunFolder
from paints_undo.segments import SegmentOptions
from paints_undo.video import write_video
from wd14_tagger import Tagger

log = logging.getLogger(__name__)

Picture = np.ndarray | Image.Image | Path | str
NOISE = ("device", "cpu")


@dataclass(frozen=True)
class UndoOptions:
    """Everything a person may choose for one run."""

    keyframes: KeyframeOptions = field(default_factory=KeyframeOptions)
    segments: SegmentOptions = field(default_factory=SegmentOptions)
    fps: int = 4
    tag: bool = True  # let the tagger write the keyframes' prompt where none is given

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", validation.whole_number("fps", self.fps, 1, 60))

    def to_settings(self) -> dict[str, Any]:
        """Plain values for run.json; from_settings gives the same options back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> "UndoOptions":
        """The options in a run.json; InputError where it holds others than this version knows."""
        try:
            values = dict(settings)
            stages = KeyframeOptions(**values.pop("keyframes")), SegmentOptions(**values.pop("segments"))
            return cls(*stages, **values)
        except (KeyError, TypeError) as error:
            raise InputError(f"these settings are not of this version ({error}); start a new run") from None


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

    def __init__(self, family: ModelFamily, device: torch.device, dtype: torch.dtype, noise: str, attention: str):
        if noise not in NOISE:
            raise InputError(f"noise is {noise!r}; use device, as the original, or cpu, the same on every device")
        if attention not in BACKENDS:
            raise InputError(f"attention is {attention!r}; use one of {', '.join(BACKENDS)}")
        self.family = family
        self.parts = Parts(family, device, dtype)
        self.noise_device = torch.device("cpu") if noise == "cpu" else device
        self.attention = attention
        self._tagger: Tagger | None = None

    @classmethod
    def load(
        cls,
        models: str | Path = "auto",
        device: str | None = None,
        dtype: str | None = None,
        noise: str = "device",
        attention: str = "sdpa",
    ) -> "PaintsUndo":
        """A model family, found but not yet read.

        models: "mini", "released", a folder, or "auto" for default_models().  device: "cuda", "mps" or "cpu"; dtype:
        "fp32", "fp16" or "bf16"; both the best for this machine by default.  noise: "device" draws where the original
        did, "cpu" gives every device the same pictures.  Raises CheckpointError where files are missing, with the
        remedy, and InputError for impossible choices.
        """
        try:
            chosen_device = pick_device(device)
            chosen_dtype = pick_dtype(chosen_device, dtype)
        except ValueError as error:
            raise InputError(str(error)) from None
        return cls(find_family(models), chosen_device, chosen_dtype, noise, attention)

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
        self, artwork: Picture, options: KeyframeOptions | None = None, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        """Earlier states of the canvas, uint8 (n, height, width, 3), one for each of options.operation_steps."""
        options = options or self.default_options.keyframes
        with attention_backend(self.attention):
            return keyframes.draw_keyframes(self.parts, read_picture(artwork), options, self.noise_device, on_progress)

    def fill_segments(
        self, pictures: Sequence[Picture], options: SegmentOptions | None = None, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        """The frames between neighbours, uint8 (n - 1, 16, h, w, 3); pictures from the artwork to the white canvas."""
        options = options or self.default_options.segments
        arrays = [read_picture(picture) for picture in pictures]
        with attention_backend(self.attention):
            filled = segments.fill_segments(self.parts, arrays, options, self.noise_device, on_progress)
            return np.stack([frames for _, frames in filled])

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
        folder = RunFolder.create(out, self.settings_of(options), artwork) if out is not None else None

        drawn = self._keyframes(artwork, options, folder, on_progress)
        crop = crop_to(artwork, options.keyframes.width, options.keyframes.height)
        filled = self._segments(with_white_canvas(crop, drawn), options, folder, on_progress)
        frames = join_timelapse(filled)
        if folder is not None:
            if save_frames:
                folder.save_frames(frames)
            write_video(frames, folder.timelapse, options.fps)
            folder.finish()
        return Timelapse(options.keyframes.prompt, crop, drawn, frames, folder.path if folder else None)

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        """What run.json records: the options, and what else decides about the pixels."""
        return {
            "options": options.to_settings(),
            "models": {"name": self.family.name, "revision": self.family.revision},
            "device": self.parts.device.type,
            "dtype": str(self.parts.dtype).removeprefix("torch."),
            "noise": self.noise_device.type,
            "attention": self.attention,
        }

    def _keyframes(
        self, artwork: np.ndarray, options: UndoOptions, folder: RunFolder | None, on_progress: OnProgress
    ) -> np.ndarray:
        """The keyframes in the folder, or all of them drawn.

        If only some are missing all are drawn again: a batch of another size rounds differently, and a run that was
        interrupted must end in the very same pictures.
        """
        wanted = options.keyframes.operation_steps
        kept = [folder.keyframe(step) for step in wanted] if folder else []
        if kept and all(keyframe is not None for keyframe in kept):
            return np.stack(kept)
        drawn = self.draw_keyframes(artwork, options.keyframes, on_progress)
        if folder:
            for step, keyframe in zip(wanted, drawn, strict=True):
                folder.save_keyframe(step, keyframe)
        return drawn

    def _segments(
        self, pictures: Sequence[np.ndarray], options: UndoOptions, folder: RunFolder | None, on_progress: OnProgress
    ) -> np.ndarray:
        """The segments: those in the folder, and the missing ones filled, each saved as soon as it is there."""
        pairs = range(len(pictures) - 1)
        have = {pair: folder.segment(pair) for pair in pairs} if folder else dict.fromkeys(pairs)
        missing = [pair for pair in pairs if have[pair] is None]
        with attention_backend(self.attention):
            filled = segments.fill_segments(
                self.parts, pictures, options.segments, self.noise_device, on_progress, missing
            )
            for pair, frames in filled:
                have[pair] = frames
                if folder:
                    folder.save_segment(pair, frames)
        return np.stack([have[pair] for pair in pairs])


def find_family(models: str | Path) -> ModelFamily:
    """The model family "mini", "released" or in a folder; CheckpointError says what is missing and what to do."""
    name = str(models)
    if name == "auto":
        name = default_models()
    if name == "released":
        return find_released()
    if name == "mini":
        if not MINI_FOLDER.is_dir():
            raise CheckpointError(
                "the model family mini is not part of this version; run `python -m paints_undo download` for the "
                "published one (7.6 GB), or give a folder"
            )
        return open_family(MINI_FOLDER, name="mini")
    return open_family(Path(name))


def default_models() -> str:
    """The family to use when none is named: on a GPU the published one, if it is there; else mini, if it is there."""
    if (MINI_FOLDER / FAMILY_FILE).exists() and (pick_device().type == "cpu" or not is_released_here()):
        return "mini"
    return "released"


def with_prompt(options: UndoOptions, prompt: str) -> UndoOptions:
    """The options with the prompt of the keyframes settled, and no need for a tagger left."""
    return dataclasses.replace(options, keyframes=dataclasses.replace(options.keyframes, prompt=prompt), tag=False)


def with_white_canvas(artwork: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The pictures that segments lie between: artwork, keyframes, white canvas; uint8 (n + 2, height, width, 3)."""
    return np.concatenate([artwork[None], drawn, np.full_like(artwork, 255)[None]])


def join_timelapse(filled: np.ndarray) -> np.ndarray:
    """Segments (n, 16, h, w, 3), artwork first -> frames (15 n, h, w, 3), first stroke first.

    Each segment's last frame repeats the next one's first and is dropped, so the white canvas itself never appears.
    """
    return np.concatenate(list(filled[:, :-1]))[::-1].copy()
