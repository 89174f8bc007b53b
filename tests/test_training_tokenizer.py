import pytest
from transformers import CLIPTokenizer

from paints_undo.family.model_family import TOKENIZER_FILES
from paints_undo.stages.prompts import token_ids
from paints_undo.training.tokenizer import PROMPT_LENGTH, known_words, learn_merges, write_tokenizer

WORDS = ("hair", "chair", "air", "blue", "girl", "girls", "solo")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    size = write_tokenizer(folder, WORDS)
    assert {path.name for path in folder.iterdir()} == set(TOKENIZER_FILES)
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    assert len(tokenizer) == size
    return tokenizer


def test_every_known_word_is_one_token(tokenizer):
    assert len(tokenizer(" ".join(WORDS)).input_ids) == len(WORDS) + 2
    assert tokenizer.convert_ids_to_tokens(tokenizer("1girl, blue hair").input_ids)[1:-1] == [
        "1</w>",
        "girl</w>",
        ",</w>",
        "blue</w>",
        "hair</w>",
    ]


@pytest.mark.parametrize("text", ["xylophone", "naïve", "猫", "😀 #!"])
def test_any_other_text_falls_back_to_its_bytes(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert tokenizer.eos_token_id not in ids[1:-1] and len(ids) > 2
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")


def test_prompts_are_padded_and_cut_to_the_length_of_the_networks(tokenizer):
    for prompt in ("", "solo", "solo " * 200):
        ids = token_ids(tokenizer, prompt)
        assert ids.shape == (1, PROMPT_LENGTH)
        assert ids[0, 0] == tokenizer.bos_token_id and ids[0, -1] == tokenizer.eos_token_id


def test_merges_are_the_same_each_time():
    assert learn_merges(WORDS) == learn_merges(WORDS)
    assert learn_merges(["ab"]) == [("a", "b</w>")]


def test_words_of_rare_tags_are_left_out():
    words = known_words([("blue hair",)] * 3 + [("xylophone",)], fewest=2)
    assert "hair" in words and "xylophone" not in words and "masterpiece" in words
