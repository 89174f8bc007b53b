"""Values out of place are refused with field, value and range."""

import argparse
import math

import pytest

from paints_undo import KeyframeOptions, SegmentOptions, validation
from paints_undo.commands import FLAGS, add_drawing_flags, chosen_options
from paints_undo.errors import InputError
from paints_undo.options import DEFAULTS, OF_STROKES, OWN_SIZE, RANGES, SETTINGS, UndoOptions
from paints_undo.web.settings import flat


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sampling_steps", 0, "sampling steps is 0; use a whole number from 1 to 100"),
        ("sampling_steps", 101, "sampling steps is 101"),
        ("sampling_steps", 2.7, "sampling steps is 2.7"),
        ("sampling_steps", True, "sampling steps is True"),
        ("sampling_steps", "50", "sampling steps is '50'"),
        ("sampling_steps", None, "sampling steps is None"),
        ("guidance_scale", math.nan, "guidance scale is nan; use a number from 1 to 32"),
        ("guidance_scale", math.inf, "guidance scale is inf"),
        ("guidance_scale", 0.5, "guidance scale is 0.5"),
        ("seed", -1, "seed is -1; use a whole number from 0 to 4294967295"),
        ("seed", 2**32, "seed is 4294967296"),
        ("seed", math.nan, "seed is nan"),
        ("width", 0, "width is 0"),
        ("height", 10**9, "height is 1000000000"),
        ("operation_steps", (), "operation steps are empty"),
        ("operation_steps", (400, 1000), "operation step is 1000; use a whole number from 0 to 999"),
        ("operation_steps", (-1,), "operation step is -1"),
        ("operation_steps", (400, 400, 999), "operation step 400 is given 2 times"),
        ("operation_steps", "400", "operation steps are '400'"),
        ("operation_steps", 400, "operation steps are 400"),
        ("operation_steps", (2.5,), "operation step is 2.5"),
        ("prompt", None, "prompt is None"),
        ("prompt", "x" * 1_000_000, "prompt has 1,000,000 characters; use at most 10,000"),
    ],
)
def test_keyframe_options(field, value, message):
    with pytest.raises(InputError) as refused:
        KeyframeOptions(**{field: value})
    assert message in str(refused.value)


@pytest.mark.parametrize(("field", "value"), [("sampling_steps", 0), ("frame_stride", 0), ("guidance_scale", math.nan)])
def test_segment_options(field, value):
    with pytest.raises(InputError, match="video|frame stride"):
        SegmentOptions(**{field: value})


@pytest.mark.parametrize("fps", [0, 61, 2.5, None])
def test_fps(fps):
    with pytest.raises(InputError, match="fps is"):
        UndoOptions(fps=fps)


def test_how_far_the_numbers_go():
    """As they were published: runs of other ranges could not be replayed."""
    stages = {"seed": (0, 2**32 - 1), "sampling_steps": (1, 100), "guidance_scale": (1, 32)}
    assert {
        **stages,
        **{f"video_{name}": bounds for name, bounds in stages.items()},
        **{"width": (16, 4096), "height": (16, 4096), "operation_steps": (0, 999), "frame_stride": (1, 60)},
        **{"guidance_interval": (0, 999), "reuse_interval": (1, 10), "fps": (1, 60), "seconds": (3, 600)},
    } == RANGES


@pytest.mark.parametrize("flag", FLAGS)
def test_what_is_declared_is_a_flag_that_changes_this_setting_alone(flag):
    name, parser = FLAGS[flag], argparse.ArgumentParser()
    setting, count = SETTINGS[name], 2 if name == "guidance_interval" else 1
    value = [] if DEFAULTS[name] is False else [str((setting.bounds or setting.choices or ["words"])[-1])] * count
    add_drawing_flags(parser)
    before = UndoOptions(fit=OWN_SIZE) if name in OF_STROKES else UndoOptions()
    after = chosen_options(before, parser.parse_args(["--" + flag.replace("_", "-"), *value]))
    assert [one for one in SETTINGS if flat(after)[one] != flat(before)[one]] == [name]
    assert set(FLAGS.values()) == set(flat(before)) and all(setting.help for setting in SETTINGS.values())


def test_unsorted_operation_steps_are_sorted_and_said(caplog):
    options = KeyframeOptions(operation_steps=[999, 400, 600])
    assert options.operation_steps == (400, 600, 999)
    assert "[999, 400, 600] are sorted to [400, 600, 999]" in caplog.text


def test_whole_floats_are_accepted():
    options = KeyframeOptions(sampling_steps=50.0, operation_steps=[400.0])
    assert options.sampling_steps == 50 and options.operation_steps == (400,)
    assert all(isinstance(value, int) for value in (options.sampling_steps, *options.operation_steps))


def test_defaults_are_the_original_apps():
    keyframes, segments = KeyframeOptions(), SegmentOptions()
    assert keyframes.operation_steps == (400, 600, 800, 900, 950, 999)
    assert (keyframes.width, keyframes.height, keyframes.seed) == (512, 640, 12345)
    assert (keyframes.sampling_steps, keyframes.guidance_scale) == (50, 3.0)
    assert segments == SegmentOptions("1girl, masterpiece, best quality", 123, 50, 7.5, 3)
    assert UndoOptions().fps == 4


def test_interval():
    assert validation.interval("guidance interval", [200, 800.0], 0, 999) == (200, 800)
    for wrong in ([800, 200], [1], "12", None, [0, 1000]):
        with pytest.raises(InputError, match="guidance interval is"):
            validation.interval("guidance interval", wrong, 0, 999)


def test_yes_or_no():
    assert validation.yes_or_no("field", True) is True
    for wrong in (1, "yes", None):
        with pytest.raises(InputError, match="field is .*; use true or false"):
            validation.yes_or_no("field", wrong)


@pytest.mark.parametrize(
    ("given", "legible"),
    [("夏 😀", "夏 😀"), ("\udcff", "\ufffd"), ("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "😀"), ("", "")],
)
def test_text_is_legible(given, legible):
    assert validation.text("title", given) == legible
