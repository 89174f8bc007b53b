"""Settings and config files."""

from dataclasses import replace

import pytest

from paints_undo.errors import InputError
from paints_undo.training.command import PARTS
from paints_undo.training.config import CONFIG_FILE, GPU_BATCH, read_config, write_config
from paints_undo.training.dataset import draw_pictures
from paints_undo.training.keyframe_training import KeyframeSizes, KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.segment_training import SegmentSizes, SegmentTrainingOptions
from paints_undo.training.tagger import TaggerOptions
from paints_undo.training.video_vae_training import VideoVaeOptions


def test_a_file_changes_what_it_names(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(
        '{"loop": {"minutes": 5, "steps": 7}, "options": {"batch": 4, "fresh": 2, "sizes": {"heads": [1, 2, 3]}}}'
    )
    config, usual = read_config("keyframes", file), read_config("keyframes")
    assert (config.loop.minutes, config.loop.steps) == (5, 7)
    assert config.loop.learning_rate == usual.loop.learning_rate
    assert config.options.batch == 4 and config.options.sizes == replace(usual.options.sizes, heads=(1, 2, 3))
    assert read_config("keyframes", file, on_gpu=True).options.batch == 4  # a file says more than a device
    # a folder holds files for some parts
    (tmp_path / "vae.json").write_text('{"options": {"crops": 3}}')
    assert read_config("vae", tmp_path).options.crops == 3
    assert read_config("tagger", tmp_path) == read_config("tagger")


def test_the_written_config_is_the_one_to_read_again(tmp_path):
    for part in PARTS:
        config = read_config(part, size=256, on_gpu=True).chosen(seed=3, steps=9)
        write_config(tmp_path / part, config)
        assert read_config(part, tmp_path / part / CONFIG_FILE) == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"loops": {}}', r"loops is no setting; use one of loop, options"),
        ('{"options": {"crop_size": 3}}', r"options: crop_size is no setting; use one of base_channels,"),
        ('{"decoder": {"crop": 32}}', r"decoder is no setting"),
        ('{"options": {"crops": 2.5}}', r"options\.crops is 2\.5; it should be a valid integer"),
        ('{"options": {"crops": true}}', r"options\.crops is True; it should be a valid integer"),
        ('{"loop": {"minutes": NaN}}', r"loop\.minutes is nan; it should be"),
        ('{"loop": {"mixed_precision": 1}}', r"loop\.mixed_precision is 1; it should be a valid boolean"),
        ('{"loop": {"seed": null}}', r"loop\.seed is None; it should be a valid integer"),
        ('{"options": {"channel_multipliers": [1, "2"]}}', r"options\.channel_multipliers\.1 is '2'; it should be"),
        ('{"options": {"whole_share": 2}}', r"options\.whole_share is 2; it should be less than or equal to 1"),
        ('{"options": {"crop": 30}}', r"options: crop must be a multiple of 4 pixels, got 30"),
        ('{"options": 3}', r"options is 3; give an object"),
        ("[]", r"mine\.json is \[\]; give an object"),
        ("{", r"the config .*mine\.json cannot be read"),
    ],
)
def test_what_a_file_may_not_say_is_named(tmp_path, text, problem):
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(InputError, match=problem) as raised:
        read_config("vae", file)
    assert "mine.json" in str(raised.value)


def test_a_missing_file_and_an_impossible_size_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json cannot be read"):
        read_config("vae", tmp_path / "nothing.json")
    with pytest.raises(InputError, match="--size is 100; use a multiple of 32"):
        read_config("vae", size=100)
    for count, size in ((0, 64), (1, 100), (1, 2048)):
        with pytest.raises(InputError, match="--size is" if count else "--pictures is 0"):
            draw_pictures("train", count, size, tmp_path)


def test_size_and_device_decide_unless_told_otherwise():
    for part in PARTS:
        here, there = read_config(part), read_config(part, size=256, on_gpu=True)
        assert there.options.count == GPU_BATCH * here.options.count
    # as large a share of the canvases is new, and as many more sparse clips stand for a whole one
    assert read_config("keyframes", on_gpu=True).options.fresh == 48
    assert read_config("keyframes").chosen(batch=1).options.fresh == 1
    assert read_config("segments", on_gpu=True).options.sparse_batch == 24
    # a latent of a large picture stands for eight pixels, and as many patches of it are seen
    for size, pixels, crop in ((128, 4, 64), (192, 4, 64), (256, 8, 128)):
        options = read_config("vae", size=size).options
        assert (options.downsampling, options.crop) == (pixels, crop)
    sizes = read_config("segments", size=256).options.sizes
    assert (sizes.picture, sizes.patch) == (256, 32)
    assert read_config("segments", size=256).decoder.crop == 128
    assert read_config("tagger", size=256).options.size == 256


def test_the_command_line_has_the_last_word_and_the_decoder_keeps_its_share():
    config = read_config("segments").chosen(seed=5, minutes=30, batch=2)
    assert config.loop.minutes == 30 and config.decoder_loop.minutes == pytest.approx(3)
    assert config.loop.seed == config.decoder_loop.seed == 5 and config.options.batch == 2
    config = read_config("segments").chosen(steps=40)
    assert (config.loop.steps, config.decoder_loop.steps) == (40, 4)
    assert read_config("vae").chosen() == read_config("vae")
    for wrong in ({"minutes": -1}, {"steps": 0}, {"batch": 0}, {"seed": -1}):
        with pytest.raises(InputError, match=next(iter(wrong)) if "batch" not in wrong else "crops"):
            read_config("vae").chosen(**wrong)


@pytest.mark.parametrize(
    ("kind", "wrong", "problem"),
    [
        (LoopOptions, {"warmup_steps": 0}, "warmup_steps"),
        (VaeOptions, {"latent_channels": 8}, "latent_channels 8 has to be 4"),
        (VaeOptions, {"base_channels": 20}, "norm_groups"),
        (VaeOptions, {"crop": 30}, "crop"),
        (TaggerOptions, {"widths": (8,), "depths": (1, 1)}, "equally many"),
        (TaggerOptions, {"size": 100}, "multiple of 32"),
        (KeyframeSizes, {"text_layers": 0}, "text_layers"),
        (KeyframeSizes, {"widths": (50,), "heads": (1,)}, "norm_groups"),
        (KeyframeSizes, {"widths": (48, 96), "heads": (2, 0)}, "last level"),
        (KeyframeSizes, {"widths": (48, 96), "heads": (2,)}, "equally many"),
        (KeyframeTrainingOptions, {"batch": 4, "fresh": 5}, "fresh must lie in 1 to batch"),
        (KeyframeTrainingOptions, {"empty_prompts": 2}, "empty_prompts"),
        (SegmentSizes, {"channels": 20}, "multiple of norm_groups"),
        (SegmentSizes, {"picture": 100}, "patch"),
        (SegmentTrainingOptions, {"sparse_frames": 17}, "sparse_frames"),
        (VideoVaeOptions, {"frames": 1}, "frames"),
        (VideoVaeOptions, {"crop": 20}, "crop"),
    ],
)
def test_senseless_settings_are_refused(kind, wrong, problem):
    with pytest.raises(ValueError, match=problem):
        kind(**wrong)
