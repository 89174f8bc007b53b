"""Prompts become the token numbers that the original's tokenizer gave."""

from types import SimpleNamespace

import pytest
import torch
from reference import DATA, FORWARD, deviation, recorded
from reference_fill import reference_tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from paints_undo.stages.prompts import (
    as_slow_tokenizer_read,
    encode_prompts,
    token_count,
    token_ids,
    windows_of,
)


@pytest.fixture(scope="module", params=["single_frame", "multi_frame"])
def tokenizer(request):
    return CLIPTokenizer.from_pretrained(DATA / "end_to_end" / request.param / "tokenizer")


def test_recorded_text_encoder():
    reference = recorded("clip_text")
    encoder = CLIPTextModel(CLIPTextConfig(**reference.spec["config"])).eval()
    prefix = "text_model."  # of the recorded keys; this version of transformers has none
    assert {prefix + key for key in encoder.state_dict()} == set(reference.spec["keys"])
    state = {key: reference_tensor(prefix + key, tensor.shape) for key, tensor in encoder.state_dict().items()}
    encoder.load_state_dict(state)
    with torch.inference_mode():
        found = encoder(reference.outputs["input_ids"]).last_hidden_state
    assert deviation(found, reference.outputs["last_hidden_state"]) < FORWARD


def test_always_77_tokens(tokenizer):
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    empty = token_ids(tokenizer, "")
    assert empty.shape == (1, 77) and empty[0, :2].tolist() == [start, end]
    assert set(empty[0, 2:].tolist()) == {tokenizer.pad_token_id}
    long = token_ids(tokenizer, "a " * 500)[0].tolist()
    assert len(long) == 77 and long[0] == start and long[-1] == end


def test_padding_token_of_the_video_model_is_the_exclamation_mark():
    tokenizer = CLIPTokenizer.from_pretrained(DATA / "end_to_end" / "multi_frame" / "tokenizer")
    ids = token_ids(tokenizer, "masterpiece!, x")[0].tolist()
    assert tokenizer.pad_token_id == 0 and ids[-1] == 0
    assert ids[ids.index(tokenizer.eos_token_id) - 2 :][0] != 0 and 0 in ids[: ids.index(tokenizer.eos_token_id)]


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("1girl,  Smile\n", "1girl, smile"),
        ("a\u200bb\u200d", "ab"),  # invisible characters vanish
        ("\x00\x1f\ufffdx", "x"),  # so do control and replacement characters
        ("\u5c11\u5973a", "\u5c11 \u5973 a"),  # ideographs stand alone
        ("\u3042\u3044", "\u3042\u3044"),  # kana do not
        ("caf\u0065\u0301", "caf\u00e9"),  # composed
        ("a\u3000b\u00a0c\td", "a b c d"),  # every space is one space
    ],
)
def test_as_slow_tokenizer_read(prompt, read):
    assert as_slow_tokenizer_read(prompt) == read


def test_ascii_is_untouched_by_the_cleaning(tokenizer):
    for prompt in ("1girl, smile, red hair, <3", "masterpiece, (best:1.2) quality!!", "don't {stop} :d ^_^"):
        assert token_ids(tokenizer, prompt)[0].tolist() == (
            tokenizer(prompt, padding="max_length", truncation=True, max_length=77).input_ids
        )


def test_token_count(tokenizer):
    assert token_count(tokenizer, "") == 0
    assert token_count(tokenizer, "a " * 500) == 500
    ids = token_ids(tokenizer, "1girl, smile")[0].tolist()
    assert token_count(tokenizer, "1girl, smile") == ids.index(tokenizer.eos_token_id) - 1


@pytest.mark.parametrize(("words", "windows"), [(0, 1), (75, 1), (76, 2), (150, 2), (151, 3)])
def test_windows_hold_the_whole_prompt(tokenizer, words, windows):
    found = windows_of(tokenizer, "a " * words)
    assert [len(window) for window in found] == [77] * windows
    (letter,) = set(tokenizer("a", add_special_tokens=False).input_ids)
    assert sum(window.count(letter) for window in found) == words
    assert all(window[0] == tokenizer.bos_token_id and tokenizer.eos_token_id in window for window in found)
    assert len(windows_of(tokenizer, "a " * words, at_least=4)) == 4
    if windows == 1:
        assert found == token_ids(tokenizer, "a " * words).tolist()


class Encoder(torch.nn.Module):
    """Stands for a text encoder: each token's number as its embedding."""

    device = torch.device("cpu")

    def forward(self, ids):
        return SimpleNamespace(last_hidden_state=ids[..., None].float())


def alone(tokenizer, prompt):
    """A prompt as the original read it: one window, through the tokenizer's own truncation and padding."""
    ids = tokenizer(as_slow_tokenizer_read(prompt), padding="max_length", truncation=True, max_length=77).input_ids
    return Encoder()(torch.tensor([ids])).last_hidden_state


def test_long_prompts_are_read_in_windows(tokenizer):
    short, long = "1girl, smile", "a " * 200
    encoded = encode_prompts(tokenizer, Encoder(), [long, short], long_prompts=True)
    assert [each.shape for each in encoded] == [(1, 231, 1), (1, 231, 1)]
    assert torch.equal(encoded[1][:, :77], alone(tokenizer, short))
    assert torch.equal(encoded[1][:, 77:154], alone(tokenizer, ""))


def test_without_long_prompts_they_are_cut_as_before(tokenizer):
    prompts = ["1girl, smile", "a " * 200]
    encoded = encode_prompts(tokenizer, Encoder(), prompts, long_prompts=False)
    for prompt, found in zip(prompts, encoded, strict=True):
        assert torch.equal(found, alone(tokenizer, prompt)) and found.shape == (1, 77, 1)
    same = encode_prompts(tokenizer, Encoder(), prompts[:1], long_prompts=True)
    assert torch.equal(same[0], encoded[0])
