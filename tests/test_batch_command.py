"""`batch` from its flags to its exit status."""

import json
import shutil
import signal
import threading

import pytest
from batch_pictures import QuickEngine, scan, write_pictures

from paints_undo.batch.command import share_of_memory, terminated_as_interrupted
from paints_undo.cli import main
from paints_undo.errors import CheckpointError
from paints_undo.family.model_family import open_family

SMALL = ["--width", "32", "--height", "48", "--sampling-steps", "1", "--prompt", "x", "--operation-steps", "400", "800"]


@pytest.fixture
def engine(monkeypatch):
    quick = QuickEngine()
    monkeypatch.setattr("paints_undo.batch.command.load_engine", lambda chosen: quick)
    return quick


@pytest.fixture
def art(tmp_path):
    write_pictures(tmp_path / "art", 3)
    return tmp_path / "art"


def batch(*arguments):
    return main(["batch", *map(str, arguments), *SMALL])


def rows(out):
    return [json.loads(line) for line in (out / "runs.jsonl").read_text("utf-8").splitlines()]


def results(out):
    return {name: data for name, data in scan(out).items() if name.startswith("picture")}


def test_a_folder_is_drawn_once(engine, art, tmp_path, capsys):
    (art / "text.png").write_text("no picture")
    out = tmp_path / "out"
    assert batch(art, "--out", out, "--attempts", 2) == 1
    said = capsys.readouterr().err
    assert "[1/4] picture 000.png: " in said and " a minute, " in said and "3 drawn, 0 drawn before, 1 failed" in said
    assert "paints-undo: text.png: is not a readable picture" in said
    assert sorted(row["state"] for row in rows(out)) == ["done", "done", "done", "failed"]
    assert len(list(out.glob("*/timelapse.mp4"))) == 3

    before, steps = (
        {name: data for name, data in scan(out).items() if "/" in name and "batch" not in name},
        engine.steps_done,
    )
    assert batch(art, "--out", out) == 1
    assert engine.steps_done == steps and "0 drawn, 3 drawn before, 1 failed" in capsys.readouterr().err
    assert results(out) == before
    assert batch(art, "--out", out, "--quiet", "--seed", 7) == 1  # other settings: everything anew
    assert len(list(out.glob("*/timelapse.mp4"))) == 6
    assert capsys.readouterr().err.count("\n") == 1


