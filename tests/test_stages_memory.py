"""Pictures are found under exactly what they were made of, and forgotten oldest first."""

import numpy as np
import pytest
import torch

from paints_undo.stages.memory import MOST_BEGUN, Begun, Memory, content_key

PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def test_the_key_follows_the_content():
    key = content_key({"seed": 1, "steps": [1, 2]}, PICTURE)
    assert key == content_key({"steps": [1, 2], "seed": 1}, PICTURE.copy())
    assert key == content_key({"seed": 1, "steps": [1, 2]}, np.asfortranarray(PICTURE))
    others = [
        content_key({"seed": 2, "steps": [1, 2]}, PICTURE),
        content_key({"seed": 1, "steps": [1, 2]}, PICTURE + 1),
        content_key({"seed": 1, "steps": [1, 2]}, PICTURE.reshape(5, 4, 3)),
        content_key({"seed": 1, "steps": [1, 2]}, PICTURE, PICTURE),
    ]
    assert len({key, *others}) == 5


def test_what_is_kept_is_a_copy_that_nobody_can_change():
    memory, picture = Memory(), PICTURE.copy()
    memory.put("a", picture)
    picture[:] = 0
    np.testing.assert_array_equal(memory.get("a"), PICTURE)
    with pytest.raises(ValueError, match="read-only"):
        memory.get("a")[:] = 0


def test_the_least_recently_used_goes_first():
    memory = Memory(limit=2 * PICTURE.nbytes)
    memory.put("a", PICTURE)
    memory.put("b", PICTURE)
    assert memory.get("a") is not None
    memory.put("c", PICTURE)
    assert memory.get("b") is None and memory.get("a") is not None and memory.get("c") is not None
    memory.clear()
    assert memory.get("a") is None


def test_nothing_is_kept_beyond_the_limit():
    memory = Memory(limit=0)
    memory.put("a", PICTURE)
    assert memory.get("a") is None


def test_what_was_stopped_is_kept_for_the_last_few_calls_alone():
    memory = Memory()
    first, second = memory.begun("first", []), memory.begun("second", [])
    assert memory.begun("first", []) is first and first is not second
    for number in range(MOST_BEGUN - 1):
        memory.begun(str(number), [])
    assert memory.begun("first", []) is first and memory.begun("second", []) is not second
    memory.finished("first")
    assert memory.begun("first", []) is not first


def test_of_what_was_stopped_the_pieces_that_are_wanted_again_stay():
    memory = Memory()
    memory.begun("alike", []).latents |= {"a": torch.zeros(1), "b": torch.ones(1)}
    assert memory.begun("alike", ["b", "c"]) == Begun({"b": torch.ones(1)})
    memory.clear()
    assert memory.begun("alike", ["b"]) == Begun()
