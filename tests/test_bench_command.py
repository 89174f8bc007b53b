"""The command line of the measurements."""

import argparse
import json

import pytest

from paints_undo.bench import command, work
from paints_undo.errors import InputError


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    command.add_commands(parser.add_subparsers())
    return lambda *words: parser.parse_args([str(word) for word in words])


def test_a_count_is_printed_and_written(parse, tiny_family, tmp_path, capsys):
    chosen = parse(
        *("bench", "--models", tiny_family, "--count", "--plan", "auto", "--sampling-steps", 1, "--device", "cpu"),
        *("--operation-steps", 500, "--json", tmp_path / "figures.json"),
    )
    assert chosen.work(chosen) == 0
    said = capsys.readouterr().out
    assert "plan auto:" in said and "| segments sampling" in said
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["plans"]["auto"]["counted"]["flop"] > 0 and figures["machine"]["versions"]["torch"]


def test_measured_plans_are_compared(parse, tiny_family, capsys, monkeypatch):
    from test_bench_report import COUNTED, run

    monkeypatch.setattr(work, "measure", lambda requests, repeats: [[run(5.0)] * repeats, [run(2.0)] * repeats])
    monkeypatch.setattr(work, "count_plan", lambda chosen, plan: COUNTED)
    words = ("--plan", "sliced,resident", "--repeats", 2, "--device", "cpu")
    chosen = parse("bench", "--models", tiny_family, *words)
    assert chosen.work(chosen) == 0
    assert "resident is 2.50 times as fast as sliced" in capsys.readouterr().out


def test_the_fast_profile_is_compared_with_the_exact_one(parse, tiny_family, capsys):
    words = ("--models", tiny_family, "--quality", "--device", "cpu", "--sampling-steps", 4, "--operation-steps", 500)
    chosen = parse("bench", *words)
    assert chosen.work(chosen) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seconds"].keys() == {"exact", "fast"} and 5 < found["psnr"] < 60 and 0 < found["ssim"] < 1


def test_an_unknown_plan_is_one_sentence(parse):
    chosen = parse("bench", "--plan", "auto,fast")
    with pytest.raises(InputError, match="plan is 'fast'; use one or more of auto, resident"):
        chosen.work(chosen)


def test_a_family_without_a_tagger_gets_a_prompt(parse, tiny_family, tmp_path):
    import shutil

    chosen = parse("bench", "--sampling-steps", 3)
    assert work.chosen_options(chosen, str(tiny_family)).tag
    shutil.copytree(tiny_family, tmp_path / "bare", ignore=shutil.ignore_patterns("tagger"))
    options = work.chosen_options(chosen, str(tmp_path / "bare"))
    assert not options.tag and options.keyframes.prompt == work.PROMPT and options.segments.sampling_steps == 3


def test_size_and_models_exclude_each_other(parse, capsys):
    with pytest.raises(SystemExit):
        parse("bench", "--size", "small", "--models", "mini")
    assert "not allowed with" in capsys.readouterr().err


def test_the_example_is_there():
    assert command.ARTWORK.is_file()
