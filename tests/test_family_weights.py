"""Families are found and loaded strictly; every damage names the file and the key."""

import json
import shutil
from math import inf, nan

import pytest
import torch
from reference import DATA, shapes
from reference_fill import reference_tensor
from safetensors.torch import load_file, save_file

from paints_undo.errors import CheckpointError, InputError
from paints_undo.family import weights
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import BUILD, count_weights, load_part, load_tokenizer


@pytest.fixture
def family_folder(tiny_family, tmp_path):
    """A copy of the tiny family to damage."""
    return shutil.copytree(tiny_family, tmp_path / "family")


@pytest.mark.parametrize("part", PARTS)
def test_published_configurations_give_the_published_keys_and_shapes(part):
    config = json.loads((DATA / "released" / "configs" / part / "config.json").read_text())
    expected = json.loads((DATA / "released" / "keys" / f"{part.replace('/', '_')}.json").read_text())
    with torch.device("meta"):
        network = BUILD[part](config)
    assert {PARTS[part].prefix + key: shape for key, shape in shapes(network).items()} == expected


@pytest.mark.parametrize("part", PARTS)
def test_parts_load_with_the_values_of_their_file(tiny_family, part):
    network = load_part(open_family(tiny_family), part, torch.float32)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, reference_tensor(PARTS[part].prefix + key, tensor.shape)), key
    everything = [*network.named_parameters(), *network.named_buffers()]
    assert [name for name, tensor in everything if tensor.is_meta] == []
    for name, tensor in everything:
        if name.endswith("position_ids"):
            assert torch.equal(tensor, torch.arange(tensor.shape[-1])[None])


def test_other_dtype_has_the_rounded_values(tiny_family, monkeypatch):
    monkeypatch.setattr(weights, "READ_AT_ONCE", 100_000)  # many groups
    monkeypatch.setattr(weights, "HUGE_PAGE", 5_000)  # both ways to convert
    network = load_part(open_family(tiny_family), "multi_frame/unet", torch.float64)
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, reference_tensor(key, tensor.shape).double()), key


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_converted(dtype):
    tensor = torch.linspace(-3, 3, 3 * 2**20).view(3, 1024, -1)
    found = weights.converted(tensor, dtype)
    assert torch.equal(found, tensor.to(dtype)) and (found is tensor) == (dtype == tensor.dtype)


def test_weights_are_counted_without_reading_them(tiny_family):
    family = open_family(tiny_family)
    counted = count_weights(family, "multi_frame/unet")
    assert counted == sum(t.numel() for t in load_file(tiny_family / "multi_frame/unet/model.safetensors").values())


def test_family_file(tiny_family, family_folder):
    family = open_family(tiny_family)
    assert (family.name, family.keyframe_size, family.video_prompt) == (
        "reference",
        (96, 64),
        "1girl, masterpiece, best quality",
    )
    assert family.video_sizes == ((64, 128), (96, 96), (128, 64))
    assert family.size_multiple == 16 and family.video_size_multiple == 32
    assert family.tagger_model.exists() and family.tagger_tags.exists()
    (family_folder / "model_family.json").unlink()
    family = open_family(family_folder)  # the published defaults hold
    assert family.name == "family" and family.keyframe_size == (512, 640)
    assert family.video_sizes == ((320, 512), (384, 448), (448, 384), (512, 320))


def test_family_without_tagger(family_folder):
    shutil.rmtree(family_folder / "tagger")
    assert open_family(family_folder).tagger_model is None


def test_keyframe_sizes(tiny_family):
    family = open_family(tiny_family)
    family.check_keyframe_size(96, 64)
    with pytest.raises(InputError, match="width is 100, but the model family reference needs a multiple of 16; try 96"):
        family.check_keyframe_size(100, 64)
    with pytest.raises(InputError, match="height is 65"):
        family.check_keyframe_size(96, 65)


def test_tokenizers(tiny_family):
    family = open_family(tiny_family)
    assert load_tokenizer(family, "single_frame/tokenizer").pad_token_id == 522
    assert load_tokenizer(family, "multi_frame/tokenizer").pad_token_id == 0


