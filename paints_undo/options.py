"""Everything a person may choose for one run: plain data with its checks, which loads no networks' library."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
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
NETWORKS, STROKES = "networks", "strokes"  # the kinds of model families
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
class Setting:
    """What every door says of one thing that may be chosen; its name, default and kind are those of its field."""

    help: str
    bounds: tuple[float, float] | None = None  # of a number, or of each number
    choices: tuple[str, ...] = ()
    of: str = ""  # the kind of families that alone has a use for it

    @property
    def told(self) -> str:
        """The help, and how far numbers go."""
        return self.help + (", {} to {}".format(*self.bounds) if self.bounds else "")

    def checked(self, name: str, value: Any, kind: type) -> Any:
        """The value of a setting of this name; InputError where it is none of this kind, or out of bounds."""
        words = name.replace("_", " ")
        if name == "operation_steps":
            return validation.operation_steps(value)
        if self.choices:  # a family's own fit is nobody's choice
            return value if (name, value) == ("fit", OWN_SIZE) else validation.one_of(words, value, self.choices)
        if self.bounds is None:
            return (validation.yes_or_no if kind is bool else validation.text)(words, value)
        numbers: dict[type, Callable[..., Any]] = {int: validation.whole_number, float: validation.number}
        return numbers.get(kind, validation.interval)(words, value, *self.bounds)


def setting(default: Any, help: str, bounds: tuple[float, float] | None = None, **more: Any) -> Any:
    """A field of options and all that is to be said of it; more: of :class:`Setting`."""
    return field(default=default, metadata={"setting": Setting(help, bounds, **more)})


def settle(options: Any, part: str) -> None:
    """Check the settings of one part of the options, which are frozen for everyone else."""
    for name, place in PLACES.items():
        if place[0] == part:
            value = getattr(options, place[1])
            object.__setattr__(options, place[1], SETTINGS[name].checked(name, value, type(DEFAULTS[name])))


@dataclass(frozen=True)
class KeyframeOptions:
    """What a person may choose for the keyframes; the defaults are the original app's."""

    prompt: str = setting("", "what the artwork shows, instead of the tagger's answer")
    negative_prompt: str = setting(
        "lowres, bad anatomy, bad hands, cropped, worst quality", "what the keyframes shall not look like", of=NETWORKS
    )
    operation_steps: tuple[int, ...] = setting(
        (400, 600, 800, 900, 950, 999), "of the keyframes, from finished to first stroke", validation.STEPS
    )
    width: int = setting(512, "of the keyframes, in pixels", (16, 4096), of=NETWORKS)
    height: int = setting(640, "of the keyframes, in pixels", (16, 4096), of=NETWORKS)
    seed: int = setting(12345, "of the keyframes' noise, or of the strokes", validation.SEEDS)
    sampling_steps: int = setting(50, "denoising iterations of the keyframes", (1, 100), of=NETWORKS)
    guidance_scale: float = setting(3.0, "how strictly the keyframes follow the prompt", (1, 32), of=NETWORKS)
    long_prompt: bool = setting(
        False, "read prompts beyond 75 tokens in several windows, instead of cutting them", of=NETWORKS
    )

    def __post_init__(self) -> None:
        given = self.operation_steps
        settle(self, "keyframes")
        if tuple(given) != self.operation_steps:
            log.warning("operation steps %s are sorted to %s", list(given), list(self.operation_steps))


