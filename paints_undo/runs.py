"""The run folder: one artwork's settings and everything made from it, kept so that a run can be resumed and replayed.

    run.json                          settings, timeline, package versions, the artwork's sha256, running or finished
    artwork.png                       the artwork as it was read
    keyframes/0400-12345-3fa9....png  one picture per operation step, seed and settings, exact
    segments/0400-0600-3fa9....npz    the frames between two keyframes under the name "frames", exact
                                      (``numpy.load`` reads it); another picture, seed or setting is another name
    frames/00000.png                  every frame of the timelapse, only when asked for
    timelapse.mp4                     the video

Every file is written beside its place and moved there when it is complete, so whatever carries its final name is whole.
One folder belongs to one process at a time.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.metadata
import io
import json
import logging
import os
import re
import secrets
import shutil
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained, sweep, temporary_for, write_atomically
from paints_undo.errors import InputError
from paints_undo.images import encode_png, read_picture
from paints_undo.metadata import describe
from paints_undo.plain_values import differences, plain

__all__ = ["RunFolder", "package_versions", "run_folder_for", "write_atomically"]

logger = logging.getLogger(__name__)

FORMAT = 2
_RECORDED_PACKAGES = {
    "torch": ("torch",),
    "diffusers": ("diffusers",),
    "transformers": ("transformers",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-silicon"),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
}
# Names that Windows keeps for devices, whatever the extension.
_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
_LONGEST_NAME = 60  # characters; 240 bytes of UTF-8 at most, where file systems allow 255


class RunFolder:
    """One run on disk; made by :meth:`create` (new or resumed) or :meth:`open` (existing), never directly."""

    def __init__(self, path: Path, record: dict) -> None:
        self.path = path
        self._record = record

    @classmethod
    def create(cls, folder: str | Path, settings: dict, timeline: dict, artwork: np.ndarray) -> RunFolder:
        """The run folder for ``settings`` and ``artwork``: a new one, or the one already there if it is the same run.

        ``settings`` and ``timeline`` hold plain JSON values under string keys (tuples become lists); the timeline of
        a folder that is already there stays, since a person may have changed it. ``artwork`` is uint8 RGB
        (H, W, 3). Raises InputError when the folder holds another run or anything else, TypeError for a setting that
        JSON would not give back unchanged, OSError (one sentence) when the folder cannot be written.
        """
        path = Path(folder)
        settings, timeline = plain(settings, "settings"), plain(timeline, "timeline")
        _check_pictures(artwork, dimensions=3, name="artwork")
        if (path / "run.json").exists():
            run = cls.open(path)
            run._refuse_other_run(settings, artwork)
            return run
        _make_directory(path)
        sweep(path)
        # artwork.png alone is what an interrupted start leaves behind; anything else is not ours to mix with.
        foreign = sorted(entry.name for entry in path.iterdir() if entry.name != "artwork.png")
        if foreign:
            raise InputError(
                f"The folder {path} holds files that belong to no run ({foreign[0]}); choose an empty or a new folder."
            )
        record = {
            "format": FORMAT,
            "id": secrets.token_hex(8),
            "state": "running",
            "artwork": _describe(artwork),
            "packages": package_versions(),
            "settings": settings,
            "timeline": timeline,
        }
        run = cls(path, record)
        write_atomically(path / "artwork.png", encode_png(artwork, run.description("artwork")))
        run._write_record()  # last: a folder with a run.json is complete
        return run

    @classmethod
    def open(cls, folder: str | Path) -> RunFolder:
        """The run kept in ``folder``. Removes what an interrupted write left. Raises InputError if there is none."""
        path = Path(folder)
        file = path / "run.json"
        if not file.is_file():
            raise InputError(f"There is no run in {path} (no run.json); give the folder of an earlier run.")
        try:
            with explained("read", file):
                record = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{file} is damaged ({_one_line(error)}); delete the folder and start the run again."
            ) from None
        _check_record(file, record)
        for place in (path, path / "keyframes", path / "segments"):
            sweep(place)
        return cls(path, record)

    # What the run is

    @property
    def settings(self) -> dict:
        """A copy of the settings given to :meth:`create`, with lists for tuples."""
        return copy.deepcopy(self._record["settings"])

    @property
    def timeline(self) -> dict:
        """A copy of the timeline, with lists for tuples."""
        return copy.deepcopy(self._record["timeline"])

    def change(self, settings: dict, timeline: dict) -> None:
        """Keep other settings and another timeline; the run is then unfinished."""
        changes = {"settings": plain(settings, "settings"), "timeline": plain(timeline, "timeline")}
        self._record = {**self._record, **changes, "state": "running"}
        self._write_record()

    def copied_to(self, folder: str | Path) -> RunFolder:
        """Another run with everything that this one has made; the folder must not be there yet."""
        path = Path(folder)
        with explained("write", path):
            shutil.copytree(self.path, path, ignore=shutil.ignore_patterns(".*.tmp"))
        copied = type(self).open(path)
        copied._record = {**copied._record, "id": secrets.token_hex(8)}
        copied._write_record()
        return copied

    @property
    def id(self) -> str:
        """A random name that the files of this run carry; empty in runs of earlier versions."""
        return self._record.get("id", "")

    @property
    def artwork_size(self) -> tuple[int, int]:
        """Height and width of the artwork."""
        return self._record["artwork"]["height"], self._record["artwork"]["width"]

    def description(self, piece: str) -> str:
        """What a picture or video of this run carries inside: everything it was made with."""
        kept = {name: self._record.get(name) for name in ("id", "artwork", "settings", "timeline")}
        return describe({"format": FORMAT, "piece": piece, **kept})

    @property
    def packages(self) -> dict[str, str]:
        """The package versions the run was started with, as :func:`package_versions` gives them."""
        return dict(self._record["packages"])

    @property
    def finished(self) -> bool:
        """Whether :meth:`finish` was called."""
        return self._record["state"] == "finished"

    @property
    def timelapse(self) -> Path:
        """Where the video of this run belongs."""
        return self.path / "timelapse.mp4"

    @property
    def artwork(self) -> np.ndarray:
        """The artwork, uint8 (H, W, 3). Raises InputError when artwork.png is gone or another picture."""
        artwork = read_picture(self.path / "artwork.png")
        if _describe(artwork) != self._record["artwork"]:
            raise InputError(
                f"{self.path / 'artwork.png'} is not the picture this run was started with (its sha256 differs from "
                "run.json); put the original back or start a new run."
            )
        return artwork

    def finish(self) -> None:
        """Marks the run as finished in run.json."""
        self._record = {**self._record, "state": "finished"}
        self._write_record()

    # What the run has made

    def save_keyframe(self, name: str, picture: np.ndarray) -> Path:
        """Keeps the keyframe of this name, uint8 (H, W, 3), exactly; the path it was written to."""
        _check_pictures(picture, dimensions=3, name="keyframe")
        path = self.keyframe_path(name)
        _make_directory(path.parent)
        write_atomically(path, encode_png(picture, self.description("keyframe")))
        return path

    def keyframe(self, name: str) -> np.ndarray | None:
        """The keyframe of this name, uint8 (H, W, 3); None when it is not there or its file is damaged."""
        path = self.keyframe_path(name)
        if not path.exists():
            return None
        try:
            return read_picture(path)
        except InputError as error:
            logger.warning("%s is damaged and will be made again (%s)", path, error)
            return None

    def save_segment(self, name: str, frames: np.ndarray) -> Path:
        """Keeps the segment of this name, uint8 (n, H, W, 3), exactly; the path it was written to."""
        _check_pictures(frames, dimensions=4, name="segment")
        packed = io.BytesIO()
        np.savez_compressed(packed, frames=frames)
        path = self.segment_path(name)
        _make_directory(path.parent)
        write_atomically(path, packed.getvalue())
        return path

    def segment(self, name: str) -> np.ndarray | None:
        """The segment of this name, uint8 (n, H, W, 3); None when it is not there or its file is damaged."""
        path = self.segment_path(name)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as packed:
                frames = packed["frames"]
            _check_pictures(frames, dimensions=4, name="segment")
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("%s is damaged and will be made again (%s)", path, _one_line(error))
            return None
        return frames

    def save_frames(self, frames: Iterable[np.ndarray]) -> Path:
        """Keeps every frame, uint8 (H, W, 3), as frames/00000.png and on, all or none; the folder they are in."""
        target = self.path / "frames"
        temporary = temporary_for(target)
        _make_directory(temporary)
        description = self.description("frame")
        try:
            for number, frame in enumerate(frames):
                _check_pictures(frame, dimensions=3, name=f"frame {number}")
                write_atomically(temporary / f"{number:05d}.png", encode_png(frame, description))
            with explained("write", target):
                if target.exists():
                    shutil.rmtree(target)
                os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    # The inside

    def keyframe_path(self, name: str) -> Path:
        """Where the keyframe of this name belongs."""
        return self.path / "keyframes" / f"{_checked_name(name)}.png"

    def segment_path(self, name: str) -> Path:
        """Where the segment of this name belongs."""
        return self.path / "segments" / f"{_checked_name(name)}.npz"

    def _write_record(self) -> None:
        text = json.dumps(self._record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(self.path / "run.json", text.encode("utf-8"))

    def _refuse_other_run(self, settings: dict, artwork: np.ndarray) -> None:
        found = list(differences(self._record["settings"], settings))
        if _describe(artwork) != self._record["artwork"]:
            found.insert(0, "the artwork is another picture")
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise InputError(
                f"{self.path} holds another run: {'; '.join(found[:3])}{more}; "
                "choose another output folder or delete this one to start again."
            )
        changed = list(differences(self.packages, package_versions()))
        if changed:
            logger.warning("%s was started with other package versions (%s)", self.path, "; ".join(changed))


def run_folder_for(out: Path, artwork_name: str) -> Path:
    """The run folder under ``out`` for an artwork's file name: a name that is safe on every system.

    Letters and digits of any script, "-" and "_" stay; everything else becomes "-". A name that had to be changed gets
    six digits of its hash, so that two names that would become the same stay apart. Touches no disk.
    """
    given = re.split(r"[/\\]", artwork_name)[-1]
    stem = unicodedata.normalize("NFC", given.rsplit(".", 1)[0] if given.rfind(".") > 0 else given)
    safe = re.sub(r"[^\w-]+", "-", stem).strip("-_")[:_LONGEST_NAME].strip("-_")
    if safe.lower() in _DEVICE_NAMES or not safe:
        safe = f"artwork-{safe}".rstrip("-")
    if safe != stem:
        safe = f"{safe}-{hashlib.sha256(artwork_name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
    return Path(out) / safe


def package_versions() -> dict[str, str]:
    """The version of every package that can change a run's pixels, this one included; "not installed" if absent."""
    import paints_undo  # here, because the package itself imports this module

    versions = {"paints_undo": getattr(paints_undo, "__version__", "unknown")}
    for name, distributions in _RECORDED_PACKAGES.items():
        versions[name] = "not installed"
        for distribution in distributions:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(distribution)
                break
    return versions


