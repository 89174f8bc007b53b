"""Plans: how much of a run is on the compute device at once, from everything down to a few blocks of one network.

What a plan needs is predicted from the sizes of the weights, read from the files' headers, and from the activations of
the published networks, counted on PyTorch's meta device, which grow with the area and the width.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from memory_management import DTYPES, device_in_words, device_memory, picture_vae_dtype
from paints_undo.errors import InputError, Sentence
from paints_undo.execution.lanes import lanes_for
from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import GIB, HOST_BUDGET, LADDER, RESIDENT, Candidate, Plan, Work, one_by_one
from paints_undo.family.model_family import PARTS, ModelFamily
from paints_undo.family.weights import count_weights
from paints_undo.models.attention import KEEP_SCORES, MOST_SCORES
from paints_undo.models.video_vae_config import COMBINER_HEADS, CONVOLUTION_LEVELS
from paints_undo.options import UndoOptions
from paints_undo.pictures.fit import nearest_bucket

log = logging.getLogger(__name__)

LANE = GIB // 4  # on a CPU, activations of a lane: networks with more use all cores, and lanes fight for the cache
PROCESS = 3 * GIB // 4  # on a CPU: what the program, its libraries and what they keep for later take beside networks
HIDDEN_STATES = 2.8125  # what the decoder needs of a picture, in tensors of the size of its widest resolution
# The networks in the order in which a run uses them.
USES = (
    *("single_frame/text_encoder", "single_frame/vae", "single_frame/unet", "single_frame/vae"),
    *("multi_frame/vae", "multi_frame/text_encoder", "multi_frame/image_encoder", "multi_frame/image_projection"),
    *("multi_frame/unet", "multi_frame/vae"),
)
ENCODES = USES.index("multi_frame/vae")


def plans_for(family: ModelFamily, work: Work, device: torch.device, dtype: torch.dtype) -> list[Candidate]:
    """Every plan for this run, the fastest first, each with what it needs; reads headers and configurations only.

    On a CPU nothing moves, and a plan only says how much is computed at once.
    """
    if device.type == "cpu":
        usual = replace(RESIDENT, keyframes_at_once=1, decoded_frames=None)  # batches gain nothing there
        sliced = replace(usual, name="sliced", guidance_batch=False, decoded_frames=1)
        alone = max(count_activations(usual, family, work).values()) * dtype.itemsize
        most = lanes_for(torch.get_num_threads()) if alone <= LANE else 1
        plans = [*(replace(usual, lanes=lanes) for lanes in range(most, 0, -1) if most % lanes == 0), sliced]
    else:
        several = {min(work.pairs, 4): None, min(work.pairs, 2): RESIDENT.decoded_frames}
        roomy = [replace(RESIDENT, pairs_at_once=n, decoded_frames=f) for n, f in several.items() if n > 1]
        plans = [*roomy, *LADDER]
    dtypes = {part: dtype for part in PARTS} | {"single_frame/vae": picture_vae_dtype(device, dtype)}
    weights = {part: count_weights(family, part) * dtypes[part].itemsize for part in PARTS}
    flop = count_flop(family, work)
    return [Candidate(p, predict_peak(p, family, work, dtypes, weights, device.type), flop) for p in plans]


def predict_peak(
    plan: Plan,
    family: ModelFamily,
    work: Work,
    dtypes: dict[str, torch.dtype],
    weights: dict[str, int],
    kind: str,
) -> int:
    """Bytes of tensors on a device of this kind at the run's fullest moment; on a CPU those of the whole process."""
    counts = count_activations(plan, family, work)
    if kind in KEEP_SCORES:
        for part, scores in count_scores(plan, family, work).items():
            counts[part] += 2 * min(scores, MOST_SCORES)  # and their softmax
    active = {part: plan.lanes * count * dtypes[part].itemsize for part, count in counts.items()}
    total = sum(weights.values())
    if kind == "cpu":
        states = int(count_hidden_states(family, work) * dtypes["multi_frame/vae"].itemsize)
        uses = [
            (part, held + states * part.startswith("multi_frame"))  # of all pictures, from encoding to decoding
            for part, held in host_weights(weights)
        ]
        at_work = [held + active.get(part, 0) for part, held in uses[:ENCODES] + uses[ENCODES + 1 :]]
        return PROCESS + max(*at_work, uses[ENCODES][1])  # encoding one picture takes little beside what it gives
    if plan.keep:
        return total + max(active.values())
    there = {part: size if plan.ring is None else min(size, plan.ring) for part, size in weights.items()}
    return max(there[part] + active.get(part, 0) for part in PARTS)


def host_weights(weights: dict[str, int]) -> Iterator[tuple[str, int]]:
    """(part, bytes of all networks in the host's memory while it computes), use by use, as Parts keeps them."""
    kept: dict[str, int] = {}  # least recently used first
    for part in USES:
        kept.pop(part, None)
        kept[part] = weights[part]
        yield part, sum(kept.values())
        while sum(kept.values()) > HOST_BUDGET:
            del kept[next(iter(kept))]