@dataclass(frozen=True)
class SegmentOptions:
    """What a person may choose for the segments; the defaults are the original app's.

    The prompt is "1girl, masterpiece, best quality", with 1boy or neither where that fits better; never the artwork's
    tags, on which the multi-frame model was not trained.
    """

    prompt: str = setting(
        "1girl, masterpiece, best quality",
        "kind of picture, like '1girl, masterpiece, best quality'; never the artwork's tags",
        of=NETWORKS,
    )
    seed: int = setting(123, "of the segments' noise; pair i uses seed + i", validation.SEEDS, of=NETWORKS)
    sampling_steps: int = setting(50, "denoising iterations of the segments", (1, 100), of=NETWORKS)
    guidance_scale: float = setting(7.5, "how strictly the segments follow their conditions", (1, 32), of=NETWORKS)
    frame_stride: int = setting(
        3, "how much happens between two frames; the networks know 3 best", (1, 60), of=NETWORKS
    )
    guidance_interval: tuple[int, int] = setting(
        ALL_TIMESTEPS, "approximation: guidance at these timesteps alone", ALL_TIMESTEPS, of=NETWORKS
    )
    reuse_interval: int = setting(
        1, "approximation: deep features are computed anew once in so many steps", (1, 10), of=NETWORKS
    )
    long_prompt: bool = setting(
        False, "read a prompt beyond 75 tokens in several windows, instead of cutting it", of=NETWORKS
    )

    def __post_init__(self) -> None:
        settle(self, "segments")


def pair_seeds(seed: int, pairs: Iterable[int]) -> list[int]:
    """The seed of each pair of a plain run; after the largest seed comes 0."""
    return [(seed + pair) % 2**32 for pair in pairs]


@dataclass(frozen=True)
class UndoOptions:
    """Everything a person may choose for one run."""

    keyframes: KeyframeOptions = field(default_factory=KeyframeOptions)
    segments: SegmentOptions = field(default_factory=SegmentOptions)
    fps: int = setting(4, "frames a second of the video", (1, 60))
    tag: bool = True  # let the tagger write the keyframes' prompt where none is given
    mark: bool = setting(False, "say in a corner of the video: made by AI")
    fit: str = setting(
        "pad",
        "how the artwork fills the networks' sizes: pad loses nothing, crop cuts as the original",
        choices=FITS,
        of=NETWORKS,
    )
    seconds: float = setting(20.0, "length of the video where strokes are drawn", (3, 600), of=STROKES)
    route: str = setting("auto", "as what the artwork is taken apart into strokes", choices=ROUTES, of=STROKES)

    def __post_init__(self) -> None:
        validation.yes_or_no("tag", self.tag)
        settle(self, "")

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


# By the name that the page and programs have for it, the part of UndoOptions that a setting is in, and its field. What
# both stages have belongs to the keyframes; the segments' gets a prefix.
_FIELDS: dict[str, tuple[str, Any]] = {
    field.name: ("keyframes", field) for field in dataclasses.fields(KeyframeOptions)
}
for _field in dataclasses.fields(SegmentOptions):
    _FIELDS[f"video_{_field.name}" if _field.name in _FIELDS else _field.name] = "segments", _field
_FIELDS |= {field.name: ("", field) for field in dataclasses.fields(UndoOptions) if "setting" in field.metadata}
PLACES = {name: (part, field.name) for name, (part, field) in _FIELDS.items()}
SETTINGS: dict[str, Setting] = {name: field.metadata["setting"] for name, (_, field) in _FIELDS.items()}
DEFAULTS: dict[str, Any] = {name: field.default for name, (_, field) in _FIELDS.items()}
RANGES = {name: setting.bounds for name, setting in SETTINGS.items() if setting.bounds}
OF_NETWORKS, OF_STROKES = (
    frozenset(name for name, setting in SETTINGS.items() if setting.of == kind) for kind in (NETWORKS, STROKES)
)


def with_settings(options: UndoOptions, values: dict[str, Any]) -> UndoOptions:
    """The options with some of SETTINGS changed, by their names; InputError for impossible values."""
    given: dict[str, dict[str, Any]] = {"keyframes": {}, "segments": {}, "": {}}
    for name, value in values.items():
        part, field = PLACES[name]
        given[part][field] = value
    stages = {part: dataclasses.replace(getattr(options, part), **given[part]) for part in ("keyframes", "segments")}
    return dataclasses.replace(options, **stages, **given[""])


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
    if validation.one_of("profile", name, PROFILES) == "exact":
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
