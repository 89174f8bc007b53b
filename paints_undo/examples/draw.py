"""Draws the example pictures of the web app: `python -m paints_undo.examples.draw [FOLDER]`.

The pictures are the project's own and carry its licence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paints_undo.examples.cat import cat
from paints_undo.examples.flower import flower
from paints_undo.examples.girl import girl
from paints_undo.examples.house import house


def main() -> None:
    """Write the pictures as PNG files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (girl, cat, house, flower):
        draw().save(folder / f"{draw.__name__}.png", optimize=True)


if __name__ == "__main__":
    main()
