import json
from dataclasses import asdict, replace

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


def test_a_folder_holds_files_for_some_parts(tmp_path):
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
