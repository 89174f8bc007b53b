"""Results are found under exactly what they were made of, and forgotten oldest first."""

import numpy as np
import pytest

from paints_undo.results import Results, content_key

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
    results, picture = Results(), PICTURE.copy()
    results.put("a", picture)
    picture[:] = 0
    np.testing.assert_array_equal(results.get("a"), PICTURE)
    with pytest.raises(ValueError, match="read-only"):
        results.get("a")[:] = 0


def test_the_least_recently_used_goes_first():
    results = Results(limit=2 * PICTURE.nbytes)
    results.put("a", PICTURE)
    results.put("b", PICTURE)
    assert results.get("a") is not None
    results.put("c", PICTURE)
    assert results.get("b") is None and results.get("a") is not None and results.get("c") is not None
    results.clear()
    assert results.get("a") is None


def test_nothing_is_kept_beyond_the_limit():
    results = Results(limit=0)
    results.put("a", PICTURE)
    assert results.get("a") is None
    with pytest.raises(ValueError, match="limit of kept results is -1"):
        Results(limit=-1)
