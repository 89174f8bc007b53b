import os
import socket

import pytest
import torch
from accelerate import PartialState
from torch import multiprocessing, nn

from paints_undo.errors import InputError
from paints_undo.training.loop import STREAM, LoopOptions, Trainer
from paints_undo.training.processes import ALONE, Processes, join_processes

STEPS = LoopOptions(steps=20, learning_rate=0.05, warmup_steps=5, averaging=0.9, mixed_precision=False)


class Network(nn.Module):
    """With a part that nothing is learnt from, as some losses leave parts out."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.used, self.unused = nn.Linear(3, 1), nn.Linear(1, 1)


def loss_of(network, generator, progress):
    x = torch.randn(4, 3, generator=generator)
    return (network.used(x) - x.sum(1, keepdim=True)).square().mean()


def test_one_process_is_the_main_one_and_takes_the_device_asked_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_processes("cpu") == ALONE and ALONE.is_main and not Processes(number=1, count=2).is_main
    assert ALONE.mean_number(1.5) == 1.5
    with pytest.raises(InputError, match="device is 'gpu'"):
        join_processes("gpu")


def train_as_one_of_two(number, port, folder):
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number)}
    processes = join_processes("cpu")
    with PartialState().main_process_first():
        (folder / "made first").write_text("") if processes.is_main else (folder / "made first").read_text()
    seen = []
    trained = Trainer(Network(), folder / "run", STEPS, processes).fit(loss_of, lambda trainer: seen.append(number))
    again = Trainer(Network(), folder / "run", STEPS, processes)  # both go on from the one checkpoint
    drawn = torch.rand(1, generator=again.generator).item()
    torch.save((trained.state_dict(), again.step, drawn, seen, again.losses), folder / f"{number}.pt")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes trained one network, and what each of them reports."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    multiprocessing.spawn(train_as_one_of_two, (port, folder), nprocs=2)
    return folder, [torch.load(folder / f"{number}.pt", weights_only=False) for number in range(2)]


def test_two_processes_train_one_network_and_the_main_one_alone_writes(two):
    folder, (main, other) = two
    assert all(torch.equal(main[0][name], other[0][name]) for name in main[0])
    assert main[1] == other[1] == 20 and main[2] != other[2]  # each draws its own random numbers
    assert main[3] == [0] and other[3] == []
    assert main[4] == other[4] and all(0 < loss < 100 for _, _, loss in main[4])
    assert {path.name for path in (folder / "run").iterdir()} == {"checkpoint.pt", "loss.csv", "loss.png"}


def test_two_processes_learn_what_one_learns_from_both_batches(two, tmp_path):
    second = torch.Generator().manual_seed(STREAM)

    def loss_of_both(network, generator, progress):
        return (loss_of(network, generator, progress) + loss_of(network, second, progress)) / 2

    alone = Trainer(Network(), tmp_path, STEPS).fit(loss_of_both).state_dict()
    assert all(torch.allclose(alone[name], value, atol=1e-5) for name, value in two[1][0][0].items())


def test_what_two_began_one_goes_on_with(two):
    folder, _ = two
    trainer = Trainer(Network(), folder / "run", LoopOptions(steps=22, mixed_precision=False))
    assert trainer.step == 20
    trainer.fit(loss_of)
    assert trainer.step == 22
