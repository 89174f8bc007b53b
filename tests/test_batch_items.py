"""What there is to do: keys and shards, folders, globs and manifests; what is none of them is told in one line."""

import json
import os
import shutil
from pathlib import Path

import pytest
from batch_pictures import options, write_pictures
from PIL import Image

from paints_undo.batch.items import Shard, WorkItem, find_items, item_of, manifest_lines, named_by, printable
from paints_undo.errors import InputError
from paints_undo.headers import SUFFIXES
from paints_undo.pictures.pixels import read_picture

PICTURE = Path("somewhere/girl.png")
KNOWN = {"seed", "prompt", "operation_steps"}


def test_the_key_follows_content_and_settings_and_nothing_else():
    item = item_of(PICTURE, "aa", options(), {"models": "mini"})
    assert item.key == item_of(Path("elsewhere/boy.png"), "aa", options(), {"models": "mini"}).key
    others = [
        item_of(PICTURE, "ab", options(), {"models": "mini"}),
        item_of(PICTURE, "aa", options(seed=8), {"models": "mini"}),
        item_of(PICTURE, "aa", options(), {"models": "released"}),
    ]
    assert len({item.key, *(other.key for other in others)}) == 4 and len(item.key) == 64


@pytest.mark.parametrize("name", ["girl.png", "絵 (1).png", "Ελλάδα.jpg", "con.png", "a" * 300 + ".png", "b\udcff.png"])
def test_folders_have_safe_names_that_keep_keys_apart(name):
    first, second = (WorkItem(key * 64, name, "", options()).folder for key in "ab")
    assert first != second and "/" not in first and len(first.encode()) <= 255
    printable(name).encode()


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_shards_part_exactly(count):
    some = [item_of(PICTURE, str(number), options(), {}) for number in range(300)]
    holders = [[n for n in range(1, count + 1) if Shard(n, count).holds(item)] for item in some]
    assert all(len(found) == 1 for found in holders)
    if count == 7:
        sizes = [sum(found == [n] for found in holders) for n in range(1, 8)]
        assert min(sizes) > 20  # about even


def test_shards_as_text():
    assert Shard.parse("3/100") == Shard(3, 100)
    for text in ("0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/4", f"1/{10**10}"):
        with pytest.raises(InputError, match="shard is"):
            Shard.parse(text)


def make_item(path, digest, settings):
    if settings.get("seed") == -1:
        raise InputError("seed is -1; use a whole number from 0 to 4294967295")
    return item_of(path, digest, options(**settings), {})


def find(*inputs, own_folder=None):
    return find_items([str(entry) for entry in inputs], make_item, KNOWN, own_folder)


def names(found):
    return [item.name for item in found.items]


def test_folders_hold_pictures_and_other_things(tmp_path):
    write_pictures(tmp_path / "art" / "b", 2)
    files = write_pictures(tmp_path / "art", 3)
    shutil.move(files[2], tmp_path / "art" / "絵 Ελ.PNG")
    (tmp_path / "art" / "notes.txt").write_text("no picture")
    shutil.copy(files[0], tmp_path / "art" / ".hidden.png")
    out = tmp_path / "art" / "out" / "run"
    write_pictures(out, 1)
    found = find(tmp_path / "art", own_folder=tmp_path / "art" / "out")
    assert set(names(found)) == {"picture 000.png", "picture 001.png", "絵 Ελ.PNG"} and not found.rejected
    assert len(found.duplicates) == 2  # the first two are in both folders
    assert find(tmp_path / "art").items == sorted(find(tmp_path / "art").items, key=lambda item: item.artwork)


def test_what_cannot_be_read_is_named_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no picture")
    (tmp_path / "nothing.jsonl").write_text("\n")
    (picture,) = write_pictures(tmp_path / "art", 1)
    inputs = ["empty", "texts", "*.gif", "gone.png", "nothing.jsonl"]
    found = find(*(tmp_path / name for name in inputs), picture)
    assert names(found) == ["picture 000.png"]  # the rest goes on
    reasons = [
        "is empty; give",
        "holds no pictures, but 1 other files; give a folder with PNG, JPEG, WebP or GIF files",
        "matches no picture",
        "no such file",
        "is empty;",
    ]
    for (what, reason), name, expected in zip(found.rejected, inputs, reasons, strict=True):
        assert name in what and expected in reason and "\n" not in what + reason


def test_globs_reach_below(tmp_path):
    write_pictures(tmp_path / "a" / "b", 2)
    assert len(find(tmp_path / "**" / "*.png").items) == 2
    odd = tmp_path / "[1]"
    write_pictures(odd, 1)
    assert len(find(odd / "picture 000.png").items) == 1  # a name that looks like a pattern


@pytest.mark.parametrize("suffix", [*sorted(SUFFIXES), ".JPE", ".Jfif", ".jpg_large", ""])
def test_what_is_read_by_itself_is_found_in_folders_and_globs(tmp_path, suffix):
    (file,) = write_pictures(tmp_path / "art", 1)
    file = file.rename(tmp_path / "art" / f"picture{suffix}")
    for given in (file, tmp_path / "art", tmp_path / "art" / "*"):
        found = find(given)
        assert names(found) == [file.name] and not found.rejected


