"""Run folders get names that every system takes."""

import pytest

from paints_undo.run.folder_names import run_folder_for


@pytest.mark.parametrize(
    ("name", "expected"),
    [("girl.png", "girl"), ("my_art-2.tar.png", None), ("絵.jpg", "絵"), ("plain", "plain"), (".png", None)],
)
def test_plain_names_stay(tmp_path, name, expected):
    folder = run_folder_for(tmp_path, name)
    assert folder.parent == tmp_path
    if expected:
        assert folder.name == expected


UNSAFE_NAMES = ["../../etc/passwd", "..", ".", "", "a/b.png", "C:\\x\\con.png", "con.png", "NUL", "lpt1.txt", "-rf.png"]
UNSAFE_NAMES += ["a b;rm -rf $HOME.png", "~.png", "%s", "a\x00b", "a\nb.png", "trailing. .png", "\udcff.png"]
UNSAFE_NAMES += [
    "x" * 5000,
    "絵" * 300 + ".png",
    "com¹.png",
    "COM².tar",
    "lpt³",
    "Lpt¹.",
    "com².. .png",
    "com9",
    "aux .x",
]
RESERVED = {"con", "prn", "aux", "nul"} | {port + digit for port in ("com", "lpt") for digit in "0123456789¹²³"}


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_unsafe_names_become_safe(tmp_path, name):
    folder = run_folder_for(tmp_path, name)
    assert folder.parent == tmp_path
    folder.mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert folder.name[0] not in "-._~" and folder.name[-1] not in ". "
    assert not set(folder.name) & set('<>:"/\\|?*;$ \n\x00%')
    assert len(folder.name.encode("utf-8")) <= 255
    assert folder.name.lower() not in RESERVED


def test_names_that_would_become_the_same_stay_apart(tmp_path):
    names = ["a b.png", "a-b.png", "a;b.png", "con.png", "artwork-con.png", "x" * 100, "x" * 101]
    assert len({run_folder_for(tmp_path, name) for name in names}) == len(names)
    assert run_folder_for(tmp_path, "a b.png") == run_folder_for(tmp_path, "a b.png")