def test_a_manifest_has_settings_of_its_own(engine, art, tmp_path, capsys):
    lines = [{"artwork": "art/picture 000.png", "seed": 5, "video_seed": 6, "fps": 9, "operation_steps": [500]}]
    lines += [{"artwork": "art/picture 001.png"}, {"artwork": "art/picture 001.png", "width": 33}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert batch(tmp_path / "list.jsonl", "--out", tmp_path / "out", "--seed", 3) == 2
    assert "list.jsonl, line 3 width is 33" in capsys.readouterr().err
    found = {}
    for file in (tmp_path / "out").glob("*/run.json"):
        settings = json.loads(file.read_text())["settings"]["options"]
        found[file.parent.name[:11]] = settings
    first, second = found["picture-000"], found["picture-001"]
    assert (first["keyframes"]["seed"], first["segments"]["seed"], first["fps"]) == (5, 6, 9)
    assert first["keyframes"]["operation_steps"] == [500] and second["keyframes"]["seed"] == 3


def test_a_flag_of_earlier_versions_is_a_word_and_no_hindrance(engine, art, tmp_path, capsys):
    assert batch(art, "--out", tmp_path / "out", "--quiet", "--pieces", "segments") == 0
    assert capsys.readouterr().err == (
        "paints-undo: --pieces is no longer needed and changes nothing: actors are given whole pictures\n"
    )


def test_shards_and_a_written_manifest(engine, art, tmp_path, capsys):
    assert batch(art, "--out", tmp_path / "out", "--write-manifest", tmp_path / "all.jsonl") == 0
    assert capsys.readouterr().out == f"3 work items are in {tmp_path / 'all.jsonl'}\n"
    assert not (tmp_path / "out").exists()
    for number in (1, 2):
        assert batch(tmp_path / "all.jsonl", "--out", tmp_path / "out", "--shard", f"{number}/2") == 0
    ledger = (tmp_path / "out" / "batch" / "ledger").glob("*.jsonl")
    done = [json.loads(line)["key"] for file in ledger for line in file.read_text().splitlines() if '"done"' in line]
    assert len(done) == len(set(done)) == 3
    assert len(rows(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard", "5/4"], "shard is 5/4"),
        (["--attempts", "0"], "attempts is 0; use a whole number from 1 to 100"),
        (["--samples-per-shard", "0"], "samples per shard is 0"),
        (["--actors", "2"], "give --ray, too"),
        (["--sketch-step", "900"], "--sketch-step is for --dataset"),
        (["--dataset", "webdataset", "--sketch-step", "1000"], "sketch step is 1000"),
        (["--seed", "-1"], "seed is -1"),
        (["--out", "nowhere://x"], "results cannot go to nowhere://x"),
        (["--ray", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_bad_input_is_one_sentence(engine, art, tmp_path, capsys, arguments, message):
    assert batch(art, "--out", tmp_path / "out", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and engine.steps_done == 0


def test_nothing_to_draw_and_results_of_another_version(engine, tmp_path, capsys):
    (tmp_path / "art").mkdir()
    assert batch(tmp_path / "art", tmp_path / "gone", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "art is empty" in said[0] and "gone cannot be read" in said[1]
    write_pictures(tmp_path / "art", 1)
    (tmp_path / "out" / "batch").mkdir(parents=True)
    (tmp_path / "out" / "batch" / "format.json").write_text('{"format": 7}')
    assert batch(tmp_path / "art", "--out", tmp_path / "out") == 2
    assert "the results folder has format 7" in capsys.readouterr().err
    assert sorted(scan(tmp_path / "out")) == ["batch/format.json"]


def test_what_fails_every_picture_ends_the_call(engine, art, tmp_path, capsys):
    engine.fail_with = CheckpointError("weights are missing; download them")
    assert batch(art, "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err.count("weights are missing") == 1
    assert {row["state"] for row in rows(tmp_path / "out")} == {"waiting"}


def test_a_dataset_of_a_family_with_a_tagger(art, tmp_path, monkeypatch, tiny_family):
    tagger = open_family(tiny_family)
    engine = QuickEngine(tagger_model=tagger.tagger_model, tagger_tags=tagger.tagger_tags)
    monkeypatch.setattr("paints_undo.batch.command.load_engine", lambda chosen: engine)
    (art / "text.png").write_text("no picture")
    assert batch(art, "--out", tmp_path / "out", "--dataset", "webdataset") == 1  # for the text alone
    assert list(scan(tmp_path / "out" / "dataset")) == ["samples-00000-000000.tar"]


def test_sigterm_is_an_interrupt():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    elsewhere = threading.Thread(target=terminated_as_interrupted().__enter__)
    elsewhere.start()
    elsewhere.join()  # signals belong to the main thread
    assert signal.getsignal(signal.SIGTERM) is before


def test_actors_that_share_a_gpu_share_its_memory(monkeypatch):
    monkeypatch.setattr("memory_management.device_memory", lambda device: (2**30, 24 * 2**30))
    monkeypatch.setattr("memory_management.pick_device", lambda name: name)
    assert share_of_memory("auto", None, 0.5) == "12.00"
    assert share_of_memory("auto", None, 1) == share_of_memory("auto", None, 0) == "auto"
    assert share_of_memory("6", None, 0.5) == "6"


def test_finished_runs_are_looked_through_when_asked(engine, art, tmp_path, capsys):
    """One replaced piece, one deleted folder, one whole: the first gets its piece back, the second is drawn anew."""
    out = tmp_path / "out"
    assert batch(art, "--out", out) == 0
    replaced, deleted, whole = sorted(file.parent for file in out.glob("*/timelapse.mp4"))
    before = results(out)
    segment, other = (sorted(folder.glob("segments/*.npz"))[0] for folder in (replaced, whole))
    segment.write_bytes(other.read_bytes())
    shutil.rmtree(deleted)
    assert batch(art, "--out", out) == 0 and "0 drawn, 3 drawn before" in capsys.readouterr().err
    untouched = {file: file.stat().st_mtime_ns for file in whole.rglob("*.*")}
    engine.segments_drawn.clear()
    assert batch(art, "--out", out, "--check-done") == 0
    assert "2 drawn, 1 drawn before, 0 failed" in capsys.readouterr().err
    assert len(engine.segments_drawn) == 1 + 3
    assert main(["verify", *map(str, (replaced, deleted, whole))]) == 0
    assert {file: file.stat().st_mtime_ns for file in untouched} == untouched
    pixels = {name: data for name, data in results(out).items() if name.endswith(".npz")}
    assert pixels == {name: data for name, data in before.items() if name.endswith(".npz")}
    assert {row["state"] for row in rows(out)} == {"done"}
    assert batch(art, "--out", "memory://checked", "--check-done") == 2
    assert "--check-done reads run folders: use it with a folder as --out" in capsys.readouterr().err