def refusal(folder, part="multi_frame/unet"):
    with pytest.raises(CheckpointError) as refused:
        load_part(open_family(folder), part, torch.float32)
    return str(refused.value)


DAMAGED = {
    "lacks tensor out.2.bias;": lambda tensors: tensors.pop("out.2.bias"),
    "has the unknown tensor one and 1 more;": lambda tensors: tensors.update(one=torch.zeros(1), two=torch.zeros(1)),
    ": tensor out.2.bias has shape [5], but its config.json asks for [4]": lambda tensors: tensors.update(
        {"out.2.bias": torch.zeros(5)}
    ),
    ": tensor out.0.weight holds values that are not finite": lambda tensors: tensors["out.0.weight"][7].fill_(nan),
    ": tensor out.0.bias holds values that are not finite": lambda tensors: tensors["out.0.bias"][0].fill_(-inf),
}


@pytest.mark.parametrize("said", DAMAGED)
def test_tensors_that_do_not_fit_are_named(family_folder, said):
    file = family_folder / "multi_frame" / "unet" / "model.safetensors"
    tensors = load_file(file)
    DAMAGED[said](tensors)
    save_file(tensors, file)
    assert f"{file} {said}".replace(" :", ":") in refusal(family_folder)


@pytest.mark.parametrize("part", ["multi_frame/unet", "single_frame/unet", "single_frame/text_encoder"])
def test_a_file_that_is_cut_or_none_of_weights_is_damaged(family_folder, part):
    file = family_folder / part / PARTS[part].weights
    for content in (file.read_bytes()[:-1000], b"<html>not found</html>"):
        file.write_bytes(content)
        assert f"{file} is damaged" in refusal(family_folder, part)


def test_old_position_ids_are_let_pass(family_folder):
    file = family_folder / "single_frame" / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "text_model.embeddings.position_ids": torch.arange(77)[None]}, file)
    assert load_part(open_family(family_folder), "single_frame/text_encoder", torch.float32) is not None


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("multi_frame/unet", {"use_causal_attention": True}, "use_causal_attention is True"),
        ("multi_frame/unet", {"colour": "red"}, "colour is no setting of this network"),
        ("multi_frame/vae", {"attn_resolutions": [32]}, "attn_resolutions [32]"),
    ],
)
def test_configuration_that_does_not_fit(family_folder, part, change, message):
    file = family_folder / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    refused = refusal(family_folder, part)
    assert str(file) in refused and message in refused


def test_broken_configuration(family_folder):
    file = family_folder / "multi_frame" / "unet" / "config.json"
    file.write_text("{")
    with pytest.raises(CheckpointError, match="config.json cannot be read"):
        open_family(family_folder)


@pytest.mark.parametrize(
    "name",
    [
        "single_frame/unet/config.json",
        "multi_frame/image_projection/model.safetensors",
        "multi_frame/tokenizer/merges.txt",
    ],
)
def test_missing_file(family_folder, name):
    (family_folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing; copy or download"):
        open_family(family_folder)


def test_no_folder(tmp_path):
    with pytest.raises(CheckpointError, match="there is no such folder"):
        open_family(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "described",
    ['{"keyframe_size": 512}', '{"video_sizes": [[1, 2, 3]]}', "[1]", '{"video_sizes": [[70, 64]]}', "not json"],
)
def test_unusable_family_file(family_folder, described):
    (family_folder / "model_family.json").write_text(described)
    with pytest.raises(CheckpointError, match="model_family.json"):
        open_family(family_folder)


def test_a_family_whose_networks_are_told_the_keyframes_in_an_unknown_way_is_refused(family_folder):
    assert open_family(family_folder).segment_hint == "ends"  # as the published networks
    file = family_folder / "model_family.json"
    described = json.loads(file.read_text())
    file.write_text(json.dumps({**described, "segment_hint": "cross_fade"}))
    assert open_family(family_folder).segment_hint == "cross_fade"
    file.write_text(json.dumps({**described, "segment_hint": "middle"}))
    with pytest.raises(CheckpointError, match="segment_hint is 'middle'.*ends, cross_fade in model_family.json"):
        open_family(family_folder)
