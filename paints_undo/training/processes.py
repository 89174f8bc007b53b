"""One training process, or one of several that `accelerate launch` started: its device, its number, and their means."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import reduce

from memory_management import pick_device
from paints_undo.errors import InputError

log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(hours=12)  # the main process draws all pictures, and writes sheets, while the others wait


@dataclass(frozen=True)
class Processes:
    """This process among `count`, numbered from 0, the main one, which alone writes files; all train one network."""

    device: torch.device = torch.device("cpu")
    number: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        return self.number == 0

    def mean_number(self, value: float) -> float:
        """The mean of one number of each process; all processes have to call this."""
        if self.count == 1:
            return value
        return float(reduce(torch.tensor(value, dtype=torch.float32, device=self.device), "mean"))

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over all processes; what a process did not use counts as 0 there.

        What none of them used stays without a gradient, as it does in one process.
        """
        if self.count == 1:
            return
        sent = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        sent.append(torch.tensor([float(p.grad is not None) for p in parameters], device=self.device))
        # one message for all of them
        message = reduce(torch.cat([g.flatten() for g in sent]), "mean")
        *means, used = message.split([g.numel() for g in sent])
        for parameter, mean, share in zip(parameters, means, used.tolist(), strict=True):
            parameter.grad = mean.view_as(parameter) if share else None


ALONE = Processes()


def join_processes(device: str | None = None) -> Processes:
    """This process, on `device` ("cuda", "mps", "cpu"; the best one by default), with those that were launched with it.

    Several processes take one GPU each. Raises InputError when there is no such device.
    """
    try:
        chosen = pick_device(device)
    except ValueError as error:
        raise InputError(str(error)) from None
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(chosen)
    state = PartialState(cpu=chosen.type == "cpu", timeout=LONGEST_WAIT)
    log.info("process %d of %d, on %s", state.process_index, state.num_processes, state.device)
    return Processes(chosen if chosen.type == "cpu" else state.device, state.process_index, state.num_processes)
