"""Stage 1: latents, networks, training."""

import json
import stat

import pytest
import torch
from training_pictures import TINY_KEYFRAMES, TINY_VAE, a_set, generator, quick
from transformers import CLIPTokenizer

from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.stages.prompts import encode_prompts, token_ids
from paints_undo.training import latents
from paints_undo.training.dataset import PictureSet
from paints_undo.training.family_files import update_family_file, write_stage
from paints_undo.training.keyframe_training import (
    SHEET_STEPS,
    KeyframeTrainingOptions,
    keyframe_sheet,
    make_tokenizer,
    networks_of,
    new_networks,
    prompt_ids,
    prompt_of,
    random_piece,
    train_keyframes,
)
from paints_undo.training.latents import APP_STEPS, LatentPool, draw_operation_steps, encode
from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.picture_vae import new_vae
from paints_undo.training.tokenizer import write_tokenizer

OPTIONS = KeyframeTrainingOptions(TINY_KEYFRAMES, batch=4, fresh=2)
TAGS = ("solo", "smile", "blue hair")


@pytest.fixture(scope="module")
def vae():
    return new_vae(TINY_VAE).eval()


@pytest.fixture
def data():
    return a_set(3, 32, [TAGS, (), ()])


def test_all_steps_appear_and_the_apps_more_often():
    steps = draw_operation_steps(4000, generator())
    assert steps.min() >= 0 and steps.max() <= 999
    assert (steps <= 50).float().mean() > 0.12
    assert 0.5 < (steps >= 400).float().mean() < 0.85
    assert all((steps == step).sum() > 50 for step in APP_STEPS)
    assert ((steps > 50) & (steps < 400)).any()


def test_what_is_drawn_is_the_latent_of_that_canvas(data, vae, monkeypatch):
    monkeypatch.setattr(latents, "CAPACITY", 5)
    pool, numbers = LatentPool(data, vae), generator()
    for _ in range(3):
        pictures, steps, canvases, artworks = pool.draw(4, 2, numbers)
        assert torch.allclose(canvases, encode(vae, data.canvases(pictures, steps)), atol=2e-2)
        assert torch.allclose(artworks, encode(vae, data.finished(pictures)), atol=2e-2)
    assert len(pool.canvases) == 5 and set(pool.artworks) <= {0, 1, 2}


def test_only_new_canvases_are_encoded_and_known_artworks_not_asked_for(data, vae, monkeypatch):
    pool, numbers, encoded = LatentPool(data, vae), generator(), []
    for _ in range(8):  # until every artwork has been met
        pool.draw(4, 4, numbers)
    monkeypatch.setattr(latents, "encode", lambda vae, pictures: encoded.append(len(pictures)) or encode(vae, pictures))
    # own time-lapses cannot stack nothing
    monkeypatch.setattr(PictureSet, "finished", lambda self, indices: pytest.fail("asked for no picture"))
    assert len(pool.draw(4, 1, numbers)[0]) == 4 and encoded == [1]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, ["solo", "hair"])
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def inputs(tokenizer):
    x, artwork = torch.randn(2, 2, 4, 8, 8).unbind()
    return x, torch.tensor([10, 900]), prompt_ids(tokenizer, ["solo", ""]), artwork, torch.tensor([400.0, 0.0])


def test_untrained_networks_say_nothing_and_all_of_them_learn(tokenizer):
    networks = new_networks(TINY_KEYFRAMES, tokenizer)
    assert torch.equal(networks(*inputs(tokenizer)), torch.zeros(2, 4, 8, 8))
    optimizer = torch.optim.SGD(networks.parameters(), 0.1)
    for _ in range(3):
        networks(*inputs(tokenizer)).sub(1).square().mean().backward()
        optimizer.step()
    assert not [name for name, p in networks.named_parameters() if p.grad is None]
    first, second = (new_networks(TINY_KEYFRAMES, tokenizer, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_family_that_is_written_is_loaded_strictly_and_is_the_same(tokenizer, vae, tmp_path):
    networks = new_networks(TINY_KEYFRAMES, tokenizer)
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    write_stage(tmp_path / "single_frame", networks, vae, tokenizer)
    family = ModelFamily("mine", {"single_frame": tmp_path / "single_frame"}, video_sizes=(), keyframe_size=(16, 16))
    again, given = networks_of(family), inputs(tokenizer)
    assert torch.allclose(again(*given), networks.eval()(*given), atol=1e-2)
    load_part(family, "single_frame/vae", torch.float32)
    same = load_tokenizer(family, "single_frame/tokenizer")
    assert torch.equal(token_ids(same, "solo hair"), token_ids(tokenizer, "solo hair"))
    encoder = load_part(family, "single_frame/text_encoder", torch.float32)
    (text,) = encode_prompts(same, encoder, ["solo"], long_prompts=False)
    assert text.shape == (1, 77, 16)
    assert not any("_name_or_path" in file.read_text() for file in tmp_path.rglob("config.json"))
    for file in tmp_path.rglob("*.safetensors"):
        assert file.stat().st_mode & stat.S_IROTH, f"{file} cannot be read by others"
    update_family_file(tmp_path, a=1, b=2)
    update_family_file(tmp_path, b=3)
    assert json.loads((tmp_path / "model_family.json").read_text()) == {"a": 1, "b": 3}


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(data, vae, tmp_path):
    tokenizer, trainers = make_tokenizer(data, tmp_path / "tokenizer"), []
    for steps in (10, 20):
        training = Training(data, tmp_path, OPTIONS, quick(steps, 5e-3), trainers.append)
        networks = train_keyframes(training, vae, tokenizer)
    losses = [loss for _, _, loss in trainers[-1].losses]
    assert len(losses) == 2 and losses[-1] < losses[0] and trainers[-1].step == 20
    rows = keyframe_sheet(networks, vae, tokenizer, data, count=1)
    assert [len(row) for row in rows] == [1 + len(SHEET_STEPS)] * 2
    assert torch.equal(rows[0][0], rows[1][0])  # both begin with the artwork
    more = Training(data, tmp_path / "more", OPTIONS, LoopOptions(steps=1))
    further = train_keyframes(more, vae, tokenizer, start=networks, prediction="epsilon")
    assert further.state_dict().keys() == networks.state_dict().keys()


def test_the_tokenizer_stays_what_it_was(data, tmp_path):
    make_tokenizer(data, tmp_path)
    before = (tmp_path / "vocab.json").read_bytes()
    make_tokenizer(a_set(2, 32, [("xylophone",)] * 2), tmp_path)
    assert (tmp_path / "vocab.json").read_bytes() == before


def test_prompts_are_the_taggers_with_gaps():
    numbers, known = generator(), ["smile", "solo"]
    always = KeyframeTrainingOptions(TINY_KEYFRAMES, empty_prompts=0, forgotten_tags=0)
    assert prompt_of(TAGS, known, always, numbers) == "smile, solo"
    prompts = [prompt_of(TAGS, known, OPTIONS, numbers) for _ in range(400)]
    assert set(prompts) == {"smile, solo", "smile", "solo", ""}
    assert 0.05 < prompts.count("") / 400 < 0.2 and prompts.count("smile, solo") > 250


def test_pieces_are_cut_alike_and_still_halve_twice():
    first, numbers = torch.arange(32 * 32.0).view(1, 1, 32, 32), torch.Generator().manual_seed(1)
    pieces = [random_piece((first, first), 0.5, numbers) for _ in range(40)]
    assert all(torch.equal(one, other) for one, other in pieces)
    assert {tuple(one.shape[2:]) for one, _ in pieces} == {(32, 32), (24, 32), (32, 24)}
