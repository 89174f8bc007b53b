"""The whole flow with the tiny reference family, against the original's recorded run."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, replace
from itertools import pairwise
from threading import get_ident

import numpy as np
import pytest
import torch
from reference import DATA, SAMPLER, deviation
from safetensors.torch import load_file

from paints_undo import Cancelled, CheckpointError, InputError, PaintsUndo
from paints_undo.options import SETTINGS, KeyframeOptions, UndoOptions, with_settings
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder
from paints_undo.stages.keyframes import KeyframeSampling
from paints_undo.stages.segments import SegmentSampling
from paints_undo.timelapse import join_timelapse, with_white_canvas

# The recorded run fed channels-last pictures, whose GroupNorm is inaccurate on the white canvas: tests/data/README.md.
WHITE_CANVAS = 5e-3


@pytest.fixture(scope="module")
def recorded():
    return load_file(DATA / "end_to_end" / "expected.safetensors")


@pytest.fixture(scope="module")
def options():
    said = json.loads((DATA / "end_to_end" / "expected.json").read_text())
    names = {"image_width": "width", "image_height": "height", "keyframe_seed": "seed", "fs": "frame_stride"}
    names |= {"keyframe_steps": "sampling_steps", "keyframe_cfg": "guidance_scale"}
    names |= {"video_steps": "video_sampling_steps", "video_cfg": "video_guidance_scale"}
    settings = {names.get(name, name): value for name, value in said.items()}
    chosen = {name: value for name, value in settings.items() if name in SETTINGS}
    return with_settings(UndoOptions(fit="crop"), chosen)  # as the pictures that were recorded


@pytest.fixture(scope="module")
def engine(tiny_family, one_core):
    return PaintsUndo.load(tiny_family, device="cpu")


@pytest.fixture(scope="module")
def seen():
    """What the samplers returned, and the progress that was reported."""
    return {"progress": []}


def watched(denoise, seen):
    """`denoise`, of which the latents that it comes to are seen by the stage's name."""

    def denoised(sampling, wanted):
        answer = denoise(sampling, wanted)
        seen[sampling.stage] = torch.cat([sampling.begun.latents[key] for key in sampling.names(wanted)])
        return answer

    return denoised


@pytest.fixture(scope="module")
def run(engine, options, recorded, seen, tmp_path_factory):
    """One whole run into a run folder."""
    patch = pytest.MonkeyPatch()
    for sampling in (KeyframeSampling, SegmentSampling):
        patch.setattr(sampling, "denoise", watched(sampling.denoise, seen))
    folder = tmp_path_factory.mktemp("out") / "run"
    try:
        return engine.undo(recorded["image"].numpy(), options, folder, seen["progress"].append, save_frames=True)
    finally:
        patch.undo()


@pytest.fixture
def pictures(run):
    """What the segments lie between, artwork first; a copy to change."""
    return with_white_canvas(run.artwork, run.keyframes)


def difference(found, expected):
    return np.abs(found.astype(int) - expected.numpy().astype(int))


def test_keyframes(run, seen, recorded, pictures):
    assert difference(run.artwork, recorded["keyframes"][0]).max() == 0
    assert deviation(seen["keyframes"] / 0.18215, recorded["keyframe_latents"]) < SAMPLER
    assert difference(run.keyframes, recorded["keyframes"][1:-1]).max() <= 1
    assert difference(pictures[-1], recorded["keyframes"][-1]).max() == 0


def test_segments(run, seen, recorded):
    for pair, latents in enumerate(seen["segments"]):
        limit = WHITE_CANVAS if pair == 3 else SAMPLER
        assert deviation(latents, recorded["pair_latents"][pair]) < limit, f"pair {pair}"


def test_timelapse(run, recorded):
    off = difference(run.frames[:, ::2, ::2], recorded["frames_sample"])
    assert run.frames.shape == (60, 64, 128, 3) and off.max() <= 1 and (off > 0).mean() < 0.05