def count_activations(plan: Plan, family: ModelFamily, work: Work) -> dict[str, float]:
    """The most numbers that live at once while a part computes, beside its weights; other parts need hardly any.

    The factors are counted on the published networks (see tests/test_execution_plans.py): so many tensors of the size
    of a network's widest resolution.
    """
    unet, picture_unet = family.config("multi_frame/unet"), family.config("single_frame/unet")
    vae, picture_vae = family.config("multi_frame/vae"), family.config("single_frame/vae")
    frames = unet.get("temporal_length", 16)
    branches = 2 if plan.guidance_batch and work.guided else 1

    pixels, picture_pixels = work.video_size[0] * work.video_size[1], work.keyframe_size[0] * work.keyframe_size[1]
    latent = pixels / 4 ** (len(vae["ch_mult"]) - 1)
    picture_latent = picture_pixels / 4 ** (len(picture_vae["block_out_channels"]) - 1)
    n = plan.feed_forward_pieces
    video = branches * plan.pairs_at_once * frames * latent * unet["model_channels"] * max(16.1, 10.1 + 15 / n)
    picture = (
        branches * min(plan.keyframes_at_once, work.keyframes) * picture_latent * picture_unet["block_out_channels"][0]
    )

    one_frame = pixels * vae["ch"]
    if plan.decoded_frames is None:
        decoding = frames * one_frame * 7.0 + 2 * one_frame * HIDDEN_STATES  # and those of both ends
    else:
        at_once = min(plan.decoded_frames, frames)
        decoding = frames * one_frame * ((0.31 + 0.33 * at_once) if plan.spill else (2.375 + 0.157 * at_once))
    return {
        "single_frame/unet": picture * max(14.1, 11.05 + 15 / n),
        "single_frame/vae": picture_pixels * picture_vae["block_out_channels"][0] * 6.0,
        "multi_frame/unet": video,
        "multi_frame/vae": max(decoding, one_frame * 5.05),
    }


def count_hidden_states(family: ModelFamily, work: Work) -> float:
    """How many numbers the encoder leaves for the decoder, of all pictures of a run."""
    return (work.pairs + 1) * HIDDEN_STATES * math.prod(work.video_size) * family.config("multi_frame/vae")["ch"]


def count_scores(plan: Plan, family: ModelFamily, work: Work) -> dict[str, float]:
    """How many scores, products of a query and a key, the largest attention of a part has."""
    unet, picture_unet = family.config("multi_frame/unet"), family.config("single_frame/unet")
    frames, branches = unet.get("temporal_length", 16), 2 if plan.guidance_batch and work.guided else 1
    pixels, picture_pixels = math.prod(work.video_size), math.prod(work.keyframe_size)
    latent = pixels / 4 ** (len(family.config("multi_frame/vae")["ch_mult"]) - 1)
    picture_latent = picture_pixels / 4 ** (len(family.config("single_frame/vae")["block_out_channels"]) - 1)
    heads = picture_unet.get("attention_head_dim", 8)  # which is how many there are, whatever diffusers calls it
    heads = heads if isinstance(heads, int) else heads[0]
    videos = branches * plan.pairs_at_once * frames * unet["model_channels"] / unet.get("num_head_channels", 64)
    looking, seen = min(plan.decoded_frames or frames, frames), pixels / 4 ** len(CONVOLUTION_LEVELS)
    return {
        "single_frame/unet": branches * min(plan.keyframes_at_once, work.keyframes) * heads * picture_latent**2,
        "single_frame/vae": picture_latent**2,
        "multi_frame/unet": videos * latent**2,
        "multi_frame/vae": looking * seen * 2 * seen * COMBINER_HEADS,
    }


def count_flop(family: ModelFamily, work: Work) -> float | None:
    """Floating-point operations of a run, counted at the published sizes; None for other networks."""
    unet, picture_unet = family.config("multi_frame/unet"), family.config("single_frame/unet")
    published = unet.get("model_channels"), tuple(unet.get("channel_mult", ())), picture_unet["block_out_channels"]
    if published != (320, (1, 2, 4, 4), [320, 640, 1280, 1280]):
        return None
    branches = 2 if work.guided else 1
    area = work.video_size[0] * work.video_size[1] / (448 * 384)
    picture_area = work.keyframe_size[0] * work.keyframe_size[1] / (512 * 640)
    keyframe = 1.042e12 * branches * work.keyframe_sampling_steps + 3.15e12  # sampled, decoded
    pair = 13.27e12 * branches * work.video_sampling_steps + 40.2e12 + 3.1e12  # sampled, decoded, encoded
    return work.keyframes * keyframe * picture_area + work.pairs * pair * area


def parse_budget(value: str) -> int | None:
    """Bytes of device memory that --vram allows: GiB above 0, or None for "auto"; InputError for anything else."""
    if value == "auto":
        return None
    try:
        gib = float(value)
    except ValueError:
        gib = 0.0
    if not 0 < gib < 2**20:
        raise InputError("vram is {value!r}; use auto, or the GiB of device memory that may be used, such as 4", value)
    return int(gib * GIB)


