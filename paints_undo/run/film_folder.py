"""The film of a run folder: its video, and its frames where they are asked for; and what a run's files say inside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained, sync_folder, temporary_for, write_atomically
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.video import write_video
from paints_undo.progress import Report, counted, no_report
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.marks import marked
from paints_undo.provenance.records import MADE, Record
from paints_undo.run.pieces import check_pictures, digest_of, file_digest
from paints_undo.run.recorded_folder import RecordedFolder, make_directory


class FilmFolder(RecordedFolder):
    """A recorded folder that keeps a film."""

    def record(self, piece: str, contents: str = MADE) -> Record:
        """What a picture or video of this run carries inside: what it is, and everything it was made with."""
        kept = {name: self._record[name] for name in ("artwork", "settings", "timeline", "packages")}
        return Record(piece, contents, version=self.packages.get("paints_undo", ""), id=self.id, **kept)

    @property
    def packages(self) -> dict[str, str]:
        """The package versions the run was started with, as :func:`package_versions` gives them."""
        return dict(self._record["packages"])

    @property
    def timelapse_file(self) -> Path:
        """Where the video of this run belongs."""
        return self.path / "timelapse.mp4"

    def save_timelapse(
        self, frames: np.ndarray, fps: int, save_frames: bool = False, report: Report = no_report
    ) -> Path:
        """Writes the video of frames uint8 (n, H, W, 3), and the frames themselves if asked; the path of the video.

        Frames of an earlier video are removed. report: called with (done, total) frames; what it raises ends it.
        """
        with self._in_place():
            shutil.rmtree(self.path / "frames", ignore_errors=True)
            shown = self._shown_one_by_one(frames, counted(frames, report))
            write_video(shown, self.timelapse_file, fps, self.record("timelapse"))
        self._note({self._place(self.timelapse_file): file_digest(self.timelapse_file) or ""}, instead_of="frames/")
        report(len(frames), len(frames))
        if save_frames:
            self.save_frames(frames)
        return self.timelapse_file

    @property
    def has_frames(self) -> bool:
        """Whether the frames were kept, too."""
        if self.digests is None:
            return (self.path / "frames").is_dir()
        return any(place.startswith("frames/") for place in self.digests)

    @property
    def frames_are_whole(self) -> bool:
        """Whether the frames were kept and each is still the one that was; reads them."""
        places = [place for place in self.digests or () if place.startswith("frames/")]
        return self.has_frames and all(self.is_whole(self.path / place) for place in places)

    def save_frames(self, frames: Iterable[np.ndarray]) -> Path:
        """Keeps every frame, uint8 (H, W, 3), as frames/00000.png and on, all or none; the folder they are in."""
        target = self.path / "frames"
        temporary = temporary_for(target)
        record, digests = self.record("frame"), {}
        try:
            with self._in_place():
                make_directory(temporary)
            for number, frame in enumerate(frames):
                check_pictures(frame, dimensions=3, name=f"frame {number}")
                content = self._png(self._shown(frame), record)
                write_atomically(temporary / f"{number:05d}.png", content)
                digests[f"frames/{number:05d}.png"] = digest_of(content)
            self._note(digests, instead_of="frames/")
            with self._in_place(), explained("write", target):
                if target.exists():
                    shutil.rmtree(target)
                os.replace(temporary, target)
                sync_folder(self.path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    @staticmethod
    def _png(picture: np.ndarray, record: Record) -> bytes:
        return embed(encode_png(picture), record)

    @property
    def _has_mark(self) -> bool:
        return bool(self._record["settings"].get("options", {}).get("mark", False))

    def _shown(self, frame: np.ndarray) -> np.ndarray:
        """A frame as the video shows it: with the visible mark, if the options ask for it."""
        return marked(frame) if self._has_mark else frame

    def _shown_one_by_one(self, frames: np.ndarray, drawn: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The frames as the video shows them, as they are drawn; whoever shows them elsewhere, too, takes them here."""
        return map(self._shown, drawn)