def test_decoded_before_rounding(engine, options, seen, pictures, recorded, monkeypatch):
    floats, place = [], "paints_undo.stages.segments.tensor_to_pixels"
    monkeypatch.setattr(place, lambda video: floats.append(video) or np.zeros(1))
    sampling = SegmentSampling(engine.parts, options.segments, range(4), torch.device("cpu"), pictures=pictures)
    sampling.begun.latents = dict(zip(sampling.keys, seen["segments"].split(1), strict=True))
    list(sampling.draw(range(4)))
    # every pair without its last frame, then all reversed: (t, c, h, w) -> (c, t, h, w)
    joined = torch.cat([video[:-1] for video in floats]).flip(0).transpose(0, 1)[:, ::7, ::4, ::4]
    assert (joined - recorded["frames_float_sample"]).abs().max() < WHITE_CANVAS


def test_progress(seen, run, options):
    told = [(p.stage, p.detail, p.done, p.total) for p in seen["progress"]]
    parts = [("keyframes", "preparing", 1), ("keyframes", "sampling", 15), ("keyframes", "decoding", 3)]
    parts += [("segments", "preparing", 5), ("segments", "conditions", 1)]
    parts += [("segments", "sampling", 12), ("segments", "decoding", 4), ("video", "encoding", 60)]
    assert told == [(*part, done, total) for *part, total in parts for done in range(total + 1)]
    (course,) = {p.course for p in seen["progress"]}
    assert [(part.stage, part.detail, part.units) for part in course.parts] == parts, "it was known before it began"
    for progress in seen["progress"]:
        assert (progress.preview is not None) == (progress.detail == "sampling" and progress.done > 0)
        if progress.preview is not None:
            picture = progress.preview()
            assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


def test_run_folder(run, options):
    record = json.loads((run.folder / "run.json").read_text())
    assert record["state"] == "finished"
    assert UndoOptions.from_settings(record["settings"]["options"]) == options
    assert record["settings"]["models"] == {"name": "reference", "revision": ""}
    assert record["settings"]["dtype"] == "float32"
    names = sorted(p.name.rsplit("-", 1)[0] for p in (run.folder / "keyframes").iterdir())
    assert names == [f"{step:04d}-{options.keyframes.seed}" for step in (400, 800, 999)]
    assert len(list((run.folder / "frames").iterdir())) == 60
    video = read_video(run.folder / "timelapse.mp4")
    assert video.shape == run.frames.shape
    # random weights draw noise, whose colours no 4:2:0 video keeps: compare blocks of pixels
    blocks = [frames.reshape(60, 8, 8, 16, 8, 3).mean(axis=(2, 4)) for frames in (video, run.frames)]
    assert np.abs(blocks[0] - blocks[1]).mean() < 2


def test_an_edited_keyframe_costs_two_segments(engine, run, options, pictures):
    told = []
    again = engine.fill_segments(pictures, options.segments, told.append)
    assert told == [] and np.array_equal(join_timelapse(again), run.frames)
    pictures[2] = 255 - pictures[2]
    edited = engine.fill_segments(pictures, options.segments, told.append)
    assert {p.total for p in told if p.detail == "decoding"} == {2}
    changed = [not np.array_equal(before, after) for before, after in zip(again, edited, strict=True)]
    assert changed == [False, True, True, False]


def test_a_further_operation_step_is_paid_for_alone(engine, run, options, recorded):
    told = []
    more = replace(options.keyframes, operation_steps=[400, 600, 800, 999])
    drawn = engine.draw_keyframes(recorded["image"].numpy(), more, told.append)
    assert {p.total for p in told if p.detail == "decoding"} == {1}
    assert np.array_equal(drawn[[0, 2, 3]], run.keyframes)


def test_a_picture_or_a_pair_alone_is_as_among_many(engine, run, options, pictures, recorded):
    pair = engine.fill_segment(pictures[0], pictures[1], options.segments)
    assert pair.shape == (16, 64, 128, 3) and np.abs(pair[:15][::-1].astype(int) - run.frames[-15:]).max() <= 1
    alone = engine.draw_keyframes(recorded["image"].numpy(), replace(options.keyframes, operation_steps=[800]))
    assert np.abs(alone[0].astype(int) - run.keyframes[1]).max() <= 1


