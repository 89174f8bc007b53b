"""Work items: one artwork with its settings, under a key that is the same wherever and whenever it is computed."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.run.folder import run_folder_for

MOST_SHARDS = 1_000_000


@dataclass(frozen=True)
class WorkItem:
    """One artwork to be drawn."""

    key: str  # sha256, hexadecimal, of everything that decides about the result
    artwork: str  # where the picture is
    digest: str  # sha256 of the picture's file
    options: UndoOptions

    @property
    def name(self) -> str:
        """The picture's file name, as it can be printed and stored whatever bytes it holds."""
        return printable(Path(self.artwork).name)

    @property
    def folder(self) -> str:
        """What the run folder is called: the picture's name, and the key's beginning, which keeps all apart."""
        return f"{run_folder_for(Path(), self.name).name}-{self.key[:12]}"


def item_of(artwork: Path, digest: str, options: UndoOptions, made_with: dict[str, Any]) -> WorkItem:
    """The work item of a picture; made_with: plain values that decide about the result beside picture and options."""
    content = json.dumps([digest, options.to_settings(), made_with], sort_keys=True)
    return WorkItem(hashlib.sha256(content.encode()).hexdigest(), str(artwork), digest, options)


@dataclass(frozen=True)
class Shard:
    """One of `count` parts, numbered from 1, of all items; every item is in exactly one of them."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise InputError(
                f"shard is {self.number}/{self.count}; use a part from 1 to the number of parts, like 3/100"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard "i/n"."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not match:
            raise InputError(f"shard is {text!r}; write the part and the number of parts, like 3/100")
        return cls(*map(int, match.groups()))

    def holds(self, item: WorkItem) -> bool:
        """Whether the item belongs to this part; that depends on its key alone."""
        return int(item.key[:16], 16) % self.count == self.number - 1


def printable(name: str) -> str:
    """A file name without what cannot be written as UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
