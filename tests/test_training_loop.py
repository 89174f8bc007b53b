from dataclasses import replace

import pytest
import torch
from torch import nn

from paints_undo.errors import CheckpointError
from paints_undo.training import loop
from paints_undo.training.loop import LoopOptions, Trainer

STEPS = LoopOptions(steps=60, learning_rate=0.05, warmup_steps=5, averaging=0.9, mixed_precision=False)


def loss_of(network, generator, progress):
    x = torch.randn(16, 3, generator=generator)
    return (network(x) - x.sum(1, keepdim=True)).square().mean()


def a_network():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_the_loss_falls_and_everything_is_written(tmp_path):
    network = Trainer(a_network(), tmp_path, STEPS).fit(loss_of)
    assert loss_of(network, torch.Generator().manual_seed(5), 1) < 0.3
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "loss.csv", "loss.png"}
    assert (tmp_path / "loss.csv").read_text().startswith("step,seconds,loss")


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path):
    whole = Trainer(a_network(), tmp_path / "whole", STEPS).fit(loss_of)
    trainer = Trainer(a_network(), tmp_path / "parts", STEPS)

    def stop_half_way(network, generator, progress):
        if trainer.step == 30:
            raise KeyboardInterrupt
        return loss_of(network, generator, progress)

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(stop_half_way)
    trainer.save()
    resumed = Trainer(a_network(), tmp_path / "parts", STEPS)
    assert resumed.step == 30
    parts = resumed.fit(loss_of)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_a_broken_loss_stops_with_the_last_good_checkpoint(tmp_path):
    trainer = Trainer(a_network(), tmp_path, STEPS)
    trainer.save()
    with pytest.raises(RuntimeError, match="step 0"):
        trainer.fit(lambda network, generator, progress: network(torch.full((1, 3), torch.nan)).sum())
    assert Trainer(a_network(), tmp_path, STEPS).step == 0


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    Trainer(a_network(), tmp_path, STEPS).save()
    with pytest.raises(CheckpointError, match="checkpoint.pt"):
        Trainer(nn.Linear(4, 1), tmp_path, STEPS)


def test_float16_enlarges_gradients_and_its_checkpoint_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "mixed_precision_dtype", lambda device: torch.float16)
    half = Trainer(a_network(), tmp_path, replace(STEPS, mixed_precision=True))
    assert half.scaler.is_enabled() and half.scaler.get_scale() > 1
    network = half.fit(loss_of)
    assert loss_of(network, torch.Generator().manual_seed(5), 1) < 0.3
    whole = Trainer(a_network(), tmp_path, replace(STEPS, steps=70))  # as on a device that needs no enlarging
    assert whole.step == 60 and not whole.scaler.is_enabled()
    assert torch.isfinite(whole.fit(loss_of).weight).all()
    assert Trainer(a_network(), tmp_path, replace(STEPS, mixed_precision=True)).step == 70


def test_a_checkpoint_from_before_mixed_precision_had_a_scale_goes_on(tmp_path):
    trainer = Trainer(a_network(), tmp_path, STEPS)
    trainer.save()
    state = torch.load(trainer.checkpoint, weights_only=True)
    del state["scaler"]
    torch.save(state, trainer.checkpoint)
    assert Trainer(a_network(), tmp_path, STEPS).step == 0


def test_senseless_options_are_refused():
    with pytest.raises(ValueError, match="warmup_steps"):
        LoopOptions(warmup_steps=0)
    with pytest.raises(ValueError, match="minutes"):
        LoopOptions(minutes=0)
    with pytest.raises(ValueError, match="steps"):
        LoopOptions(steps=0)
