"""An artwork's drawing process: its plan, every canvas on the way, and the file that keeps it."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from paints_undo.atomic import write_atomically
from paints_undo.errors import InputError
from paints_undo.progress import Report, no_report
from paints_undo.strokes.canvas import Canvas, paper
from paints_undo.strokes.operations import LAYERS, OWNING, PHASES, TOTAL, Operation, Plan, strongest
from paints_undo.strokes.planner import exact, make_plan
from paints_undo.strokes.regions import PAPER
from paints_undo.strokes.separation import finish
from paints_undo.strokes.tags import telling

LONGEST_PLANNED = 1536  # pixels: a larger artwork is planned at this size and drawn at its own
NARROWEST_PLANNED = 96  # pixels of the shorter side, even where the longer one is then more
FEWEST_PIXELS, SHORTEST = 14_000, 48  # that are drawn on: a smaller artwork is enlarged
NARROWEST = 60  # the longer side over the shorter
LARGE = 24_000_000  # bytes of an artwork whose layers are not held twice
FORMAT, VERSION = "paints-undo operations", 1


class Process:
    """How an artwork was drawn, in exactly 1,000 operations; safe to use from several threads, which take turns."""

    def __init__(self, plan: Plan, artwork: np.ndarray):
        """artwork: uint8 RGB (H, W, 3), of any size; what is drawn has its size."""
        self._planned = plan
        height, width = artwork.shape[:2]
        self.plan = plan if plan.size == (height, width) else _resized(plan, artwork)
        self.artwork = artwork
        self._canvas: Canvas | None = None
        self._turn = Lock()  # of the one who draws

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of them, the first stroke first; their points are in pixels of this size."""
        return self.plan.operations

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the canvas, pixels."""
        return self.plan.size

    @property
    def _drawn(self) -> Canvas:
        if self._canvas is None:
            self._canvas = Canvas(self.plan, finish(self.artwork, self.plan))
        return self._canvas

    def canvas(self, done: float, upright: bool = False, hidden: frozenset[str] = frozenset()) -> np.ndarray:
        """The canvas, uint8 (H, W, 3), after `done` operations, 0 to 1,000; a fraction is part of a stroke.

        upright: not mirrored while it is flipped, for what compares canvases.  hidden: layers to leave out, "paper"
        among them, for a whole `done`.
        """
        with self._turn:
            return self._drawn.after(float(np.clip(done, 0, len(self.operations))), upright, hidden)

    def canvases(self, dones: Iterable[float], upright: bool = False) -> Iterator[np.ndarray]:
        """The canvases after each of an ascending row of `done`."""
        return (self.canvas(done, upright) for done in dones)

    def layers(self, done: int = TOTAL) -> dict[str, np.ndarray]:
        """The layers, uint8 RGBA (H, W, 4), bottom first, after `done` operations; empty ones too.

        Laid over each other with plain 8-bit blending they are the canvas; while that is flipped, they are not.
        """
        with self._turn:
            canvas = self._drawn
            canvas.go_to(done)
            large = self.artwork.size > LARGE
            if large:  # no second copy of hundreds of megabytes: they are given away, and drawn anew if asked for again
                self._canvas = None
            out = {"paper": paper(*self.size)}
            for name in LAYERS:
                layer = canvas.layers.pop(name, None) if large else canvas.layers.get(name)
                layer = np.zeros((*self.size, 4), np.uint8) if layer is None else layer if large else layer.copy()
                layer[..., :3] = canvas.colours(name, layer)
                if canvas.opacity[name] < 1:
                    layer[..., 3] = np.rint(layer[..., 3] * np.float32(canvas.opacity[name]))
                out[name] = layer
            return out

    def at(self, height: int, width: int) -> Process:
        """The same process at another size."""
        how = cv2.INTER_AREA if height * width < self.artwork.shape[0] * self.artwork.shape[1] else cv2.INTER_CUBIC
        return Process(self._planned, cv2.resize(self.artwork, (width, height), interpolation=how))

    def write(self, path: Path) -> None:
        """Keep the process in a file, operations.json.gz."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What the file of the process holds."""
        plan = self._planned
        record = {
            "format": FORMAT,
            "version": VERSION,
            "artwork": digest(self.artwork),
            "height": plan.size[0],
            "width": plan.size[1],
            "seed": plan.seed,
            "asked": plan.asked,
            "sketch": plan.sketch,
            "tags": plan.tags,
            "route": plan.route,
            "reason": plan.reason,
            "operations": [_record(operation) for operation in plan.operations],
            "owners": {phase: _as_png(owners) for phase, owners in plan.owners.items()},
            "matte": _as_png(plan.matte),
        }
        return gzip.compress(json.dumps(record, separators=(",", ":")).encode(), 6, mtime=0)

    @classmethod
    def read(cls, path: Path, artwork: np.ndarray) -> Process:
        """The process in a file. Raises InputError where it is damaged, of another program or of another artwork."""
        path, artwork = Path(path), large_enough(artwork)
        try:
            record = json.loads(gzip.decompress(path.read_bytes()))
            if not isinstance(record, dict) or record.get("format") != FORMAT:
                raise InputError("{path} holds no operations of a drawing", path)
            if record.get("version") != VERSION:
                sentence = "{path} is of version {version} of the operations' format, and this program reads {known}"
                raise InputError(sentence, path, record.get("version"), VERSION)
            if record["artwork"] != digest(artwork):
                raise InputError("the operations in {path} are those of another artwork", path)
            plan = _plan_of(record)
        except InputError:
            raise
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, binascii.Error, cv2.error) as error:
            sentence = "the operations in {path} cannot be read ({reason}); delete the file, and they are planned anew"
            raise InputError(sentence, path, error) from None
        return cls(plan, artwork)


