"""The command line, from its flags to its exit status."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paints_undo.cli import Meter, chosen_options, main, parser
from paints_undo.options import UndoOptions
from paints_undo.pictures.video import read_video
from paints_undo.progress import Course, Part, Progress

ROOT = Path(__file__).parent.parent
QUICK = ["--sampling-steps", "1", "--video-sampling-steps", "1", "--operation-steps", "500", "--device", "cpu"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two artworks with awkward names, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("a cat.png", "絵 (1).png"):
        Image.fromarray(rng.integers(0, 255, (70, 90, 3), dtype=np.uint8)).save(folder / name)
    (folder / "text.png").write_text("no picture")
    return folder


def frames(folder):
    return np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "frames").iterdir())])


def test_run_and_replay(tiny_family, pictures, tmp_path, capsys):
    engine = ["--models", str(tiny_family), "--out", str(tmp_path)]
    assert main(["run", str(pictures / "a cat.png"), *engine, *QUICK, "--save-frames", "--seed", "7"]) == 0
    (folder,) = tmp_path.iterdir()
    assert capsys.readouterr().out.strip() == str(folder / "timelapse.mp4")
    assert read_video(folder / "timelapse.mp4").shape == (30, 74, 96, 3), "the artwork's shape, not the networks'"
    options = json.loads((folder / "run.json").read_text())["settings"]["options"]
    assert options["keyframes"]["seed"] == 7 and options["keyframes"]["operation_steps"] == [500]
    assert "solo" in options["keyframes"]["prompt"]  # the tagger's answer is recorded, so that a replay needs no tagger

    again = ["run", "--replay", str(folder / "timelapse.mp4"), *engine, "--device", "cpu", "--save-frames"]
    assert main([*again, str(pictures / "a cat.png")]) == 0
    (replayed,) = set(tmp_path.iterdir()) - {folder}
    assert np.array_equal(frames(replayed), frames(folder))
    capsys.readouterr()
    assert main(again) == 2 and "give the artwork as well" in capsys.readouterr().err


def test_one_bad_picture_does_not_stop_the_rest(tiny_family, pictures, tmp_path, capsys):
    files = [str(pictures / name) for name in ("text.png", "絵 (1).png", "nowhere.png")]
    status = main(["run", *files, "--models", str(tiny_family), "--out", str(tmp_path), *QUICK, "--prompt", ""])
    said = capsys.readouterr()
    assert status == 2 and len(list(tmp_path.iterdir())) == 1
    complaints = [line for line in said.err.splitlines() if line.startswith("paints-undo:")]
    assert len(complaints) == 2 and "text.png" in complaints[0] and "nowhere.png" in complaints[1]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--sampling-steps", "0"], 2, "sampling steps is 0; use a whole number from 1 to 100"),
        (["--operation-steps", "400", "400"], 2, "operation step 400 is given 2 times"),
        (["--operation-steps", "1000"], 2, "operation step is 1000"),
        (["--width", "100"], 2, "width is 100, but the model family reference needs a multiple of 16"),
        (["--guidance-scale", "nan"], 2, "guidance scale is nan"),
        (["--seed", "-5"], 2, "seed is -5"),
        (["--fps", "0"], 2, "fps is 0"),
        (["--device", "tpu"], 2, "device is 'tpu'"),
        (["--device", "cpu", "--dtype", "fp16"], 2, "dtype is 'fp16'"),
        (["--models", "no/such/folder"], 1, "no model family at no"),
    ],
)
def test_bad_input_is_one_sentence(tiny_family, pictures, tmp_path, capsys, monkeypatch, arguments, status, message):
    monkeypatch.setattr("paints_undo.execution.parts.load_part", lambda *a: pytest.fail("a network was loaded"))
    flags = ["--models", str(tiny_family), "--out", str(tmp_path / "out"), *arguments]
    assert main(["run", str(pictures / "a cat.png"), *flags]) == status
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "a.png", "c.png", "--replay", "b"]])
def test_artworks_or_replay(arguments, capsys):
    assert main(arguments) == 2
    assert "give one or more picture files, or --replay" in capsys.readouterr().err


def test_replay_of_no_run(tiny_family, tmp_path, capsys):
    assert main(["run", "--replay", str(tmp_path), "--models", str(tiny_family)]) == 2
    assert "There is no run in" in capsys.readouterr().err


def test_flags_change_only_what_they_name():
    defaults = UndoOptions()
    assert chosen_options(defaults, parser().parse_args(["run", "a.png"])) == defaults
    cut = chosen_options(defaults, parser().parse_args(["run", "a.png", "--fit", "crop"]))
    assert defaults.fit == "pad" and cut == replace(defaults, fit="crop")
    flags = "--video-seed 5 --frame-stride 9 --video-prompt 1boy --negative-prompt bad --fps 12 --height 512 --prompt x"
    options = chosen_options(defaults, parser().parse_args(["run", "a.png", *flags.split()]))
    assert (options.segments.seed, options.segments.frame_stride, options.segments.prompt) == (5, 9, "1boy")
    assert (options.keyframes.negative_prompt, options.keyframes.height, options.fps) == ("bad", 512, 12)
    assert options.keyframes.prompt == "x" and not options.tag and options.keyframes.seed == defaults.keyframes.seed


def test_doctor(tiny_family, tmp_path, capsys):
    assert main(["doctor", "--models", str(tiny_family), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert (
        "ready: a run can start" in said and "attention  sdpa agrees" in said and "reference, with its tagger" in said
    )
    assert main(["doctor", "--models", str(tmp_path), "--device", "cpu"]) == 1
    said = capsys.readouterr().out
    assert "! models" in said and "not ready" in said
    assert main(["doctor", "--models", str(tiny_family), "--device", "tpu"]) == 1


def test_meter_tells_the_time_left(capsys):
    meter, now = Meter("cat.png", quiet=False), [0.0]
    meter.on_terminal, meter.time_left._clock = True, lambda: now[0]
    course = Course("mini cpu", (Part("keyframes", "sampling", 3), Part("keyframes", "decoding", 1)))
    for done in range(4):
        now[0] = 30.0 * done
        meter(Progress("keyframes", "sampling", done, 3, course=course))
    said = capsys.readouterr().err
    assert "cat.png: keyframes, sampling 2/3, " in said
    left = re.findall("sampling 3/3, (.+) left", said)
    assert left and left[0].endswith(" s"), "decoding is still to come, and counted"


def test_python_without_descriptions_is_one_sentence(tiny_family, pictures, tmp_path):
    """What diffusers and transformers cannot be imported with; and -O alone, which they can."""
    command = [sys.executable, "-OO", "-m", "paints_undo", "run", str(pictures / "a cat.png"), "--device", "cpu"]
    command += ["--models", str(tiny_family), "--out", str(tmp_path), "--quiet", *QUICK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "paints-undo: Python was started with -OO or PYTHONOPTIMIZE=2, which takes out the descriptions that diffusers "
        "and transformers read; start it without\n"
    )
    check = "from paints_undo.errors import check_descriptions; check_descriptions()"
    subprocess.run([sys.executable, "-O", "-c", check], cwd=ROOT, check=True, timeout=60)
