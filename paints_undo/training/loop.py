"""The training loop that all parts share: schedule, averaged weights, checkpoints that survive a stop, a loss curve.

It runs on any device, in mixed precision, and in several processes at once (`accelerate launch`), which average their
gradients.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from PIL import Image, ImageDraw
from pydantic import Field
from pydantic.dataclasses import dataclass as checked
from torch import Tensor, nn

from memory_management import mixed_precision_dtype, pick_device
from paints_undo.atomic import write_atomically, written_atomically
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pictures.pixels import encode_png
from paints_undo.training.dataset import Pictures
from paints_undo.training.settings import CHECKED, Count, Settings

log = logging.getLogger(__name__)
LONGEST_WAIT = timedelta(hours=12)  # the main process draws all pictures, and writes sheets, while the others wait
CPU = torch.device("cpu")
STREAM = 1_000_003  # far apart, so that no process draws what another one does


def join_processes(device: str | None = None) -> torch.device:
    """The device of this process ("cuda", "mps", "cpu"; the best one by default), which joins those launched with it.

    Several processes take one GPU each. Raises InputError when there is no such device.
    """
    try:
        chosen = pick_device(device)
    except ValueError as error:
        raise InputError(str(error)) from None
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return chosen
    state = PartialState(cpu=chosen.type == "cpu", timeout=LONGEST_WAIT)
    log.info("process %d of %d, on %s", state.process_index, state.num_processes, state.device)
    return chosen if chosen.type == "cpu" else state.device


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Replace every gradient by its mean over all processes; what a process did not use counts as 0 there.

    What none of them used stays without a gradient, as it does in one process.
    """
    if PartialState().num_processes == 1:
        return
    sent = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    sent.append(torch.tensor([float(p.grad is not None) for p in parameters], device=sent[0].device))
    # one message for all of them
    message = reduce(torch.cat([g.flatten() for g in sent]), "mean")
    *means, used = message.split([g.numel() for g in sent])
    for parameter, mean, share in zip(parameters, means, used.tolist(), strict=True):
        parameter.grad = mean.view_as(parameter) if share else None


LossOf = Callable[[nn.Module, torch.Generator, float], Tensor]
"""(network, random numbers, progress 0..1) -> scalar loss of one freshly drawn batch.

The random numbers are always the CPU's, so that every device learns from the same batches.
"""

Options = TypeVar("Options", bound=Settings)


@checked(frozen=True, config=CHECKED)
class LoopOptions:
    """How long and how to train. The learning rate warms up, then falls along a half cosine to a hundredth.

    `minutes` of training time, not counting pauses, unless `steps` is given: then exactly so many updates, which is
    reproducible. `averaging` is the decay of the averaged weights, which are the ones to use. `mixed_precision`
    computes products and convolutions in half precision (memory_management.mixed_precision_dtype); weights stay
    float32.
    """

    minutes: Annotated[float, Field(ge=1e-3, le=1e5)] = 40.0
    steps: Count | None = None
    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 1e-3
    warmup_steps: Count = 100
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    clip_norm: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    averaging: Annotated[float, Field(ge=0, le=1 - 1e-9)] = 0.999
    checkpoint_minutes: Annotated[float, Field(ge=1e-3, le=1e4)] = 3.0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    mixed_precision: bool = True


