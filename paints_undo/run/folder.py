"""The run folder: one artwork's settings and everything made from it, kept so that a run can be resumed and replayed.

    run.json                          settings, timeline, package versions, the artwork's sha256 and that of every
                                      piece's file, running or finished
    artwork.png                       the artwork as it was read
    operations.json.gz                every stroke, where the artwork is drawn in strokes
    keyframes/0400-12345-3fa9....png  one picture per operation step, seed and settings, exact
    segments/0400-0600-3fa9....npz    the frames between two keyframes under the name "frames", exact
                                      (``numpy.load`` reads it); another picture, seed or setting is another name
    frames/00000.png                  every frame of the timelapse, only when asked for
    timelapse.mp4                     the video

Every file is written beside its place and moved there when it is complete, so whatever carries its final name is whole.
Its digest is in run.json before that: a file with another one was replaced or damaged, and counts as not there.
One folder belongs to one process at a time: see :meth:`RunFolder.held`.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from paints_undo.atomic import explained, temporaries, temporary_for, write_atomically
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import Report
from paints_undo.provenance.records import FORMAT, GIVEN, MADE, Record
from paints_undo.run.film_folder import FilmFolder
from paints_undo.run.folder_names import run_folder_for
from paints_undo.run.locks import LOCK
from paints_undo.run.pieces import (
    check_pictures,
    checked_name,
    digest_of,
    packed_segment,
    read_segment,
)
from paints_undo.run.plain_values import differences, plain
from paints_undo.run.record import (
    FINISHED,
    RUNNING,
    described,
    package_versions,
    picture_digest,
    read_run_record,
    write_run_record,
)
from paints_undo.run.recorded_folder import EXPORTS, make_directory
from paints_undo.run.run import Run
from paints_undo.run.timeline import Timeline, keyframe_names, segment_names
from paints_undo.strokes.tags import telling
from paints_undo.timelapse import Timelapse

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

__all__ = ["EXPORTS", "FORMAT", "RunFolder", "package_versions", "picture_digest", "run_folder_for", "write_atomically"]

logger = logging.getLogger(__name__)

R = TypeVar("R", bound="RunFolder")


class RunFolder(FilmFolder, Run):
    """One run on disk; made by :meth:`create` (new or resumed) or :meth:`open` (existing), never directly."""

    _process: Process | None = None

    @classmethod
    def create(cls: type[R], folder: str | Path, settings: dict, timeline: Timeline, artwork: np.ndarray) -> R:
        """The run folder for ``settings`` and ``artwork``: a new one, or the one already there if it is the same run.

        ``settings`` holds plain JSON values under string keys (tuples become lists), the options among them; the
        timeline of a folder that is already there stays, since a person may have changed it. ``artwork`` is uint8 RGB
        (H, W, 3). Raises InputError when the folder holds another run or anything else, TypeError for a setting that
        JSON would not give back unchanged, OSError (one sentence) when the folder cannot be written.
        """
        path = Path(folder)
        settings = plain(settings, "settings")
        check_pictures(artwork, dimensions=3, name="artwork")
        if (path / "run.json").exists():
            run = cls.open(path)
            run._refuse_other_run(settings, artwork)
            run.keep_artwork(artwork)
            return run
        make_directory(path, parents=True)
        # artwork.png alone is what an interrupted start leaves behind; anything else is not ours to mix with.
        known = {"artwork.png", LOCK, *(leftover.name for leftover in temporaries(path))}
        foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in known)
        if foreign:
            sentence = "The folder {path} holds files that belong to no run ({file}); choose an empty or a new folder."
            raise InputError(sentence, path, foreign[0])
        record = {
            "format": FORMAT,
            "id": secrets.token_hex(8),
            "state": RUNNING,
            "artwork": described(artwork),
            "packages": package_versions(),
            "settings": settings,
            "timeline": timeline.to_record(),
        }
        run = cls(path, record)
        content = run._png(artwork, run.record("artwork", GIVEN))
        record["pieces"] = {run.artwork_file.name: digest_of(content)}
        with run.held():
            write_atomically(run.artwork_file, content)
            write_run_record(path / "run.json", record)  # last: a folder with a run.json is complete
        return run

    @classmethod
    def open(cls: type[R], folder: str | Path) -> R:
        """The run kept in ``folder``. Removes what an interrupted write left. Raises InputError if there is none."""
        path = Path(folder)
        if not (path / "run.json").is_file():
            raise InputError("There is no run in {path} (no run.json); give the folder of an earlier run.", path)
        run = cls(path, read_run_record(path / "run.json"))
        with contextlib.suppress(InputError, OSError), run.held():
            pass  # a run in other hands, or one that can only be read, is read all the same
        return run

    # What the run is

    @property
    def settings(self) -> dict:
        """A copy of the settings given to :meth:`create`, with lists for tuples."""
        return copy.deepcopy(self._record["settings"])

    @property
    def options(self) -> UndoOptions:
        """What was chosen. Raises InputError where run.json holds no options of this version."""
        if "options" not in self._record["settings"]:
            raise InputError("the run.json in {folder} records no options; start a new run", self.path)
        return UndoOptions.from_settings(self._record["settings"]["options"])

    @property
    def timeline(self) -> Timeline:
        """The timeline. Raises InputError where run.json holds none of this version."""
        return Timeline.from_record(self._record["timeline"])

    def change(self, options: UndoOptions, timeline: Timeline) -> None:
        """Keep other options and another timeline; the run is then unfinished."""
        settings = {**self._record["settings"], "options": plain(options.to_settings(), "options")}
        with self.held():
            self._become({**self._record, "settings": settings, "timeline": timeline.to_record(), "state": RUNNING})
        self._process = None

    def copied_to(self: R, folder: str | Path) -> R:
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
    def artwork_size(self) -> tuple[int, int]:
        """Height and width of the artwork."""
        return self._record["artwork"]["height"], self._record["artwork"]["width"]

    @property
    def finished(self) -> bool:
        """Whether :meth:`finish` was called."""
        return self._record["state"] == FINISHED

    @property
    def artwork_file(self) -> Path:
        """Where the artwork of this run belongs."""
        return self.path / "artwork.png"

    @property
    def artwork(self) -> np.ndarray:
        """The artwork, uint8 (H, W, 3).

        Raises InputError when artwork.png is gone or another picture, MovedFolder when the whole folder is.
        """
        try:
            artwork = read_picture(self.artwork_file)
        except InputError:
            self._there()
            raise
        if not self.is_of(artwork):
            raise InputError(
                "{file} is not the picture this run was started with (its sha256 differs from run.json); put "
                "the original back or start a new run.",
                self.artwork_file,
            )
        return artwork

    @property
    def is_complete(self) -> bool:
        """Whether it is finished and all of it is still there as it was made; reads every piece."""
        return self.finished and all(map(self.is_whole, self.files)) and self.has_frames == self.frames_are_whole

    def keep_timelapse(self, timelapse: Timelapse, anew: bool, save_frames: bool, report: Report) -> None:
        """Write the video and finish the run, unless that was done and the video is the one of these segments."""
        # without digests nobody can tell whether the video that is there is
        if anew or not self.finished or self.digests is None or not self.is_whole(self.timelapse_file):
            save_frames = save_frames or self.has_frames and self.finished
            self.save_timelapse(timelapse.frames, self.options.fps, save_frames, report)
            self.finish()
        elif (save_frames or self.has_frames) and not self.frames_are_whole:
            self.save_frames(timelapse.frames)

    def finish(self) -> None:
        """Marks the run as finished in run.json."""
        self._become({**self._record, "state": FINISHED})

    # What the run has made

    def is_of(self, artwork: np.ndarray) -> bool:
        """Whether this is the picture, uint8 (H, W, 3), that the run was started with."""
        return described(artwork) == self._record["artwork"]

    def keep_artwork(self, artwork: np.ndarray) -> None:
        """Put the artwork back where its file is gone or another one; artwork is the very picture, uint8 (H, W, 3)."""
        whole = self.is_whole(self.artwork_file)
        if self.digests is None and whole:
            with contextlib.suppress(InputError):
                whole = self.artwork is not None
        if not whole:
            with self.held():
                self._keep(self.artwork_file, self._png(artwork, self.record("artwork", GIVEN)))

    @property
    def operations_file(self) -> Path:
        """Where the operations of a run that is drawn in strokes belong."""
        return self.path / "operations.json.gz"

    def process(self) -> Process | None:
        """The operations kept for this run; None, and a warning, where the file is not the one that it made."""
        from paints_undo.strokes.process import Process, digest  # scipy takes a while, and other runs need none of it

        if self._process is None and self.is_whole(self.operations_file):
            found = Process.read(self.operations_file, self.artwork)
            own = self.own_sketch()
            drawing, plan = self.options.keyframes, found.plan
            wanted = drawing.seed, self.options.route, "" if own is None else digest(own), telling(drawing.prompt)
            if (plan.seed, plan.asked, plan.sketch, plan.tags) == wanted:
                self._process = found
        elif self._process is None and self.operations_file.exists():
            logger.warning("%s is damaged or was replaced and will be made again", self.operations_file)
        return self._process

    def keep_process(self, process: Process) -> None:
        """Keep the operations that draw the artwork, in operations.json.gz."""
        self._keep(self.operations_file, process.to_bytes())
        self._process = process

    def save_keyframe(self, name: str, picture: np.ndarray) -> Path:
        """Keeps the keyframe of this name, uint8 (H, W, 3), exactly; the path it was written to."""
        check_pictures(picture, dimensions=3, name="keyframe")
        path, there = self.keyframe_path(name), self.keyframe_named(name)
        if there is None or not np.array_equal(there, picture):
            self._keep(path, self._png(picture, self.keyframe_record(name)))
        return path

    def keyframe_named(self, name: str) -> np.ndarray | None:
        """The keyframe of this name, uint8 (H, W, 3); None when it is not there, damaged or another file."""
        return self._read(self.keyframe_path(name), read_picture)

    def save_segment(self, name: str, frames: np.ndarray) -> Path:
        """Keeps the segment of this name, uint8 (n, H, W, 3), exactly; the path it was written to."""
        path = self.segment_path(name)
        self._keep(path, packed_segment(frames))
        return path

    def segment_named(self, name: str) -> np.ndarray | None:
        """The segment of this name, uint8 (n, H, W, 3); None when it is not there, damaged or another file."""
        return self._read(self.segment_path(name), read_segment)

    # The inside

    @property
    def files(self) -> list[Path]:
        """Where everything is that the timeline asks for: artwork, video, keyframes and segments."""
        files = [self.artwork_file, self.timelapse_file]
        if "options" in self._record["settings"]:
            files += map(self.keyframe_path, self.keyframe_names)
            files += map(self.segment_path, self.segment_names)
            files += [self.operations_file] * self.options.in_strokes
        return files

    def has_keyframe(self, name: str) -> bool:
        """Whether the keyframe of this name is there and the one that this run made; reads its file."""
        return self.is_whole(self.keyframe_path(name))

    def has_segment(self, name: str) -> bool:
        """Whether the segment of this name is there and the one that this run made; reads its file."""
        return self.is_whole(self.segment_path(name))

    def would_lose(self, timeline: Timeline, options: UndoOptions) -> tuple[int, int]:
        """How many keyframes and segments that are there would fit neither this timeline nor these options."""
        keyframes = map(self.keyframe_path, {*self.keyframe_names} - {*keyframe_names(timeline, options)})
        others = set() if options.in_strokes else {*segment_names(timeline, options)}
        segments = map(self.segment_path, {*self.segment_names} - others)
        return sum(file.exists() for file in keyframes), sum(file.exists() for file in segments)

    def keyframe_record(self, name: str) -> Record:
        """What the keyframe of this name carries inside."""
        return self.record("keyframe", GIVEN if "-own-" in name else MADE)

    def keyframe_path(self, name: str) -> Path:
        """Where the keyframe of this name belongs."""
        return self.path / "keyframes" / f"{checked_name(name)}.png"

    def segment_path(self, name: str) -> Path:
        """Where the segment of this name belongs."""
        return self.path / "segments" / f"{checked_name(name)}.npz"

    def _refuse_other_run(self, settings: dict, artwork: np.ndarray) -> None:
        found = list(differences(self._record["settings"], settings))
        if not self.is_of(artwork):
            found.insert(0, "the artwork is another picture")
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise InputError(
                "{folder} holds another run: {differences}; choose another output folder or delete "
                "this one to start again.",
                self.path,
                "; ".join(found[:3]) + more,
            )
        changed = list(differences(self.packages, package_versions()))
        if changed:
            logger.warning("%s was started with other package versions (%s)", self.path, "; ".join(changed))
