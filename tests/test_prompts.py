"""Prompts become the token numbers that the original's tokenizer gave."""

import pytest
import torch
from reference import DATA, FORWARD, deviation, recorded
from reference_fill import reference_tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from paints_undo.prompts import as_slow_tokenizer_read, token_ids


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
