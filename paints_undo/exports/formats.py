"""The formats by name, and the export of a run into some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from paints_undo.atomic import LONG_AGO, explained, sweep, written_atomically
from paints_undo.errors import FileError, InputError, sentence_of
from paints_undo.exports import (
    animations,
    charts,
    heat_map,
    layers,
    player,
    sheets,
    stroke_layers,
    vector,
    videos,
)
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source
from paints_undo.progress import OnProgress, Progress, ignore

Write = Callable[[Source, Path, ExportOptions], None]


@dataclass(frozen=True)
class Format:
    """write(source, path, options) makes one whole file at the path."""

    file: str
    words: str
    write: Write | None  # None for what only a drawing in strokes has
    write_strokes: Write | None = None  # where it is drawn in strokes, if that is another way

    def of(self, source: Source) -> Write | None:
        """How the file of this run is written; None where there is none of it."""
        return (source.process and self.write_strokes) or self.write


FORMATS = {
    "mp4": Format("timelapse.mp4", "video, H.264, plays everywhere", videos.write_h264),
    "av1": Format("timelapse-av1.mp4", "video, AV1, a fraction of the size", videos.write_av1),
    "webm": Format("timelapse.webm", "video, VP9", videos.write_webm),
    "webm-alpha": Format(
        "timelapse-transparent.webm", "video, VP9, on transparent canvas", videos.write_transparent_webm
    ),
    "instagram": Format(
        "timelapse-instagram.mp4", "video for a post, 1080 × 1350, 15 s", partial(videos.write_post, place="instagram")
    ),
    "reel": Format(
        "timelapse-reel.mp4",
        "upright video for reels and shorts, 1080 × 1920, 30 s",
        partial(videos.write_post, place="reel"),
    ),
    "youtube": Format(
        "timelapse-youtube.mp4", "video for YouTube, 1920 × 1080, 60 s", partial(videos.write_post, place="youtube")
    ),
    "gif": Format("timelapse.gif", "animation, at most 8 MB", animations.write_gif),
    "webp": Format("timelapse.webp", "animation", animations.write_webp),
    "apng": Format("timelapse-animated.png", "animation without loss", animations.write_apng),
    "frames": Format("frames.zip", "every frame as PNG", videos.write_png_frames),
    "psd": Format(
        "layers.psd", "the layers, for Photoshop and Clip Studio", layers.write_psd, stroke_layers.write_stroke_psd
    ),
    "ora": Format("layers.ora", "the layers, for Krita and GIMP", layers.write_ora, stroke_layers.write_stroke_ora),
    "lineart": Format(
        "line-art.zip", "the lines as transparent PNG", layers.write_line_art, stroke_layers.write_stroke_lines
    ),
    "flats": Format(
        "flats.zip", "flat colours, shadow and light as transparent PNG (strokes only)", None, stroke_layers.write_flats
    ),
    "svg": Format(
        "strokes.svg", "every stroke as a path, for Inkscape and Illustrator (strokes only)", None, vector.write_svg
    ),
    "svg-animated": Format(
        "strokes-animated.svg",
        "the strokes one after another, in any browser (strokes only)",
        None,
        vector.write_animated_svg,
    ),
    "contact": Format("contact-sheet.png", "twenty moments on one sheet", sheets.write_contact_sheet),
    "steps": Format("steps.pdf", "numbered steps to print and learn from", sheets.write_step_sheet_pdf),
    "steps-png": Format("steps.png", "the same as a picture", sheets.write_step_sheet_png),
    "html": Format("player.html", "a page that plays it back and forth, offline", player.write_player),
    "heatmap": Format("heat-map.png", "when each part was painted", heat_map.write_heat_map),
    "curves": Format("curves.svg", "coverage, ink, colour, and distance over time", charts.write_curves_svg),
    "curves-png": Format("curves.png", "the same as a picture", charts.write_curves_png),
}


def chosen_formats(names: str | Sequence[str], source: Source | None = None) -> list[str]:
    """The names of formats, each once, from "psd,gif" or a list; "all" is every one that there is of the source.

    Raises InputError for unknown ones, and for those that there are not of the source.
    """
    given = names.split(",") if isinstance(names, str) else names
    wanted = [str(name).strip().lower() for name in given if str(name).strip()]
    if not wanted:
        raise InputError("no format is given; use one or more of {choices}", ", ".join(FORMATS))
    if wanted == ["all"]:
        return [name for name, each in FORMATS.items() if source is None or each.of(source)]
    for name in wanted:
        if name not in FORMATS:
            raise InputError("format is {name!r}; use one or more of {choices}, or all", name, ", ".join(FORMATS))
        if source is not None and FORMATS[name].of(source) is None:
            raise InputError("{name} needs an artwork that is drawn in strokes, and networks drew this one", name)
    return list(dict.fromkeys(wanted))


def export(
    source: Source,
    names: str | Sequence[str],
    out: str | Path,
    options: ExportOptions | None = None,
    on_progress: OnProgress = ignore,
) -> dict[str, Path]:
    """Write the formats into the folder `out`; their paths by name. Each file appears when it is whole.

    on_progress is called before each format and each frame; what it raises ends the export.

    Raises InputError for an unknown format and for what a format cannot hold, OSError (one sentence) when the folder
    cannot be written; formats that were done before stay.
    """
    wanted, folder, options = chosen_formats(names, source), Path(out), options or ExportOptions()
    with explained("make", folder):
        folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, LONG_AGO)
    done = {}
    told = Progress("export", wanted[0], 0, len(wanted))
    source = replace(source, tick=lambda: on_progress(told))
    for number, name in enumerate(wanted):
        told = Progress("export", name, number, len(wanted))
        on_progress(told)
        path, write = folder / FORMATS[name].file, FORMATS[name].of(source)
        assert write is not None, "chosen_formats leaves out what there is not"
        with written_atomically(path) as temporary:
            try:
                write(source, temporary, options)
            except OSError as error:
                raise _renamed(error, temporary.name, path.name) from error
        done[name] = path
    on_progress(Progress("export", wanted[-1], len(wanted), len(wanted)))
    return done


def _renamed(error: OSError, written: str, wanted: str) -> FileError:
    """The error about the file that was asked for, not about the one it is written in."""
    failure = FileError(sentence_of(error).changed(lambda text: text.replace(written, wanted)))
    failure.errno = error.errno
    return failure
