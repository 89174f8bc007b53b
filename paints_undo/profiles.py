"""Profiles: named sets of settings that trade exactness for time.

"exact" is what the networks give. "fast" approximates it three times over: fewer sampling steps, guidance in the
middle of the noise levels alone (Kynkaanniemi et al. 2024), and deep features of the 3D UNet used in two steps (Ma et
al. 2023).  Nobody has judged "fast" with the published weights yet.
"""

from dataclasses import replace

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions

PROFILES = ("exact", "fast")

FAST_GUIDANCE_INTERVAL = (200, 800)
FAST_REUSE_INTERVAL = 2


def with_profile(options: UndoOptions, name: str) -> UndoOptions:
    """The options as the profile changes them; "exact" leaves them as they are.

    Raises InputError for an unknown name.
    """
    if name not in PROFILES:
        raise InputError(f"profile is {name!r}; use one of {', '.join(PROFILES)}")
    if name == "exact":
        return options
    return replace(
        options,
        keyframes=replace(options.keyframes, sampling_steps=fewer(options.keyframes.sampling_steps)),
        segments=replace(
            options.segments,
            sampling_steps=fewer(options.segments.sampling_steps),
            guidance_interval=FAST_GUIDANCE_INTERVAL,
            reuse_interval=FAST_REUSE_INTERVAL,
        ),
    )


def fewer(sampling_steps: int) -> int:
    """Half as many sampling steps, at least one."""
    return max(1, round(sampling_steps / 2))
