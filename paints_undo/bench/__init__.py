"""`python -m paints_undo bench`: where the time, the arithmetic, the bytes and the memory of a run go."""
