"""Settings and config files."""

import json
from dataclasses import asdict, dataclass, replace

import pytest

from paints_undo.errors import InputError
from paints_undo.training.command import PARTS
from paints_undo.training.config import (
    CONFIG_FILE,
    GPU_BATCH,
    SHIPPED,
    STARTS,
    read_config,
    write_config,
)
from paints_undo.training.dataset import DatasetOptions
from paints_undo.training.keyframe_training import KeyframeSizes, KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.process import Habits
from paints_undo.training.segment_training import SegmentSizes, SegmentTrainingOptions
from paints_undo.training.settings import Checked, Settings, share, within
from paints_undo.training.tagger import TaggerOptions
from paints_undo.training.video_vae_training import VideoVaeOptions


@dataclass(frozen=True)
class Sizes(Checked):
    widths: tuple[int, ...] = within((8, 16), 1)
    limit: int | None = within(None, 1)
    part: float = share(0.5)
    free: int = -3


@dataclass(frozen=True)
class Crops(Settings):
    COUNTED = "crops"

    crops: int = within(4, 1)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"widths": (8, 0)}, r"widths must be at least 1, got \(8, 0\)"),
        ({"widths": ()}, "widths must be at least 1"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"part": 1.5}, "part must lie in 0 to 1, got 1.5"),
        ({"part": float("nan")}, "part must lie in 0 to 1"),
    ],
)
def test_the_first_field_out_of_range_is_named(wrong, problem):
    assert Sizes().limit is None and Sizes(limit=1, part=1).free == -3
    with pytest.raises(ValueError, match=problem):
        replace(Sizes(), **wrong)


def test_an_update_has_what_the_counted_field_says():
    assert Crops().count == 4 and Crops().with_batch(9) == Crops(9) and Crops().for_size(256) == Crops()
    with pytest.raises(ValueError, match="crops must be at least 1"):
        Crops().with_batch(0)


def test_every_part_has_a_shipped_file_with_every_setting():
    assert set(STARTS) == set(PARTS) == {file.stem for file in SHIPPED.glob("*.json")}
    for part in PARTS:
        config = read_config(part)
        sections = {name: values for name, values in asdict(config).items() if values is not None}
        assert json.loads((SHIPPED / f"{part}.json").read_text()) == json.loads(json.dumps(sections))
        # who calls a part's function directly gets the shipped options, too
        assert config.options == STARTS[part].options and config.decoder == STARTS[part].decoder


def test_a_file_changes_what_it_names(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(
        '{"loop": {"minutes": 5, "steps": 7}, "options": {"batch": 4, "fresh": 2, "sizes": {"heads": [1, 2, 3]}}}'
    )
    config, shipped = read_config("keyframes", file), read_config("keyframes")
    assert (config.loop.minutes, config.loop.steps) == (5, 7)
    assert config.loop.learning_rate == shipped.loop.learning_rate
    assert config.options.batch == 4 and config.options.sizes == replace(shipped.options.sizes, heads=(1, 2, 3))
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
        ('{"options": {"crop_size": 3}}', r"options\.crop_size is no setting; use one of base_channels,"),
        ('{"decoder": {"crop": 32}}', r"decoder is no setting"),
        ('{"options": {"crops": 2.5}}', r"options\.crops is 2\.5; use a whole number"),
        ('{"options": {"crops": true}}', r"options\.crops is True; use a whole number"),
        ('{"loop": {"minutes": NaN}}', r"loop\.minutes is nan; use a number"),
        ('{"loop": {"mixed_precision": 1}}', r"loop\.mixed_precision is 1; use true or false"),
        ('{"loop": {"seed": null}}', r"loop\.seed is None; use a whole number"),
        ('{"options": {"channel_multipliers": [1, "2"]}}', r"options\.channel_multipliers is .*; use a list of whole"),
        ('{"options": {"whole_share": 2}}', r"options does not work: whole_share must lie in 0 to 1, got 2"),
        ('{"loop": {"minutes": 0}}', r"loop does not work: minutes must lie in 0.001 to 100000, got 0"),
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


def test_size_and_device_decide_unless_told_otherwise():
    for part in PARTS:
        here, there = read_config(part), read_config(part, size=256, on_gpu=True)
        assert there.options.count == GPU_BATCH * here.options.count
    assert read_config("vae", size=256).options.downsampling == 8
    assert read_config("tagger", size=256).options.size == 256
    assert read_config("segments", size=256).decoder.crop == 128


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
        (KeyframeSizes, {"text_layers": 0}, "at least 1"),
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
        (DatasetOptions, {"split": "test"}, "split"),
        (DatasetOptions, {"count": 0}, "count"),
        (DatasetOptions, {"size": 100}, "size must be a multiple of 8"),
        (Habits, {"sketch_scale": 5}, "sketch_scale"),
        (Habits, {"flip_check_at": 2}, "flip_check_at"),
    ],
)
def test_senseless_settings_are_refused(kind, wrong, problem):
    with pytest.raises(ValueError, match=problem):
        kind(**wrong)
