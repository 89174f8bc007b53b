"""python -m paints_undo."""

import sys

from paints_undo.cli import main

if __name__ == "__main__":
    sys.exit(main())
