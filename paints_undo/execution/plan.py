"""What a plan says: how much of a run is on the compute device at once, and what a run by it takes; plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace

NAMES = ("resident", "stage", "sliced", "streamed", "least")
"""The steps down, in order: each needs less device memory than the one before; all give the same but for rounding."""

GIB = 2**30
WORKSPACE = GIB // 2  # what libraries take for themselves beside the tensors
HOST_BUDGET = 4 * GIB  # of networks kept in the host's memory after use: all, in float32, would not fit together
HEADROOM = 1.05  # memory lost between tensors


@dataclass(frozen=True)
class Plan:
    """What is on the device at once; every plan gives the same pictures, up to rounding."""

    name: str  # one of NAMES
    keep: bool  # networks stay on the device between uses
    guidance_batch: bool = True  # with and against the conditions as one batch of two, or in two passes
    keyframes_at_once: int = 1  # keyframes denoised as one batch
    pairs_at_once: int = 1  # segments denoised as one batch
    lanes: int = 1  # batches, and segments decoded, side by side on a CPU, each on its share of the cores
    feed_forward_pieces: int = 1  # tokens pass the feed-forward layers in so many pieces
    decoded_frames: int | None = None  # frames of a segment decoded at a time; None: all
    spill: bool = False  # the decoder's activations wait on the host between its passes
    ring: int | None = None  # bytes of device memory through which networks larger than it stream; None: they are whole
    pinned: int = 0  # bytes of host memory that may be pinned


RESIDENT = Plan("resident", keep=True, keyframes_at_once=8, decoded_frames=2)
STAGE = Plan("stage", keep=False, feed_forward_pieces=4, decoded_frames=4)
SLICED = replace(STAGE, name="sliced", guidance_batch=False, decoded_frames=2)
STREAMED = replace(STAGE, name="streamed", decoded_frames=1, ring=9 * GIB // 16, pinned=4 * GIB)
LEAST = replace(STREAMED, name="least", guidance_batch=False, spill=True, ring=5 * GIB // 16)
LADDER = (RESIDENT, STAGE, SLICED, STREAMED, LEAST)


def one_by_one(plan: Plan) -> Plan:
    """The plan with everything computed alone, in the shapes of the original's."""
    return replace(plan, guidance_batch=False, keyframes_at_once=1, pairs_at_once=1, lanes=1)


def next_plan_down(plan: Plan) -> Plan | None:
    """The plan that needs less device memory than this one; None below the last."""
    usual = LADDER[NAMES.index(plan.name)]
    if plan.pairs_at_once > usual.pairs_at_once or (plan.decoded_frames is None and usual.decoded_frames is not None):
        return replace(usual, pinned=plan.pinned)
    below = LADDER[NAMES.index(plan.name) + 1 :]
    return below[0] if below else None


@dataclass(frozen=True)
class Work:
    """The sizes of one run."""

    keyframes: int = 6
    keyframe_size: tuple[int, int] = (512, 640)  # width, height
    pairs: int = 7
    video_size: tuple[int, int] = (448, 384)  # height, width
    keyframe_sampling_steps: int = 50
    video_sampling_steps: int = 50
    guided: bool = True  # whether both guidance branches are computed


@dataclass(frozen=True)
class Candidate:
    """A plan, and what a run by it takes."""

    plan: Plan
    peak: int  # bytes of tensors on the device
    flop: float | None  # None where nobody counted

    @property
    def need(self) -> int:
        """Bytes that should be free for it."""
        return int(self.peak * HEADROOM) + WORKSPACE
