"""`export` on the command line."""

import pytest
from export_runs import make_run

from paints_undo.cli import main
from paints_undo.exports.formats import FORMATS


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