def budget(vram: str, device: torch.device) -> int | None:
    """Bytes that a run on this device may use; None where the device cannot say and nobody else does."""
    wanted, (free, total) = parse_budget(vram), device_memory(device)
    if wanted is None or free is None or total is None:
        return wanted if wanted is not None else free
    if wanted > total:
        log.warning("vram is %.1f GiB, but %s has %.1f GiB; planning with those", wanted / GIB, device, total / GIB)
    elif wanted > free:
        log.warning("vram is %.1f GiB, but %.1f GiB are free on %s", wanted / GIB, free / GIB, device)
    return min(wanted, free)


def shared(vram: str, device: torch.device, users: int) -> str:
    """What --vram is for each of several engines that share a device, each in a process of its own."""
    room = budget(vram, device) if users > 1 else None
    return vram if room is None else f"{room / users / GIB:.4f}"


def choose(candidates: Sequence[Candidate], free: int | None, device: torch.device) -> Candidate:
    """The fastest plan that fits `free` bytes; where nobody knows them, networks come stage by stage.

    Raises InputError where even the last needs more; on a CPU, whose system can find room, it is taken with a warning.
    """
    if free is None:
        names = [candidate.plan.name for candidate in candidates]
        return candidates[names.index("stage") if "stage" in names else 0]
    for candidate in candidates:
        if candidate.need <= free:
            return candidate
    smallest = min(candidates, key=lambda candidate: candidate.need)
    name = device_in_words(device)
    need = f"{free / GIB:.1f} GiB may be used, but the plan {smallest.plan.name} needs {smallest.need / GIB:.1f}"
    if device.type != "cpu":
        sentence = "{device}: {need}; close other programs that use it, make the pictures smaller or use --device cpu"
        raise InputError(sentence, name, need)
    log.warning("%s: %s; the run may be slow or be stopped by the system", name, need)
    return smallest


@dataclass(eq=False)
class Planner:
    """Chooses plans for one engine and keeps its networks to them.

    vram: GiB of device memory that may be used, or "auto".  bit_exact: everything one by one.
    """

    family: ModelFamily
    parts: Parts
    vram: str
    bit_exact: bool
    planned_pixels: int = 0  # of the largest keyframe that the present plan counts on

    def plan(self, options: UndoOptions) -> Candidate:
        """How a run of these options would use the device's memory, and what it would take.

        Raises InputError where the device has too little memory, or may use too little, for any plan.
        """
        drawing, filling, device = options.keyframes, options.segments, self.parts.device
        work = Work(
            keyframes=len(drawing.operation_steps),
            keyframe_size=(drawing.width, drawing.height),
            pairs=len(drawing.operation_steps) + 1,
            video_size=nearest_bucket(drawing.height, drawing.width, self.family.video_sizes),
            keyframe_sampling_steps=drawing.sampling_steps,
            video_sampling_steps=filling.sampling_steps,
            guided=filling.guidance_scale != 1,
        )
        candidates = plans_for(self.family, work, device, self.parts.dtype)
        if self.bit_exact:
            candidates = [replace(c, plan=one_by_one(c.plan)) for c in candidates]
        return choose(candidates, budget(self.vram, device), device)

    def follow(self, options: UndoOptions) -> None:
        """Take the plan for keyframes of this size, unless the present one counts on larger ones."""
        pixels = options.keyframes.width * options.keyframes.height
        if pixels > self.planned_pixels:
            self.parts.residency.drop_all()  # the plan counts on their memory
            self.parts.use(self.plan(options).plan)
            self.planned_pixels = pixels


def plan_in_words(candidate: Candidate, speed: float | None = None) -> Sentence:
    """One line: the plan, its predicted peak and, where operations and speed (a second) are known, minutes."""
    line = Sentence("plan {plan}, about {peak:.1f} GiB", candidate.plan.name, candidate.peak / GIB)
    if candidate.flop is None or speed is None:
        return line
    minutes = candidate.flop / speed / 60
    if minutes < 1:
        return Sentence("{plan}, less than a minute", line)
    return Sentence("{plan}, about {minutes:.0f} min", line, minutes)


def expectation(plan: Candidate, device: str, dtype: str) -> str:
    """A plan in words, with how long a run by it takes on this device, "cuda:1", in this precision, "fp16"."""
    speed = measure_speed(torch.device(device), DTYPES[dtype]) if plan.flop else None
    return plan_in_words(plan, speed)


def measure_speed(device: torch.device, dtype: torch.dtype, size: int | None = None) -> float:
    """Floating-point operations a second that a run may expect: half of what products of large matrices reach here.

    size: rows and columns of the matrices.  Takes well under a second.
    """
    size = size or (1024 if device.type == "cpu" else 4096)
    matrix, seconds = torch.full((size, size), 1e-3, device=device, dtype=dtype), []
    for _ in range(3):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return 0.5 * 2 * size**3 / min(seconds)
