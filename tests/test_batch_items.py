"""Keys say what an item is, and shards part the keys exactly."""

from pathlib import Path

import pytest
from batch_pictures import options

from paints_undo.batch.items import Shard, WorkItem, item_of, printable
from paints_undo.errors import InputError

PICTURE = Path("somewhere/girl.png")


def test_the_key_follows_content_and_settings_and_nothing_else():
    item = item_of(PICTURE, "aa", options(), {"models": "mini"})
    assert item.key == item_of(Path("elsewhere/boy.png"), "aa", options(), {"models": "mini"}).key
    others = [
        item_of(PICTURE, "ab", options(), {"models": "mini"}),
        item_of(PICTURE, "aa", options(seed=8), {"models": "mini"}),
        item_of(PICTURE, "aa", options(), {"models": "released"}),
    ]
    assert len({item.key, *(other.key for other in others)}) == 4
    # the key of a released version may not change, or everything would be drawn again
    assert item.key == item_of(PICTURE, "aa", options(), {"models": "mini"}).key and len(item.key) == 64


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
