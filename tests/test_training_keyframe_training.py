import pytest
import torch
from training_pictures import a_process

from paints_undo.training.dataset import PictureSet
from paints_undo.training.keyframe_networks import KeyframeSizes
from paints_undo.training.keyframe_training import (
    SHEET_STEPS,
    KeyframeTrainingOptions,
    keyframe_sheet,
    make_tokenizer,
    prompt_of,
    random_piece,
    train_keyframes,
)
from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.picture_vae import VaeOptions, new_vae

SIZES = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)
TINY = KeyframeTrainingOptions(SIZES, batch=4, fresh=2)
TAGS = ("solo", "smile", "blue hair")


@pytest.fixture(scope="module")
def data():
    return PictureSet(torch.from_numpy(a_process(32).to_maps())[None].repeat(2, 1, 1, 1), ["a", "b"], [TAGS, ()])


@pytest.fixture(scope="module")
def vae():
    return new_vae(VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16)).eval()


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(data, vae, tmp_path):
    tokenizer = make_tokenizer(data, tmp_path / "tokenizer")
    trainers = []
    for steps in (20, 40):
        loop = LoopOptions(steps=steps, learning_rate=5e-3, warmup_steps=5, averaging=0.5, mixed_precision=False)
        networks = train_keyframes(Training(data, tmp_path, TINY, loop, trainers.append), vae, tokenizer)
    losses = [loss for _, _, loss in trainers[-1].losses]
    assert len(losses) == 2 and losses[-1] < losses[0]
    assert trainers[-1].step == 40
    rows = keyframe_sheet(networks, vae, tokenizer, data, count=1)
    assert [len(row) for row in rows] == [1 + len(SHEET_STEPS)] * 2
    assert torch.equal(rows[0][0], rows[1][0])  # both begin with the artwork
    more = Training(data, tmp_path / "more", TINY, LoopOptions(steps=1))
    further = train_keyframes(more, vae, tokenizer, start=networks, prediction="epsilon")
    assert further.state_dict().keys() == networks.state_dict().keys()


def test_the_tokenizer_stays_what_it_was(data, tmp_path):
    make_tokenizer(data, tmp_path)
    before = (tmp_path / "vocab.json").read_bytes()
    make_tokenizer(PictureSet(data.maps, data.names, [("xylophone",)] * 2), tmp_path)
    assert (tmp_path / "vocab.json").read_bytes() == before


def test_prompts_are_the_taggers_with_gaps():
    generator = torch.Generator().manual_seed(0)
    known = ["smile", "solo"]
    always = KeyframeTrainingOptions(SIZES, empty_prompts=0, forgotten_tags=0)
    assert prompt_of(TAGS, known, always, generator) == "smile, solo"
    prompts = [prompt_of(TAGS, known, TINY, generator) for _ in range(400)]
    assert set(prompts) == {"smile, solo", "smile", "solo", ""}
    assert 0.05 < prompts.count("") / 400 < 0.2
    assert prompts.count("smile, solo") > 250


def test_pieces_are_cut_alike_and_still_halve_twice():
    first = torch.arange(32 * 32.0).view(1, 1, 32, 32)
    generator = torch.Generator().manual_seed(1)
    shapes = set()
    for _ in range(40):
        one, other = random_piece((first, first), 0.5, generator)
        assert torch.equal(one, other)
        shapes.add(tuple(one.shape[2:]))
    assert shapes == {(32, 32), (24, 32), (32, 24)}


def test_a_larger_batch_has_as_large_a_share_of_new_canvases():
    larger = KeyframeTrainingOptions(batch=16, fresh=6).with_batch(64)
    assert (larger.batch, larger.fresh) == (64, 24) and KeyframeTrainingOptions().with_batch(1).fresh == 1


def test_senseless_options_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        KeyframeSizes(text_layers=0)
    with pytest.raises(ValueError, match="fresh must lie in 1 to batch"):
        KeyframeTrainingOptions(batch=4, fresh=5)
    with pytest.raises(ValueError, match="empty_prompts"):
        KeyframeTrainingOptions(empty_prompts=2)
