"""Coverage-guided fuzzing of the doors that strangers' bytes come in by: `python tests/fuzz/fuzz_doors.py pictures`.

Needs `pip install atheris` (Linux, Python 3.11 or newer). Further arguments go to libFuzzer: a corpus folder, and for
instance -max_total_time=3600 -rss_limit_mb=2048. A crash is anything but a picture or an InputError of one sentence.
"""

import io
import json
import logging
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["paints_undo", "PIL"]):
    from paints_undo.errors import InputError
    from paints_undo.options import UndoOptions
    from paints_undo.pictures import files as picture_files
    from paints_undo.web.settings import changed, flat

logging.disable(logging.CRITICAL)
picture_files.MAX_PIXELS = 250_000  # so that an input takes milliseconds


def pictures(data: bytes) -> None:
    """Bytes as a picture file."""
    try:
        pixels = picture_files.read_file(io.BytesIO(data), "it")
    except InputError as error:
        assert str(error).startswith("it ") and len(str(error).splitlines()) == 1, repr(error)
    else:
        height, width, channels = pixels.shape
        assert channels == 3 and str(pixels.dtype) == "uint8" and height * width <= picture_files.MAX_PIXELS


def settings(data: bytes) -> None:
    """Bytes as the JSON of a run's settings, and of a page's changes."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    for parse in (UndoOptions.from_settings, lambda changes: changed(UndoOptions(), changes)):
        try:
            options = parse(values)
        except InputError as error:
            assert str(error), repr(error)
        else:
            assert UndoOptions.from_settings(json.loads(json.dumps(options.to_settings()))) == options
            flat(options)


if __name__ == "__main__":
    target = {"pictures": pictures, "settings": settings}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
