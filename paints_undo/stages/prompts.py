"""Prompts -> token numbers -> text embeddings, exactly as the original's tokenizer read them."""

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

WINDOW = 77  # tokens that the text encoders read at once

# Every block of CJK ideographs that the original's tokenizer set apart with spaces.
IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def as_slow_tokenizer_read(text: str) -> str:
    """The prompt as the original's (slow) CLIP tokenizer cleaned it; transformers 5 keeps the fast one only.

    They differ outside ASCII: control and invisible characters vanish, ideographs stand alone, every kind of space is
    one space.
    """
    cleaned = []
    for character in text:
        category = unicodedata.category(character)
        if character in "\t\n\r" or category == "Zs":
            cleaned.append(" ")
        elif character == "\ufffd" or category.startswith("C"):
            continue
        elif any(low <= ord(character) <= high for low, high in IDEOGRAPHS):
            cleaned.append(f" {character} ")
        else:
            cleaned.append(character)
    return " ".join(unicodedata.normalize("NFC", "".join(cleaned)).split()).lower()


def token_ids(tokenizer: CLIPTokenizer, prompt: str) -> Tensor:
    """Token numbers (1, 77) int64: start, prompt, end, then the tokenizer's padding; longer prompts are cut."""
    return torch.tensor(windows_of(tokenizer, prompt)[:1])


def token_count(tokenizer: CLIPTokenizer, prompt: str) -> int:
    """How many tokens a prompt has, start and end left out; 75 fit into one window of 77."""
    return len(tokenizer(as_slow_tokenizer_read(prompt), add_special_tokens=False, verbose=False).input_ids)


def encode_prompts(
    tokenizer: CLIPTokenizer,
    text_encoder: CLIPTextModel,
    prompts: Sequence[str],
    long_prompts: bool,
    device: torch.device | str = "cpu",
) -> list[Tensor]:
    """Text embeddings of several prompts, all of one length, after the final layer norm.

    Without long_prompts each is (1, 77, width) and cut after 75 tokens, as in the original.  With them each is
    (1, 77 n, width): 75 tokens at a time go through the encoder, so that nothing is cut, and shorter prompts get empty
    windows at their end; where all fit into one window the embeddings are the same.  No attention mask, as the networks
    were trained.  device: where the encoder computes, which it cannot say itself while its blocks come and go.
    """
    most = max(len(windows_of(tokenizer, prompt)) for prompt in prompts) if long_prompts else 1
    encoded = []
    for prompt in prompts:
        ids = torch.tensor(windows_of(tokenizer, prompt, most)[:most]).to(device)
        encoded.append(text_encoder(ids).last_hidden_state.flatten(0, 1).unsqueeze(0))
    return encoded


def windows_of(tokenizer: CLIPTokenizer, prompt: str, at_least: int = 1) -> list[list[int]]:
    """Token numbers of a prompt of any length: windows of 77, each start, up to 75 tokens, end and padding."""
    ids, room = tokenizer(as_slow_tokenizer_read(prompt), add_special_tokens=False, verbose=False).input_ids, WINDOW - 2
    windows = []
    for begin in range(0, max(len(ids), at_least * room), room):
        window = [tokenizer.bos_token_id, *ids[begin : begin + room], tokenizer.eos_token_id]
        windows.append(window + [tokenizer.pad_token_id] * (WINDOW - len(window)))
    return windows
