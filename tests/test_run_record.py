"""run.json: whatever is in it, reading it gives a record or one sentence."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.provenance.records import FORMAT
from paints_undo.run.folder import RunFolder
from paints_undo.run.record import LARGEST, described, picture_digest, read_run_record
from paints_undo.run.timeline import Timeline

OPTIONS = UndoOptions()
RECORD = json.loads(
    json.dumps(
        {
            "format": FORMAT,
            "id": "0123456789abcdef",
            "state": "running",
            "artwork": {"sha256": "ab", "width": 4, "height": 5},
            "packages": {"torch": "2"},
            "settings": {"options": OPTIONS.to_settings(), "models": {"name": "mini", "revision": ""}},
            "timeline": Timeline.of(OPTIONS.keyframes, OPTIONS.segments).to_record(),
        }
    )
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "flying"}, "its state is 'flying'"),
        ({"state": 5}, "state is missing"),
        ({"format": FORMAT + 1}, "this version reads format"),
        ({"artwork": {}}, "the artwork has no size"),
        ({"timeline": []}, "timeline is missing"),
        ([1, 2], "was not written by this program"),
        ({"format": None, "name": "somebody else's"}, "has format None and this version reads format 2"),
        (b"", "run.json is damaged"),
        (b'{"format": 1, "sta', "run.json is damaged"),
        (b"\xff\xfe\x00", "run.json is damaged"),
        (b"[" * 100_000, "run.json is damaged"),
    ],
)
def test_what_is_not_a_record_is_one_sentence(tmp_path, change, said):
    changed = {**RECORD, **change} if isinstance(change, dict) else change
    content = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        RunFolder.open(tmp_path)
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
    assert (tmp_path / "run.json").read_bytes() == content


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / "run.json", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(InputError, match="has more than 16,777,216 bytes"):
        read_run_record(tmp_path / "run.json")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(record, at=()):
    yield at
    for key in record if isinstance(record, dict) else range(len(record)) if isinstance(record, list) else ():
        yield from places(record[key], (*at, key))


def replaced(record, at, value):
    if not at:
        return value
    copy = dict(record) if isinstance(record, dict) else list(record)
    copy[at[0]] = replaced(record[at[0]], at[1:], value)
    return copy


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(places(RECORD))), values)
@example(at=("timeline", "keyframes", 4), value={"\n": None})
def test_any_value_anywhere_is_a_run_or_one_sentence(tmp_path_factory, at, value):
    """Through everything that reads a run.json: the record, the options and the timeline."""
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(replaced(RECORD, at, value)))
    try:
        run = RunFolder.open(folder)
        _ = run.options
        _ = run.timeline
    except InputError as error:
        assert "\n" not in str(error)
    except KeyError as error:
        assert error.args == ("options",)  # which options_of() says in a sentence


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_one_sentence(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "run.json"
    file.write_bytes(content)
    with pytest.raises(InputError):
        read_run_record(file)


def test_a_picture_is_known_by_its_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    assert described(picture) == {"sha256": picture_digest(picture.copy()), "width": 5, "height": 4}
    assert picture_digest(picture) == picture_digest(np.asfortranarray(picture)) != picture_digest(255 - picture)