class Trainer:
    """Trains one network in one folder; a second run with the same folder goes on where the first stopped.

    The folder gets `checkpoint.pt` (replaced as a whole, never half-written), `loss.csv` and `loss.png`, all by the
    main process. A checkpoint goes on on any device, and with any number of processes.
    """

    def __init__(self, network: nn.Module, folder: Path, options: LoopOptions, device: torch.device = CPU):
        self.device = device
        self.network = network.to(self.device)
        self.averaged = copy.deepcopy(network).eval().requires_grad_(False)
        self.folder = Path(folder)
        self.checkpoint = self.folder / "checkpoint.pt"
        self.options = options
        self.dtype = mixed_precision_dtype(self.device) if options.mixed_precision else torch.float32
        # gradients too small for float16 are enlarged before they are computed; other formats need no such thing
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, options.learning_rate, (0.9, 0.98), weight_decay=options.weight_decay
        )
        self.generator = torch.Generator().manual_seed(options.seed + STREAM * PartialState().process_index)
        self.step = 0
        self.seconds = 0.0
        self.losses: list[tuple[int, float, float]] = []  # step, seconds, mean loss since the last entry
        self.folder.mkdir(parents=True, exist_ok=True)
        PartialState().wait_for_everyone()  # before anyone writes a checkpoint that another still has to look for
        if self.checkpoint.exists():
            self._restore()

    @property
    def progress(self) -> float:
        """How much of the training is done, 0..1."""
        if self.options.steps is not None:
            return min(1.0, self.step / self.options.steps)
        return min(1.0, self.seconds / (60 * self.options.minutes))

    def fit(self, loss_of: LossOf, on_checkpoint: Callable[[Trainer], None] = lambda trainer: None) -> nn.Module:
        """Train to the end and return the averaged network, on the CPU.

        `on_checkpoint` runs after each checkpoint, for sample sheets and figures, in the main process. Raises
        RuntimeError when the loss is no longer finite: the last checkpoint then holds the last good state.
        """
        self.network.train()
        saved_at, recent = self.seconds, []
        while self.progress < 1:
            begun = time.monotonic()
            recent.append(self._update(loss_of))
            # all processes go by one clock, or one would stop while the others still wait for its gradients
            self.seconds += self._mean(time.monotonic() - begun)
            if self.step % 50 == 0:
                self._note(recent)
            if self.seconds - saved_at > 60 * self.options.checkpoint_minutes:
                self._keep(on_checkpoint)
                saved_at = self.seconds
        self._note(recent)
        self._keep(on_checkpoint)
        return self.averaged.cpu()

    def _keep(self, on_checkpoint: Callable[[Trainer], None]) -> None:
        if PartialState().is_main_process:
            self.save()
            on_checkpoint(self)
        PartialState().wait_for_everyone()

    def save(self) -> None:
        """Write the checkpoint and the loss curve. Raises OSError, one sentence, when the disk does not take them."""
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
        }
        with written_atomically(self.checkpoint) as path:
            torch.save(state, path)
        lines = ["step,seconds,loss", *(",".join(map(str, entry)) for entry in self.losses)]
        write_atomically(self.folder / "loss.csv", ("\n".join(lines) + "\n").encode())
        curve = [(step, loss) for step, _, loss in self.losses if loss > 0]
        write_atomically(self.folder / "loss.png", encode_png(loss_chart(curve)))

    def _restore(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)  # of any device
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.scaler.is_enabled() and state.get("scaler"):  # a checkpoint of another device has none
                self.scaler.load_state_dict(state["scaler"])
        except Exception as error:
            raise CheckpointError(
                f"{self.checkpoint} does not fit this training run ({error}); delete it or choose another folder"
            ) from error
        self.step, self.seconds, self.losses = state["step"], state["seconds"], state["losses"]
        if PartialState().is_main_process:
            self.generator.set_state(state["generator"])
        else:  # any stream that no other process draws, nor this one drew before
            self.generator.manual_seed(self.options.seed + STREAM * PartialState().process_index + self.step)
        log.info("going on from %s: step %d, %.0f minutes", self.checkpoint, self.step, self.seconds / 60)

    def _update(self, loss_of: LossOf) -> float:
        parameters = self.optimizer.param_groups[0]["params"]
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * self._rate()
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            loss = loss_of(self.network, self.generator, self.progress)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        average_gradients(parameters)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(parameters, self.options.clip_norm)
        mean_loss = self._mean(loss.item())
        if not math.isfinite(mean_loss):
            raise RuntimeError(f"the loss is {mean_loss} at step {self.step}; lower the learning rate and start again")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self._average()
        return mean_loss

    def _mean(self, value: float) -> float:
        """The mean over all processes, which all have to call this."""
        return float(reduce(torch.tensor(value, dtype=torch.float32, device=self.device), "mean"))

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.options.warmup_steps)
        return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.options.averaging, (1 + self.step) / (10 + self.step))  # early weights are soon forgotten
        for slow, fast in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
        for slow, fast in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            slow.copy_(fast)

    def _note(self, recent: list[float]) -> None:
        if not recent:
            return
        self.losses.append((self.step, round(self.seconds, 1), sum(recent) / len(recent)))
        log.info("step %d, %.1f minutes, loss %.5f", self.step, self.seconds / 60, self.losses[-1][2])
        recent.clear()


def loss_chart(curve: Sequence[tuple[int, float]]) -> np.ndarray:
    """A picture uint8 (360, 900, 3) of the losses, all above 0, at their steps, on a logarithmic scale."""
    picture = Image.new("RGB", (900, 360), "white")
    draw, last = ImageDraw.Draw(picture), max((step for step, _ in curve), default=0) or 1
    levels = [math.log(loss) for _, loss in curve]
    low, high = min(levels, default=0.0), max(levels, default=0.0)
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = 60 + 820 * share, 320 - 290 * share
        draw.line([(60, y), (880, y)], "#e1e1e1")
        draw.text((54, y), f"{math.exp(low + share * (high - low)):.3g}", "#464646", anchor="rm")
        draw.text((x, 336), f"{share * last:.3g}", "#464646", anchor="ms")
    draw.text((450, 352), "steps", "#464646", anchor="ms")
    heights = [320 - 290 * (level - low) / ((high - low) or 1) for level in levels]
    draw.line([(60 + 820 * step / last, y) for (step, _), y in zip(curve, heights, strict=True)], "#5468a0", 2)
    return np.asarray(picture)


@dataclass(frozen=True)
class Training(Generic[Options]):
    """What the training of every part is given: pictures, folder, settings, and the device that trains.

    A run in the same `folder` goes on. `look` runs at every checkpoint, in the main process.
    """

    data: Pictures
    folder: Path
    options: Options
    loop: LoopOptions
    look: Callable[[Trainer], None] = lambda trainer: None
    device: torch.device = CPU

    @property
    def pictures(self) -> Pictures:
        """The pictures, on the device that trains."""
        return self.data.on(self.device)

    def fit(self, network: nn.Module, loss_of: LossOf) -> nn.Module:
        """The trained network, averaged, on the CPU."""
        log.info("%.2f M parameters, %s", sum(p.numel() for p in network.parameters()) / 1e6, self.options)
        return Trainer(network, self.folder, self.loop, self.device).fit(loss_of, self.look)
