"""Everything a person may choose for one run: plain data with its checks, which loads no networks' library."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paints_undo import validation
from paints_undo.errors import InputError

log = logging.getLogger(__name__)

FAMILY_FILE = "model_family.json"  # what a model family says about itself
FITS = ("pad", "crop")  # how an artwork lies in the networks' sizes; paints_undo.pictures.fit
OWN_SIZE = "own"  # the fit of families that draw at the artwork's own size
ROUTES = ("auto", "illustration", "painting")  # ways of taking an artwork apart into strokes
# What holds in runs of earlier versions, which say nothing of it.
UNSAID: dict[str, Any] = {
    "mark": False,
    "fit": "crop",
    "seconds": 20.0,
    "route": "auto",
}
# How far the numbers go, by field: sliders, nodes and what the page itself checks take their ends from here.
RANGES = {
    **dict.fromkeys(("width", "height"), (16, 4096)),
    "seed": (0, 2**32 - 1),
    "sampling_steps": (1, 100),
    "guidance_scale": (1, 32),
    "frame_stride": (1, 60),
    "reuse_interval": (1, 10),
    "fps": (1, 60),
    "seconds": (3, 600),
}
# What only families of one kind have a use for, by the names that a page has for it.
OF_NETWORKS = frozenset(
    ("negative_prompt", "width", "height", "fit", "sampling_steps", "guidance_scale", "long_prompt")
)
OF_STROKES = frozenset(("seconds", "route"))
# How an engine of networks works where nothing is chosen.
ENGINE_DEFAULTS: dict[str, Any] = {
    "device": None,
    "dtype": None,
    "noise": "device",
    "attention": "sdpa",
    "vram": "auto",
    "bit_exact": False,
    "workers": 1,
    "compiled": False,
}
OPERATIONS = 1000  # that draw an artwork in strokes: operation step s is the canvas after OPERATIONS - s of them
ALL_TIMESTEPS = (0, 999)  # of the noise that the networks were trained with


@dataclass(frozen=True)
class KeyframeOptions:
    """What a person may choose for the keyframes; the defaults are the original app's."""

    prompt: str = ""
    negative_prompt: str = "lowres, bad anatomy, bad hands, cropped, worst quality"
    operation_steps: tuple[int, ...] = (400, 600, 800, 900, 950, 999)  # 0 finished .. 999 first stroke
    width: int = 512
    height: int = 640
    seed: int = 12345
    sampling_steps: int = 50
    guidance_scale: float = 3.0
    long_prompt: bool = False  # read prompts beyond 75 tokens in several windows, instead of cutting them

    def __post_init__(self) -> None:
        ordered = validation.operation_steps(self.operation_steps)
        if tuple(self.operation_steps) != ordered:
            log.warning("operation steps %s are sorted to %s", list(self.operation_steps), list(ordered))
        checked = {
            "prompt": validation.text("prompt", self.prompt),
            "negative_prompt": validation.text("negative prompt", self.negative_prompt),
            "operation_steps": ordered,
            "width": validation.whole_number("width", self.width, *RANGES["width"]),
            "height": validation.whole_number("height", self.height, *RANGES["height"]),
            "seed": validation.seed("seed", self.seed),
            "sampling_steps": validation.whole_number("sampling steps", self.sampling_steps, *RANGES["sampling_steps"]),
            "guidance_scale": validation.number("guidance scale", self.guidance_scale, *RANGES["guidance_scale"]),
            "long_prompt": validation.yes_or_no("long prompt", self.long_prompt),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


@dataclass(frozen=True)
class SegmentOptions:
    """What a person may choose for the segments; the defaults are the original app's.

    The prompt is "1girl, masterpiece, best quality", with 1boy or neither where that fits better; never the artwork's
    tags, on which the multi-frame model was not trained.
    """

    prompt: str = "1girl, masterpiece, best quality"
    seed: int = 123
    sampling_steps: int = 50
    guidance_scale: float = 7.5
    frame_stride: int = 3
    guidance_interval: tuple[int, int] = ALL_TIMESTEPS  # guided only at these timesteps: an approximation, if fewer
    reuse_interval: int = 1  # the 3D UNet's deep features are new in every so manieth step: an approximation above 1
    long_prompt: bool = False  # read a prompt beyond 75 tokens in several windows, instead of cutting it

    def __post_init__(self) -> None:
        checked = {
            "prompt": validation.text("video prompt", self.prompt),
            "seed": validation.seed("video seed", self.seed),
            "sampling_steps": validation.whole_number(
                "video sampling steps", self.sampling_steps, *RANGES["sampling_steps"]
            ),
            "guidance_scale": validation.number("video guidance scale", self.guidance_scale, *RANGES["guidance_scale"]),
            "frame_stride": validation.whole_number("frame stride", self.frame_stride, *RANGES["frame_stride"]),
            "guidance_interval": validation.interval("guidance interval", self.guidance_interval, *ALL_TIMESTEPS),
            "reuse_interval": validation.whole_number("reuse interval", self.reuse_interval, *RANGES["reuse_interval"]),
            "long_prompt": validation.yes_or_no("long video prompt", self.long_prompt),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


def pair_seeds(seed: int, pairs: Iterable[int]) -> list[int]:
    """The seed of each pair of a plain run; after the largest seed comes 0."""
    return [(seed + pair) % 2**32 for pair in pairs]


@dataclass(frozen=True)
class UndoOptions:
    """Everything a person may choose for one run."""

    keyframes: KeyframeOptions = field(default_factory=KeyframeOptions)
    segments: SegmentOptions = field(default_factory=SegmentOptions)
    fps: int = 4
    tag: bool = True  # let the tagger write the keyframes' prompt where none is given
    mark: bool = False  # a small text in the corner of the video says that AI made it
    fit: str = "pad"  # how the artwork fills a keyframe: so that nothing of it is lost, or "crop" as the original
    seconds: float = 20.0  # how long the video is, where the family draws strokes
    route: str = "auto"  # as what the artwork is taken apart into strokes: "illustration", "painting"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", validation.whole_number("fps", self.fps, *RANGES["fps"]))
        validation.yes_or_no("tag", self.tag)
        validation.yes_or_no("mark", self.mark)
        object.__setattr__(self, "seconds", validation.number("seconds", self.seconds, *RANGES["seconds"]))
        if self.route not in ROUTES:
            raise InputError("route is {route!r}; use one of {choices}", self.route, ", ".join(ROUTES))
        if self.fit not in (*FITS, OWN_SIZE):
            raise InputError(
                "fit is {fit!r}; use pad, which keeps the whole picture, or crop, as the original", self.fit
            )

    @property
    def in_strokes(self) -> bool:
        """Whether the artwork is drawn as one process at its own size, rather than piece by piece by networks."""
        return self.fit == OWN_SIZE

    def to_settings(self) -> dict[str, Any]:
        """Plain values for run.json; from_settings gives the same options back."""
        values = dataclasses.asdict(self)
        # a run of a version that knew nothing else is the same run
        return {name: value for name, value in values.items() if name not in UNSAID or value != UNSAID[name]}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> UndoOptions:
        """The options in a run.json; InputError where it holds others than this version knows."""
        if not isinstance(settings, dict):
            raise InputError("these settings are no options but {value!r:.60}; start a new run", settings)
        try:
            values = {**UNSAID, **settings}
            stages = KeyframeOptions(**values.pop("keyframes")), SegmentOptions(**values.pop("segments"))
            return cls(*stages, **values)
        except (KeyError, TypeError) as error:
            raise InputError("these settings are not of this version ({reason}); start a new run", error) from None


def with_prompt(options: UndoOptions, prompt: str) -> UndoOptions:
    """The options with the prompt of the keyframes settled, and no need for a tagger left."""
    return dataclasses.replace(options, keyframes=dataclasses.replace(options.keyframes, prompt=prompt), tag=False)


# Profiles are named sets of settings that trade exactness for time. "exact" is what the networks give. "fast"
# approximates it three times over: fewer sampling steps, guidance in the middle of the noise levels alone (Kynkaanniemi
# et al. 2024), and deep features of the 3D UNet used in two steps (Ma et al. 2023).  Nobody has judged "fast" with the
# published weights yet.
PROFILES = ("exact", "fast")

FAST_GUIDANCE_INTERVAL = (200, 800)
FAST_REUSE_INTERVAL = 2


def with_profile(options: UndoOptions, name: str) -> UndoOptions:
    """The options as the profile changes them; "exact" leaves them as they are.

    Raises InputError for an unknown name.
    """
    if name not in PROFILES:
        raise InputError("profile is {name!r}; use one of {choices}", name, ", ".join(PROFILES))
    if name == "exact":
        return options
    return dataclasses.replace(
        options,
        keyframes=dataclasses.replace(options.keyframes, sampling_steps=fewer(options.keyframes.sampling_steps)),
        segments=dataclasses.replace(
            options.segments,
            sampling_steps=fewer(options.segments.sampling_steps),
            guidance_interval=FAST_GUIDANCE_INTERVAL,
            reuse_interval=FAST_REUSE_INTERVAL,
        ),
    )


def fewer(sampling_steps: int) -> int:
    """Half as many sampling steps, at least one."""
    return max(1, round(sampling_steps / 2))