def test_out_of_memory_loses_nothing_that_was_finished(engine, run, options, pictures, monkeypatch):
    engine.forget()
    decode, calls, told = SegmentSampling.decode, [], []

    def runs_out_once(sampling, wanted, encoded):
        calls.append(len(wanted))
        if len(calls) == 1:
            yield next(decode(sampling, wanted, encoded))
            raise MemoryError("too little memory")
        yield from decode(sampling, wanted, encoded)

    monkeypatch.setattr(SegmentSampling, "decode", runs_out_once)
    monkeypatch.setattr(engine.parts, "step_down", lambda: len(calls) == 1)
    frames = engine.fill_segments(pictures, options.segments, told.append)
    assert np.array_equal(join_timelapse(frames), run.frames)
    assert calls == [4, 3] and [p.done for p in told if p.detail == "sampling" and p.done] == list(range(1, 13))
    engine.forget()
    calls.clear()
    monkeypatch.setattr(engine.parts, "step_down", lambda: False)
    with pytest.raises(MemoryError, match="too little memory"):
        engine.fill_segments(pictures[-2:], options.segments)


@pytest.mark.parametrize(
    ("stage", "detail", "done", "left"),
    [
        ("segments", "sampling", 4, range(1, 10)),
        ("keyframes", "sampling", 7, range(3, 11)),
        ("keyframes", "decoding", 2, []),
    ],
)
def test_a_cancelled_run_goes_on_with_what_it_has(engine, run, options, pictures, recorded, stage, detail, done, left):
    engine.forget()
    told = []

    def work(report):
        if stage == "keyframes":
            return engine.draw_keyframes(recorded["image"].numpy(), options.keyframes, report)
        return join_timelapse(engine.fill_segments(pictures, options.segments, report))

    def stop(progress):
        if progress.detail == detail and progress.done == done:
            raise Cancelled

    with pytest.raises(Cancelled):
        work(stop)
    engine.memory.pictures.clear()
    again = work(told.append)
    assert [p.done for p in told if p.detail == "sampling" and p.done] == list(left)
    expected = run.keyframes if stage == "keyframes" else run.frames
    assert np.array_equal(again, expected), "bit for bit as if it had not been stopped"


def test_workers_draw_the_same_frames(tiny_family, run, options, pictures):
    engine = PaintsUndo.load(tiny_family, device="cpu", workers=2)
    with closing(engine.workers):
        frames = engine.fill_segments(pictures, options.segments)
    assert np.abs(join_timelapse(frames).astype(int) - run.frames).max() <= 1


@pytest.mark.parametrize(("stage", "after"), [("keyframes", 2), ("segments", 3)])
def test_cancelling_stops_within_one_sampling_step(engine, options, recorded, tmp_path, stage, after):
    engine.forget()
    told = []

    def stop(progress):
        told.append(progress)
        if progress.stage == stage and progress.detail == "sampling" and progress.done == after:
            raise Cancelled

    artwork = recorded["image"].numpy()
    with ThreadPoolExecutor(1) as threads, pytest.raises(Cancelled):
        threads.submit(engine.undo, artwork, options, tmp_path / "run", stop).result(timeout=120)
    assert engine.tag(artwork), "the next thread may work"
    assert (told[-1].stage, told[-1].done) == (stage, after)
    assert len(list((tmp_path / "run").glob("keyframes/*.png"))) == (3 if stage == "segments" else 0)
    assert not (tmp_path / "run" / "timelapse.mp4").exists()


def test_threads_that_share_an_engine_take_turns(engine, options, pictures, recorded):
    """Both stages from four threads at once give what one thread alone gave, and never compute at the same time."""
    engine.forget()
    inside = []

    def watch(progress):
        inside.append(get_ident())
        time.sleep(0.001)  # invites another thread

    def drawn(seed):
        settings = replace(options.keyframes, seed=seed, operation_steps=[400, 999], sampling_steps=2)
        return engine.draw_keyframes(recorded["image"].numpy(), settings, watch)

    def filled():
        return engine.fill_segments(pictures[-2:], replace(options.segments, sampling_steps=2), watch)

    alone = [drawn(1), drawn(2), filled(), filled()]
    engine.forget()
    inside.clear()
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(*work) for work in ((drawn, 1), (drawn, 2), (filled,), (filled,))]
        together = [job.result(timeout=120) for job in jobs]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    turns = sum(one != other for one, other in pairwise(inside))
    assert turns == len(set(inside)) - 1  # each thread reports in one go
    assert len(set(inside)) == 3  # the second of the same segments was there when its turn came


