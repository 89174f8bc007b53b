"""Deep features of one sampling step used in the next ones, too: an approximation, off unless asked for.

DeepCache (Ma et al. 2023): from step to step the features deep inside a UNet change little, those near its ends a lot.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from contextvars import ContextVar

from torch import Tensor

from paints_undo.models.within import within


class Reuse:
    """The deep features of the last whole step, for each set of conditions."""

    def __init__(self, interval: int):
        self.interval = interval
        self.kept: dict[Hashable, tuple[int, Tensor, Tensor]] = {}  # its number, features, text
        self.steps, self.timestep = 0, -1.0

    def features(self, network: object, text: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        key = network, text.data_ptr(), text.shape, text.stride()
        if key not in self.kept:
            self.kept[key] = self.steps, compute(), text  # holding the text keeps others from its address
        return self.kept[key][1]

    def step(self, timestep: float) -> None:
        if timestep != self.timestep:
            self.steps, self.timestep = self.steps + 1, timestep
            self.kept = {key: kept for key, kept in self.kept.items() if self.steps - kept[0] < self.interval}


_reuse: ContextVar[Reuse | None] = ContextVar("feature_reuse", default=None)


def feature_reuse(interval: int = 2) -> AbstractContextManager[None]:
    """Within this block of the calling thread only every interval-th step computes the 3D UNet as a whole.

    The steps between compute its first and last stage, and take the rest from the last whole step.
    At interval 1 nothing is reused.  Conditions are told apart by their text tensor, which is to be the same from step
    to step; open a new block for each group of segments sampled together.
    """
    if interval < 1:
        raise ValueError(f"feature reuse: interval is {interval}; use 1 or more")
    return within(_reuse, Reuse(interval) if interval > 1 else None)


def sampling_step(timestep: float) -> None:
    """What networks compute from now on is of this timestep's step."""
    if (reuse := _reuse.get()) is not None:
        reuse.step(timestep)


def deep_features(network: object, text: Tensor, compute: Callable[[], Tensor]) -> Tensor:
    """`compute()`, or within feature_reuse what it gave at the last whole step under the same conditions."""
    reuse = _reuse.get()
    return compute() if reuse is None else reuse.features(network, text, compute)
