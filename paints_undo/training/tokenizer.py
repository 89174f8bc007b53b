"""A small vocabulary for CLIP's tokenizer: whole tokens for the words of the tags, single bytes for all else."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers.convert_slow_tokenizer import bytes_to_unicode

from paints_undo.atomic import write_atomically

PROMPT_LENGTH = 77  # tokens, as in the published networks
START, END = "<|startoftext|>", "<|endoftext|>"
ALWAYS_KNOWN = "masterpiece best quality lowres bad anatomy hands cropped worst"  # words of the usual prompts
FEWEST_PICTURES = 15  # on which a word stands before it gets a token of its own


def known_words(tags: Iterable[Sequence[str]], fewest: int = FEWEST_PICTURES) -> list[str]:
    """The words in tags of at least `fewest` pictures, and those of the usual prompts, in alphabetical order."""
    counts = Counter(word for some in tags for word in set(re.findall("[a-z]{2,}", " ".join(some))))
    return sorted({word for word, count in counts.items() if count >= fewest} | set(ALWAYS_KNOWN.split()))


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges (Sennrich et al. 2016) in order of their rank, learnt until every word is one token."""
    pieces = [[*word[:-1], f"{word[-1]}</w>"] for word in words if word]
    merges = []
    while pairs := Counter(pair for piece in pieces for pair in zip(piece, piece[1:], strict=False)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pieces = [_merged(piece, best) for piece in pieces]
    return merges


def write_tokenizer(folder: Path, words: Iterable[str]) -> int:
    """Write the four files of a CLIPTokenizer to `folder`; returns the size of its vocabulary."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(words)
    letters = bytes_to_unicode().values()  # first the bytes that print, as in OpenAI's byte-level vocabularies
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    described = {"content": "", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    start, end = {**described, "content": START}, {**described, "content": END}
    settings = {
        "added_tokens_decoder": {
            str(vocabulary[START]): {**start, "special": True},
            str(vocabulary[END]): {**end, "special": True},
        },
        "bos_token": START,
        "clean_up_tokenization_spaces": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": PROMPT_LENGTH,
        "pad_token": END,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }
    special = {"bos_token": start, "eos_token": end, "pad_token": END, "unk_token": end}
    for name, values in (
        ("vocab.json", vocabulary),
        ("tokenizer_config.json", settings),
        ("special_tokens_map.json", special),
    ):
        write_atomically(folder / name, (json.dumps(values, indent=2) + "\n").encode())
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    write_atomically(folder / "merges.txt", ("\n".join(lines) + "\n").encode())
    return len(vocabulary)


def _merged(piece: list[str], pair: tuple[str, str]) -> list[str]:
    merged, position = [], 0
    while position < len(piece):
        if tuple(piece[position : position + 2]) == pair:
            merged.append("".join(pair))
            position += 2
        else:
            merged.append(piece[position])
            position += 1
    return merged
