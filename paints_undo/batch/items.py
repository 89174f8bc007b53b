"""What there is to do: work items, and the folders, globs, picture files and JSONL manifests that name them.

A manifest has a JSON object in each line: "artwork", a path that is relative to the manifest's folder, and any of the
command line's settings under their names ("seed": 7, "operation_steps": [500, 999], "video_seed": 8).  Where "sha256",
of the picture's file, is given, the file is not read before its turn comes.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paints_undo.errors import InputError
from paints_undo.headers import READ, SUFFIXES, UNREAD_SUFFIXES, is_read, read_header
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
    def parse(cls, text: str) -> Shard:
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


# (path, sha256 of the file, settings by their command-line names) -> the work item; InputError for bad settings
MakeItem = Callable[[Path, str, dict[str, Any]], WorkItem]


@dataclass
class Found:
    """Everything that some inputs came to."""

    items: list[WorkItem] = field(default_factory=list)  # each key once, in the order of the inputs
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # those of a manifest, by key
    duplicates: list[tuple[str, WorkItem]] = field(default_factory=list)  # (path, the item that is drawn for it)
    rejected: list[tuple[str, str]] = field(default_factory=list)  # (what, why not), each one sentence


@dataclass(frozen=True)
class Named:
    """One picture that an input names, not yet read."""

    path: Path
    digest: str | None
    settings: dict[str, Any]
    place: str  # for messages


def find_items(inputs: Sequence[str], make_item: MakeItem, known_settings: set[str], own_folder: Path | None) -> Found:
    """The work items of all inputs; own_folder: where results go, whose pictures are no artworks."""
    found, by_key = Found(), {}
    for entry in inputs:
        for named in named_by(entry, known_settings, own_folder):
            if isinstance(named, tuple):
                found.rejected.append(named)
                continue
            try:
                item = make_item(named.path, named.digest or digest_of(named.path), named.settings)
            except InputError as error:
                found.rejected.append((named.place, str(error)))
                continue
            first = by_key.setdefault(item.key, item)
            if first is item:
                found.items.append(item)
                found.settings[item.key] = named.settings
            else:
                found.duplicates.append((printable(str(named.path)), first))
    return found


def named_by(entry: str, known_settings: set[str], own_folder: Path | None) -> Iterator[Named | tuple[str, str]]:
    """What one input names: pictures, and (what, why not) for everything that is none."""
    path = Path(entry)
    if path.is_dir():
        files = sorted(Path(place, name) for place, _, names in os.walk(path) for name in names)
        contents = f"holds no pictures, but {len(files)} other files" if files else "is empty"
        nothing = f"{contents}; give a folder with {READ} files"
    elif path.suffix.lower() == ".jsonl" and path.is_file():
        yield from lines_of(path, known_settings)
        return
    elif path.exists() or not glob.has_magic(entry):
        yield Named(path, None, {}, printable(entry))
        return
    else:
        files, nothing = matching(entry), "matches no picture file; check the pattern"
    found = list(meant_as_pictures(files, own_folder))
    yield from found
    if not found:
        yield printable(entry), nothing


def matching(pattern: str) -> list[Path]:
    """The paths that a pattern names. Brackets that stand in a name are letters; where none fits, they are a choice."""
    found = glob.glob(pattern.replace("[", "[[]"), recursive=True)
    if not found:
        *folders, name = Path(pattern).parts
        there = 0
        while there < len(folders) and Path(*folders[: there + 1]).is_dir():
            there += 1
        found = glob.glob(os.path.join(*map(glob.escape, folders[:there]), *folders[there:], name), recursive=True)
    return [Path(path) for path in sorted(found)]


def meant_as_pictures(files: Iterable[Path], own_folder: Path | None) -> Iterator[Named | tuple[str, str]]:
    """What somebody else put there as a picture: by its content whatever it is called, and by its name."""
    for file in files:
        own = own_folder is not None and own_folder.resolve() in file.resolve().parents
        if own or file.name.startswith(".") or not file.is_file():
            continue
        suffix = file.suffix.lower()
        if suffix in SUFFIXES or is_read(start_of(file)):
            yield Named(file, None, {}, printable(str(file)))
        elif suffix in UNREAD_SUFFIXES:
            yield printable(str(file)), why_unread(file)


def start_of(file: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(32)
    except OSError:
        return b""


def why_unread(file: Path) -> str:
    """What the picture reader says about a file that it does not read."""
    try:
        read_header(io.BytesIO(start_of(file)))
    except InputError as error:
        return str(error)
    return f"is not a readable picture: use a {READ} file"


def lines_of(manifest: Path, known_settings: set[str]) -> Iterator[Named | tuple[str, str]]:
    """What the lines of a manifest name; one that is broken does not hide the others."""
    empty = True
    with manifest.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            place = f"{printable(str(manifest))}, line {number}"
            if not line.strip():
                continue
            empty = False
            try:
                yield parsed(line, manifest.parent, place, known_settings)
            except InputError as error:
                yield place, str(error)
    if empty:
        yield printable(str(manifest)), 'is empty; write {"artwork": "picture.png"} or more in each line'


def parsed(line: bytes, folder: Path, place: str, known_settings: set[str]) -> Named:
    """One line of a manifest; InputError says what is wrong with it."""
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError, too
        raise InputError(f"is no JSON ({error}); mend or remove it") from None
    if not isinstance(values, dict) or not isinstance(values.get("artwork"), str) or not values["artwork"]:
        raise InputError('names no picture; write {"artwork": "picture.png"}')
    digest = values.pop("sha256", None)
    if digest is not None and not (isinstance(digest, str) and len(digest) == 64 and digest.isalnum()):
        raise InputError(f"has the sha256 {digest!r}; give 64 hexadecimal digits or leave it out")
    artwork = folder / values.pop("artwork")
    unknown = sorted(values.keys() - known_settings)
    if unknown:
        raise InputError(f"has the unknown setting {unknown[0]!r}; use {', '.join(sorted(known_settings))}")
    return Named(artwork, digest, {name: value for name, value in values.items() if value is not None}, place)


def digest_of(path: Path) -> str:
    """sha256 of a file; InputError where it cannot be read."""
    return hashlib.sha256(content_of(path)).hexdigest()


def content_of(path: Path) -> bytes:
    """The content of a picture's file; InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({(error.strerror or str(error)).lower()}); check the path") from None


def manifest_lines(found: Found) -> bytes:
    """A manifest of all items, digests and settings included: reading it needs none of the pictures."""
    lines = [
        json.dumps({"artwork": os.path.abspath(item.artwork), "sha256": item.digest, **found.settings[item.key]})
        for item in found.items
    ]
    return "".join(f"{line}\n" for line in lines).encode()
