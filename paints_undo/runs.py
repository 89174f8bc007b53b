"""The run folder: one artwork's settings and everything made from it, kept so that a run can be resumed and replayed.

    run.json                          settings, timeline, package versions, the artwork's sha256, running or finished
    artwork.png                       the artwork as it was read
    keyframes/0400-12345-3fa9....png  one picture per operation step, seed and settings, exact
    segments/0400-0600-3fa9....npz    the frames between two keyframes under the name "frames", exact
                                      (``numpy.load`` reads it); another picture, seed or setting is another name
    frames/00000.png                  every frame of the timelapse, only when asked for
    timelapse.mp4                     the video

Every file is written beside its place and moved there when it is complete, so whatever carries its final name is whole.
One folder belongs to one process at a time: see :meth:`RunFolder.held`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained, sweep, sync_folder, temporaries, temporary_for, write_atomically
from paints_undo.errors import InputError
from paints_undo.folder_names import run_folder_for
from paints_undo.images import encode_png, read_picture
from paints_undo.locks import LOCK, FolderLock
from paints_undo.packages import package_versions
from paints_undo.plain_values import differences, plain
from paints_undo.progress import Report, counted
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.marks import marked
from paints_undo.provenance.records import FORMAT, GIVEN, MADE, Record
from paints_undo.run_record import (
    FINISHED,
    RUNNING,
    described,
    picture_digest,
    read_run_record,
    write_run_record,
)
from paints_undo.video import write_video

__all__ = ["FORMAT", "RunFolder", "package_versions", "picture_digest", "run_folder_for", "write_atomically"]

logger = logging.getLogger(__name__)


class RunFolder:
    """One run on disk; made by :meth:`create` (new or resumed) or :meth:`open` (existing), never directly."""

    def __init__(self, path: Path, record: dict) -> None:
        self.path = path
        self._record = record
        self._lock = FolderLock(path)

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
        # artwork.png alone is what an interrupted start leaves behind; anything else is not ours to mix with.
        known = {"artwork.png", LOCK, *(leftover.name for leftover in temporaries(path))}
        foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in known)
        if foreign:
            raise InputError(
                f"The folder {path} holds files that belong to no run ({foreign[0]}); choose an empty or a new folder."
            )
        record = {
            "format": FORMAT,
            "id": secrets.token_hex(8),
            "state": RUNNING,
            "artwork": described(artwork),
            "packages": package_versions(),
            "settings": settings,
            "timeline": timeline,
        }
        run = cls(path, record)
        with run.held():
            write_atomically(path / "artwork.png", run._png(artwork, run.record("artwork", GIVEN)))
            run._become(record)  # last: a folder with a run.json is complete
        return run

    @classmethod
    def open(cls, folder: str | Path) -> RunFolder:
        """The run kept in ``folder``. Removes what an interrupted write left. Raises InputError if there is none."""
        path = Path(folder)
        if not (path / "run.json").is_file():
            raise InputError(f"There is no run in {path} (no run.json); give the folder of an earlier run.")
        run = cls(path, read_run_record(path / "run.json"))
        with contextlib.suppress(InputError, OSError), run.held():
            pass  # a run in other hands, or one that can only be read, is read all the same
        return run

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The folder for the block alone; whoever writes pieces holds it. The same thread may hold it again.

        What an interrupted write left is removed first. Raises InputError when another process is at work there.
        """
        with self._lock.held() as alone:
            if alone:
                for place in (self.path, *(entry for entry in self.path.iterdir() if entry.is_dir())):
                    sweep(place)
            yield

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
        with self.held():
            self._become({**self._record, **changes, "state": RUNNING})

    def copied_to(self, folder: str | Path) -> RunFolder:
        """Another run with everything that this one has made; the folder must not be there yet."""
        path = Path(folder)
        temporary = temporary_for(path)
        try:
            with explained("write", path):
                shutil.copytree(self.path, temporary, ignore=shutil.ignore_patterns(".*.tmp", LOCK))
                write_run_record(temporary / "run.json", {**self._record, "id": secrets.token_hex(8)})
                temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return type(self).open(path)

    @property
    def id(self) -> str:
        """A random name that the files of this run carry; empty in runs of earlier versions."""
        return self._record.get("id", "")

    @property
    def artwork_size(self) -> tuple[int, int]:
        """Height and width of the artwork."""
        return self._record["artwork"]["height"], self._record["artwork"]["width"]

    def record(self, piece: str, contents: str = MADE) -> Record:
        """What a picture or video of this run carries inside: what it is, and everything it was made with."""
        kept = {name: self._record[name] for name in ("artwork", "settings", "timeline", "packages")}
        return Record(piece, contents, version=self.packages.get("paints_undo", ""), id=self.id, **kept)

    @property
    def packages(self) -> dict[str, str]:
        """The package versions the run was started with, as :func:`package_versions` gives them."""
        return dict(self._record["packages"])

    @property
    def finished(self) -> bool:
        """Whether :meth:`finish` was called."""
        return self._record["state"] == FINISHED

    @property
    def timelapse(self) -> Path:
        """Where the video of this run belongs."""
        return self.path / "timelapse.mp4"

    @property
    def artwork(self) -> np.ndarray:
        """The artwork, uint8 (H, W, 3). Raises InputError when artwork.png is gone or another picture."""
        artwork = read_picture(self.path / "artwork.png")
        if described(artwork) != self._record["artwork"]:
            raise InputError(
                f"{self.path / 'artwork.png'} is not the picture this run was started with (its sha256 differs from "
                "run.json); put the original back or start a new run."
            )
        return artwork

    def finish(self) -> None:
        """Marks the run as finished in run.json."""
        self._become({**self._record, "state": FINISHED})

    # What the run has made

    def save_keyframe(self, name: str, picture: np.ndarray) -> Path:
        """Keeps the keyframe of this name, uint8 (H, W, 3), exactly; the path it was written to."""
        _check_pictures(picture, dimensions=3, name="keyframe")
        path = self.keyframe_path(name)
        _make_directory(path.parent)
        write_atomically(path, self._png(picture, self.keyframe_record(name)))
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

    def save_timelapse(
        self, frames: np.ndarray, fps: int, save_frames: bool = False, report: Report = lambda done, total: None
    ) -> Path:
        """Writes the video of frames uint8 (n, H, W, 3), and the frames themselves if asked; the path of the video.

        Frames of an earlier video are removed. report: called with (done, total) frames; what it raises ends it.
        """
        shutil.rmtree(self.path / "frames", ignore_errors=True)
        write_video(map(self._shown, counted(frames, report)), self.timelapse, fps, self.record("timelapse"))
        report(len(frames), len(frames))
        if save_frames:
            self.save_frames(frames)
        return self.timelapse

    def save_frames(self, frames: Iterable[np.ndarray]) -> Path:
        """Keeps every frame, uint8 (H, W, 3), as frames/00000.png and on, all or none; the folder they are in."""
        target = self.path / "frames"
        temporary = temporary_for(target)
        _make_directory(temporary)
        record = self.record("frame")
        try:
            for number, frame in enumerate(frames):
                _check_pictures(frame, dimensions=3, name=f"frame {number}")
                write_atomically(temporary / f"{number:05d}.png", self._png(self._shown(frame), record))
            with explained("write", target):
                if target.exists():
                    shutil.rmtree(target)
                os.replace(temporary, target)
                sync_folder(self.path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    # The inside

    def keyframe_record(self, name: str) -> Record:
        """What the keyframe of this name carries inside."""
        return self.record("keyframe", GIVEN if "-own-" in name else MADE)

    def keyframe_path(self, name: str) -> Path:
        """Where the keyframe of this name belongs."""
        return self.path / "keyframes" / f"{_checked_name(name)}.png"

    def segment_path(self, name: str) -> Path:
        """Where the segment of this name belongs."""
        return self.path / "segments" / f"{_checked_name(name)}.npz"

    def _become(self, record: dict) -> None:
        """Another record, on the disk first: what a failed write leaves is the state before, in memory as well."""
        write_run_record(self.path / "run.json", record)
        self._record = record

    @staticmethod
    def _png(picture: np.ndarray, record: Record) -> bytes:
        return embed(encode_png(picture), record)

    @property
    def _has_mark(self) -> bool:
        options = self._record["settings"].get("options")
        return isinstance(options, dict) and bool(options.get("mark"))

    def _shown(self, frame: np.ndarray) -> np.ndarray:
        """A frame as the video shows it: with the visible mark, if the options ask for it."""
        return marked(frame) if self._has_mark else frame

    def _refuse_other_run(self, settings: dict, artwork: np.ndarray) -> None:
        found = list(differences(self._record["settings"], settings))
        if described(artwork) != self._record["artwork"]:
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


def _make_directory(path: Path) -> None:
    with explained("make", path):
        path.mkdir(parents=True, exist_ok=True)


def _check_pictures(pictures: np.ndarray, dimensions: int, name: str) -> None:
    shape = getattr(pictures, "shape", ())
    if getattr(pictures, "dtype", None) != np.uint8 or len(shape) != dimensions or shape[-1] != 3 or 0 in shape:
        expected = "(height, width, 3)" if dimensions == 3 else "(frames, height, width, 3)"
        raise TypeError(
            f"{name} has shape {tuple(shape)} and type {getattr(pictures, 'dtype', type(pictures).__name__)}; "
            f"give a uint8 RGB array {expected}."
        )


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[0-9a-z]+(-[0-9a-z]+)*", name):
        raise ValueError(f"a piece of a run is named {name!r}; use small letters, digits and hyphens")
    return name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
