import json
import stat

import pytest
import torch
from transformers import CLIPTokenizer

from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.stages.prompts import encode_prompt, token_ids
from paints_undo.training.family_files import update_family_file, write_stage
from paints_undo.training.keyframe_networks import (
    KeyframeSizes,
    networks_of,
    new_networks,
    prompt_ids,
)
from paints_undo.training.picture_vae import VaeOptions, new_vae
from paints_undo.training.tokenizer import write_tokenizer

TINY = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, ["solo", "hair"])
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def inputs(tokenizer):
    x, artwork = torch.randn(2, 2, 4, 8, 8).unbind()
    return x, torch.tensor([10, 900]), prompt_ids(tokenizer, ["solo", ""]), artwork, torch.tensor([400.0, 0.0])


def test_untrained_networks_say_nothing_and_all_of_them_learn(tokenizer):
    networks = new_networks(TINY, tokenizer)
    assert torch.equal(networks(*inputs(tokenizer)), torch.zeros(2, 4, 8, 8))
    optimizer = torch.optim.SGD(networks.parameters(), 0.1)
    for _ in range(3):
        networks(*inputs(tokenizer)).sub(1).square().mean().backward()
        optimizer.step()
    silent = [name for name, p in networks.named_parameters() if p.grad is None]
    assert not silent
    first, second = (new_networks(TINY, tokenizer, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_family_that_is_written_is_loaded_strictly_and_is_the_same(tokenizer, tmp_path):
    networks = new_networks(TINY, tokenizer)
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    vae = new_vae(VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16))
    write_stage(tmp_path / "single_frame", networks, vae, tokenizer)
    family = ModelFamily("mine", {"single_frame": tmp_path / "single_frame"}, video_sizes=(), keyframe_size=(16, 16))
    again = networks_of(family)
    given = inputs(tokenizer)
    assert torch.allclose(again(*given), networks.eval()(*given), atol=1e-2)
    load_part(family, "single_frame/vae", torch.float32)
    same = load_tokenizer(family, "single_frame/tokenizer")
    assert torch.equal(token_ids(same, "solo hair"), token_ids(tokenizer, "solo hair"))
    text = encode_prompt(same, load_part(family, "single_frame/text_encoder", torch.float32), "solo")
    assert text.shape == (1, 77, 16)
    assert not any("_name_or_path" in file.read_text() for file in tmp_path.rglob("config.json"))
    for file in tmp_path.rglob("*.safetensors"):
        assert file.stat().st_mode & stat.S_IROTH, f"{file} cannot be read by others"


def test_the_family_file_keeps_what_others_wrote(tmp_path):
    update_family_file(tmp_path, a=1, b=2)
    update_family_file(tmp_path, b=3)
    assert json.loads((tmp_path / "model_family.json").read_text()) == {"a": 1, "b": 3}


def test_senseless_sizes_are_refused():
    with pytest.raises(ValueError, match="norm_groups"):
        KeyframeSizes(widths=(50,), heads=(1,))
    with pytest.raises(ValueError, match="last level"):
        KeyframeSizes(widths=(48, 96), heads=(2, 0))
    with pytest.raises(ValueError, match="equally many"):
        KeyframeSizes(widths=(48, 96), heads=(2,))
