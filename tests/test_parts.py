"""The networks of a family: loaded on first use, let go when they grow too many."""

import pytest
import torch

from paints_undo import parts as module
from paints_undo.checkpoints import open_family
from paints_undo.parts import Parts


@pytest.fixture
def loads(monkeypatch):
    """The parts that were read from disk, in order."""
    seen, load = [], module.load_part
    monkeypatch.setattr(module, "load_part", lambda family, part, dtype: seen.append(part) or load(family, part, dtype))
    return seen


def use(parts, *names):
    for name in names:
        with parts.on_device(name) as network:
            assert not network.training


VAE, TEXT, UNET = "single_frame/vae", "single_frame/text_encoder", "single_frame/unet"


def test_loaded_once(tiny_family, loads):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    assert loads == []
    use(parts, VAE, UNET, VAE)
    assert loads == [VAE, UNET]
    assert parts.tokenizer("single_frame") is parts.tokenizer("single_frame")


def test_least_recently_used_are_let_go(tiny_family, loads):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, host_budget=0)
    use(parts, VAE, VAE)
    assert loads == [VAE, VAE]
    roomy = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    use(roomy, TEXT, VAE)
    roomy.host_budget = sum(p.nbytes for p in roomy._networks[VAE].parameters())
    loads.clear()
    use(roomy, VAE, TEXT)
    assert loads == [TEXT]


def test_picture_vae_keeps_away_from_fp16(tiny_family):
    parts = Parts(open_family(tiny_family), torch.device("mps"), torch.float16)
    assert parts.dtype_of("single_frame/vae") == torch.float32
    assert parts.dtype_of("multi_frame/vae") == parts.dtype_of(UNET) == torch.float16


def test_out_of_memory_is_one_sentence(tiny_family):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    sentence = "too little memory for single_frame/vae; make the pictures smaller"
    with pytest.raises(MemoryError, match=sentence) as caught, parts.on_device(VAE):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")
    assert "\n" not in str(caught.value)
    use(parts, VAE)


def test_an_error_leaves_nothing_in_use(tiny_family):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, host_budget=0)
    with pytest.raises(RuntimeError, match="on the way"), parts.on_device(VAE):
        raise RuntimeError("on the way")
    assert parts._networks == {}
