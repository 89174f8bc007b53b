"""The loop that all parts share, in one process and in two."""

import os
import socket
from dataclasses import replace

import pytest
import torch
from accelerate import PartialState
from torch import multiprocessing, nn

from paints_undo.errors import CheckpointError
from paints_undo.training import loop
from paints_undo.training.loop import STREAM, LoopOptions, Trainer, join_processes

STEPS = LoopOptions(steps=60, learning_rate=0.05, warmup_steps=5, averaging=0.9, mixed_precision=False)


class Network(nn.Module):
    """With a part that nothing is learnt from, as some losses leave parts out."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.used, self.unused = nn.Linear(3, 1), nn.Linear(1, 1)


def loss_of(network, generator, progress):
    x = torch.randn(16, 3, generator=generator)
    return (network.used(x) - x.sum(1, keepdim=True)).square().mean()


def test_the_loss_falls_and_everything_is_written(tmp_path):
    network = Trainer(Network(), tmp_path, STEPS).fit(loss_of)
    assert loss_of(network, torch.Generator().manual_seed(5), 1) < 0.3
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "loss.csv", "loss.png"}
    assert (tmp_path / "loss.csv").read_text().startswith("step,seconds,loss")
    for curve, blue in (([(0, 1.0), (10, 0.1), (20, 0.01)], 1000), ([(50, 1.0)], 0), ([], 0)):
        chart = loop.loss_chart(curve)
        assert chart.shape == (360, 900, 3) and (chart == (0x54, 0x68, 0xA0)).all(-1).sum() >= blue


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path):
    whole = Trainer(Network(), tmp_path / "whole", STEPS).fit(loss_of)
    trainer = Trainer(Network(), tmp_path / "parts", STEPS)

    def stop_half_way(network, generator, progress):
        if trainer.step == 30:
            raise KeyboardInterrupt
        return loss_of(network, generator, progress)

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(stop_half_way)
    trainer.save()
    resumed = Trainer(Network(), tmp_path / "parts", STEPS)
    assert resumed.step == 30
    parts = resumed.fit(loss_of)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_a_broken_loss_stops_with_the_last_good_checkpoint_which_fits_no_other_network(tmp_path):
    trainer = Trainer(Network(), tmp_path, STEPS)
    trainer.save()
    with pytest.raises(RuntimeError, match="step 0"):
        trainer.fit(lambda network, generator, progress: network.used(torch.full((1, 3), torch.nan)).sum())
    assert Trainer(Network(), tmp_path, STEPS).step == 0
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        Trainer(nn.Linear(4, 1), tmp_path, STEPS)


def test_float16_enlarges_gradients_and_its_checkpoint_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "mixed_precision_dtype", lambda device: torch.float16)
    half = Trainer(Network(), tmp_path, replace(STEPS, mixed_precision=True))
    assert half.scaler.is_enabled() and half.scaler.get_scale() > 1
    network = half.fit(loss_of)
    assert loss_of(network, torch.Generator().manual_seed(5), 1) < 0.3
    whole = Trainer(Network(), tmp_path, replace(STEPS, steps=70))  # as on a device that needs no enlarging
    assert whole.step == 60 and not whole.scaler.is_enabled()
    assert torch.isfinite(whole.fit(loss_of).used.weight).all()
    assert Trainer(Network(), tmp_path, replace(STEPS, mixed_precision=True)).step == 70
    state = torch.load(whole.checkpoint, weights_only=True)
    del state["scaler"]  # as in checkpoints from before mixed precision
    torch.save(state, whole.checkpoint)
    assert Trainer(Network(), tmp_path, STEPS).step == 70


def train_as_one_of_two(number, port, folder):
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number)}
    device, options = join_processes("cpu"), replace(STEPS, steps=20)
    with PartialState().main_process_first():
        (folder / "made first").write_text("") if number == 0 else (folder / "made first").read_text()
    seen = []
    trained = Trainer(Network(), folder / "run", options, device).fit(loss_of, lambda trainer: seen.append(number))
    again = Trainer(Network(), folder / "run", options, device)  # both go on from the one checkpoint
    drawn = torch.rand(1, generator=again.generator).item()
    torch.save((trained.state_dict(), again.step, drawn, seen, again.losses), folder / f"{number}.pt")


def test_two_processes_train_one_network_that_one_process_goes_on_with(tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    multiprocessing.spawn(train_as_one_of_two, (port, tmp_path), nprocs=2)
    main, other = (torch.load(tmp_path / f"{number}.pt", weights_only=False) for number in range(2))
    assert all(torch.equal(main[0][name], other[0][name]) for name in main[0])
    assert main[1] == other[1] == 20 and main[2] != other[2]  # each draws its own random numbers
    assert main[3] == [0] and other[3] == []  # the main one alone looks, and writes
    assert main[4] == other[4] and all(0 < loss < 100 for _, _, loss in main[4])
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoint.pt", "loss.csv", "loss.png"}
    second = torch.Generator().manual_seed(STREAM)

    def loss_of_both(network, generator, progress):
        return (loss_of(network, generator, progress) + loss_of(network, second, progress)) / 2

    alone = Trainer(Network(), tmp_path / "alone", replace(STEPS, steps=20)).fit(loss_of_both).state_dict()
    assert all(torch.allclose(alone[name], value, atol=1e-5) for name, value in main[0].items())
    trainer = Trainer(Network(), tmp_path / "run", LoopOptions(steps=22, mixed_precision=False))
    assert trainer.step == 20
    trainer.fit(loss_of)
    assert trainer.step == 22