def _make_directory(path: Path) -> None:
    with explained("make", path):
        path.mkdir(parents=True, exist_ok=True)


def _describe(artwork: np.ndarray) -> dict:
    """What identifies a picture: its size and the sha256 of its RGB bytes, row by row, whatever file it came in."""
    height, width = artwork.shape[:2]
    return {"sha256": picture_digest(artwork), "width": width, "height": height}


def picture_digest(picture: np.ndarray) -> str:
    """sha256 of a picture's RGB bytes, uint8 (H, W, 3), row by row."""
    return hashlib.sha256(np.ascontiguousarray(picture)).hexdigest()


def _check_pictures(pictures: np.ndarray, dimensions: int, name: str) -> None:
    shape = getattr(pictures, "shape", ())
    if getattr(pictures, "dtype", None) != np.uint8 or len(shape) != dimensions or shape[-1] != 3 or 0 in shape:
        expected = "(height, width, 3)" if dimensions == 3 else "(frames, height, width, 3)"
        raise TypeError(
            f"{name} has shape {tuple(shape)} and type {getattr(pictures, 'dtype', type(pictures).__name__)}; "
            f"give a uint8 RGB array {expected}."
        )


def _check_record(file: Path, record: object) -> None:
    """Raises InputError unless ``record`` has the form that :meth:`RunFolder.create` writes."""
    if not isinstance(record, dict) or "format" not in record:
        raise InputError(f"{file} was not written by this program; give the folder of an earlier run.")
    if record["format"] != FORMAT:
        raise InputError(
            f"{file} has format {record['format']!r} and this version reads format {FORMAT}; "
            "open it with the version that wrote it."
        )
    fields = {"settings": dict, "timeline": dict, "artwork": dict, "packages": dict, "state": str}
    for name, kind in fields.items():
        if not isinstance(record.get(name), kind):
            raise InputError(f"{file} is damaged ({name} is missing); delete the folder and start the run again.")


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[0-9a-z]+(-[0-9a-z]+)*", name):
        raise ValueError(f"a piece of a run is named {name!r}; use small letters, digits and hyphens")
    return name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
