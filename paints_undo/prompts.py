"""Prompts -> token numbers -> text embeddings, exactly as the original's tokenizer read them."""

import unicodedata

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

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
    ids = tokenizer(
        as_slow_tokenizer_read(prompt), padding="max_length", truncation=True, max_length=tokenizer.model_max_length
    ).input_ids
    return torch.tensor([ids])


def encode_prompt(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompt: str) -> Tensor:
    """Text embeddings (1, 77, width) after the final layer norm; no attention mask, as the networks were trained."""
    ids = token_ids(tokenizer, prompt).to(text_encoder.device)
    return text_encoder(ids).last_hidden_state