def plan_process(
    artwork: np.ndarray,
    seed: int = 0,
    route: str = "auto",
    sketch: np.ndarray | None = None,
    prompt: str = "",
    report: Report = no_report,
) -> Process:
    """A believable process for an artwork, uint8 RGB (H, W, 3); the same for the same picture and choices.

    route: "auto", "illustration" or "painting".  sketch: uint8 RGB of any size, a sketch of one's own for the artwork,
    whose lines become the sketch.  prompt: tags of the artwork, a few of which help to decide.  report: called on the
    way with how much is done, of how much, and what the first strokes look like; what it raises ends the planning.
    Raises InputError for a picture with nothing to draw.
    """
    artwork = large_enough(artwork)
    height, width = artwork.shape[:2]
    scale = min(1.0, LONGEST_PLANNED / max(height, width))
    if min(height, width) * scale < NARROWEST_PLANNED:
        scale = min(1.0, NARROWEST_PLANNED / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    planned = cv2.resize(artwork, size, interpolation=cv2.INTER_AREA) if scale < 1 else artwork
    traced = None if sketch is None else cv2.resize(sketch, size, interpolation=cv2.INTER_AREA)
    plan = make_plan(planned, seed, route, traced, telling(prompt), report)
    return Process(plan if sketch is None else dataclasses.replace(plan, sketch=digest(sketch)), artwork)


def large_enough(artwork: np.ndarray) -> np.ndarray:
    """An artwork, uint8 RGB (H, W, 3), in which a thousand strokes have room: a small one enlarged.

    Each of its pixels is then a square, so that every third, or every tenth, pixel of what is drawn is the artwork.
    Raises InputError for what is too long and narrow, and for a sheet with nothing on it.
    """
    height, width = artwork.shape[:2]
    if max(height, width) > NARROWEST * min(height, width):
        sentence = (
            "the picture is {width} x {height} pixels; to be drawn, its longer side may be {most} times the shorter"
        )
        raise InputError(sentence, width, height, NARROWEST)
    if not (strongest(255 - artwork) > 255 - PAPER).any():
        raise InputError("there is nothing to draw in this picture; it is a white sheet")
    times = int(np.ceil(np.sqrt(FEWEST_PIXELS / (height * width))))
    times = max(times, int(np.ceil(SHORTEST / min(height, width))))
    return np.ascontiguousarray(artwork if times < 2 else artwork.repeat(times, 0).repeat(times, 1))


def digest(artwork: np.ndarray) -> str:
    """The sha256 of a picture's size and pixels."""
    size = "x".join(map(str, artwork.shape))
    return hashlib.sha256(size.encode() + np.ascontiguousarray(artwork).tobytes()).hexdigest()


def _resized(plan: Plan, artwork: np.ndarray) -> Plan:
    """The plan for the same artwork at another size."""
    height, width = artwork.shape[:2]
    scale = np.array([width / plan.size[1], height / plan.size[0], max(height, width) / max(plan.size)], np.float32)
    owners = {
        phase: cv2.resize(owned, (width, height), interpolation=cv2.INTER_NEAREST)
        for phase, owned in plan.owners.items()
    }
    how = cv2.INTER_AREA if height < plan.size[0] else cv2.INTER_LINEAR
    matte = cv2.resize(plan.matte, (width, height), interpolation=how)
    matte[owners["ink"] == 0] = 0
    moved = tuple(dataclasses.replace(operation, points=operation.points * scale) for operation in plan.operations)
    resized = dataclasses.replace(plan, operations=moved, owners=owners, matte=matte)
    return exact(resized, artwork)


def _record(operation: Operation) -> dict[str, Any]:
    values = dataclasses.asdict(operation)
    values["points"] = [round(float(value), 1) for value in operation.points.ravel()]
    if operation.colour is not None:
        values["colour"] = "#{:02x}{:02x}{:02x}".format(*operation.colour)
    return {
        name: value for name, value in values.items() if value not in (None, "") and (name, value) != ("opacity", 1.0)
    }


def _operation(values: dict[str, Any]) -> Operation:
    points = np.array(values["points"], np.float32).reshape(-1, 3)
    named = {name: str(values[name]) for name in ("phase", "layer", "brush")}
    colour = values.get("colour")
    rgb = bytes.fromhex(colour[1:]) if colour else None
    return Operation(
        **named,
        points=points,
        colour=None if rgb is None else (rgb[0], rgb[1], rgb[2]),
        opacity=float(values.get("opacity", 1.0)),
        kind=str(values.get("kind", "stroke")),
        title=str(values.get("title", "")),
    )


def _plan_of(record: dict[str, Any]) -> Plan:
    size = (int(record["height"]), int(record["width"]))
    operations = tuple(_operation(values) for values in record["operations"])
    if len(operations) != TOTAL or not all(o.phase in PHASES and o.layer in LAYERS for o in operations):
        raise ValueError("one of its operations is damaged")
    owners = {phase: _of_png(record["owners"][phase], size, np.uint16) for phase in OWNING}
    if any(int(owned.max(initial=0)) > len(operations) for owned in owners.values()):
        raise ValueError("a pixel belongs to no operation")
    matte = _of_png(record["matte"], size, np.uint8)
    return Plan(
        int(record["seed"]),
        str(record["asked"]),
        str(record["sketch"]),
        str(record["route"]),
        str(record["reason"]),
        operations,
        owners,
        matte,
        str(record.get("tags", "")),
    )


def _as_png(values: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 7])[1].tobytes()).decode()


def _of_png(text: str, size: tuple[int, int], kind: type) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(text, validate=True), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.shape != size or picture.dtype != kind:
        raise ValueError("one of its maps is damaged")
    return picture
