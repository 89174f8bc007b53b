"""Which tags the mini family knows, their table for the tagger, and pictures' tags as a training target."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from paints_undo.atomic import write_atomically

FEWEST_PICTURES = 30  # a tag on fewer training pictures is not learnt, it is only guessed
RATINGS = ("general", "sensitive", "questionable", "explicit")  # WD14's first rows; all art here is general
GENERAL_CATEGORY, RATING_CATEGORY = 0, 9


def common_tags(tags: Sequence[Sequence[str]], fewest: int | None = None) -> dict[str, int]:
    """{tag: number of pictures} of the tags worth learning, most common first, the alphabet deciding ties.

    `fewest` is by default FEWEST_PICTURES, and less in a small set: one picture in a hundred.
    """
    fewest = fewest or max(1, min(FEWEST_PICTURES, len(tags) // 100))
    counts = Counter(tag for some in tags for tag in set(some) if re.search("[a-z]{2}", tag))
    chosen = [(tag, count) for tag, count in counts.items() if count >= fewest]
    return dict(sorted(chosen, key=lambda entry: (-entry[1], entry[0])))


def write_tag_table(path: Path, counts: dict[str, int], pictures: int) -> None:
    """Write selected_tags.csv as WD14 models have it: one row an output, ratings first, underscores for spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tag_id", "name", "category", "count"))
    for number, rating in enumerate(RATINGS):
        writer.writerow((number, rating, RATING_CATEGORY, 0 if number else pictures))
    for number, (tag, count) in enumerate(counts.items(), start=len(RATINGS)):
        writer.writerow((number, tag.replace(" ", "_"), GENERAL_CATEGORY, count))
    write_atomically(path, text.getvalue().encode())


def tag_targets(tags: Sequence[Sequence[str]], known: Iterable[str]) -> torch.Tensor:
    """What the tagger should answer for n pictures: float32 (n, 4 + tags), the ratings first, 1 where a tag is."""
    column = {tag: number for number, tag in enumerate(known, start=len(RATINGS))}
    targets = torch.zeros(len(tags), len(RATINGS) + len(column))
    targets[:, 0] = 1
    for row, some in enumerate(tags):
        for tag in some:
            if tag in column:
                targets[row, column[tag]] = 1
    return targets
