"""What files say they are, and whether it holds: the record of each, its artwork, its signature, the run it is of."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from paints_undo.errors import InputError
from paints_undo.pictures.files import naming
from paints_undo.pictures.pixels import read_picture
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import Record
from paints_undo.run.folder import RunFolder
from paints_undo.run.pieces import read_segment
from paints_undo.run.record import described, read_run_record
from paints_undo.verification.content_credentials import read_signature

_REPLACED = "it was replaced or damaged: its sha256 is not the one in run.json"
_UNKNOWN = "it is no piece of this run: run.json does not know it"
RECORDED, NO_RECORD, CONTRADICTED, UNREADABLE = "recorded", "no record", "contradicted", "unreadable"


@dataclass(frozen=True)
class Finding:
    """What came of one file."""

    file: str
    state: str  # recorded, no record, contradicted (something in it does not hold) or unreadable
    sentence: str  # for people
    record: Record | None = None
    artwork: bool | None = None  # whether it was made from the artwork given; None: not compared
    signature: dict[str, Any] | None = None  # signer, intact, trusted
    pieces: list[Finding] = field(default_factory=list)  # of a run folder

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        record = None if self.record is None else self.record.to_dict()
        pieces = {"pieces": [piece.to_dict() for piece in self.pieces]} if self.pieces else {}
        told = {"file": self.file, "state": self.state, "sentence": self.sentence, "artwork_matches": self.artwork}
        return {**told, "signature": self.signature, "record": record, **pieces}

    @property
    def text(self) -> str:
        """A few lines for people."""
        lines = [self.file, f"  {self.sentence}"]
        if self.record is not None:
            digest = self.record.artwork.get("sha256", "not known")
            size = "x".join(str(self.record.artwork.get(side, "?")) for side in ("width", "height"))
            compared = {None: "not compared; --artwork PICTURE does", True: "the one given", False: "not the one given"}
            signed = sum(piece.signature is not None for piece in self.pieces)
            made = ", model family ".join(part for part in (self.record.program, self.record.models) if part)
            about = {
                "made with" if self.record.made_by_ai else "kept by": made,
                "artwork": f"sha256 {digest}, {size} ({compared[self.artwork]})",
                "of the run": self.record.id or "not known",
                "signature": f"on {signed} of the files" if self.pieces else _signed(self.signature),
            }
            lines += [f"  {name:<12}{value}" for name, value in about.items()]
        lines += [f"  {piece.file}: {piece.sentence}" for piece in self.pieces if piece.state != RECORDED]
        if self.pieces:
            sound = sum(piece.state == RECORDED for piece in self.pieces)
            lines.append(f"  {sound} of {len(self.pieces)} files are whole and of this run")
        return "\n".join(lines)


def verify(path: str | Path, artwork: str | Path | None = None) -> Finding:
    """What a file or a run folder is. Raises InputError where the artwork given cannot be read."""
    path = Path(path)
    given = None if artwork is None else described(read_picture(artwork))
    try:
        return _verified_run(path, given) if path.is_dir() else _verified_file(path, given)
    except (InputError, OSError) as error:
        return Finding(str(path), UNREADABLE, str(error))


def _verified_file(path: Path, artwork: dict[str, Any] | None) -> Finding:
    record = read_record(path)
    signature = _signature(path)
    if record is None:
        said = "It carries no record of this program. That says nothing about how it was made: a record can be removed."
        return Finding(str(path), NO_RECORD, said, signature=signature)
    matches = None if artwork is None else record.artwork == artwork
    state = CONTRADICTED
    if matches is False:
        said = "It says that it was made from another picture than the artwork given."
    elif record.piece == "artwork" and record.artwork != described(read_picture(path)):
        said = "It says that it is the artwork of a run, and shows another picture."
    elif signature is not None and not signature["intact"]:
        said = "It was changed after it was signed."
    else:
        state, said = RECORDED, record.statement
    return Finding(str(path), state, said, record, matches, signature)


def _verified_run(path: Path, artwork: dict[str, Any] | None) -> Finding:
    files = sorted(_pieces(path))  # first: of a run at work the record knows whatever was there before it
    values = read_run_record(path / "run.json")
    run = RunFolder(path, values)
    pieces = [_verified_piece(run, piece) for piece in files]
    pieces += [Finding(name, UNREADABLE, "it is missing") for name in _missing(run)]
    matches = None if artwork is None else values["artwork"] == artwork
    state = "finished" if run.finished else "interrupted or still at work; the same command goes on with it"
    said = f"Run of a simulated drawing process, made by AI: {state}."
    whole = all(piece.state == RECORDED for piece in pieces)
    if not whole:
        said += " The same command makes again what is damaged, replaced or missing, and nothing else."
    if run.digests is None:
        said += " Its version kept no digests of the pieces: one that another whole one replaced is not noticed."
    state = RECORDED if whole and matches is not False else CONTRADICTED
    return Finding(str(path), state, said, run.record("run"), matches, pieces=pieces)


def _pieces(path: Path) -> Iterator[Path]:
    for pattern in ("artwork.png", "keyframes/*.png", "segments/*.npz", "frames/*.png", "timelapse.mp4"):
        yield from path.glob(pattern)


def _missing(run: Any) -> Iterator[str]:
    """What a finished run must have, or an unfinished one had, and this one has not."""
    made = run.digests or {}
    wanted = {file.relative_to(run.path).as_posix() for file in run.files}
    wanted = wanted | {name for name in made if name.startswith("frames/")} if run.finished else wanted & made.keys()
    yield from (name for name in sorted(wanted) if not (run.path / name).is_file())


def _verified_piece(run: Any, path: Path) -> Finding:
    name = path.relative_to(run.path).as_posix()
    made = run.digests is not None and run.is_whole(path)
    replaced = "" if made or run.digests is None else _REPLACED if name in run.digests else _UNKNOWN
    try:
        if path.suffix == ".npz":
            read_segment(path)
            return Finding(name, CONTRADICTED, replaced) if replaced else Finding(name, RECORDED, "whole")
        if path.name == "artwork.png":
            _ = run.artwork
        elif path.suffix == ".png":
            with naming(path.name), Image.open(path) as picture:
                picture.load()  # and not read as an artwork: frames of a narrow one may be smaller than artworks are
        found = replace(_verified_file(path, None), file=name)
    except (InputError, OSError) as error:
        return Finding(name, UNREADABLE, str(error))
    except ValueError as error:
        return Finding(name, UNREADABLE, f"it is damaged ({error})")
    if found.record is not None and found.record.id != run.id and not made:  # a copied run has the pieces of another
        return Finding(name, CONTRADICTED, "it is of another run", found.record)
    if replaced and found.state == RECORDED:
        return replace(found, state=CONTRADICTED, sentence=replaced)
    return found


def _signature(path: Path) -> dict[str, Any] | None:
    if importlib.util.find_spec("c2pa") is None:
        return None
    found = read_signature(path)
    return None if found is None else vars(found)


def _signed(signature: dict[str, Any] | None) -> str:
    if signature is None:
        more = "" if importlib.util.find_spec("c2pa") else " that could be read here (pip install '.[c2pa]')"
        return f"none{more}"
    state = "not changed since" if signature["intact"] else "changed since"
    known = "" if signature["trusted"] else ", by a certificate that nobody vouches for"
    return f"by {signature['signer']}, {state}{known}"
