"""How the networks run on a device: which plan, through how much memory, compiled, by how many processes."""

import sys

from paints_undo.errors import CheckpointError

if sys.flags.optimize > 1:  # said here, where the libraries would fail while they are imported
    raise CheckpointError(
        "Python was started with -OO or PYTHONOPTIMIZE=2, which takes out the descriptions that diffusers and "
        "transformers read; start it without"
    )
