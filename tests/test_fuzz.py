"""Whatever comes in by a door is a value or one sentence; tests/fuzz goes on where this short sample ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import encoded, waves
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures import files as picture_files
from paints_undo.web.settings import changed, flat

SMALL = Image.fromarray(waves(40, 48))
FILES = {
    "PNG": encoded(SMALL, "PNG"),
    "PNG palette": encoded(SMALL.quantize(16), "PNG", transparency=3),
    "JPEG": encoded(SMALL, "JPEG"),
    "progressive JPEG": encoded(SMALL, "JPEG", progressive=True),
    "CMYK JPEG": encoded(SMALL.convert("CMYK"), "JPEG"),
    "WebP": encoded(SMALL, "WEBP"),
    "lossless WebP": encoded(SMALL.convert("RGBA"), "WEBP", lossless=True),
    "animated WebP": encoded(SMALL, "WEBP", save_all=True, append_images=[SMALL.rotate(9)]),
    "GIF": encoded(SMALL, "GIF", save_all=True, append_images=[SMALL.rotate(9)]),
}
STARTS = [data[:length] for data in FILES.values() for length in (4, 12, 30)]
quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True, scope="module")
def small_pictures() -> None:
    """Sizes that are decoded in milliseconds."""
    before, picture_files.MAX_PIXELS = picture_files.MAX_PIXELS, 250_000
    yield
    picture_files.MAX_PIXELS = before


def read(data: bytes) -> None:
    try:
        pixels = picture_files.read_file(io.BytesIO(data), "it")
    except InputError as error:
        assert str(error).startswith("it ") and len(str(error).splitlines()) == 1
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3 and str(pixels.dtype) == "uint8"


@quick
@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_any_bytes_after_the_start_of_a_picture(start: bytes, rest: bytes) -> None:
    read(start + rest)


@quick
@given(st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8))
def test_pictures_with_changed_bytes(name: str, changes: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[name])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    read(bytes(data))


@quick
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_pictures_with_pieces_cut_out_or_doubled(name: str, first: float, last: float, place: float) -> None:
    data = FILES[name]
    a, b, c = (int(x * len(data)) for x in (first, last, place))
    read(data[:c] + data[a:b] + data[c:] if a < b else data[:b] + data[a:])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FLAT = flat(UndoOptions())
stage = {
    name: st.fixed_dictionaries({}, optional=dict.fromkeys(UndoOptions().to_settings()[name], plain))
    for name in ("keyframes", "segments")
}


@quick
@given(plain | st.fixed_dictionaries(stage, optional={"fps": plain, "tag": plain, "more": plain}))
def test_any_settings_of_a_run(values: Any) -> None:
    try:
        options = UndoOptions.from_settings(values)
    except InputError as error:
        assert str(error)
    else:
        assert UndoOptions.from_settings(json.loads(json.dumps(options.to_settings()))) == options


@quick
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FLAT, plain)) | plain)
def test_any_changes_of_a_page(changes: Any) -> None:
    try:
        options = changed(UndoOptions(), changes)
    except InputError as error:
        assert str(error)
    else:
        assert changed(UndoOptions(), flat(options)) == options