def test_pictures_that_are_not_read_are_named_in_the_reader_s_words(tmp_path):
    (picture,) = write_pictures(tmp_path / "art", 1)
    image = Image.open(picture)
    for suffix, file_format in ((".bmp", "BMP"), (".tif", "TIFF"), (".TIFF", "TIFF")):
        image.save(tmp_path / "art" / f"a{suffix}", file_format)
    (tmp_path / "art" / "a.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(40))
    (tmp_path / "art" / "a.psd").write_bytes(b"8BPS\0\1" + bytes(40))
    (tmp_path / "art" / "a.heic").write_bytes(b"")
    (tmp_path / "art" / "a.tga").write_bytes(bytes(40))
    (tmp_path / "art" / "notes.txt").write_text("BM no picture")
    for given in ("", "*"):
        found = find(tmp_path / "art" / given)
        assert names(found) == ["picture 000.png"] and len(found.rejected) == 7
        for what, reason in found.rejected:
            with pytest.raises(InputError) as refused:
                read_picture(what)
            assert str(refused.value) == f"{Path(what).name} {reason}"


def test_brackets_in_names_are_letters(tmp_path):
    for folder in ("[2024] Images", "2 Images", "0 Images"):
        for number, file in enumerate(write_pictures(tmp_path / folder / "[a] b", 2)):
            file.rename(file.with_name(f"[{number}] c.JPG"))
    within = tmp_path / "[2024] Images" / "[a] b"
    for pattern, count in (
        (tmp_path / "[2024] Images" / "*" / "*.JPG", 2),
        (within / "*.JPG", 2),
        (within / "[1]*.JPG", 1),
        (within / "[1] ?.JPG", 1),
        (within / "[[][01]] c.JPG", 2),  # no such name: a choice of letters, in folders whose names are there
        (tmp_path / "*" / "[a] b" / "[0]*.JPG", 3),
        (tmp_path / "[02] Images" / "**" / "*.JPG", 4),
        (tmp_path / "[02] Images" / "[a] b" / "*.JPG", 0),
        (tmp_path / "[3] Images" / "*.JPG", 0),
    ):
        files = [named for named in named_by(str(pattern), KNOWN, None) if not isinstance(named, tuple)]
        assert len(files) == count, pattern


def test_line_731_of_a_manifest_is_broken(tmp_path):
    files = write_pictures(tmp_path / "art", 3)
    lines = [json.dumps({"artwork": "art/picture 000.png", "seed": number}) for number in range(1000)]
    lines[730] = '{"artwork": "art/picture 000.png", "seed"'
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    found = find(tmp_path / "list.jsonl")
    assert len(found.items) == 999 and found.items[5].options.keyframes.seed == 5
    ((what, reason),) = found.rejected
    assert what.endswith("list.jsonl, line 731") and "is no JSON" in reason
    assert Path(found.items[0].artwork) == files[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[]", "names no picture"),
        (b'{"seed": 1}', "names no picture"),
        (b'{"artwork": 5}', "names no picture"),
        (b'{"artwork": "art/picture 000.png", "colour": 1}', "unknown setting 'colour'; use operation_steps"),
        (b'{"artwork": "art/picture 000.png", "seed": -1}', "seed is -1"),
        (b'{"artwork": "art/picture 000.png", "sha256": "abc"}', "has the sha256 'abc'"),
        (b'{"artwork": "nowhere.png"}', "cannot be read (no such file or directory)"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path, line, reason):
    write_pictures(tmp_path / "art", 1)
    (tmp_path / "list.jsonl").write_bytes(line + b'\n{"artwork": "art/picture 000.png", "prompt": null}\n')
    found = find(tmp_path / "list.jsonl")
    assert len(found.items) == 1 and len(found.rejected) == 1
    assert "line 1" in found.rejected[0][0] and reason in found.rejected[0][1]


def test_duplicates_are_drawn_once(tmp_path):
    files = write_pictures(tmp_path, 2)
    shutil.copy(files[0], tmp_path / "the same.png")
    found = find(tmp_path, files[1])
    assert names(found) == ["picture 000.png", "picture 001.png"]
    twice = [(Path(path).name, item.name) for path, item in found.duplicates]
    assert twice == [("the same.png", "picture 000.png"), ("picture 001.png", "picture 001.png")]


def test_a_written_manifest_gives_the_same_items_and_reads_no_picture(tmp_path):
    files = write_pictures(tmp_path / "art", 2)
    (tmp_path / "list.jsonl").write_text(json.dumps({"artwork": "art/picture 001.png", "seed": 9}))
    found = find(files[0], tmp_path / "list.jsonl")
    (tmp_path / "all.jsonl").write_bytes(manifest_lines(found))
    for file in files:
        os.remove(file)
    again = find(tmp_path / "all.jsonl")
    assert again.items == found.items and not again.rejected