def test_bf16_is_finite(tiny_family, options, recorded):
    engine = PaintsUndo.load(tiny_family, device="cpu", dtype="bf16")
    one = replace(options.keyframes, operation_steps=[999], sampling_steps=2)
    drawn = engine.draw_keyframes(recorded["image"].numpy(), one)
    assert drawn.shape == (1, 64, 96, 3) and drawn.std() > 0


def test_what_cannot_be_drawn_is_refused_before_any_network_loads(tiny_family, recorded, monkeypatch):
    engine, artwork = PaintsUndo.load(tiny_family, device="cpu"), recorded["image"].numpy()
    monkeypatch.setattr("paints_undo.execution.parts.load_part", lambda *a: pytest.fail("a network was loaded"))
    with pytest.raises(InputError, match="width is 90"):
        engine.undo(artwork, UndoOptions(KeyframeOptions(width=90, height=64)))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"noise": "gpu"}, "noise is 'gpu'"),
        ({"attention": "x"}, "attention is 'x'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"vram": "much"}, "vram is 'much'; use auto"),
        ({"workers": 0}, "workers is 0; use a whole number from 1 to 64"),
    ],
)
def test_impossible_choices(tiny_family, choice, message):
    with pytest.raises(InputError, match=message):
        PaintsUndo.load(tiny_family, **choice)


def test_unusable_defaults_name_the_family_file(tiny_family):
    engine = PaintsUndo.load(tiny_family, device="cpu")
    for defaults, message in (({"sampling_steps": 0}, "sampling steps is 0"), ({"colour": "red"}, "colour")):
        engine.family = replace(engine.family, keyframe_defaults=defaults)
        with pytest.raises(CheckpointError, match=f"the defaults in model_family.json .*{message}"):
            assert engine.default_options


def test_padding_keeps_the_whole_picture(engine, options, tmp_path):
    tall = np.zeros((160, 80, 3), np.uint8)  # black, so that every white pixel is a margin
    quick = replace(
        options,
        keyframes=replace(options.keyframes, operation_steps=[500], sampling_steps=1),
        segments=replace(options.segments, sampling_steps=1),
        fit="pad",
    )
    told = []
    timelapse = engine.undo(tall, quick, tmp_path / "run", told.append, save_frames=True)
    previews = {progress.stage: progress.preview().shape for progress in told if progress.preview}
    assert all(height == 2 * width for height, width, _ in previews.values()) and len(previews) == 2
    assert timelapse.artwork.shape == (64, 32, 3) and (timelapse.artwork == 0).all()
    run = RunFolder.open(tmp_path / "run")
    assert run.options.fit == "pad" and run.artwork_size == (160, 80)
    (exact,) = (tmp_path / "run" / "keyframes").iterdir()
    assert read_picture(exact).shape == (64, 96, 3), "what later work starts from is as the networks drew it"
    assert np.array_equal(read_picture(exact)[:, 32:64], timelapse.keyframes[0])
    height, width = timelapse.frames.shape[1:3]
    assert height == 2 * width and read_video(timelapse.video).shape == timelapse.frames.shape
    kept = [read_picture(path) for path in sorted((tmp_path / "run" / "frames").iterdir())]
    assert np.array_equal(np.stack(kept), timelapse.frames)
    without_folder = engine.undo(tall, quick)
    for one, other in zip(astuple(timelapse)[1:4], astuple(without_folder)[1:4], strict=True):
        assert np.array_equal(one, other)


def test_a_run_of_a_version_without_fits_was_cropped(options):
    settings = options.to_settings()
    assert "fit" not in settings and UndoOptions.from_settings(settings).fit == "crop"
