"""Values that JSON would change are refused, and differences are named with their place."""

import pytest

from paints_undo.run.plain_values import differences, plain


def test_tuples_become_lists_and_the_rest_stays():
    assert plain({"a": (1, 2.5, None), "b": {"c": "x"}}, "settings") == {"a": [1, 2.5, None], "b": {"c": "x"}}
    for wrong in ({"a": float("inf")}, {"a": {1, 2}}, {3: 4}):
        with pytest.raises(TypeError, match="settings"):
            plain(wrong, "settings")


def test_differences_name_their_place():
    kept, given = {"a": {"b": 1, "c": 2}, "d": True}, {"a": {"b": 1, "c": 3}, "d": 1, "e": "x" * 99}
    assert list(differences(kept, given)) == [
        "a.c is 2 there and 3 now",
        "d is True there and 1 now",
        f"e is not set there and {'x' * 57}... now",
    ]
    assert list(differences(kept, kept)) == []
