"""Formats by name, whole files or none; and `export` on the command line."""

import errno
import os
import subprocess
import sys

import pytest
from export_runs import make_run, make_source
from psd_tools import PSDImage

from paints_undo.atomic import explained
from paints_undo.cli import main
from paints_undo.errors import Cancelled, InputError
from paints_undo.exports import formats
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing
from paints_undo.exports.source import Source
from paints_undo.run.folder import RunFolder


def test_names_of_formats():
    assert chosen_formats("psd, GIF,psd") == ["psd", "gif"] and chosen_formats(["mp4"]) == ["mp4"]
    assert chosen_formats("all") == list(FORMATS) and len({each.file for each in FORMATS.values()}) == len(FORMATS)
    with pytest.raises(InputError, match="format is 'avi'; use one or more of mp4, av1"):
        chosen_formats("mp4,avi")
    for nothing in ("", " , ", []):
        with pytest.raises(InputError, match="no format is given"):
            chosen_formats(nothing)


def test_files_and_progress(source, tmp_path):
    seen = []
    done = export(source, "contact,curves", tmp_path / "new" / "out", on_progress=seen.append)
    assert {name: path.name for name, path in done.items()} == {"contact": "contact-sheet.png", "curves": "curves.svg"}
    assert all(path.stat().st_size > 1000 for path in done.values())
    assert [(p.stage, p.detail, p.done, p.total) for p in seen][-1] == ("export", "curves", 2, 2)


@pytest.mark.parametrize(
    "name", ["mp4", "av1", "webm", "webm-alpha", "youtube", "gif", "webp", "apng", "frames", "html"]
)
def test_a_film_can_be_stopped_between_two_frames(tmp_path, name):
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        export(make_source(tmp_path), name, tmp_path / "out", ExportOptions(longest_side=64), stop)
    assert [(told.detail, told.done) for told in seen] == [(name, 0)] * 4
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture(scope="module")
def misnamed(tmp_path_factory):
    """A run in a folder of which the name is no text, as systems other than Windows and macOS have them."""
    folder = tmp_path_factory.mktemp("runs") / os.fsdecode(b"girl\xff")
    try:
        return make_run(folder)
    except OSError:
        pytest.skip("this system has no such names")


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.write])
def test_every_format_takes_a_name_that_is_no_text(misnamed, tmp_path, name):
    title = "" if name in ("mp4", "gif", "svg") else "\udcff\ud800 x"
    options = ExportOptions(Pacing(fps=1, seconds=3), longest_side=64, title=title)
    source = Source.of_run(misnamed, title)
    assert source.name == ("\ufffd\ufffd x" if title else "girl\ufffd")
    path = export(source, name, tmp_path, options)[name]
    if name in ("html", "curves"):
        assert source.name in path.read_text("utf-8")
    if name == "psd":
        assert PSDImage.open(path)[-1].name == options.title == source.name


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_the_command_line_takes_names_that_are_no_text(misnamed, tmp_path):
    command = [sys.executable, "-m", "paints_undo"]
    out, run = os.fsencode(tmp_path) + b"/o\xff", os.fsencode(misnamed)
    for arguments in (
        ["export", run, "--as", "curves,steps,html,psd", "--title", b"\xff", "--out", out, "--longest-side", "64"],
        ["verify", run + b"/artwork.png"],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert {"curves.svg", "steps.pdf", "player.html", "layers.psd"} <= set(os.listdir(os.fsdecode(out)))


@pytest.mark.parametrize("name", ["mp4", "gif", "psd"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(source, tmp_path, monkeypatch, name):
    def full(source, path, options):
        path.write_bytes(b"half")
        with explained("write", path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(formats.FORMATS, name, formats.Format(FORMATS[name].file, "", full))
    with pytest.raises(OSError) as caught:
        export(source, name, tmp_path / "out")
    assert str(caught.value) == (
        f"Cannot write {FORMATS[name].file} in the folder {tmp_path / 'out'}: no space left on device; "
        "free some space there or choose another folder."
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot make out in the folder .*file"):
        export(source, "curves", tmp_path / "file" / "out")


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_the_next_export_sweeps_what_a_killed_one_left(tmp_path):
    """In whatever folder; and an export at work beside it, in the run's folder too, goes on undisturbed."""
    source, run, out = make_source(tmp_path), tmp_path / "girl", tmp_path / "out"
    endless = (
        "import sys, time\n"
        "from paints_undo.exports import formats\n"
        "from paints_undo.exports.source import Source\n"
        "def write(source, path, options):\n"
        "    path.write_bytes(b'half')\n"
        "    print('begun', flush=True)\n"
        "    sys.stdin.read()\n"
        "formats.FORMATS['curves'] = formats.Format('curves.svg', '', write)\n"
        "formats.export(Source.of_run(sys.argv[1]), 'curves', sys.argv[2])\n"
    )

    def begun(folder):
        arguments = [sys.executable, "-c", endless, str(run), str(folder)]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"begun\n"
        return process

    killed, at_work = begun(out), begun(run / "exports")
    killed.kill()
    killed.wait()
    assert len(list(out.glob(".*.tmp"))) == 1
    export(source, "contact", out)
    assert [file.name for file in out.iterdir()] == ["contact-sheet.png"]
    RunFolder.open(run)  # sweeps what it holds
    export(source, "contact", run / "exports")
    assert len(list((run / "exports").glob(".*.tmp"))) == 1
    at_work.communicate()
    assert at_work.returncode == 0
    assert sorted(file.name for file in (run / "exports").iterdir()) == ["contact-sheet.png", "curves.svg"]


def test_exporting_prints_the_paths(tmp_path, capsys):
    run = make_run(tmp_path / "girl")
    assert main(["export", str(run), "--as", "curves,contact", "--title", "夏"]) == 0
    paths = capsys.readouterr().out.split()
    assert paths == [str(run / "exports" / "curves.svg"), str(run / "exports" / "contact-sheet.png")]
    assert "夏" in (run / "exports" / "curves.svg").read_text(encoding="utf-8")


def test_two_runs_are_compared(tmp_path, capsys):
    runs = [make_run(tmp_path / name) for name in ("girl", "other")]
    assert main(["export", str(runs[0]), "--compare", str(runs[1]), "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["comparison.png", "comparison.svg"]


def test_the_list_of_formats(capsys):
    assert main(["export", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FORMATS)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--seconds", "0"], "seconds is 0"),
        (["--fps", "0"], "fps is 0"),
        (["--longest-side", "4"], "longest side is 4"),
        (["--title", "x" * 201], "title has 201 characters"),
        (["--as", "avi"], "format is 'avi'"),
        (["--as", ""], "no format is given"),
    ],
)
def test_bad_values_are_one_sentence_before_any_work(tmp_path, capsys, flags, sentence):
    assert main(["export", str(tmp_path / "absent"), *flags]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "absent").exists()


def test_no_run(tmp_path, capsys):
    assert main(["export"]) == 2
    assert "no run is given" in capsys.readouterr().err
    assert main(["export", str(tmp_path)]) == 2
    assert "no run.json" in capsys.readouterr().err
