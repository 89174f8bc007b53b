"""The course of a run as pictures: the heat map, and the curves of one or two runs."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from paints_undo.atomic import explained
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source
from paints_undo.finishing.settling import hold_still, match_colours
from paints_undo.process.charts import Mark, chart, to_picture, to_svg
from paints_undo.process.curves import Curves, measure
from paints_undo.process.heat_map import heat_map, painting_times
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.records import Record, xmp_packet

HEAT_MAP_SIDE = 1600  # pixels of the longer side, where the person chooses none


def curves_of(source: Source) -> Curves:
    """Coverage, ink, colour and distance of a run's frames."""
    frames, finished = map(source.fit.uncover, (source.frames, source.finished_small))
    return measure(match_colours(frames, finished), finished)


def write_heat_map(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: when each part of the picture was painted."""
    size = source.sized(options.longest_side or HEAT_MAP_SIDE)
    times = painting_times(hold_still(match_colours(source.frames, source.finished_small)))
    placement = source.placement.of_resized(source.size, size)
    (sx, sy), (ox, oy) = placement.scale, placement.offset
    matrix = np.array([[sx, 0, 0.5 * sx + ox - 0.5], [0, sy, 0.5 * sy + oy - 0.5]])
    enlarged = cv2.warpAffine(
        times, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    artwork = cv2.resize(source.artwork, size, interpolation=cv2.INTER_AREA)
    _save(heat_map(_smooth(enlarged, 1 / sx), artwork), path, source.described("heat map"))


def write_curves_svg(source: Source, path: Path, options: ExportOptions) -> None:
    """SVG: the curves of the run."""
    record = source.described("curves")
    drawn = to_svg(
        curves_chart({source.name: source}, options.title or source.name), record.statement, _metadata(record)
    )
    with explained("write", path):
        path.write_text(drawn, encoding="utf-8")


def write_curves_png(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: the curves of the run."""
    drawn = to_picture(curves_chart({source.name: source}, options.title or source.name))
    _save(drawn, path, source.described("curves"))


def curves_chart(runs: dict[str, Source], title: str = "") -> list[Mark]:
    """The chart of one run, or of two to compare."""
    return chart({name: curves_of(source) for name, source in runs.items()}, title)


def write_comparison(first: Source, second: Source, path: Path, kind: str, title: str = "") -> None:
    """kind ".svg" or ".png": the curves of two runs in one chart. It carries the first run's record."""
    names = [first.name, second.name if second.name != first.name else f"{second.name} (2)"]
    marks, record = curves_chart(dict(zip(names, (first, second), strict=True)), title), first.described("curves")
    if kind == ".svg":
        with explained("write", path):
            path.write_text(to_svg(marks, record.statement, _metadata(record)), encoding="utf-8")
    else:
        _save(to_picture(marks), path, record)


def _metadata(record: Record) -> str:
    """The XMP packet without its wrapper, which is no XML that may stand inside of other XML."""
    return xmp_packet(record).decode("utf-8").partition("?>")[2].rpartition("<?")[0]


def _smooth(times: np.ndarray, radius: float) -> np.ndarray:
    """Without the steps of the small pixels; NaN stays apart."""
    known = np.isfinite(times).astype(np.float32)
    spread, share = (
        cv2.GaussianBlur(plane, (0, 0), max(0.5, radius / 2)) for plane in (np.nan_to_num(times) * known, known)
    )
    return np.where(share > 0.5, spread / np.maximum(share, 1e-6), np.nan)


def _save(picture: np.ndarray, path: Path, record: Record) -> None:
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "PNG", optimize=True)
    with explained("write", path):
        path.write_bytes(embed(packed.getvalue(), record))
